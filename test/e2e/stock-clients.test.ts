import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { unwrap } from "../../src/base/result.ts";
import { type RunningStoreServer, startStoreServer } from "../../src/store-server/start.ts";
import { needs } from "../needs.ts";
import { apacheClassPath } from "./apache-jars.ts";

/** Debian's Python: python3-kazoo is not seen by others. */
const python = "/usr/bin/python3";

interface Ran {
  readonly code: number | null;
  readonly text: string;
}

function run(command: string, args: readonly string[], input = ""): Promise<Ran> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  let text = "";
  child.stdout.on("data", (bytes: Buffer) => (text += bytes.toString()));
  child.stderr.on("data", (bytes: Buffer) => (text += bytes.toString()));
  child.stdin.end(input);
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, text })));
}

describe("stock clients of ZooKeeper on the embedded server", { timeout: 120_000 }, () => {
  let folder: string;
  let running: RunningStoreServer;
  let address: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "weft-stock-"));
    const listen = [{ kind: "tcp", host: "127.0.0.1", port: 0 }] as const;
    running = unwrap(await startStoreServer({ folder, listen }));
    address = running.addresses[0] as string;
  });
  after(async () => {
    await running.stop();
    rmSync(folder, { recursive: true });
  });

  test("kazoo: nodes, watches, transactions, locks, a broken connection", { skip: needs("kazoo") }, async () => {
    const script = join(import.meta.dirname, "kazoo-client.py");
    const { code, text } = await run(python, [script, address, `weft:${running.secret}`]);
    assert.deepEqual([code, text.trim()], [0, "ok"]);
  });

  test("Apache's command line: create, read, list, watch, delete", { skip: needs("java", "mvn") }, async () => {
    const script = [
      `addauth digest weft:${running.secret}`,
      "create /cli hello",
      "create -e /cli-ephemeral x",
      "create -c /cli-container x",
      "create -t 60000 /cli-ttl x",
      "create -s /cli/s- x",
      "get -s /cli",
      "ls -R /cli",
      "getAcl /cli",
      "addWatch -m PERSISTENT_RECURSIVE /cli",
      "create /cli/watched x",
      "removewatches /cli",
      "whoami",
      "getEphemerals",
      "sync /cli",
      "deleteall /cli",
      "get /cli",
      "quit",
      "",
    ].join("\n");
    const args = ["-cp", apacheClassPath(), "org.apache.zookeeper.ZooKeeperMain", "-server", address];
    const { text } = await run("java", args, script);
    const expected = [
      "Created /cli",
      "Created /cli-ephemeral",
      "Created /cli-container",
      "Created /cli-ttl",
      "Created /cli/s-0000000000",
      "hello",
      "dataLength = 5",
      "'world,'anyone",
      "WatchedEvent state:SyncConnected type:NodeCreated path:/cli/watched",
      "digest: weft",
      "/cli-ephemeral",
      "Sync is OK",
      "Node does not exist: /cli",
    ];
    for (const line of expected) assert.ok(text.includes(line), `${line} is missing in:\n${text}`);
  });
});
