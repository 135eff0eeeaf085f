import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { STORE_WAIT_MS } from "../../src/api/limits.ts";
import { ApiClient } from "../../src/api-client/client.ts";
import { parseHttpTarget } from "../../src/api-client/http-json.ts";
import { mainOf, nodeOptions } from "../../src/base/entry.ts";
import { unwrap } from "../../src/base/result.ts";
import { sleep, systemScheduler } from "../../src/base/scheduler.ts";
import { needs } from "../needs.ts";
import { type ApacheEnsemble, smallJava, startApache } from "./apache-zookeeper.ts";

const secret = "the-secret-of-this-test";
/** Above what servers take by default, so that a node larger than ours can be there at all. */
const largeNodeBytes = 2 * 1024 * 1024;

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function run(command: string, args: readonly string[]): Promise<Ran> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (bytes: Buffer) => (out += bytes.toString()));
  child.stderr.on("data", (bytes: Buffer) => (err += bytes.toString()));
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, out, err })));
}

describe("a store in its operator's hands", { timeout: 240_000, skip: needs("java", "mvn", "kazoo") }, () => {
  let folder: string;
  let apache: ApacheEnsemble;
  const children: ChildProcess[] = [];
  const file = (name: string): string => join(folder, name);

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "weft-operations-"));
    writeFileSync(file("secret"), `${secret}\n`, { mode: 0o600 });
    apache = await startApache(1, [], { java: [...smallJava, `-Djute.maxbuffer=${2 * largeNodeBytes}`] });
  });
  after(async () => {
    for (const child of children) child.kill("SIGKILL");
    await apache?.stop();
    rmSync(folder, { recursive: true });
  });

  /** Starts a process of weft; resolves when it says where it listens. */
  const start = (main: "api" | "store-server", args: readonly string[]): Promise<ChildProcess> => {
    const child = spawn(process.execPath, [...nodeOptions, mainOf(main), ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    children.push(child);
    let said = "";
    child.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
    return new Promise((resolve, reject) => {
      child.stdout.on("data", (bytes: Buffer) => bytes.toString().includes("listening") && resolve(child));
      child.once("exit", (code) => reject(new Error(`${main} ended with ${code}: ${said}`)));
    });
  };
  const stop = (child: ChildProcess): Promise<void> =>
    new Promise((resolve) => {
      child.removeAllListeners("exit");
      child.once("exit", () => resolve());
      child.kill("SIGTERM");
    });
  const weft = (...args: readonly string[]): Promise<Ran> =>
    run(process.execPath, [...nodeOptions, mainOf("cli"), "store", ...args]);
  const onApache = (): readonly string[] => [
    "--store",
    apache.addresses[0] ?? "",
    "--store-secret-file",
    file("secret"),
  ];
  const kazoo = async (...args: readonly string[]): Promise<string> => {
    const script = join(import.meta.dirname, "kazoo-operator.py");
    const { code, out, err } = await run("/usr/bin/python3", [
      script,
      apache.addresses[0] ?? "",
      `weft:${secret}`,
      ...args,
    ]);
    assert.equal(code, 0, err);
    return out.trim();
  };
  const api = async (name: string, store: readonly string[]): Promise<{ client: ApiClient; child: ChildProcess }> => {
    const [socket, token] = [file(`${name}.sock`), file(`${name}.token`)];
    const child = await start("api", [...store, "--socket", socket, "--token-file", token]);
    const target = unwrap(parseHttpTarget(`unix:${socket}`));
    return { client: new ApiClient({ target, token: readFileSync(token, "utf8").trim() }), child };
  };
  const eventually = async (what: string, isSo: () => Promise<boolean>): Promise<void> => {
    for (let left = 200; !(await isSo()); left--) {
      assert.ok(left > 0, what);
      await sleep(systemScheduler, 100);
    }
  };

  test("from the embedded store to ZooKeeper: stock clients read it, an API works on it, and the way back is the same", async () => {
    const embedded = file("store.sock");
    await start("store-server", ["--data-folder", file("data"), "--socket", embedded]);
    const before = await api("before", ["--store", `unix:${embedded}`]);
    for (const name of ["red", "green", "blue"]) assert.ok((await before.client.create("bridge", { name })).ok);
    await stop(before.child);
    before.client.close();
    const to = ["--to-store-secret-file", file("secret"), "--to-store-private"];
    const copied = await weft("copy", `unix:${embedded}`, apache.addresses[0] ?? "", ...to);
    assert.equal(copied.code, 0, copied.err);
    assert.match(copied.out, /copied \d+ nodes; read back and equal/);
    assert.equal(await kazoo("get", "/weft/layout"), '{"layout":1}');
    assert.equal(await kazoo("acl", "/weft/objects/bridges"), "digest", "whoever lacks the secret reads nothing");
    const onTarget = await api("after", [...onApache(), "--store-private"]);
    const list = unwrap(await onTarget.client.list("bridge"));
    assert.deepEqual(list.items.map(({ name }) => name).toSorted(), ["blue", "green", "red"]);
    assert.ok((await onTarget.client.create("bridge", { name: "white" })).ok);
    await stop(onTarget.child);
    onTarget.client.close();
    const from = ["--from-store-secret-file", file("secret")];
    const back = await weft("copy", apache.addresses[0] ?? "", `unix:${embedded}`, ...from, "--replace");
    assert.equal(back.code, 0, back.err);
    assert.match((await weft("status", "--store", `unix:${embedded}`)).out, /objects {2}bridges 4/);
    assert.match((await weft("status", ...onApache())).out, /standalone, zxid 0x.*\n.*layout 1/);
  });

  test("emptied by mistake and restored: the API refuses to write between, then goes on without a restart", async () => {
    const { client } = await api("running", [...onApache(), "--store-private"]);
    assert.equal(unwrap(await client.list("bridge")).items.length, 4);
    const made = await weft("backup", file("cloud.jsonl.gz"), ...onApache());
    assert.equal(made.code, 0, made.err);
    assert.equal(await kazoo("deleteall", "/weft"), "gone");
    const refused = await client.create("bridge", { name: "lost" });
    assert.ok(!refused.ok);
    const list = await client.list("bridge");
    assert.ok(!list.ok, "an emptied store is no cloud without bridges");
    for (const { error } of [refused, list])
      assert.match(JSON.stringify(error), /everything under \/weft is gone: .*weft store restore/);
    const { findings } = unwrap(await client.doctor());
    const bad = findings.filter(({ level }) => level === "failure");
    assert.deepEqual(
      bad.map(({ check }) => check),
      ["store-layout"],
    );
    assert.match(`${bad[0]?.found}`, /everything under \/weft is gone/);
    assert.ok(findings.some(({ check, level }) => check === "store" && level === "ok"));
    assert.equal((await weft("check", ...onApache())).code, 1);
    const restored = await weft("restore", file("cloud.jsonl.gz"), ...onApache());
    assert.equal(restored.code, 0, restored.err);
    assert.equal(await kazoo("acl", "/weft/objects/bridges"), "world", "open to everybody, as nothing else was said");
    const closed = await weft("restore", file("cloud.jsonl.gz"), ...onApache(), "--store-private", "--replace");
    assert.equal(closed.code, 0, closed.err);
    assert.match(closed.out, /closed to whoever lacks the secret: \d+ nodes/);
    await eventually("the API writes again", async () => (await client.create("bridge", { name: "black" })).ok);
    assert.equal(unwrap(await client.list("bridge")).items.length, 5);
    for (const path of ["/weft", "/weft/layout", "/weft/objects/bridges"])
      assert.equal(await kazoo("acl", path), "digest");
    const sound = await weft("check", ...onApache());
    assert.deepEqual([sound.code, sound.out], [0, "nothing is wrong\n"]);
    client.close();
    writeFileSync(file("wrong"), "another-secret-than-that", { mode: 0o600 });
    const strange = ["--store", apache.addresses[0] ?? "", "--store-secret-file", file("wrong")];
    for (const words of [["status"], ["check"], ["check", "--json"], ["backup", file("strange.gz")]]) {
      const looked = await weft(...words, ...strange);
      assert.equal(looked.code, 1, "a store that keeps us out is not an empty one");
      assert.match(looked.err, /does not let us use \/weft: .*--store-secret-file/);
      assert.doesNotMatch(looked.out + looked.err, /empty|no layout/);
    }
  });

  test("damaged and foreign nodes, one of 2 MB and one that we may not read: each named, everything else works", async () => {
    const { client } = await api("damaged", [...onApache(), "--store-private"]);
    const [first, second] = unwrap(await client.list("bridge")).items;
    assert.ok(first !== undefined && second !== undefined);
    await kazoo("set", `/weft/objects/bridges/${first.id}`, "{");
    await kazoo("large", `/weft/objects/bridges/${second.id}`, String(largeNodeBytes));
    await kazoo("set", "/weft/objects/gadgets/1", "{}");
    await kazoo("set", "/weft/strange/thing", "x");
    await kazoo("private", "/weft/closed", "other:password");
    const { code, out } = await weft("check", "--json", ...onApache());
    assert.equal(code, 1);
    const { findings } = JSON.parse(out) as {
      readonly findings: readonly { readonly kind: string; readonly path: string }[];
    };
    assert.deepEqual(
      findings.map(({ kind, path }) => `${kind} ${path}`).toSorted(),
      [
        `damaged-document /weft/objects/bridges/${first.id}`,
        `damaged-document /weft/objects/bridges/${second.id}`,
        "foreign /weft/closed",
        "foreign /weft/objects/gadgets",
        "foreign /weft/strange",
        "unreadable /weft/closed",
      ].toSorted(),
    );
    const got = await client.get("bridge", first.id);
    assert.ok(!got.ok);
    assert.match(JSON.stringify(got.error), new RegExp(first.id));
    assert.equal(unwrap(await client.list("bridge")).items.length, 3);
    assert.ok((await client.create("bridge", { name: "grey" })).ok);
    const deleted = await client.delete("bridge", first.id);
    assert.ok(deleted.ok, JSON.stringify(deleted));
    client.close();
  });

  test("the store dies: the API says within seconds that it is away and since when, at once from then on, and goes on when it is back", async () => {
    const { client } = await api("away", [...onApache(), "--store-private"]);
    assert.ok((await client.list("bridge")).ok);
    await apache.servers[0]?.stop("SIGKILL");
    for (const withinMs of [2 * STORE_WAIT_MS, STORE_WAIT_MS / 2]) {
      const from = systemScheduler.clock.now();
      for (const asked of [await client.list("bridge"), await client.create("bridge", { name: "late" })]) {
        assert.ok(!asked.ok);
        assert.match(JSON.stringify(asked.error), /store-unavailable.*no connection to the store since 20/);
      }
      assert.ok(systemScheduler.clock.now() - from < withinMs);
    }
    apache.servers[0]?.start();
    await eventually("the API answers again", async () => (await client.list("bridge")).ok);
    client.close();
  });
});
