import assert from "node:assert/strict";
import { test } from "node:test";
import { systemScheduler } from "../../base/scheduler.ts";
import { encodeObject } from "../../model/encoding.ts";
import type { Kind, TopologyObject } from "../../model/objects.ts";
import {
  bridge,
  bridgePort,
  chain,
  host,
  idOf,
  route,
  router,
  routerPort,
  rule,
} from "../../model/testdata/topology.ts";
import { StoreConnection } from "../recipes/connection.ts";
import { Layout } from "../recipes/layout.ts";
import type { StoreError } from "../recipes/store-error.ts";
import type { TopologyChange } from "../recipes/topology-store.ts";
import { TreeTopologyStore } from "../recipes/tree-topology-store.ts";
import type { Tree } from "../tree.ts";
import { bytes, failure, text, value } from "./expecting.ts";
import { Interposition } from "./interposed.ts";
import type { RecipeBench } from "./recipe-suite.ts";
import { Told } from "./told-topology.ts";

const create = (object: TopologyObject): TopologyChange => ({ op: "create", object });
const kindOf = (error: StoreError): string => (error.kind === "invalid" ? (error.errors[0]?.kind ?? "") : error.kind);

/** What a topology store promises, over a tree of any driver. */
export function topologyTests(bench: RecipeBench): void {
  const open = async (): Promise<{ store: TreeTopologyStore; layout: Layout; connection: StoreConnection }> => {
    const layout = new Layout(bench.freshRoot());
    const connection = await bench.connection();
    return { store: new TreeTopologyStore(connection, layout), layout, connection };
  };
  const read = async <K extends Kind>(store: TreeTopologyStore, kind: K, number: number) =>
    value(await store.get(kind, idOf(number)))?.object;

  test("what a transaction wrote is read back, listed, found by name, and lies in the tree as text", async () => {
    const { store, layout, connection } = await open();
    const done = value(await store.transact([create(bridge(1)), create(router(2))]));
    assert.deepEqual(done.objects, [
      { object: bridge(1), version: 0 },
      { object: router(2), version: 0 },
    ]);
    assert.deepEqual(await read(store, "bridge", 1), bridge(1));
    assert.deepEqual(value(await store.list("router")).objects[0]?.object, router(2));
    assert.equal(value(await store.idOfName({ kind: "bridge", tenant: "blue", name: "bridge1" })), idOf(1));
    const node = value(await connection.tree.get(`${layout.root}/objects/bridges/${idOf(1)}`));
    assert.equal(text(node.data), encodeObject(bridge(1)));
  });

  test("lists of references and symmetric links are kept, whatever the client says there", async () => {
    const { store } = await open();
    value(
      await store.transact([
        create(bridge(1, { portIds: [idOf(99)] })),
        create(router(2)),
        create(bridgePort(10)),
        create(routerPort(20)),
        { op: "update", object: bridgePort(10, { peerId: idOf(20) }) },
      ]),
    );
    assert.deepEqual((await read(store, "bridge", 1))?.portIds, [idOf(10)]);
    assert.deepEqual((await read(store, "router", 2))?.portIds, [idOf(20)]);
    assert.equal((await read(store, "port", 20))?.peerId, idOf(10));
    value(await store.transact([{ op: "update", object: bridgePort(10) }]));
    assert.equal((await read(store, "port", 20))?.peerId, undefined);
  });

  test("a deletion cascades, clears, and keeps the rest in step, all at once", async () => {
    const { store, layout, connection } = await open();
    value(
      await store.transact([
        create(bridge(1, { inboundFilterId: idOf(3) })),
        create(router(2)),
        create(chain(3)),
        create(rule(4, { condition: { inPortIds: [idOf(10)] } })),
        create(host(5)),
        create(bridgePort(10, { peerId: idOf(20) })),
        create(routerPort(20)),
        create(route(30)),
      ]),
    );
    const gone = value(await store.transact([{ op: "delete", kind: "router", id: idOf(2) }])).deleted;
    assert.deepEqual(gone.map(({ kind }) => kind).sort(), ["port", "route", "router"]);
    assert.equal((await read(store, "port", 10))?.peerId, undefined);
    value(await store.transact([{ op: "delete", kind: "chain", id: idOf(3) }]));
    assert.equal((await read(store, "bridge", 1))?.inboundFilterId, undefined);
    assert.equal(await read(store, "rule", 4), undefined);
    value(await store.transact([{ op: "delete", kind: "bridge", id: idOf(1) }]));
    const names = value(await connection.tree.children(`${layout.root}/names/bridges`)).names;
    assert.deepEqual(names, []);
    assert.deepEqual(value(await store.list("port")).objects, []);
  });

  test("a rule is inserted and moved where the write says", async () => {
    const { store } = await open();
    value(await store.transact([create(chain(3)), create(rule(11)), create(rule(12))]));
    value(await store.transact([{ op: "create", object: rule(10), position: 0 }]));
    assert.deepEqual((await read(store, "chain", 3))?.ruleIds, [idOf(10), idOf(11), idOf(12)]);
    value(await store.transact([{ op: "update", object: rule(10), position: 1 }]));
    assert.deepEqual((await read(store, "chain", 3))?.ruleIds, [idOf(11), idOf(10), idOf(12)]);
    value(await store.transact([{ op: "update", object: rule(11, { action: { type: "drop" } }) }]));
    assert.deepEqual((await read(store, "chain", 3))?.ruleIds, [idOf(11), idOf(10), idOf(12)]);
  });

  test("a transaction that is refused changes nothing and says which object, which field, what was expected", async () => {
    const { store } = await open();
    value(await store.transact([create(bridge(1))]));
    const error = failure(await store.transact([create(bridge(6)), create(bridgePort(10, { bridgeId: idOf(77) }))]));
    assert.deepEqual(error.kind === "invalid" && error.errors[0], {
      kind: "dangling-reference",
      object: { kind: "port", id: idOf(10) },
      field: "bridgeId",
      expected: `a bridge that exists; ${idOf(77)} does not`,
    });
    assert.equal(await read(store, "bridge", 6), undefined);
    assert.equal(kindOf(failure(await store.transact([create(bridge(6, { name: "bridge1" }))]))), "duplicate-name");
    assert.equal(kindOf(failure(await store.transact([create(bridge(1, { name: "other" }))]))), "already-exists");
    const absent = { op: "delete", kind: "bridge", id: idOf(66) } as const;
    assert.deepEqual(failure(await store.transact([absent])), {
      kind: "not-found",
      object: { kind: "bridge", id: idOf(66) },
    });
    const stale = { op: "update", object: bridge(1, { isUp: false }), version: 4 } as const;
    assert.deepEqual(failure(await store.transact([stale])), {
      kind: "version-conflict",
      object: { kind: "bridge", id: idOf(1) },
      expected: 4,
      actual: 0,
    });
  });

  test("a create that is repeated with the same body succeeds, also after others referred to the object", async () => {
    const { store } = await open();
    value(await store.transact([create(bridge(1))]));
    value(await store.transact([create(bridgePort(10))]));
    const again = value(await store.transact([create(bridge(1))]));
    assert.deepEqual(again.objects, [{ object: bridge(1, { portIds: [idOf(10)] }), version: 1 }]);
  });

  test("a name can be given up, passed on and exchanged", async () => {
    const { store } = await open();
    value(await store.transact([create(bridge(1)), create(bridge(2))]));
    value(
      await store.transact([
        { op: "update", object: bridge(1, { name: "bridge2" }) },
        { op: "update", object: bridge(2, { name: "bridge1" }) },
      ]),
    );
    assert.equal(value(await store.idOfName({ kind: "bridge", tenant: "blue", name: "bridge2" })), idOf(1));
    value(
      await store.transact([{ op: "delete", kind: "bridge", id: idOf(1) }, create(bridge(3, { name: "bridge2" }))]),
    );
    assert.equal(value(await store.idOfName({ kind: "bridge", tenant: "blue", name: "bridge2" })), idOf(3));
  });

  test("names may hold anything, and differ by tenant", async () => {
    const { store } = await open();
    const names = ["a,b", "a/b", "..", "50%2F", "größe 网络 😀", "x y"];
    for (const [i, name] of names.entries()) {
      value(
        await store.transact([create(bridge(10 + i, { name })), create(bridge(20 + i, { name, tenant: "a/b,c" }))]),
      );
      assert.equal(value(await store.idOfName({ kind: "bridge", tenant: "a/b,c", name })), idOf(20 + i));
    }
  });

  test("transactions of many clients at the same objects all happen, or say that they did not", async () => {
    const { store, layout } = await open();
    const other = new TreeTopologyStore(await bench.connection(), layout);
    value(await store.transact([create(bridge(1))]));
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? store : other).transact([create(bridgePort(100 + i))])),
    );
    const done = outcomes.filter((outcome) => outcome.ok).length;
    assert.ok(done >= 1);
    for (const outcome of outcomes) if (!outcome.ok) assert.equal(outcome.error.kind, "busy");
    value(await other.list("port"));
    await bench.syncAll();
    const ports = value(await store.list("port")).objects.map(({ object }) => object.id);
    assert.equal(ports.length, done);
    assert.deepEqual([...((await read(store, "bridge", 1))?.portIds ?? [])].sort(), ports);
  });

  test("an object that is referred to while it is deleted is either kept or leaves nothing dangling", async () => {
    const { store, layout } = await open();
    const other = new TreeTopologyStore(await bench.connection(), layout);
    for (let round = 0; round < 5; round++) {
      value(await store.transact([create(chain(3))]));
      await bench.syncAll();
      const [made] = await Promise.all([
        other.transact([create(bridge(40 + round, { inboundFilterId: idOf(3) }))]),
        store.transact([{ op: "delete", kind: "chain", id: idOf(3) }]),
      ]);
      await bench.syncAll();
      const filter = (await read(store, "bridge", 40 + round))?.inboundFilterId;
      if (filter !== undefined) assert.notEqual(await read(store, "chain", 3), undefined);
      if (!made.ok) assert.ok(["dangling-reference", "busy"].includes(kindOf(made.error)), kindOf(made.error));
      await store.transact([{ op: "delete", kind: "chain", id: idOf(3) }]);
    }
  });

  test("a damaged document is reported, skipped by listings, and can be deleted with what it belongs to", async () => {
    const { store, layout, connection } = await open();
    value(await store.transact([create(bridge(1)), create(bridge(2)), create(bridgePort(10))]));
    value(await connection.tree.set(layout.object("port", idOf(10)), bytes("{broken")));
    value(await connection.tree.set(layout.object("bridge", idOf(2)), bytes('{"v":9}')));
    const { objects, damaged } = value(await store.list("bridge"));
    assert.deepEqual([objects.length, damaged[0]?.object.id, damaged[0]?.kind], [1, idOf(2), "newer-document"]);
    assert.equal(failure(await store.get("bridge", idOf(2))).kind, "damaged");
    assert.equal(failure(await store.transact([{ op: "update", object: bridge(2) }])).kind, "damaged");
    value(await store.transact([create(bridgePort(11))]));
    value(await store.transact([{ op: "delete", kind: "bridge", id: idOf(1) }]));
    assert.equal(value(await store.get("port", idOf(10))), undefined);
    value(await store.transact([{ op: "delete", kind: "bridge", id: idOf(2) }]));
    assert.equal(value(await store.get("bridge", idOf(2))), undefined);
  });

  test("a layout of a later release is refused and left alone", async () => {
    const { store, layout, connection } = await open();
    value(await store.open());
    value(await connection.tree.set(layout.version, bytes('{"layout":7}')));
    const late = new TreeTopologyStore(await bench.connection(), layout);
    await bench.syncAll();
    const error = failure(await late.transact([create(bridge(1))]));
    assert.deepEqual(error, { kind: "layout-newer", found: 7, supported: 1 });
    assert.deepEqual(value(await connection.tree.children(layout.kind("bridge"))).names, []);
  });

  test("the layout before this one is read and not written, and says how to migrate; a migration under way too", async () => {
    const { store, layout, connection } = await open();
    value(await store.transact([create(bridge(1))]));
    const next = new TreeTopologyStore(await bench.connection(), new Layout(layout.root, 2));
    await bench.syncAll();
    assert.equal(value(await next.get("bridge", idOf(1)))?.object.id, idOf(1));
    const older = { kind: "layout-older", found: 1, supported: 2 } as const;
    assert.deepEqual(failure(await next.transact([create(bridge(2))])), older);
    value(await connection.tree.set(layout.version, bytes('{"layout":1,"migratingTo":2}')));
    assert.deepEqual(failure(await next.transact([create(bridge(2))])), older);
    // This release was at work when the migration began.
    const newer = { kind: "layout-newer", found: 2, supported: 1 } as const;
    assert.deepEqual(failure(await store.transact([create(bridge(2))])), newer);
    value(await connection.tree.set(layout.version, bytes('{"layout":2}')));
    await bench.syncAll();
    value(await next.transact([create(bridge(2))]));
    assert.deepEqual(failure(await store.transact([create(bridge(3))])), newer);
  });

  test("a store that was emptied, or is being filled, is neither written to nor read; once it is whole again it is", async () => {
    const { store, layout, connection } = await open();
    value(await store.transact([create(bridge(1))]));
    const kept = value(await connection.tree.get(layout.version)).data;
    value(await connection.tree.remove(layout.version));
    const reads = [
      () => store.list("bridge"),
      () => store.get("bridge", idOf(1)),
      () => store.idOfName({ kind: "bridge", tenant: "blue", name: "bridge1" }),
    ];
    for (const read of reads) assert.equal(failure<unknown, StoreError>(await read()).kind, "layout-gone");
    assert.equal(failure(await store.transact([create(bridge(2))])).kind, "layout-gone");
    value(await connection.tree.create(layout.incomplete, bytes("")));
    for (const read of reads) assert.match(JSON.stringify(await read()), /layout-gone.*has not ended/);
    const fresh = new TreeTopologyStore(await bench.connection(), layout);
    await bench.syncAll();
    assert.match(JSON.stringify(failure(await fresh.transact([create(bridge(2))]))), /layout-gone.*has not ended/);
    value(
      await connection.tree.multi([
        { op: "create", path: layout.version, data: kept },
        { op: "remove", path: layout.incomplete },
      ]),
    );
    await bench.syncAll();
    for (const read of reads) value<unknown, StoreError>(await read());
    value(await store.transact([create(bridge(2))]));
    value(await fresh.transact([create(bridge(3))]));
  });

  test("a watched object is told as it is, then at each change, then as nothing", async () => {
    const { store } = await open();
    const told = new Told();
    const watch = store.watchObject("bridge", idOf(1), told);
    await watch.ready;
    value(await store.transact([create(bridge(1, { name: "a" }))]));
    await told.until(() => told.lines.includes("01 a"));
    value(await store.transact([{ op: "update", object: bridge(1, { name: "b" }) }]));
    await told.until(() => told.lines.includes("01 b"));
    value(await store.transact([{ op: "delete", kind: "bridge", id: idOf(1) }]));
    await told.until(() => told.lines.length === 4);
    assert.deepEqual(told.lines, ["nothing", "01 a", "01 b", "nothing"]);
    watch.close();
  });

  test("a watched kind is told as a whole first, then each change, and damage does not stop it", async () => {
    const { store, layout, connection } = await open();
    value(await store.transact([create(bridge(1)), create(bridge(2))]));
    const told = new Told();
    const watch = store.watchKind("bridge", told);
    await watch.ready;
    value(await store.transact([create(bridge(3, { inboundFilterId: idOf(9) })), create(chain(9))]));
    await told.until(() => told.lines.length === 2);
    value(await connection.tree.set(layout.object("bridge", idOf(1)), bytes("")));
    await told.until(() => told.lines.length === 3);
    value(await store.transact([{ op: "delete", kind: "bridge", id: idOf(2) }]));
    await told.until(() => told.lines.length === 4);
    assert.deepEqual(told.lines, ["loaded 01 02", "03 bridge3", "damaged 01", "deleted 02"]);
    watch.close();
    value(await store.transact([create(bridge(4))]));
    assert.equal(told.lines.length, 4);
  });

  for (const fate of ["applied", "lost"] as const) {
    test(`a transaction whose reply is lost happens exactly once: ${fate}`, async (t) => {
      const { loseNext } = bench.server();
      if (loseNext === undefined) return t.skip("this driver cannot lose a reply");
      const interposition = new Interposition();
      const raw: Tree[] = [];
      const connection = await bench.connection((tree) => {
        raw.push(tree);
        return interposition.over(tree);
      });
      const store = new TreeTopologyStore(connection, new Layout(bench.freshRoot()));
      value(await store.transact([create(bridge(1))]));
      const losing = (changes: readonly TopologyChange[]) => {
        interposition.before("multi", () => loseNext(raw.at(-1) as Tree, fate));
        return store.transact(changes);
      };
      for (let i = 0; i < 3; i++) {
        assert.equal(value(await losing([create(bridgePort(100 + i))])).objects[0]?.version, 0);
      }
      assert.equal((await read(store, "bridge", 1))?.portIds.length, 3);
      assert.equal(value(await store.get("bridge", idOf(1)))?.version, 3);
      // A change that is not the same when it is made twice.
      const rename = (object: TopologyObject): TopologyObject =>
        object.kind === "bridge" ? { ...object, name: `${object.name}+` } : object;
      value(await losing([{ op: "modify", kind: "bridge", id: idOf(1), change: rename }]));
      assert.equal(interposition.outcomes.length, 4);
      assert.equal((await read(store, "bridge", 1))?.name, "bridge1+");
    });
  }

  test("watches go on after the session expired, with what changed meanwhile", async (t) => {
    const { expire } = bench.server();
    if (expire === undefined) return t.skip("this driver cannot expire a session");
    const { store, layout, connection } = await open();
    const other = new TreeTopologyStore(await bench.connection(), layout);
    value(await other.transact([create(bridge(1)), create(bridge(2))]));
    const [object, kind] = [new Told(), new Told()];
    const watches = [store.watchObject("bridge", idOf(1), object), store.watchKind("bridge", kind)];
    await Promise.all(watches.map(({ ready }) => ready));
    await expire(connection.tree);
    value(
      await other.transact([
        { op: "update", object: bridge(1, { name: "new" }) },
        { op: "delete", kind: "bridge", id: idOf(2) },
      ]),
    );
    await object.until(() => object.lines.includes("01 new"));
    await kind.until(() => kind.lines.includes("01 new") && kind.lines.includes("deleted 02"));
    value(await store.transact([create(bridge(3))]));
    await kind.until(() => kind.lines.includes("03 bridge3"));
    for (const watch of watches) watch.close();
  });

  test("transactions leave no marks behind but those of the last ones", async () => {
    const { store, layout, connection } = await open();
    for (let i = 0; i < 5; i++) value(await store.transact([create(bridge(100 + i))]));
    assert.equal(value(await connection.tree.children(layout.transactions)).names.length, 1);
  });

  test("a deletion that grows beyond one transaction is refused with its size", async () => {
    const { store } = await open();
    const long = "x".repeat(250);
    const error = failure(
      await store.transact(
        Array.from({ length: 3_000 }, (_, i) => create(bridge(1_000 + i, { name: `${long}${i}`, tenant: long }))),
      ),
    );
    assert.equal(error.kind, "too-large");
  });
}

/** For tests outside the suite: a connection over the machine's clock. */
export function connectionTo(connect: ConstructorParameters<typeof StoreConnection>[0]["connect"]): StoreConnection {
  return new StoreConnection({ scheduler: systemScheduler, connect });
}
