import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { moduleOf, nodeOptions } from "../base/entry.ts";
import { unwrap } from "../base/result.ts";
import { systemScheduler } from "../base/scheduler.ts";
import { encodeObject } from "../model/encoding.ts";
import { bridge, chain, host, idOf } from "../model/testdata/topology.ts";
import { StoreConnection } from "../store/recipes/connection.ts";
import { TreeTopologyStore } from "../store/recipes/tree-topology-store.ts";
import { openZooKeeper } from "../zookeeper/connect.ts";
import { type RunningStoreServer, startStoreServer } from "./start.ts";

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `weft store` to its end. */
function weftStore(...args: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, [...nodeOptions, moduleOf("store-server/tool.main"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (bytes: Buffer) => (out += bytes.toString()));
  child.stderr.on("data", (bytes: Buffer) => (err += bytes.toString()));
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, out, err })));
}

describe("weft store", { timeout: 120_000 }, () => {
  let folder: string;
  let [first, second]: readonly [RunningStoreServer | undefined, RunningStoreServer | undefined] = [
    undefined,
    undefined,
  ];
  const file = (name: string): string => join(folder, name);
  const at = (name: string): string => `unix:${file(`${name}.sock`)}`;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "weft-tool-"));
    const serve = async (name: string): Promise<RunningStoreServer> =>
      unwrap(
        await startStoreServer({
          folder: file(name),
          listen: [
            { kind: "unix", path: file(`${name}.sock`) },
            { kind: "tcp", host: "127.0.0.1", port: 0 },
          ],
        }),
      );
    [first, second] = [await serve("a"), await serve("b")];
    const connection = connectionTo(at("a"));
    const topology = new TreeTopologyStore(connection);
    const objects = [host(1), ...Array.from({ length: 50 }, (_, i) => bridge(i + 2)), chain(90)];
    unwrap(await topology.transact(objects.map((object) => ({ op: "create", object }))));
    topology.close();
    await connection.close();
  });
  after(async () => {
    await first?.stop();
    await second?.stop();
    rmSync(folder, { recursive: true });
  });

  const connectionTo = (address: string): StoreConnection =>
    new StoreConnection({
      scheduler: systemScheduler,
      connect: () => unwrap(openZooKeeper({ servers: [address] })),
    });
  const bridgesAt = async (name: string): Promise<number> => {
    const connection = connectionTo(at(name));
    const topology = new TreeTopologyStore(connection);
    const list = await topology.list("bridge");
    await connection.close();
    return list.ok ? list.value.objects.length : -1;
  };

  test("status says how the server and our part of it do, also over TCP with the secret", async () => {
    const { code, out } = await weftStore("status", "--store", at("a"));
    assert.equal(code, 0);
    assert.match(out, /standalone, zxid 0x/);
    assert.match(out, /layout 1.*\n.*\nobjects {2}hosts 1, bridges 50, chains 1/);
    const tcp = first?.addresses[1] ?? "";
    writeFileSync(file("wrong"), "not the secret");
    const refused = await weftStore("status", "--store", tcp, "--store-secret-file", file("wrong"));
    assert.equal(refused.code, 1);
    assert.match(refused.err, /does not take our secret/);
    const taken = await weftStore("status", "--json", "--store", tcp, "--store-secret-file", file("a/secret"));
    assert.equal((JSON.parse(taken.out) as { readonly objects: { readonly bridges: number } }).objects.bridges, 50);
  });

  test("backup, restore elsewhere; a damaged file and a store in use are refused before anything is written", async () => {
    const made = await weftStore("backup", file("x.gz"), "--store", at("a"));
    assert.equal(made.code, 0, made.err);
    assert.equal(statSync(file("x.gz")).mode & 0o777, 0o600);
    assert.match(gunzipSync(readFileSync(file("x.gz"))).toString(), /"json":\{"v":1,"kind":"host","id":/);
    assert.match((await weftStore("backup", file("x.gz"), "--store", at("a"))).err, /exists/);
    writeFileSync(file("cut.gz"), readFileSync(file("x.gz")).subarray(0, 900));
    const cut = await weftStore("restore", file("cut.gz"), "--store", at("b"));
    assert.deepEqual([cut.code, await bridgesAt("b")], [1, 0]);
    assert.match(cut.err, /nothing was written/);
    const dry = await weftStore("restore", file("x.gz"), "--store", at("b"), "--dry-run");
    assert.match(dry.out, /would create \d{3}, change 0, remove 0; nothing was written/);
    assert.equal((await weftStore("restore", file("x.gz"), "--store", at("b"))).code, 0);
    assert.equal(await bridgesAt("b"), 50);
    const connection = connectionTo(at("b"));
    const topology = new TreeTopologyStore(connection);
    unwrap(await topology.transact([{ op: "delete", kind: "bridge", id: idOf(2) }]));
    unwrap(await topology.transact([{ op: "create", object: bridge(77) }]));
    topology.close();
    await connection.close();
    const used = await weftStore("restore", file("x.gz"), "--store", at("b"));
    assert.match(used.err, /is in use: .*--dry-run; --replace/);
    assert.equal((await weftStore("restore", file("x.gz"), "--store", at("b"), "--replace")).code, 0);
    assert.match((await weftStore("restore", file("x.gz"), "--store", at("b"))).out, /nothing was written/);
    const asOurs = ["--store", second?.addresses[1] ?? "", "--store-secret-file", file("b/secret"), "--store-private"];
    const closed = await weftStore("restore", file("x.gz"), ...asOurs);
    assert.equal(closed.code, 0, closed.err);
    assert.doesNotMatch(closed.out, /closed/, "an embedded store keeps no access lists, and does not say so");
  });

  test("copy refuses a target that holds something, and makes it equal when told to", async () => {
    const refused = await weftStore("copy", at("a"), at("b"));
    assert.deepEqual([refused.code, /not empty .*--replace/.test(refused.err)], [1, true]);
    const target = second?.addresses[1] ?? "";
    const secret = ["--to-store-secret-file", file("b/secret")];
    const copied = await weftStore("copy", at("a"), target, ...secret, "--replace");
    assert.equal(copied.code, 0, copied.err);
    assert.match(copied.out, /read back and equal/);
  });

  test("check names what is wrong, repairs what needs no choice, and says so by its exit code; migrate has nothing to do", async () => {
    const connection = connectionTo(at("a"));
    unwrap(await connection.tree.set(`/weft/objects/hosts/${idOf(1)}`, new TextEncoder().encode("{")));
    unwrap(await connection.tree.remove("/weft/names/chains/blue,chain90"));
    const { code, out } = await weftStore("check", "--store", at("a"));
    assert.equal(code, 1);
    assert.match(
      out,
      /damaged-document: 1 node.*\n {2}\/weft\/objects\/hosts\/0.*expected a JSON object.*\n {2}what to do: weft delete/,
    );
    const repaired = await weftStore("check", "--repair", "--json", "--store", at("a"));
    const { repaired: done, findings } = JSON.parse(repaired.out) as Record<string, { readonly kind: string }[]>;
    assert.deepEqual(
      [done, findings].map((list) => list?.map(({ kind }) => kind)),
      [["missing-name"], ["damaged-document"]],
    );
    unwrap(
      await connection.tree.set(`/weft/objects/hosts/${idOf(1)}`, new TextEncoder().encode(encodeObject(host(1)))),
    );
    await connection.close();
    assert.deepEqual(await weftStore("check", "--store", at("a")), { code: 0, out: "nothing is wrong\n", err: "" });
    assert.match((await weftStore("migrate", "--store", at("a"))).out, /layout 1, that of this release/);
  });

  test("a command line that makes no sense ends with 2 and says what would", async () => {
    const cases = [
      [[], /Usage: weft store/],
      [["chek"], /expected one of status, check/],
      [["copy", "a"], /expected weft store copy FROM TO/],
      [
        ["copy", "--store-private", "a", "b"],
        /say of which --store-private is, --from-store-private or --to-store-private/,
      ],
      [["copy", "a", "b", "--store-secret-file", "f"], /--from-store-secret-file or --to-store-secret-file/],
      [["copy", "--store=a", "b"], /both addresses as words/],
      [["status", "--store", "unix:/a", "--store-tls"], /store-tls: unix:\/a .*never encrypted/],
      [["status", "--stor", "x"], /unknown key --stor.*store/],
    ] as const;
    for (const [args, sentence] of cases) {
      const { code, out, err } = await weftStore(...args);
      assert.equal(code, 2);
      assert.match(out + err, sentence);
    }
    const away = await weftStore("status", "--store", "127.0.0.1:1");
    assert.deepEqual([away.code, /cannot be reached: .*ECONNREFUSED/.test(away.err)], [1, true], away.err);
  });
});
