import assert from "node:assert/strict";
import { test } from "node:test";
import { sequenceText } from "../data-tree-path.ts";
import { nodeBytesMax } from "../limits.ts";
import type { TreeError } from "../tree.ts";
import { bytes, failure, text, value } from "./expecting.ts";
import { EventLog, noData, type Suite } from "./tree-bench.ts";

/** Reading and writing nodes. */
export function nodeTests({ tree, folder }: Suite): void {
  test("the root exists always and cannot be created", async () => {
    assert.notEqual(value(await tree().exists("/")), undefined);
    assert.equal(failure(await tree().create("/", noData)).kind, "node-exists");
  });

  test("a created node is read back with its data and a fresh stat", async () => {
    const root = await folder();
    assert.equal(value(await tree().create(`${root}/a`, bytes("one"))), `${root}/a`);
    const { data, stat } = value(await tree().get(`${root}/a`));
    assert.equal(text(data), "one");
    const { version, cversion, aversion, dataLength, childCount, ephemeralOwner } = stat;
    assert.deepEqual([version, cversion, aversion, dataLength, childCount, ephemeralOwner], [0, 0, 0, 3, 0, 0n]);
    assert.equal(stat.czxid, stat.mzxid);
    assert.equal(stat.czxid, stat.pzxid);
    assert.equal(stat.ctime, stat.mtime);
  });

  test("paths that ZooKeeper refuses are bad arguments, for every operation", async () => {
    for (const path of ["", "a", "/a/", "/a//b", "/a/./b", "/..", "/a\u0000b", "/\u001f", "/\ue000"]) {
      const outcomes = [
        await tree().create(path, noData),
        await tree().get(path),
        await tree().set(path, noData),
        await tree().remove(path),
        await tree().exists(path),
        await tree().children(path),
        await tree().watch(path, new EventLog().options(true)),
      ];
      for (const outcome of outcomes) assert.equal(failure<unknown, TreeError>(outcome).kind, "bad-arguments", path);
    }
  });

  test("names may hold spaces, commas, percent signs and letters of any script", async () => {
    const root = await folder();
    for (const child of ["a b", "10.0.0.1,02:00:00:00:00:01", "50%2F", "größe", "网络", "...", "a..b"]) {
      value(await tree().create(`${root}/${child}`, bytes(child)));
      assert.equal(text(value(await tree().get(`${root}/${child}`)).data), child);
    }
  });

  test("what does not exist is no-node for every operation but exists", async () => {
    const path = `${await folder()}/missing`;
    assert.equal(failure(await tree().get(path)).kind, "no-node");
    assert.equal(failure(await tree().set(path, noData)).kind, "no-node");
    assert.equal(failure(await tree().remove(path)).kind, "no-node");
    assert.equal(failure(await tree().children(path)).kind, "no-node");
    assert.deepEqual(failure(await tree().create(`${path}/child`, noData)), { kind: "no-node", path: `${path}/child` });
    assert.equal(value(await tree().exists(path)), undefined);
  });

  test("a set raises the version and the modification, not the creation", async () => {
    const path = `${await folder()}/a`;
    value(await tree().create(path, bytes("one")));
    const before = value(await tree().get(path)).stat;
    const after = value(await tree().set(path, bytes("three")));
    assert.deepEqual([after.version, after.dataLength, after.czxid], [1, 5, before.czxid]);
    assert.ok(after.mzxid > before.mzxid);
    assert.deepEqual(value(await tree().exists(path)), after);
  });

  test("a write with another version than the node's is refused and changes nothing", async () => {
    const path = `${await folder()}/a`;
    value(await tree().create(path, bytes("one")));
    value(await tree().set(path, bytes("two"), 0));
    assert.deepEqual(failure(await tree().set(path, bytes("x"), 0)), { kind: "bad-version", path });
    assert.deepEqual(failure(await tree().remove(path, 0)), { kind: "bad-version", path });
    assert.equal(text(value(await tree().get(path)).data), "two");
    value(await tree().set(path, bytes("three"), -1));
    value(await tree().remove(path, 2));
    assert.equal(value(await tree().exists(path)), undefined);
  });

  test("a node with children cannot be removed", async () => {
    const path = `${await folder()}/a`;
    value(await tree().create(path, noData));
    value(await tree().create(`${path}/b`, noData));
    assert.deepEqual(failure(await tree().remove(path)), { kind: "not-empty", path });
    value(await tree().remove(`${path}/b`));
    value(await tree().remove(path));
  });

  test("children lists names, and the parent's stat counts every change of them", async () => {
    const path = await folder();
    for (const name of ["c", "a", "b"]) value(await tree().create(`${path}/${name}`, noData));
    value(await tree().remove(`${path}/c`));
    const { names, stat } = value(await tree().children(path));
    assert.deepEqual([...names].sort(), ["a", "b"]);
    assert.deepEqual([stat.childCount, stat.cversion, stat.version], [2, 4, 0]);
    assert.ok(stat.pzxid > stat.mzxid);
  });

  test("data up to the limit is kept, above it refused with the limit, and the session lives on", async () => {
    const path = `${await folder()}/a`;
    value(await tree().create(path, new Uint8Array(nodeBytesMax - 1_024).fill(7)));
    assert.equal(value(await tree().get(path)).data.length, nodeBytesMax - 1_024);
    const error = failure(await tree().set(path, new Uint8Array(nodeBytesMax + 1)));
    assert.deepEqual(error, { kind: "too-large", path, bytes: nodeBytesMax + 1, limit: nodeBytesMax });
    assert.equal(value(await tree().exists(path))?.dataLength, nodeBytesMax - 1_024);
  });

  test("a buffer may be reused after the call, and what was read belongs to the reader", async () => {
    const path = `${await folder()}/a`;
    const buffer = bytes("one");
    const created = tree().create(path, buffer);
    buffer.fill(0);
    value(await created);
    const read = value(await tree().get(path)).data;
    assert.equal(text(read), "one");
    read.fill(0);
    assert.equal(text(value(await tree().get(path)).data), "one");
  });
}

/** Kinds of nodes. */
export function createTests({ server, tree, folder }: Suite): void {
  test("sequential nodes get ten digits that count every child ever created", async () => {
    const root = await folder();
    const next = async (): Promise<string> =>
      value(await tree().create(`${root}/n-`, noData, { mode: "persistent-sequential" }));
    assert.equal(await next(), `${root}/n-0000000000`);
    value(await tree().create(`${root}/other`, noData));
    value(await tree().remove(`${root}/n-0000000000`));
    assert.equal(await next(), `${root}/n-0000000002`);
    const anonymous = value(await tree().create(`${root}/`, noData, { mode: "ephemeral-sequential" }));
    assert.equal(anonymous, `${root}/0000000003`);
  });

  test("sequence numbers are those of their parent only", async () => {
    const [one, two] = [await folder(), await folder()];
    for (const root of [one, two]) {
      const made = value(await tree().create(`${root}/x`, noData, { mode: "persistent-sequential" }));
      assert.equal(made, `${root}/x${sequenceText(0)}`);
    }
  });

  test("an ephemeral node names its session as owner and takes no children", async () => {
    const path = `${await folder()}/e`;
    value(await tree().create(path, noData, { mode: "ephemeral" }));
    assert.equal(value(await tree().exists(path))?.ephemeralOwner, tree().session.id);
    const error = failure(await tree().create(`${path}/child`, noData));
    assert.equal(error.kind, "no-children-for-ephemerals");
  });

  test("a time to live is for persistent nodes and a whole number of milliseconds", async () => {
    const path = `${await folder()}/t`;
    for (const options of [{ mode: "ephemeral", ttlMs: 5 }, { ttlMs: 0 }, { ttlMs: 1.5 }, { ttlMs: -3 }] as const) {
      assert.equal(failure(await tree().create(path, noData, options)).kind, "bad-arguments");
    }
  });

  test("a container goes after its last child went, not before its first came", async (t) => {
    const { sweep } = server();
    if (sweep === undefined) return t.skip("this driver cannot make its server sweep");
    const root = await folder();
    value(await tree().create(`${root}/c`, noData, { mode: "container" }));
    await sweep();
    value(await tree().create(`${root}/c/child`, noData));
    await sweep();
    assert.notEqual(value(await tree().exists(`${root}/c`)), undefined);
    value(await tree().remove(`${root}/c/child`));
    await sweep();
    assert.equal(value(await tree().exists(`${root}/c`)), undefined);
  });

  test("a node with a time to live goes when it had no change for so long and has no children", async (t) => {
    const { sweep } = server();
    if (sweep === undefined) return t.skip("this driver cannot make its server sweep");
    const root = await folder();
    value(await tree().create(`${root}/long`, noData, { ttlMs: 3_600_000 }));
    value(await tree().create(`${root}/short`, noData, { ttlMs: 1 }));
    value(await tree().create(`${root}/parent`, noData, { ttlMs: 1 }));
    value(await tree().create(`${root}/parent/child`, noData));
    while (value(await tree().exists(`${root}/short`)) !== undefined) await sweep();
    assert.deepEqual([...value(await tree().children(root)).names].sort(), ["long", "parent"]);
  });
}

/** Several operations as one. */
export function multiTests({ tree, folder }: Suite): void {
  test("a multi does all of its operations and answers each in order", async () => {
    const root = await folder();
    value(await tree().create(`${root}/old`, bytes("1")));
    const results = value(
      await tree().multi([
        { op: "check", path: `${root}/old`, version: 0 },
        { op: "create", path: `${root}/new`, data: bytes("2") },
        { op: "create", path: `${root}/new/q-`, data: noData, options: { mode: "persistent-sequential" } },
        { op: "set", path: `${root}/new`, data: bytes("33"), version: 0 },
        { op: "remove", path: `${root}/old`, version: 0 },
      ]),
    );
    assert.deepEqual(
      results.map(({ op }) => op),
      ["check", "create", "create", "set", "remove"],
    );
    assert.deepEqual(results[2], { op: "create", path: `${root}/new/q-0000000000` });
    assert.equal(results[3]?.op === "set" && results[3].stat.version, 1);
    assert.deepEqual(value(await tree().children(root)).names, ["new"]);
  });

  test("a multi that fails changes nothing and names the first operation that failed", async () => {
    const root = await folder();
    value(await tree().create(`${root}/a`, bytes("1")));
    const error = failure(
      await tree().multi([
        { op: "set", path: `${root}/a`, data: bytes("2") },
        { op: "create", path: `${root}/b`, data: noData },
        { op: "check", path: `${root}/a`, version: 7 },
        { op: "remove", path: `${root}/missing` },
      ]),
    );
    assert.equal(error.index, 2);
    assert.equal(error.error.kind, "bad-version");
    const { data, stat } = value(await tree().get(`${root}/a`));
    assert.deepEqual([text(data), stat.version], ["1", 0]);
    assert.deepEqual(value(await tree().children(root)).names, ["a"]);
  });

  test("later operations of a multi see the earlier ones", async () => {
    const root = await folder();
    value(
      await tree().multi([
        { op: "create", path: `${root}/a`, data: noData },
        { op: "create", path: `${root}/a/b`, data: noData },
        { op: "remove", path: `${root}/a/b` },
        { op: "remove", path: `${root}/a` },
        { op: "create", path: `${root}/a`, data: bytes("again") },
      ]),
    );
    assert.equal(text(value(await tree().get(`${root}/a`)).data), "again");
    const error = failure(
      await tree().multi([
        { op: "create", path: `${root}/x`, data: noData },
        { op: "create", path: `${root}/x`, data: noData },
      ]),
    );
    assert.deepEqual([error.index, error.error.kind], [1, "node-exists"]);
  });

  test("an empty multi does nothing, and a multi of checks only changes nothing", async () => {
    const root = await folder();
    assert.deepEqual(value(await tree().multi([])), []);
    assert.deepEqual(value(await tree().multi([{ op: "check", path: root, version: 0 }])), [{ op: "check" }]);
    assert.equal(failure(await tree().multi([{ op: "check", path: root, version: 3 }])).index, 0);
  });

  test("one transaction id covers a whole multi", async () => {
    const root = await folder();
    value(
      await tree().multi([
        { op: "create", path: `${root}/a`, data: noData },
        { op: "create", path: `${root}/b`, data: noData },
      ]),
    );
    const [a, b] = [value(await tree().exists(`${root}/a`)), value(await tree().exists(`${root}/b`))];
    assert.equal(a?.czxid, b?.czxid);
  });
}
