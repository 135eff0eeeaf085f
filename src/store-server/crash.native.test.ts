import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { mainOf, nodeOptions } from "../base/entry.ts";
import { childLink } from "../base/parent.ts";
import { Prng } from "../base/prng.ts";
import { unwrap } from "../base/result.ts";
import type { ZooKeeperClient } from "../zookeeper/client.ts";
import { connectZooKeeper, digest } from "../zookeeper/connect.ts";

/** A store server in a process of its own. */
class ServerProcess {
  readonly addresses: string[] = [];
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;

  constructor(folder: string, args: readonly string[] = []) {
    const all = [...nodeOptions, mainOf("store-server"), "--data-folder", folder, "--log.level", "error", ...args];
    const { stdio, env } = childLink(process.env);
    this.child = spawn(process.execPath, all, { stdio: [stdio[0], "pipe", stdio[2], stdio[3]], env });
    this.exited = new Promise((resolve) => this.child.once("exit", (code) => resolve(code)));
  }

  /** Resolves when it listens on so many addresses. */
  async listening(count = 1): Promise<this> {
    for await (const line of createInterface({ input: this.child.stdout as NodeJS.ReadableStream })) {
      this.addresses.push(line.replace("listening ", ""));
      if (this.addresses.length === count) break;
    }
    assert.equal(this.addresses.length, count, "the server ended before it listened");
    return this;
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    return this.exited;
  }
}

describe("store server process", { timeout: 120_000 }, () => {
  let folder: string;
  const started: ServerProcess[] = [];
  const start = (args: readonly string[] = []): ServerProcess => {
    const server = new ServerProcess(join(folder, "store"), args);
    started.push(server);
    return server;
  };
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "weft-crash-"));
  });
  after(async () => {
    await Promise.all(started.map((server) => server.end("SIGKILL")));
    rmSync(folder, { recursive: true });
  });

  test("kill -9 at any moment loses no acknowledged write, and makes none up", async () => {
    const prng = new Prng(20);
    let server = await start().listening();
    const tree = unwrap(await connectZooKeeper({ servers: server.addresses, timeoutMs: 40_000 }));
    unwrap(await tree.create("/log", new Uint8Array(0)));
    unwrap(await tree.create("/log/alive", new Uint8Array(0), { mode: "ephemeral" }));
    const session = tree.session.id;
    const log = new WriteLog(tree);
    for (let life = 0; life < 8; life++) {
      const wanted = log.acknowledged + 50 + prng.below(3_000);
      await log.until(wanted);
      await server.end("SIGKILL");
      server = await start().listening();
    }
    await log.stop();
    unwrap(await tree.sync("/"));
    const stored = new Set(unwrap(await tree.children("/log")).names);
    assert.deepEqual(
      log.confirmed.filter((name) => !stored.has(name)),
      [],
      "acknowledged and lost",
    );
    const tried = new Set([...log.confirmed, ...log.unknown, "alive"]);
    assert.deepEqual(
      [...stored].filter((name) => !tried.has(name)),
      [],
      "never asked for",
    );
    assert.equal(tree.session.id, session, "the session outlived every crash");
    assert.ok(stored.has("alive"));
    await tree.close();
    assert.equal(await server.end("SIGTERM"), 0);
  });

  test("the socket and all files belong to the owner alone, and TCP wants the secret", async () => {
    const server = await start(["--listen", "127.0.0.1:0"]).listening(2);
    const store = join(folder, "store");
    const modes = ["", "store.sock", "secret", "store.sqlite"].map((name) => statSync(join(store, name)).mode & 0o777);
    assert.deepEqual(modes, [0o700, 0o600, 0o600, 0o600]);
    const servers = [server.addresses[1] as string];
    assert.deepEqual(await connectZooKeeper({ servers }), { ok: false, error: { kind: "no-auth" } });
    const wrong = await connectZooKeeper({ servers, auth: [digest("weft:0000")] });
    assert.deepEqual(wrong, { ok: false, error: { kind: "no-auth" } });
    const secret = readFileSync(join(store, "secret"), "utf8").trim();
    const tree = unwrap(await connectZooKeeper({ servers, auth: [digest(`weft:${secret}`)] }));
    unwrap(await tree.exists("/log"));
    await tree.close();
    const second = start();
    assert.equal(await second.exited, 1, "a second server on the same folder is refused");
    assert.equal(await server.end("SIGINT"), 0);
  });

  test("it ends by itself when the process that started it dies", async () => {
    const server = await start().listening();
    (server.child.stdio[3] as unknown as { destroy(): void }).destroy();
    assert.equal(await server.exited, 0);
  });

  test("a bad configuration is one sentence and exit code 78", async () => {
    const child = spawn(process.execPath, [...nodeOptions, mainOf("store-server"), "--listen", "0.0.0.0:2181"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let text = "";
    child.stderr.on("data", (bytes: Buffer) => {
      text += bytes.toString();
    });
    const code = await new Promise((resolve) => child.once("close", resolve));
    assert.equal(code, 78);
    assert.match(text, /^weft store server: listen: 0\.0\.0\.0:2181: expected a loopback address and a port.*\n$/);
  });
});

/** Creates nodes without end, a few at a time, and notes what was confirmed and what stayed unknown. */
class WriteLog {
  readonly confirmed: string[] = [];
  readonly unknown: string[] = [];
  readonly #tree: ZooKeeperClient;
  readonly #writers: Promise<void>[];
  #next = 0;
  #isStopped = false;
  #wake: (() => void) | undefined;
  #wanted = Number.POSITIVE_INFINITY;

  constructor(tree: ZooKeeperClient) {
    this.#tree = tree;
    this.#writers = Array.from({ length: 32 }, () => this.#write());
  }

  get acknowledged(): number {
    return this.confirmed.length;
  }

  until(count: number): Promise<void> {
    this.#wanted = count;
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#writers);
  }

  async #write(): Promise<void> {
    while (!this.#isStopped) {
      const name = `n${this.#next++}`;
      const created = await this.#tree.create(`/log/${name}`, new TextEncoder().encode(name));
      if (created.ok) this.confirmed.push(name);
      else {
        assert.equal(created.error.kind, "connection-loss");
        this.unknown.push(name);
      }
      if (this.confirmed.length >= this.#wanted) this.#wake?.();
    }
  }
}
