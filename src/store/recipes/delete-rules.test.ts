import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemScheduler } from "../../base/scheduler.ts";
import type { TopologyObject } from "../../model/objects.ts";
import { type OnDelete, REFERENCES, type Reference, readBackField } from "../../model/references.ts";
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
import { failure, value } from "../compliance/expecting.ts";
import { MemoryTreeServer } from "../memory/memory-tree-server.ts";
import { checkStore } from "../upkeep/check.ts";
import { StoreConnection } from "./connection.ts";
import { Layout } from "./layout.ts";
import { TreeTopologyStore } from "./tree-topology-store.ts";

/** One reference of the model: the object that carries it, and what must become of it when its target goes. */
interface Case {
  readonly referrer: TopologyObject;
  readonly target: number;
  readonly onDelete: OnDelete;
  /** An emptied reference leaves nothing that means anything: the referrer goes too. */
  readonly isGone?: true;
}

const zone: TopologyObject = {
  ...{ kind: "tunnel-zone", id: idOf(90), name: "underlay", mtu: 1500 },
  members: [{ hostId: idOf(5), address: "192.0.2.1" }],
};
const binding = { hostId: idOf(5), interfaceName: "veth0", generation: 1 };
const condition = (field: "inPortIds" | "outPortIds", ...ids: readonly number[]) => ({ [field]: ids.map(idOf) });

/** By kind and field of the reference. Rules as they stand in the reference for everything that the model has. */
const CASES: Readonly<Record<string, Case>> = {
  "tunnel-zone members": { referrer: zone, target: 5, onDelete: "clear" },
  "bridge inboundFilterId": { referrer: bridge(80, { inboundFilterId: idOf(3) }), target: 3, onDelete: "clear" },
  "bridge outboundFilterId": { referrer: bridge(80, { outboundFilterId: idOf(3) }), target: 3, onDelete: "clear" },
  "router inboundFilterId": { referrer: router(80, { inboundFilterId: idOf(3) }), target: 3, onDelete: "clear" },
  "router outboundFilterId": { referrer: router(80, { outboundFilterId: idOf(3) }), target: 3, onDelete: "clear" },
  "port inboundFilterId": { referrer: bridgePort(80, { inboundFilterId: idOf(3) }), target: 3, onDelete: "clear" },
  "port outboundFilterId": { referrer: bridgePort(80, { outboundFilterId: idOf(3) }), target: 3, onDelete: "clear" },
  "port bridgeId": { referrer: bridgePort(80), target: 1, onDelete: "cascade" },
  "port routerId": { referrer: routerPort(80, { addresses: ["10.9.0.1/24"] }), target: 2, onDelete: "cascade" },
  "port peerId": { referrer: bridgePort(80, { peerId: idOf(20) }), target: 20, onDelete: "clear" },
  "port binding.hostId": { referrer: bridgePort(80, { binding }), target: 5, onDelete: "clear" },
  "route routerId": { referrer: route(80), target: 2, onDelete: "cascade" },
  "route nextHop.portId": { referrer: route(80), target: 20, onDelete: "cascade" },
  "rule chainId": { referrer: rule(80), target: 3, onDelete: "cascade" },
  "rule action.chainId": {
    referrer: rule(80, { chainId: idOf(4), action: { type: "jump", chainId: idOf(3) } }),
    ...{ target: 3, onDelete: "cascade" },
  },
  "rule condition.inPortIds": {
    ...{ referrer: rule(80, { condition: condition("inPortIds", 10, 20) }), target: 10, onDelete: "clear" },
  },
  "rule condition.outPortIds": {
    ...{ referrer: rule(80, { condition: condition("outPortIds", 10) }), target: 10, onDelete: "clear", isGone: true },
  },
};

/** What the cases refer to. */
const STAGE: readonly TopologyObject[] = [
  host(5),
  bridge(1),
  router(2),
  chain(3),
  chain(4),
  bridgePort(10),
  routerPort(20),
];

const nameOf = (row: Reference): string => `${row.from} ${row.field}`;

async function staged(run: (topology: TreeTopologyStore, connection: StoreConnection) => Promise<void>): Promise<void> {
  const server = new MemoryTreeServer({ scheduler: systemScheduler, redialMs: 1 });
  const connection = new StoreConnection({ scheduler: systemScheduler, connect: () => server.connect() });
  const topology = new TreeTopologyStore(connection);
  value(await topology.transact(STAGE.map((object) => ({ op: "create", object }))));
  await run(topology, connection);
  // Whatever went, nothing is left that contradicts anything.
  assert.deepEqual(value(await checkStore(connection, new Layout())), []);
  topology.close();
  await connection.close();
  server.stop();
}

describe("delete rules", () => {
  test("there is a case for every reference of the model", () => {
    assert.deepEqual(REFERENCES.map(nameOf).toSorted(), Object.keys(CASES).toSorted());
  });

  for (const row of REFERENCES) {
    const one = CASES[nameOf(row)];
    if (one === undefined) continue;
    const { referrer, onDelete, isGone = false } = one;
    const target = idOf(one.target);

    test(`${nameOf(row)}: deleting the ${row.to} ${onDelete === "clear" ? "clears it" : "deletes the one that refers"}`, () =>
      staged(async (topology) => {
        assert.equal(row.onDelete, onDelete);
        value(await topology.transact([{ op: "create", object: referrer }]));
        assert.ok(row.read(referrer).includes(target));
        const { deleted } = value(await topology.transact([{ op: "delete", kind: row.to, id: target }]));
        const left = value(await topology.get(row.from, referrer.id))?.object;
        const goes = onDelete === "cascade" || isGone;
        assert.equal(left === undefined, goes);
        assert.equal(
          deleted.some(({ id }) => id === referrer.id),
          goes,
        );
        if (left !== undefined) assert.ok(!row.read(left).includes(target));
      }));

    test(`${nameOf(row)}: deleting the ${row.from} leaves the ${row.to}, and nothing there of it`, () =>
      staged(async (topology) => {
        value(await topology.transact([{ op: "create", object: referrer }]));
        value(await topology.transact([{ op: "delete", kind: row.from, id: referrer.id }]));
        const left = value(await topology.get(row.to, target))?.object;
        assert.ok(left !== undefined);
        if (row.backField !== undefined) assert.ok(!readBackField(left, row.backField).includes(referrer.id));
        if (row.isSymmetric) assert.deepEqual(row.read(left), []);
      }));

    test(`${nameOf(row)}: what is not there cannot be referred to`, () =>
      staged(async (topology) => {
        const text = JSON.stringify(referrer).replaceAll(target, idOf(99));
        const dangling = JSON.parse(text) as TopologyObject;
        const error = failure(await topology.transact([{ op: "create", object: dangling }]));
        assert.match(JSON.stringify(error), /dangling-reference/);
      }));
  }
});
