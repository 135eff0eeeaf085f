import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Prng } from "../../base/prng.ts";
import { systemScheduler, VirtualScheduler } from "../../base/scheduler.ts";
import { decodeObject } from "../../model/encoding.ts";
import type { Kind, TopologyObject } from "../../model/objects.ts";
import { readBackField, referencesOf, referencesTo } from "../../model/references.ts";
import { KINDS } from "../../model/registry.ts";
import {
  bridge,
  bridgePort,
  chain,
  host,
  idOf,
  MapTopology,
  route,
  router,
  routerPort,
  rule,
} from "../../model/testdata/topology.ts";
import { validateAmong, validateObject } from "../../model/validate.ts";
import { failure, text, value } from "../compliance/expecting.ts";
import { Interposition } from "../compliance/interposed.ts";
import { passTime } from "../compliance/virtual-time.ts";
import { MemoryTree } from "../memory/memory-tree.ts";
import { MemoryTreeServer } from "../memory/memory-tree-server.ts";
import { StoreConnection } from "./connection.ts";
import { Layout } from "./layout.ts";
import { nameOfObject, referrerNodes } from "./topology-draft.ts";
import type { StoredObject, TopologyChange } from "./topology-store.ts";
import { TreeTopologyStore } from "./tree-topology-store.ts";

const layout = new Layout();

interface Client {
  readonly connection: StoreConnection;
  readonly store: TreeTopologyStore;
  /** Bridges as a watcher of the kind knows them. */
  readonly bridges: Map<string, TopologyObject>;
}

class Cloud {
  readonly scheduler = new VirtualScheduler();
  readonly server: MemoryTreeServer;
  readonly clients: readonly Client[];
  /** Outcomes of transactions, in order of their end. */
  readonly ended: string[] = [];

  constructor(seed: number) {
    const prng = new Prng(seed);
    this.server = new MemoryTreeServer({ scheduler: this.scheduler, delay: () => prng.below(20), seed });
    this.clients = [0, 1, 2].map(() => this.#client());
  }

  tree(client: number): MemoryTree {
    const tree = this.clients[client]?.connection.tree;
    assert.ok(tree instanceof MemoryTree);
    return tree;
  }

  async transact(client: number, changes: readonly TopologyChange[]): Promise<void> {
    const outcome = await this.clients[client]?.store.transact(changes);
    assert.ok(outcome !== undefined);
    this.ended.push(outcome.ok ? "done" : outcome.error.kind);
  }

  objects(): readonly TopologyObject[] {
    return KINDS.flatMap((kind) => this.#objectsOf(kind));
  }

  names(path: string): readonly string[] {
    const children = this.server.tree.children(path);
    return children.ok ? [...children.value.names].sort() : [];
  }

  #objectsOf(kind: Kind): readonly TopologyObject[] {
    return this.names(layout.kind(kind)).map((id) => {
      const node = this.server.tree.get(layout.object(kind, id));
      assert.ok(node.ok);
      const object = decodeObject({ kind, id }, text(node.value.data));
      assert.ok(object.ok);
      return object.value;
    });
  }

  #client(): Client {
    const { scheduler } = this;
    const connection = new StoreConnection({ scheduler, connect: () => this.server.connect({ timeoutMs: 4_000 }) });
    const store = new TreeTopologyStore(connection);
    const bridges = new Map<string, TopologyObject>();
    const note = ({ object }: StoredObject<"bridge">): unknown => bridges.set(object.id, object);
    store.watchKind("bridge", {
      onLoaded: (objects) => objects.forEach(note),
      onObject: note,
      onDeleted: (id) => bridges.delete(id),
      onDamaged: (error) => assert.fail(JSON.stringify(error)),
    });
    return { connection, store, bridges };
  }
}

const port = (number: number): TopologyObject =>
  number % 2 === 0 ? bridgePort(number) : routerPort(number, { addresses: [`10.0.${number}.1/24`] });
const filters = fc.constantFrom({}, { inboundFilterId: idOf(3) }, { outboundFilterId: idOf(4) });
const names = fc.constantFrom("red", "green");
const objects: fc.Arbitrary<TopologyObject> = fc.oneof(
  fc.record({ name: names, filter: filters }).map(({ name, filter }) => bridge(1, { name, ...filter })),
  names.map((name) => bridge(6, { name })),
  filters.map((filter) => router(2, filter)),
  fc.constantFrom(chain(3), chain(4), host(5)),
  fc.constantFrom(
    rule(30),
    rule(31, { action: { type: "jump", chainId: idOf(4) } }),
    rule(32, { condition: { inPortIds: [idOf(10)] } }),
  ),
  fc.integer({ min: 10, max: 15 }).map(port),
  fc.constantFrom(
    bridgePort(10, { peerId: idOf(11) }),
    bridgePort(12, { peerId: idOf(11) }),
    bridgePort(14, { binding: { hostId: idOf(5), interfaceName: "eth0", generation: 1 } }),
  ),
  fc.constant(route(20, { nextHop: { type: "port", portId: idOf(11) } })),
);
const changes: fc.Arbitrary<TopologyChange> = fc.oneof(
  { weight: 4, arbitrary: objects.map((object) => ({ op: "create", object }) as const) },
  { weight: 4, arbitrary: objects.map((object) => ({ op: "update", object }) as const) },
  { weight: 2, arbitrary: objects.map(({ kind, id }) => ({ op: "delete", kind, id }) as const) },
);
const faults = fc.constantFrom("disconnect", "lose-applied", "lose-lost", "expire");
const turns = fc.array(
  fc.record({
    client: fc.nat({ max: 2 }),
    changes: fc.array(changes, { minLength: 1, maxLength: 2 }),
    fault: fc.option(faults, { freq: 3, nil: undefined }),
    pause: fc.constantFrom(0, 0, 5, 60, 1_000),
  }),
  { minLength: 3, maxLength: 30, size: "max" },
);

/** What every history starts from. */
const base = [bridge(1, { name: "red" }), router(2), chain(3), chain(4), host(5), port(10), port(11), rule(30)].map(
  (object): TopologyChange => ({ op: "create", object }),
);

function strike(cloud: Cloud, client: number, fault: string): void {
  const tree = cloud.tree(client);
  if (fault === "disconnect") cloud.server.disconnect(tree);
  else if (fault === "expire") cloud.server.expire(tree);
  else cloud.server.disconnect(tree, fault === "lose-applied" ? "applied" : "lost");
}

/** The laws: no object is wrong alone or among the others, and everything that the store keeps agrees with the documents. */
function checkConsistent(cloud: Cloud): void {
  const all = cloud.objects();
  const view = new MapTopology(all);
  for (const object of all) {
    assert.deepEqual(validateObject(object), []);
    assert.deepEqual(validateAmong(object, view), []);
    for (const { backField } of referencesTo(object.kind)) {
      if (backField === undefined) continue;
      const rows = referencesTo(object.kind).filter((row) => row.backField === backField);
      const referrers = all.filter((other) => rows.some((row) => row.read(other).includes(object.id)));
      const expected = referrers.map(({ id }) => id).sort();
      assert.deepEqual([...readBackField(object, backField)].sort(), expected, `${object.kind} ${backField}`);
    }
    const referring = all.flatMap(referrerNodes).filter((node) => node.kind === object.kind && node.id === object.id);
    assert.deepEqual(cloud.names(layout.object(object.kind, object.id)), referring.map(({ name }) => name).sort());
    for (const { row, id } of referencesOf(object)) {
      if (row.isSymmetric) assert.ok(row.read(view.get(row.to, id) as TopologyObject).includes(object.id));
    }
  }
  for (const kind of KINDS) {
    const expected = all.filter((object) => object.kind === kind).flatMap((object) => nameOfObject(object) ?? []);
    const paths = expected.map((query) => layout.name(query).slice(layout.names(kind).length + 1)).sort();
    assert.deepEqual(cloud.names(layout.names(kind)), paths);
  }
  const bridges = Object.fromEntries(all.filter(({ kind }) => kind === "bridge").map((object) => [object.id, object]));
  for (const client of cloud.clients) assert.deepEqual(Object.fromEntries([...client.bridges].sort()), bridges);
}

/** Two stores over one server; the first lets something happen just before its next multi. */
async function race(setUp: readonly TopologyObject[]): Promise<{
  readonly server: MemoryTreeServer;
  readonly interposition: Interposition;
  readonly slow: TreeTopologyStore;
  readonly quick: TreeTopologyStore;
  stop(): Promise<void>;
}> {
  const scheduler = systemScheduler;
  const server = new MemoryTreeServer({ scheduler });
  const interposition = new Interposition();
  const own = new StoreConnection({ scheduler, connect: () => interposition.over(server.connect()) });
  const other = new StoreConnection({ scheduler, connect: () => server.connect() });
  const [slow, quick] = [new TreeTopologyStore(own), new TreeTopologyStore(other)];
  value(await slow.transact(setUp.map((object) => ({ op: "create", object }))));
  const stop = async (): Promise<void> => {
    await Promise.all([own.close(), other.close()]);
    server.stop();
  };
  return { server, interposition, slow, quick, stop };
}

const bound = (number: number, interfaceName: string): TopologyObject =>
  bridgePort(number, { binding: { hostId: idOf(5), interfaceName, generation: 1 } });

describe("topology store", () => {
  test("a transaction that was judged by a document which changed meanwhile is judged again", async () => {
    const { interposition, slow, quick, stop } = await race([bridge(1), host(5), bound(10, "eth0"), bridgePort(12)]);
    interposition.before("multi", async () => {
      value(await quick.transact([{ op: "update", object: bound(10, "eth1") }]));
    });
    const error = failure(await slow.transact([{ op: "update", object: bound(12, "eth1") }]));
    assert.equal(error.kind === "invalid" && error.errors[0]?.kind, "interface-taken");
    await stop();
  });

  test("a document that was deleted and created anew is not taken for the one that was read", async () => {
    const { server, interposition, slow, quick, stop } = await race([chain(3), bridge(6)]);
    const again = bridge(6, { inboundFilterId: idOf(3) });
    interposition.before("multi", async () => {
      value(await quick.transact([{ op: "delete", kind: "bridge", id: idOf(6) }]));
      value(await quick.transact([{ op: "create", object: again }]));
    });
    value(await slow.transact([{ op: "delete", kind: "bridge", id: idOf(6) }]));
    assert.deepEqual(value(server.tree.children(layout.object("chain", idOf(3)))).names, []);
    await stop();
  });

  test("transactions of three clients under faults leave a topology that is right, and every watcher sees it", async () => {
    const outcomes = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(fc.integer(), turns, async (seed, script) => {
        const cloud = new Cloud(seed);
        void cloud.transact(0, base);
        await passTime(cloud.scheduler, 2_000);
        for (const turn of script) {
          void cloud.transact(turn.client, turn.changes);
          if (turn.fault !== undefined) strike(cloud, turn.client, turn.fault);
          await passTime(cloud.scheduler, turn.pause);
        }
        await passTime(cloud.scheduler, 120_000);
        assert.equal(cloud.ended.length, script.length + 1, "every transaction ends");
        for (const outcome of cloud.ended) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        checkConsistent(cloud);
        cloud.server.stop();
      }),
      { numRuns: 100 },
    );
    assert.ok((outcomes.get("done") ?? 0) > 100, "most histories are not about refusals only");
    assert.equal(outcomes.get("damaged") ?? 0, 0);
  });
});
