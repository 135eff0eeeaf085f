import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResumableTree, Tree } from "../tree.ts";
import { bytes, failure, stateReached, text, value } from "./expecting.ts";
import { EventLog, noData, type Suite } from "./tree-bench.ts";

/** Sessions, and the order of what they do. */
export function sessionTests({ server, tree, folder }: Suite): void {
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

/** What watches tell. */
export function watchTests({ server, tree, folder }: Suite): void {
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

/** What is left when a connection breaks. */
export function faultTests({ server, tree, folder }: Suite): void {
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

function isResumable(tree: Tree): tree is ResumableTree {
  return "ephemerals" in tree;
}
