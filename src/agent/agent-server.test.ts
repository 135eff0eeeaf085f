import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { ManualClock } from "../base/clock.ts";
import { Prng } from "../base/prng.ts";
import { unwrap } from "../base/result.ts";
import { systemScheduler } from "../base/scheduler.ts";
import { MemoryDatapath } from "../datapath/memory/memory-datapath.ts";
import { dropCode } from "../flow/drop-reason.ts";
import { answeringOthers, listenAgent } from "./agent-server.ts";
import { AgentState } from "./agent-state.ts";
import { ControlCore } from "./core/control.ts";
import type { ToWorker } from "./core/messages.ts";
import { Questions } from "./questions.ts";

const HOST = "00000000-0000-8000-8000-000000000001";

interface Answer {
  readonly status: number | undefined;
  readonly body: { readonly [name: string]: unknown };
}

describe("the agent's own API", () => {
  let folder: string;
  let socket: string;
  let server: Server;
  let state: AgentState;
  let answersFlows = true;
  let awaySince: number | undefined;
  const told: string[] = [];
  const views = {
    metrics: () => "# HELP a_total a\n",
    doctor: async () => ({ wall: 5, findings: [] }),
    support: () => ({ process: "agent", release: "1", node: "24", config: [], log: ["{}"] }),
    async handOver(before: number) {
      if (before < 1_000) return false;
      told.push("handing over");
      return true;
    },
    onHandedOver: () => void told.push("handed over"),
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "weft-agent-"));
    socket = join(folder, "agent.sock");
    const send = (messages: readonly ToWorker[]): void => {
      for (const message of messages) {
        if (message.kind !== "ask-flows" || !answersFlows) continue;
        for (const worker of [0, 1])
          state.take(worker, { kind: "flows", request: message.request, flows: [], total: 10 + worker });
      }
    };
    state = new AgentState({
      ...{ hostId: HOST, release: "1", startedAt: 5, workers: 2, datapathName: "memory" },
      core: new ControlCore({ hostId: HOST, udpPort: 6677 }, new Prng(1)),
      datapath: new MemoryDatapath({
        ...{ clock: new ManualClock(0), prng: new Prng(2), bucketsPerShard: 1 },
        send: () => undefined,
      }),
      questions: new Questions({ scheduler: systemScheduler, workers: 2, send }),
      isStoreConnected: () => awaySince === undefined,
      storeAwaySince: () => awaySince,
    });
    server = unwrap(await listenAgent(socket, state, views));
  });

  afterEach(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });

  function ask(method: string, path: string, body = ""): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath: socket, method, path, agent: false }, (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += `${chunk}`));
        response.once("end", () => resolve({ status: response.statusCode, body: JSON.parse(text) }));
      });
      asked.once("error", reject);
      asked.end(body);
    });
  }

  it("is for its owner only, and tells the state with the flows of all workers", async () => {
    assert.equal(statSync(socket).mode & 0o777, 0o600);
    const { status, body } = await ask("GET", "/status");
    assert.equal(status, 200);
    assert.deepEqual([body["hostId"], body["flows"], body["isStoreConnected"]], [HOST, 21, true]);
  });

  it("says since when the store is away, while it is", async () => {
    assert.ok(!("storeAwaySince" in (await ask("GET", "/status")).body));
    awaySince = 1_700_000_000_000.5;
    const { body } = await ask("GET", "/status");
    awaySince = undefined;
    assert.deepEqual([body["isStoreConnected"], body["storeAwaySince"]], [false, 1_700_000_000_000]);
  });

  it("says nothing of flows when the workers do not answer in time, and never 0", async () => {
    answersFlows = false;
    const { status, body } = await ask("GET", "/status");
    answersFlows = true;
    assert.deepEqual([status, "flows" in body], [200, false]);
  });

  it("serves the metrics as text and as JSON, findings, and what belongs into a bundle", async () => {
    assert.deepEqual((await ask("GET", "/metrics?format=json")).body, { text: views.metrics() });
    const [type, text] = await new Promise<readonly [string | undefined, string]>((resolve) => {
      request({ socketPath: socket, path: "/metrics" }, (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += `${chunk}`));
        response.once("end", () => resolve([response.headers["content-type"], text]));
      }).end();
    });
    assert.deepEqual((await ask("GET", "/doctor")).body, { wall: 5, findings: [] });
    assert.deepEqual((await ask("GET", "/support")).body, views.support());
    assert.deepEqual([type, text], ["text/plain; version=0.0.4; charset=utf-8", views.metrics()]);
  });

  it("leaves a socket alone that another agent serves, and takes one that a dead agent left", async () => {
    const second = await listenAgent(socket, state, views);
    assert.match(second.ok ? "" : second.error, /in use by another process: .*another --api-socket/);
    assert.equal((await ask("GET", "/version")).status, 200);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    // Node removes the socket at close; a killed process does not.
    const dead = spawnSync(process.execPath, [
      "-e",
      `require("net").createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, "SIGKILL"))`,
    ]);
    assert.equal(dead.signal, "SIGKILL");
    server = unwrap(await listenAgent(socket, state, views));
    assert.equal((await ask("GET", "/version")).status, 200);
  });

  it("adds the drops of workers up, by reason", async () => {
    const drops = [{ vport: 0, reason: dropCode("no-route"), packets: 3 }];
    for (const worker of [0, 1]) state.take(worker, { kind: "counts", drops, metrics: {} });
    const { body } = await ask("GET", "/drops");
    const [line] = body["drops"] as readonly { readonly reason: string; readonly packets: number }[];
    assert.deepEqual([line?.reason, line?.packets], ["no-route", 6]);
  });

  it("answers what it cannot read with an error, and goes on", async () => {
    assert.equal((await ask("POST", "/trace", "{")).status, 400);
    assert.equal((await ask("POST", "/trace", "{}")).status, 400);
    assert.equal((await ask("GET", "/nothing")).status, 404);
    assert.equal((await ask("GET", "//")).status, 500);
    assert.equal((await ask("GET", "/status")).status, 200);
  });

  it("does not mind a sender that leaves in the middle of its request", async () => {
    const sender = connect(socket);
    const requested = new Promise((resolve) => server.once("request", resolve));
    sender.write("POST /trace HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{");
    await requested;
    sender.destroy();
    assert.equal((await ask("GET", "/status")).status, 200);
  });

  it("a request to hand over is answered when all is left, and then this agent has nothing to do any more", async () => {
    assert.equal((await ask("POST", "/hand-over?before=999")).status, 504, "whoever asked has given up");
    const { status, body } = await ask("POST", "/hand-over?before=1000");
    assert.deepEqual([status, body], [200, { pid: process.pid }]);
    while (told.length < 2) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(told.splice(0), ["handing over", "handed over"]);
  });

  it("hands over to nobody who asks from another machine", async () => {
    const others = createServer(answeringOthers(state, views)).listen(join(folder, "others.sock"));
    await once(others, "listening");
    const asked = request({
      socketPath: join(folder, "others.sock"),
      method: "POST",
      path: "/hand-over",
      agent: false,
    });
    asked.end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    assert.equal(response.statusCode, 504);
    assert.deepEqual(told.splice(0), []);
    response.resume();
    others.closeAllConnections();
    others.close();
  });
});
