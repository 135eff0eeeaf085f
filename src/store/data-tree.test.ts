import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { failure, value } from "./compliance/expecting.ts";
import { DataTree, type Moment, type Outcome } from "./data-tree.ts";
import { sequenceText } from "./data-tree-path.ts";
import type { SnapshotEntry, TransactionRecord } from "./data-tree-record.ts";
import type { TreeOperation } from "./tree.ts";

const password = new Uint8Array(16).fill(7);
const noData = new Uint8Array(0);
const at = (now: number): Moment => ({ now, wall: 1_000_000 + now });
const noLists = { data: [], exist: [], child: [], persistent: [], recursive: [] };

/** A tree with its log. */
class Logged {
  readonly tree: DataTree;
  readonly log: TransactionRecord[] = [];

  constructor(tree = new DataTree()) {
    this.tree = tree;
  }

  open(timeoutMs = 10_000, now = 0): bigint {
    return value(this.note(this.tree.openSession(timeoutMs, password, at(now))).reply).id;
  }

  note<T, E>(outcome: Outcome<T, E>): Outcome<T, E> {
    if (outcome.record !== undefined) this.log.push(outcome.record);
    return outcome;
  }

  write(session: bigint, operation: TreeOperation): readonly string[] {
    const { reply, events } = this.note(this.tree.write(operation, session, at(0)));
    value(reply);
    return events.map(({ session: to, event }) => `${to} ${event.kind} ${event.path}`);
  }
}

const create = (path: string, options = {}): TreeOperation => ({ op: "create", path, data: noData, options });

const paths = fc.constantFrom("/", "/a", "/b", "/a/x", "/a/y", "/b/x", "/a/x/z");
const versions = fc.constantFrom(-1, 0, 1);
const modes = fc.constantFrom(
  "persistent",
  "ephemeral",
  "container",
  "persistent-sequential",
  "ephemeral-sequential",
) as fc.Arbitrary<"persistent">;
const data = fc.uint8Array({ maxLength: 5 });
const operations: fc.Arbitrary<TreeOperation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant("create" as const),
      path: paths,
      data,
      options: fc.record({ mode: modes }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant("create" as const),
      path: paths,
      data,
      options: fc.record({ ttlMs: fc.constant(5) }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("set" as const), path: paths, data, version: versions }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("remove" as const), path: paths, version: versions }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("check" as const), path: paths, version: versions }) },
);
const steps = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant("multi" as const),
        by: fc.nat({ max: 2 }),
        operations: fc.array(operations, { maxLength: 4 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("open" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("sweep" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("close" as const), by: fc.nat({ max: 2 }) }) },
  ),
  { maxLength: 40, size: "max" },
);

function snapshotOf(tree: DataTree): readonly SnapshotEntry[] {
  return [...tree.snapshot()];
}

/** What must hold of a tree whatever happened to it. */
function checkInvariants(tree: DataTree): void {
  const nodes = snapshotOf(tree).filter((entry) => entry.entry === "node");
  assert.equal(tree.nodes, nodes.length);
  const bytes = nodes.reduce(
    (sum, { path, data: held }) => sum + held.length + path.length - path.lastIndexOf("/"),
    -1,
  );
  assert.equal(tree.bytes, bytes);
  const owned = new Set(
    [...tree.sessions.values()].flatMap(({ id, ephemerals }) => [...ephemerals].map((path) => `${id} ${path}`)),
  );
  const ephemeral = nodes
    .filter(({ lifetime }) => lifetime === "ephemeral")
    .map(({ owner, path }) => `${owner} ${path}`);
  assert.deepEqual([...owned].sort(), ephemeral.sort());
}

describe("data tree", () => {
  test("its log replayed, and its snapshot restored, give the same tree", () => {
    fc.assert(
      fc.property(steps, fc.nat({ max: 40 }), (script, cut) => {
        const logged = new Logged();
        const sessions = [logged.open(), logged.open(), logged.open()];
        let restored: Logged | undefined;
        for (const [i, step] of script.entries()) {
          if (i === cut) restored = new Logged(DataTree.restore(snapshotOf(logged.tree)));
          const before = snapshotOf(logged.tree);
          const { length } = logged.log;
          if (step.do === "multi") {
            const session = sessions[step.by] as bigint;
            const { reply, events } = logged.note(logged.tree.multi(step.operations, session, at(i)));
            assert.equal(events.length, 0);
            if (!reply.ok) assert.deepEqual(snapshotOf(logged.tree), before, "a multi that fails changes nothing");
          } else if (step.do === "open") sessions.push(logged.open());
          else if (step.do === "sweep") logged.note(logged.tree.sweep(at(1_000)));
          else if (step.do === "close") logged.note(logged.tree.closeSession(sessions[step.by] as bigint, at(i)));
          for (const record of logged.log.slice(length)) restored?.tree.apply(record);
          checkInvariants(logged.tree);
        }
        const replayed = new DataTree();
        for (const record of logged.log) replayed.apply(record);
        assert.deepEqual(snapshotOf(replayed), snapshotOf(logged.tree));
        if (restored !== undefined) assert.deepEqual(snapshotOf(restored.tree), snapshotOf(logged.tree));
      }),
      { numRuns: 300 },
    );
  });

  test("a session that is not heard of for its time-out ends, and its nodes with it", () => {
    const logged = new Logged();
    const [idle, busy] = [logged.open(5_000), logged.open(5_000)];
    logged.write(idle, create("/e", { mode: "ephemeral" }));
    assert.equal(logged.tree.touch(busy, 4_000), true);
    assert.equal(logged.tree.expireSessions(at(4_999)).length, 0);
    assert.equal(logged.tree.expireSessions(at(5_000)).length, 1);
    assert.equal(value(logged.tree.exists("/e")), undefined);
    assert.equal(logged.tree.touch(idle, 5_001), false);
    const { reply } = logged.tree.write(create("/late"), idle, at(5_001));
    assert.equal(failure(reply).kind, "session-expired");
  });

  test("a session is resumed with its password only, and its time-out is brought into the limits", () => {
    const { tree } = new Logged();
    const short = value(tree.openSession(1, password, at(0)).reply);
    const long = value(tree.openSession(1e9, password, at(0)).reply);
    assert.deepEqual([short.timeoutMs, long.timeoutMs], [4_000, 40_000]);
    assert.equal(value(tree.resumeSession(short.id, password, at(3_000))).deadline, 7_000);
    assert.equal(failure(tree.resumeSession(short.id, new Uint8Array(16), at(0))).kind, "session-expired");
    assert.equal(failure(tree.resumeSession(99n, password, at(0))).kind, "session-expired");
  });

  test("one-shot watches fire once: data, existence, children", () => {
    const logged = new Logged();
    const { tree } = logged;
    const [me, other] = [logged.open(), logged.open()];
    tree.watches.add("data", other, { path: "/a", mode: "once" });
    assert.deepEqual(logged.write(me, create("/a")), [`${other} created /a`]);
    assert.deepEqual(logged.write(me, { op: "set", path: "/a", data: noData }), []);
    tree.watches.add("child", other, { path: "/a", mode: "once" });
    assert.deepEqual(logged.write(me, create("/a/b")), [`${other} children /a`]);
    assert.deepEqual(logged.write(me, { op: "remove", path: "/a/b" }), []);
    tree.watches.add("data", other, { path: "/a", mode: "once" });
    tree.watches.add("child", other, { path: "/a", mode: "once" });
    assert.deepEqual(logged.write(me, { op: "remove", path: "/a" }), [`${other} deleted /a`]);
    assert.equal(tree.watches.size, 0);
  });

  test("watches that come back after a reconnect get what they missed, or wait on", () => {
    const logged = new Logged();
    const { tree } = logged;
    const me = logged.open();
    for (const path of ["/same", "/changed", "/gone", "/parent"]) logged.write(me, create(path));
    const since = tree.zxid;
    logged.write(me, { op: "set", path: "/changed", data: noData });
    logged.write(me, { op: "remove", path: "/gone" });
    logged.write(me, create("/parent/child"));
    logged.write(me, create("/new"));
    const missed = tree.setWatches(me, since, {
      data: ["/same", "/changed", "/gone"],
      exist: ["/new", "/absent"],
      child: ["/same", "/parent", "/gone"],
      persistent: ["/changed"],
      recursive: ["/parent"],
    });
    assert.deepEqual(
      missed.map(({ kind, path }) => `${kind} ${path}`),
      ["changed /changed", "deleted /gone", "created /new", "children /parent", "deleted /gone"],
    );
    assert.deepEqual(logged.write(me, create("/absent")), [`${me} created /absent`]);
    assert.deepEqual(logged.write(me, create("/same/x")), [`${me} children /same`]);
    assert.deepEqual(logged.write(me, { op: "remove", path: "/parent/child" }), [`${me} deleted /parent/child`]);
  });

  test("watches go with the connection, and one kind can be removed without the others", () => {
    const logged = new Logged();
    const { tree } = logged;
    const [me, other] = [logged.open(), logged.open()];
    tree.watches.addPersistent(other, "/a", false);
    tree.watches.addPersistent(other, "/a", true);
    assert.equal(tree.watches.removePersistent(other, "/a", true), true);
    assert.equal(tree.watches.removePersistent(other, "/a", true), false);
    assert.deepEqual(logged.write(me, create("/a")), [`${other} created /a`]);
    assert.deepEqual(logged.write(me, create("/a/b")), [`${other} children /a`]);
    tree.disconnected(other);
    assert.equal(tree.watches.size, 0);
    tree.setWatches(other, 0, { ...noLists, recursive: ["/"] });
    assert.deepEqual(logged.write(me, create("/a/b/c")), [`${other} created /a/b/c`]);
    assert.equal(tree.watches.remove("any", other, "/"), true);
    assert.equal(tree.watches.remove("any", other, "/"), false);
  });

  test("a full tree refuses what would grow it, and lets go of what is there", () => {
    const tree = new DataTree({ nodesMax: 3, bytesMax: 20, sessionsMax: 1 });
    const { id } = value(tree.openSession(5_000, password, at(0)).reply);
    assert.equal(failure(tree.openSession(5_000, password, at(0)).reply).kind, "too-many-sessions");
    value(tree.write(create("/a"), id, at(0)).reply);
    value(tree.write(create("/b"), id, at(0)).reply);
    assert.equal(failure(tree.write(create("/c"), id, at(0)).reply).kind, "storage-full");
    const big = { op: "set", path: "/a", data: new Uint8Array(30) } as const;
    assert.equal(failure(tree.write(big, id, at(0)).reply).kind, "storage-full");
    value(tree.write({ ...big, data: new Uint8Array(13) }, id, at(0)).reply);
    value(tree.write({ ...big, data: new Uint8Array(10) }, id, at(0)).reply);
    value(tree.write({ op: "remove", path: "/a" }, id, at(0)).reply);
    value(tree.write(create("/c"), id, at(0)).reply);
  });

  test("sequence numbers have ten digits, also when ZooKeeper's 32 bits have run over", () => {
    assert.deepEqual([0, 12, 2_147_483_647, -2_147_483_648].map(sequenceText), [
      "0000000000",
      "0000000012",
      "2147483647",
      "-2147483648",
    ]);
  });
});
