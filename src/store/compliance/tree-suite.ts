import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { sequenceText } from "../data-tree-path.ts";
import { nodeBytesMax } from "../limits.ts";
import type { ResumableTree, Tree, TreeError, TreeEvent, WatchOptions } from "../tree.ts";
import { bytes, failure, stateReached, text, value, Waiting } from "./expecting.ts";

/**
 * A server under test. Every connection is a session of its own, against the same content.
 * A fault that a driver cannot make is left out, and the tests that need it are skipped with that reason.
 */
export interface TreeServer {
  connect(options?: { readonly timeoutMs?: number }): Promise<Tree>;
  /** Breaks the connection of a session; the client comes back by itself. */
  disconnect?(tree: Tree): Promise<void>;
  /** Breaks the connection so that what the session writes next is `applied` or `lost` without a reply. */
  loseNext?(tree: Tree, fate: "applied" | "lost"): Promise<void>;
  /** Ends the session behind the client's back, as if its time had run out. */
  expire?(tree: Tree): Promise<void>;
  /** Makes the server look for empty containers and for ttl nodes that are over, now. */
  sweep?(): Promise<void>;
  stop(): Promise<void>;
}

const noData = new Uint8Array(0);

/** Collects events. */
class EventLog extends Waiting {
  readonly events: TreeEvent[] = [];
  resyncs = 0;

  options(recursive: boolean): WatchOptions {
    return {
      recursive,
      onEvent: (event) => {
        this.events.push(event);
        this.wake();
      },
      onResync: () => {
        this.resyncs += 1;
        this.wake();
      },
    };
  }

  lines(): string[] {
    return this.events.map(({ kind, path }) => `${kind} ${path}`);
  }
}

function isResumable(tree: Tree): tree is ResumableTree {
  return "ephemerals" in tree;
}

let folders = 0;

/** Every sentence of the contract in tree.ts, as tests against a server of any driver. */
export function treeSuite(name: string, makeServer: () => Promise<TreeServer>): void {
  describe(`tree contract: ${name}`, { timeout: 60_000 }, () => {
    let server: TreeServer;
    let tree: Tree;
    before(async () => {
      server = await makeServer();
      tree = await server.connect();
    });
    after(async () => {
      await tree.close();
      await server.stop();
    });

    /** A folder of its own for each test, so that a suite may run over a server with other content. */
    const folder = async (): Promise<string> => {
      folders += 1;
      return value(await tree.create(`/suite-${folders}-`, noData, { mode: "persistent-sequential" }));
    };
    const suite: Suite = { server: () => server, tree: () => tree, folder };
    nodeTests(suite);
    createTests(suite);
    multiTests(suite);
    sessionTests(suite);
    watchTests(suite);
    faultTests(suite);
  });
}

interface Suite {
  server(): TreeServer;
  tree(): Tree;
  folder(): Promise<string>;
}

function nodeTests({ tree, folder }: Suite): void {
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

function createTests({ server, tree, folder }: Suite): void {
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

function multiTests({ tree, folder }: Suite): void {
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

function sessionTests({ server, tree, folder }: Suite): void {
  test("writes take effect in the order of the calls although nobody waits between them", async () => {
    const path = `${await folder()}/a`;
    const calls: Promise<unknown>[] = [tree().create(path, bytes("first"))];
    for (let i = 0; i < 50; i++) calls.push(tree().set(path, bytes(`write ${i}`), i));
    const read = tree().get(path);
    for (const result of await Promise.all(calls)) assert.equal((result as { readonly ok: boolean }).ok, true);
    assert.equal(text(value(await read).data), "write 49");
  });

  test("another session sees a write after a sync", async () => {
    const path = `${await folder()}/a`;
    const other = await server().connect();
    value(await tree().create(path, bytes("one")));
    value(await other.sync(path));
    assert.equal(text(value(await other.get(path)).data), "one");
    await other.close();
  });

  test("sessions have different ids and a time-out within the server's bounds", async () => {
    const other = await server().connect({ timeoutMs: 10_000 });
    value(await other.sync("/"));
    assert.notEqual(other.session.id, tree().session.id);
    assert.notEqual(other.session.id, 0n);
    assert.ok(other.session.timeoutMs >= 4_000 && other.session.timeoutMs <= 40_000);
    await other.close();
  });

  test("closing a session removes its ephemeral nodes, closes it for good, and may be done twice", async () => {
    const root = await folder();
    const other = await server().connect();
    value(await other.create(`${root}/e`, noData, { mode: "ephemeral" }));
    value(await other.create(`${root}/p`, noData));
    await Promise.all([other.close(), other.close()]);
    assert.equal(other.session.state, "closed");
    value(await tree().sync(root));
    assert.deepEqual(value(await tree().children(root)).names, ["p"]);
    assert.equal(failure(await other.get(root)).kind, "closed");
    assert.equal(failure(await other.multi([])).error.kind, "closed");
  });

  test("a session knows its own ephemeral nodes, those at and under a path", async () => {
    const root = await folder();
    const other = await server().connect();
    assert.ok(isResumable(other));
    const own = [`${root}/a`, `${root}/ab`, `${root}/c`];
    value(await other.create(`${root}/p`, noData));
    value(await tree().create(`${root}/foreign`, noData, { mode: "ephemeral" }));
    for (const path of own) value(await other.create(path, noData, { mode: "ephemeral" }));
    assert.deepEqual([...value(await other.ephemerals(root))].sort(), own);
    assert.deepEqual(value(await other.ephemerals(`${root}/a`)), [`${root}/a`]);
    await other.close();
    value(await tree().remove(`${root}/foreign`));
  });

  test("calls made before a close are answered", async () => {
    const path = `${await folder()}/a`;
    const other = await server().connect();
    const created = other.create(path, noData);
    await other.close();
    value(await created);
  });
}

function watchTests({ server, tree, folder }: Suite): void {
  test("a watch of a node tells of its creation, change, children and deletion, again and again", async () => {
    const path = `${await folder()}/a`;
    const log = new EventLog();
    const watch = value(await tree().watch(path, log.options(false)));
    for (let round = 0; round < 2; round++) {
      value(await tree().create(path, noData));
      value(await tree().set(path, bytes("x")));
      value(await tree().create(`${path}/c`, noData));
      value(await tree().set(`${path}/c`, bytes("unseen")));
      value(await tree().remove(`${path}/c`));
      value(await tree().remove(path));
    }
    const round = ["created", "changed", "children", "children", "deleted"].map((kind) => `${kind} ${path}`);
    await log.until(() => log.events.length >= 10);
    assert.deepEqual(log.lines(), [...round, ...round]);
    watch.close();
  });

  test("a recursive watch tells of every node under it, by path, and never of children lists", async () => {
    const root = await folder();
    const log = new EventLog();
    const watch = value(await tree().watch(`${root}/a`, log.options(true)));
    value(await tree().create(`${root}/a`, noData));
    value(await tree().create(`${root}/a/b`, noData));
    value(await tree().create(`${root}/a/b/c`, noData));
    value(await tree().set(`${root}/a/b/c`, bytes("x")));
    value(await tree().create(`${root}/aside`, noData));
    value(await tree().remove(`${root}/a/b/c`));
    await log.until(() => log.events.length >= 5);
    assert.deepEqual(log.lines(), [
      `created ${root}/a`,
      `created ${root}/a/b`,
      `created ${root}/a/b/c`,
      `changed ${root}/a/b/c`,
      `deleted ${root}/a/b/c`,
    ]);
    watch.close();
  });

  test("watches of one session that overlap each hear an event once", async () => {
    const root = await folder();
    const logs = [new EventLog(), new EventLog(), new EventLog()] as const;
    const watches = [
      value(await tree().watch(root, logs[0].options(true))),
      value(await tree().watch(`${root}/a`, logs[1].options(true))),
      value(await tree().watch(`${root}/a`, logs[2].options(false))),
    ];
    value(await tree().create(`${root}/a`, noData));
    value(await tree().create(`${root}/a/b`, noData));
    value(await tree().remove(`${root}/a/b`));
    await Promise.all(logs.map((log) => log.until(() => log.events.length >= 3)));
    const seen = [`created ${root}/a`, `created ${root}/a/b`, `deleted ${root}/a/b`];
    assert.deepEqual(logs[0].lines(), seen);
    assert.deepEqual(logs[1].lines(), seen);
    assert.deepEqual(logs[2].lines(), [`created ${root}/a`, `children ${root}/a`, `children ${root}/a`]);
    for (const watch of watches) watch.close();
  });

  test("an event arrives before the reply that already reflects the change", async () => {
    const root = await folder();
    const other = await server().connect();
    const log = new EventLog();
    const watch = value(await other.watch(root, log.options(true)));
    for (let i = 0; i < 20; i++) {
      value(await tree().create(`${root}/${i}`, noData));
      if (value(await other.exists(`${root}/${i}`)) === undefined) continue;
      assert.ok(log.lines().includes(`created ${root}/${i}`), `event ${i} came late`);
    }
    await other.sync(root);
    assert.equal(log.events.length, 20);
    watch.close();
    await other.close();
  });

  test("a closed watch is silent at once, and closing one leaves the others", async () => {
    const root = await folder();
    const [closed, open] = [new EventLog(), new EventLog()];
    const watch = value(await tree().watch(root, closed.options(true)));
    const rest = value(await tree().watch(root, open.options(true)));
    watch.close();
    watch.close();
    value(await tree().create(`${root}/a`, noData));
    await open.until(() => open.events.length === 1);
    assert.deepEqual(closed.lines(), []);
    rest.close();
    value(await tree().create(`${root}/b`, noData));
    assert.equal(open.events.length, 1);
  });

  test("a multi tells of every change, and one that fails tells nothing", async () => {
    const root = await folder();
    const log = new EventLog();
    const watch = value(await tree().watch(root, log.options(true)));
    failure(
      await tree().multi([
        { op: "create", path: `${root}/no`, data: noData },
        { op: "remove", path: `${root}/missing` },
      ]),
    );
    value(
      await tree().multi([
        { op: "create", path: `${root}/a`, data: noData },
        { op: "set", path: `${root}/a`, data: bytes("x") },
        { op: "remove", path: `${root}/a` },
      ]),
    );
    await log.until(() => log.events.length >= 3);
    assert.deepEqual(log.lines(), [`created ${root}/a`, `changed ${root}/a`, `deleted ${root}/a`]);
    watch.close();
  });

  test("the end of a session is told as the deletion of its ephemeral nodes", async () => {
    const root = await folder();
    const other = await server().connect();
    for (const child of ["e1", "e2"]) value(await other.create(`${root}/${child}`, noData, { mode: "ephemeral" }));
    value(await tree().sync(root));
    const log = new EventLog();
    const watch = value(await tree().watch(root, log.options(true)));
    await other.close();
    await log.until(() => log.events.length >= 2);
    assert.deepEqual(log.lines().sort(), [`deleted ${root}/e1`, `deleted ${root}/e2`]);
    watch.close();
  });
}

function faultTests({ server, tree, folder }: Suite): void {
  test("a reconnect keeps the session and its ephemeral nodes, and asks every watch to read again", async (t) => {
    const { disconnect } = server();
    if (disconnect === undefined) return t.skip("this driver cannot break a connection");
    const root = await folder();
    const other = await server().connect();
    value(await other.create(`${root}/e`, noData, { mode: "ephemeral" }));
    const log = new EventLog();
    value(await other.watch(root, log.options(true)));
    const { id } = other.session;
    const states: string[] = [];
    other.session.onState((state) => states.push(state));
    await disconnect(other);
    await log.until(() => log.resyncs === 1);
    value(await other.create(`${root}/after`, noData));
    await log.until(() => log.lines().includes(`created ${root}/after`));
    assert.deepEqual([other.session.id, log.resyncs], [id, 1]);
    assert.deepEqual(states, ["suspended", "connected"]);
    assert.deepEqual([...value(await other.children(root)).names].sort(), ["after", "e"]);
    await other.close();
  });

  test("a call without a connection waits for one", async (t) => {
    const { disconnect } = server();
    if (disconnect === undefined) return t.skip("this driver cannot break a connection");
    const root = await folder();
    const other = await server().connect();
    value(await other.sync("/"));
    const suspended = stateReached(other, "suspended");
    await disconnect(other);
    await suspended;
    value(await other.create(`${root}/a`, noData));
    await other.close();
  });

  for (const fate of ["applied", "lost"] as const) {
    test(`a write whose reply is lost ends as connection-loss: ${fate}`, async (t) => {
      const { loseNext } = server();
      if (loseNext === undefined) return t.skip("this driver cannot lose a reply");
      const root = await folder();
      const other = await server().connect();
      value(await other.sync("/"));
      await loseNext(other, fate);
      assert.deepEqual(failure(await other.create(`${root}/a`, noData)), {
        kind: "connection-loss",
        path: `${root}/a`,
      });
      value(await other.sync(root));
      assert.equal(value(await other.exists(`${root}/a`)) !== undefined, fate === "applied");
      await other.close();
    });
  }

  for (const fate of ["applied", "lost"] as const) {
    test(`a multi whose reply is lost names no operation, and happened as a whole or not at all: ${fate}`, async (t) => {
      const { loseNext } = server();
      if (loseNext === undefined) return t.skip("this driver cannot lose a reply");
      const root = await folder();
      value(await tree().create(`${root}/old`, noData));
      const other = await server().connect();
      value(await other.sync("/"));
      await loseNext(other, fate);
      const outcome = await other.multi([
        { op: "check", path: `${root}/old`, version: 0 },
        { op: "create", path: `${root}/new`, data: noData },
        { op: "remove", path: `${root}/old` },
      ]);
      assert.ok(!outcome.ok);
      assert.deepEqual([outcome.error.index, outcome.error.error.kind], [undefined, "connection-loss"]);
      value(await other.sync(root));
      assert.deepEqual(value(await other.children(root)).names, [fate === "applied" ? "new" : "old"]);
      await other.close();
    });
  }

  test("an expired session is final: its nodes are gone and every call says so", async (t) => {
    const { expire } = server();
    if (expire === undefined) return t.skip("this driver cannot expire a session");
    const root = await folder();
    const other = await server().connect();
    value(await other.create(`${root}/e`, noData, { mode: "ephemeral" }));
    const log = new EventLog();
    const watch = value(await tree().watch(root, log.options(true)));
    const expired = stateReached(other, "expired");
    await expire(other);
    await expired;
    await log.until(() => log.lines().includes(`deleted ${root}/e`));
    assert.equal(failure(await other.get(root)).kind, "session-expired");
    assert.equal(failure(await other.multi([])).error.kind, "session-expired");
    await other.close();
    assert.equal(other.session.state, "expired");
    watch.close();
  });
}
