import { randomUUID } from "node:crypto";
import { unwrap } from "../src/base/result.ts";
import type { Bridge, Chain, Port, Rule, TopologyObject } from "../src/model/objects.ts";
import { StoreConnection } from "../src/store/recipes/connection.ts";
import { Layout } from "../src/store/recipes/layout.ts";
import { TreeTopologyStore } from "../src/store/recipes/tree-topology-store.ts";
import type { Tree } from "../src/store/tree.ts";
import { openZooKeeper } from "../src/zookeeper/connect.ts";
import type { Bench } from "./bench-group.ts";
import { WeftCloud } from "./weft-cloud.ts";

const PORTS = 1_000;
const BRIDGES = 10;
/** Every port has a filter of its own, with so many rules: 1,000 ports, 10 bridges, 1,000 chains and 8,000 rules. */
const RULES = 8;
/** Objects of one transaction, and ports among them. */
const BATCH = 90;
const PORTS_AT_ONCE = 10;
const READY_WITHIN_MS = 60_000;

/** Address of the VM in the namespace `near`, which speaks first. */
export const NEAR = "10.9.0.1";
/** The VM that is spoken to. */
export const FAR = "10.9.0.2";

/** A host with 1,000 ports and 10,010 objects that they refer to; two of the ports are those of VMs. */
export async function largeHost(bench: Bench): Promise<WeftCloud> {
  const cloud = await WeftCloud.start(bench.site, { hosts: 1, form: bench.form });
  const ports = plugAll(bench, cloud);
  await acquaint(bench);
  await createAll(bench, cloud, ports);
  await allUp(cloud);
  return cloud;
}

/** Waits until every port is attached. */
export function allUp(cloud: WeftCloud): Promise<void> {
  const areUp = async (): Promise<boolean> => {
    const { ports } = await cloud.status(cloud.host(0));
    return ports.filter((port) => port.state === "up").length === PORTS;
  };
  return cloud.wait("all ports are up", areUp, READY_WITHIN_MS);
}

interface Plugged {
  readonly id: string;
  readonly name: string;
  readonly bridgeId: string;
}

/** A thousand interfaces. The last two of a bridge are VMs with addresses, who know each other's MAC address. */
function plugAll({ site }: Bench, cloud: WeftCloud): readonly Plugged[] {
  const { space } = cloud.host(0);
  const bridges = Array.from({ length: BRIDGES }, () => randomUUID());
  const vms = site.space("vms");
  const ports = Array.from({ length: PORTS }, (_, i) => ({
    id: randomUUID(),
    name: `p${i}`,
    bridgeId: bridges[i % BRIDGES] ?? "",
  }));
  for (const [i, { name }] of ports.entries()) {
    const isVm = i === PORTS - 1 || i === PORTS - 1 - BRIDGES;
    const [own, address] = i === PORTS - 1 ? [site.space("near"), NEAR] : [site.space("far"), FAR];
    const to = isVm ? { space: own, name: "eth0", mac: macOf(i), address } : { space: vms, name };
    site.join({ from: { space, name }, to, mtu: 1450 });
  }
  return ports;
}

/** Neither VM has to ask for the other's MAC address, which it would do once a second only. */
async function acquaint({ site }: Bench): Promise<void> {
  const know = (address: string, mac: string): readonly string[] => [
    "ip",
    "neigh",
    "replace",
    address,
    "lladdr",
    mac,
    "nud",
    "permanent",
    "dev",
    "eth0",
  ];
  await site.run(know(FAR, macOf(PORTS - 1 - BRIDGES)), site.space("near"));
  await site.run(know(NEAR, macOf(PORTS - 1)), site.space("far"));
}

function macOf(i: number): string {
  return `02:00:00:00:${(i >> 8).toString(16).padStart(2, "0")}:${(i & 0xff).toString(16).padStart(2, "0")}`;
}

/** Ten thousand objects: written through the store itself, because what the API would take is not measured here. */
async function createAll(bench: Bench, cloud: WeftCloud, ports: readonly Plugged[]): Promise<void> {
  const connect = (): Tree => unwrap(openZooKeeper({ servers: [`unix:${bench.site.of("store.sock")}`] }));
  const connection = new StoreConnection({ scheduler: bench.site.scheduler, connect });
  const store = new TreeTopologyStore(connection, new Layout());
  const hostId = cloud.host(0).id;
  const bridges = [...new Set(ports.map((port) => port.bridgeId))];
  await create(store, bridges.map(bridgeObject));
  const chains = ports.map(chainObject);
  await create(store, chains);
  for (let from = 0; from < ports.length; from += PORTS_AT_ONCE) {
    const some = ports.slice(from, from + PORTS_AT_ONCE);
    const filters = chains.slice(from, from + PORTS_AT_ONCE).map(({ id }) => id);
    await create(store, [
      ...filters.flatMap(ruleObjects),
      ...some.map((port, i) => portObject(port, { filterId: filters[i] ?? "", hostId })),
    ]);
    bench.progress(`${from + some.length} of ${PORTS} ports`);
  }
  store.close();
  await connection.close();
}

async function create(store: TreeTopologyStore, objects: readonly TopologyObject[]): Promise<void> {
  for (let from = 0; from < objects.length; from += BATCH) {
    const changes = objects.slice(from, from + BATCH).map((object) => ({ op: "create", object }) as const);
    const done = await store.transact(changes);
    if (!done.ok) throw new Error(`the store refuses the topology: ${JSON.stringify(done.error)}`);
  }
}

function bridgeObject(id: string): Bridge {
  return { kind: "bridge", id, name: id, tenant: "bench", isUp: true, portIds: [] };
}

function chainObject({ name }: Plugged): Chain {
  return { kind: "chain", id: randomUUID(), name, tenant: "bench", ruleIds: [] };
}

function ruleObjects(chainId: string): readonly Rule[] {
  return Array.from({ length: RULES }, (_, i) => ({
    kind: "rule",
    id: randomUUID(),
    chainId,
    condition: i === RULES - 1 ? {} : { etherType: 0x0800, source: `192.168.${i}.0/24` },
    action: { type: i === RULES - 1 ? "accept" : "drop" },
  }));
}

function portObject(port: Plugged, of: { readonly filterId: string; readonly hostId: string }): Port {
  const binding = { hostId: of.hostId, interfaceName: port.name, generation: 1 };
  const { id, name, bridgeId } = port;
  const shared = { kind: "port", tenant: "bench", isUp: true, deviceKind: "bridge" } as const;
  return { ...shared, id, name, bridgeId, inboundFilterId: of.filterId, binding };
}
