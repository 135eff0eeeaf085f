import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { err } from "../../base/result.ts";
import { systemScheduler } from "../../base/scheduler.ts";
import { encodeObject } from "../../model/encoding.ts";
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
import { bytes, failure, value } from "../compliance/expecting.ts";
import { nodeBytesMax } from "../limits.ts";
import { MemoryTreeServer } from "../memory/memory-tree-server.ts";
import { StoreConnection } from "../recipes/connection.ts";
import { parseTerm } from "../recipes/fences.ts";
import { Layout } from "../recipes/layout.ts";
import type { StoreError } from "../recipes/store-error.ts";
import { TreeTopologyStore } from "../recipes/tree-topology-store.ts";
import type { Tree } from "../tree.ts";
import { takeSnapshot } from "./backup.ts";
import { checkStore, repairStore } from "./check.ts";

describe("check of a store", () => {
  const layout = new Layout();
  let server: MemoryTreeServer;
  let connection: StoreConnection;
  let topology: TreeTopologyStore;

  beforeEach(async () => {
    server = new MemoryTreeServer({ scheduler: systemScheduler, redialMs: 1 });
    connection = new StoreConnection({ scheduler: systemScheduler, connect: () => server.connect() });
    topology = new TreeTopologyStore(connection, layout);
    const objects = [host(1), bridge(1), router(2), chain(3), rule(4), routerPort(20), route(30)];
    value(await topology.transact(objects.map((object) => ({ op: "create", object }))));
    value(await topology.transact([{ op: "create", object: bridgePort(10, { inboundFilterId: idOf(3) }) }]));
  });
  afterEach(async () => {
    topology.close();
    await connection.close();
    server.stop();
  });

  const set = async (path: string, text: string): Promise<void> =>
    void value(await connection.tree.set(path, bytes(text)));
  const make = async (path: string, text = "", mode: "persistent" | "ephemeral" = "persistent"): Promise<void> => {
    const parts = path.split("/").slice(1);
    for (let depth = 1; depth < parts.length; depth++)
      await connection.tree.create(`/${parts.slice(0, depth).join("/")}`, bytes(""));
    value(await connection.tree.create(path, bytes(text), { mode }));
  };
  const remove = async (path: string): Promise<void> => value(await connection.tree.remove(path));
  const kinds = async (): Promise<readonly string[]> =>
    value(await checkStore(connection, layout)).map(
      ({ kind, path }) => `${kind} ${path.slice(layout.root.length + 1)}`,
    );

  test("a sound store has no findings", async () => {
    assert.deepEqual(await kinds(), []);
  });

  test("each kind of damage to a document is named with its path, and the other objects are served", async () => {
    const sound = encodeObject(bridge(1, { portIds: [idOf(10)] }));
    const damages: readonly (readonly [content: string, what: RegExp])[] = [
      ["{", /JSON object/],
      ["", /JSON object/],
      ["[]", /JSON object/],
      [sound.replace('"v":1', '"v":7'), /at most 1/],
      [sound.replace('"kind":"bridge"', '"kind":"router"'), /^kind: expected bridge/],
      [sound.replace(idOf(1), idOf(2)), /^id: expected/],
      [sound.replace('"isUp"', '"isUpp"'), /isUpp?/],
      ["x".repeat(nodeBytesMax - 1_000), /at most \d+ bytes/],
    ];
    for (const [content, what] of damages) {
      await set(layout.object("bridge", idOf(1)), content);
      const [finding, ...rest] = value(await checkStore(connection, layout));
      assert.match(finding?.kind ?? "", /^(damaged|newer)-document$/);
      assert.deepEqual([finding?.path, rest], [layout.object("bridge", idOf(1)), []]);
      assert.match(finding?.detail ?? "", what);
      assert.equal(failure(await topology.get("bridge", idOf(1))).kind, "damaged");
      assert.equal(value(await topology.list("bridge")).damaged.length, 1);
      assert.equal(value(await topology.list("port")).objects.length, 2);
      // Nothing is guessed about what cannot be read.
      assert.deepEqual(value(await repairStore(connection, layout)).repaired, []);
    }
    const tooLarge = await connection.tree.set(layout.object("bridge", idOf(1)), new Uint8Array(2 * 1024 * 1024));
    assert.equal(failure(tooLarge).kind, "too-large");
  });

  test("what does not belong there is named once, with what is below it, and left alone", async () => {
    await make("/weft/objects/gadgets/1", "{}");
    await make("/weft/other/deep/er", "x");
    await make(`/weft/maps/bridge/${idOf(1)}/fdb/no opinion,x`, "");
    await make(`/weft/maps/bridge/${idOf(1)}/fdb/00:zz,${idOf(10)},c0000000007`, "");
    await make("/weft/state/port/active/deep/er", "");
    await make("/weft/deletions/not-a-number", "");
    assert.deepEqual((await kinds()).toSorted(), [
      `damaged-opinion maps/bridge/${idOf(1)}/fdb/00:zz,${idOf(10)},c0000000007`,
      "foreign deletions/not-a-number",
      `foreign maps/bridge/${idOf(1)}/fdb/no opinion,x`,
      "foreign objects/gadgets",
      "foreign other",
      "foreign state/port/active/deep/er",
      "ownerless-key state/port/active/deep",
    ]);
    value(await topology.transact([{ op: "create", object: bridge(5) }]));
  });

  test("a layout that is gone, damaged, older or newer, or half-filled is said and nothing is repaired", async () => {
    await remove(`${layout.root}/names/bridges/blue,bridge1`);
    for (const [content, kind] of [
      ['{"layout":2}', "newer-layout"],
      ["nonsense", "damaged-layout"],
      ['{"layout":1,"migratingTo":2}', "older-layout"],
    ] as const) {
      await set(layout.version, content);
      assert.equal((await kinds())[0], `${kind} layout`);
      assert.deepEqual(value(await repairStore(connection, layout)).repaired, []);
    }
    await remove(layout.version);
    assert.equal((await kinds())[0], "no-layout layout");
    await make(layout.incomplete, "copy of x");
    assert.equal((await kinds())[0], "incomplete incomplete");
  });

  test("a root that keeps us out is an error, never an empty store; below it, what cannot be read is named and nothing is made of it", async () => {
    const closed = new Set([layout.root]);
    const over = (tree: Tree): Tree => {
      const refused = (path: string) => Promise.resolve(err({ kind: "no-auth", path } as const));
      return new Proxy(tree, {
        get: (target, name) => {
          const member: unknown = Reflect.get(target, name, target);
          if (typeof member !== "function") return member;
          const bound = member.bind(target) as (path: string, ...args: unknown[]) => unknown;
          if (name !== "get" && name !== "children") return bound;
          return (path: string) => (closed.has(path) ? refused(path) : bound(path));
        },
      });
    };
    const stranger = new StoreConnection({ scheduler: systemScheduler, connect: () => over(server.connect()) });
    for (const looked of [await checkStore(stranger, layout), await takeSnapshot(stranger, layout)])
      assert.deepEqual(failure<unknown, StoreError>(looked), { kind: "no-auth", path: layout.root });
    closed.clear();
    closed.add(layout.version);
    const found = value(await checkStore(stranger, layout));
    assert.deepEqual(
      found.map(({ kind, path }) => `${kind} ${path}`),
      [`unreadable ${layout.version}`],
    );
    await stranger.close();
  });

  test("a term and a secret that are none are found; a repair begins a term above those given out, and leaves the secret to a person", async () => {
    const before = value(await connection.tree.get(layout.term));
    await make(layout.secret, "xyz");
    await set(layout.term, "abc");
    assert.deepEqual(await kinds(), ["damaged-term term", "damaged-secret secret"]);
    const { left } = value(await repairStore(connection, layout));
    assert.deepEqual(
      left.map(({ kind }) => kind),
      ["damaged-secret"],
    );
    const after = parseTerm(value(await connection.tree.get(layout.term)).data);
    assert.ok((after ?? 0n) >= (parseTerm(before.data) ?? 0n));
    await set(layout.secret, "0123456789abcdef".repeat(2));
    assert.deepEqual(await kinds(), []);
  });

  test("lists, names, noted references, dangling references and leftovers are put right, and the store is sound again", async () => {
    await set(layout.object("bridge", idOf(1)), encodeObject(bridge(1, { portIds: [idOf(77)] })));
    await remove(`${layout.root}/names/bridges/blue,bridge1`);
    await make(`${layout.root}/names/bridges/blue,ghost`, idOf(99));
    await set(`${layout.root}/names/chains/blue,chain3`, idOf(99));
    await remove(`${layout.object("chain", idOf(3))}/port.inboundFilterId,${idOf(10)}`);
    await make(`${layout.object("chain", idOf(3))}/bridge.outboundFilterId,${idOf(1)}`);
    const dangling = routerPort(20, { outboundFilterId: idOf(88) });
    await set(layout.object("port", idOf(20)), encodeObject(dangling));
    await make(`/weft/maps/bridge/${idOf(66)}/fdb/02:00:00:00:00:01,${idOf(10)},c0000000000`);
    await make(`/weft/maps/bridge/${idOf(1)}/fdb/02:00:00:00:00:02,${idOf(10)},0000000000`);
    await make(`/weft/nat/${idOf(67)}/192.0.2.1/5`, "h1");
    await make(`/weft/state/port/active/${idOf(10)}`, "{}");
    const found = (await kinds()).map((line) => line.split(" ")[0]).toSorted();
    assert.deepEqual(found, [
      "dangling-reference",
      "list-out-of-step",
      "map-of-nothing",
      "missing-name",
      "missing-referrer",
      "ownerless-key",
      "ownerless-opinion",
      "ports-of-nothing",
      "stale-name",
      "stale-name",
      "stale-referrer",
    ]);
    const { left } = value(await repairStore(connection, layout));
    assert.deepEqual(left, []);
    assert.deepEqual(value(await topology.get("bridge", idOf(1)))?.object.portIds, [idOf(10)]);
    assert.equal(value(await topology.get("port", idOf(20)))?.object.outboundFilterId, undefined);
    assert.equal(value(await topology.idOfName({ kind: "chain", tenant: "blue", name: "chain3" })), idOf(3));
  });

  test("a reference whose target must not go is reported and left to a person", async () => {
    await set(layout.object("route", idOf(30)), encodeObject(route(30, { routerId: idOf(99) })));
    const before = await kinds();
    assert.ok(before.includes(`dangling-reference objects/routes/${idOf(30)}`), before.join("\n"));
    const { left } = value(await repairStore(connection, layout));
    assert.deepEqual(
      left.map(({ kind }) => kind),
      ["dangling-reference"],
    );
  });

  test("an object whose document is damaged is deleted with all that belongs to it, and nothing but its name is left to repair", async () => {
    value(await topology.transact([{ op: "create", object: bridge(5) }]));
    value(await topology.transact([{ op: "create", object: bridgePort(11, { peerId: idOf(20) }) }]));
    value(await topology.transact([{ op: "create", object: bridgePort(12, { bridgeId: idOf(5) }) }]));
    for (const [kind, number] of [
      ["bridge", 1],
      ["chain", 3],
    ] as const) {
      await set(layout.object(kind, idOf(number)), "{");
      assert.ok((await kinds()).some((line) => line.startsWith("damaged-document")));
      value(await topology.transact([{ op: "delete", kind, id: idOf(number) }]));
    }
    const ports = value(await topology.list("port")).objects.map(({ object }) => object.id);
    assert.deepEqual(ports.toSorted(), [idOf(12), idOf(20)], "the other bridge keeps its port");
    assert.equal(value(await topology.get("port", idOf(20)))?.object.peerId, undefined);
    assert.deepEqual(value(await topology.list("rule")).objects, []);
    const left = value(await repairStore(connection, layout));
    assert.deepEqual([new Set(left.repaired.map(({ kind }) => kind)), left.left], [new Set(["stale-name"]), []]);
  });

  test("a state that a live session holds of an object that is gone is only named", async () => {
    await make(`/weft/state/port/active/${idOf(55)}`, "{}", "ephemeral");
    assert.deepEqual(await kinds(), [`key-of-nothing state/port/active/${idOf(55)}`]);
    assert.equal(value(await repairStore(connection, layout)).left.length, 1);
  });
});
