import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { systemScheduler } from "../base/scheduler.ts";
import { type DatapathOwner, takeOver } from "./takeover.ts";

describe("taking over from the agent of this host", () => {
  let folder: string;
  let server: Server | undefined;
  let owner: { pid: number; isAlive: boolean } | undefined;
  let kills = 0;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "weft-takeover-"));
    owner = { pid: 7, isAlive: true };
    kills = 0;
  });

  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
    server = undefined;
    rmSync(folder, { recursive: true });
  });

  const present = (): DatapathOwner | undefined => {
    const now = owner;
    if (now === undefined) return undefined;
    const kill = (): void => {
      kills++;
      now.isAlive = false;
      owner = undefined;
    };
    return { pid: now.pid, isAlive: () => now.isAlive, kill };
  };

  const ask = (mayKill: boolean): ReturnType<typeof takeOver> =>
    takeOver({
      ...{ scheduler: systemScheduler, socket: join(folder, "agent.sock"), mayKill, withinMs: 100 },
      owner: present,
    });

  const serve = async (listener: RequestListener): Promise<void> => {
    const made = createServer(listener);
    server = made;
    await new Promise<void>((resolve) => made.listen(join(folder, "agent.sock"), resolve));
  };

  it("where nobody has the datapath there is nobody to ask", async () => {
    owner = undefined;
    assert.deepEqual(await ask(false), { ok: true, value: "nobody" });
  });

  it("an agent that hands over is believed when it has let go of the datapath", async () => {
    const asked: string[] = [];
    await serve((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      response.setHeader("content-type", "application/json").end("{}");
      setImmediate(() => (owner = undefined));
    });
    assert.deepEqual(await ask(false), { ok: true, value: "handed-over" });
    assert.match(asked.join(), /^POST \/hand-over\?before=\d+$/);
    assert.equal(kills, 0);
  });

  it("an agent that does not answer is left alone, and the sentence says what to do", async () => {
    await serve(() => undefined);
    const refused = await ask(false);
    assert.ok(!refused.ok);
    assert.match(
      refused.error,
      /process 7, does not hand over \(no answer within 100 ms\): stop it, or give --takeover=force/,
    );
    assert.equal(kills, 0);
  });

  it("with force an agent that does not answer, or refuses, is killed", async () => {
    await serve(() => undefined);
    assert.deepEqual(await ask(true), { ok: true, value: "killed" });
    owner = { pid: 8, isAlive: true };
    server?.removeAllListeners("request").on("request", (_request, response) => response.writeHead(500).end("{}"));
    assert.deepEqual(await ask(true), { ok: true, value: "killed" });
    assert.equal(kills, 2);
  });

  it("an agent that dies while it is asked leaves its place", async () => {
    await serve((request) => {
      (owner as { isAlive: boolean }).isAlive = false;
      request.destroy();
    });
    assert.deepEqual(await ask(false), { ok: true, value: "nobody" });
  });
});
