import type { Prng } from "../../src/base/prng.ts";
import type { Kind, ObjectOf, Port, TopologyObject } from "../../src/model/objects.ts";
import type { TopologyChange } from "../../src/store/recipes/topology-store.ts";
import type { SimCloud } from "../../src/weftsim/cloud.ts";
import { type PlannedVm, randomRule, uuid } from "./topologies.ts";

/** What edits are made on. */
export interface EditParts {
  readonly cloud: SimCloud;
  readonly vms: readonly PlannedVm[];
  readonly prng: Prng;
}

type Edit = (parts: EditParts, objects: readonly TopologyObject[]) => Promise<void>;

/** Makes one random change, as an operator or a scheduler of VMs would. */
export async function randomEdit(parts: EditParts): Promise<void> {
  const objects = await parts.cloud.objects();
  await parts.prng.pick(EDITS)(parts, objects);
}

const EDITS: readonly Edit[] = [
  toggle,
  toggle,
  addRule,
  addRule,
  removeRule,
  changeRule,
  changeRule,
  setFilter,
  setFilter,
  setVlan,
  moveVm,
  moveVm,
  addRoute,
  removeRoute,
  relink,
  setLink,
  setLink,
];

/** Sets a device or port up or down; what is down is preferred, so that clouds do not run out of working parts. */
async function toggle({ cloud, prng }: EditParts, objects: readonly TopologyObject[]): Promise<void> {
  const all = objects.filter(
    (object) => object.kind === "bridge" || object.kind === "router" || object.kind === "port",
  );
  const down = all.filter((object) => !object.isUp);
  const object = down.length > 0 && prng.below(2) === 0 ? prng.pick(down) : prng.pick(all);
  await cloud.change([modify(object.kind, object.id, { isUp: !object.isUp })]);
}

async function addRule({ cloud, prng }: EditParts, objects: readonly TopologyObject[]): Promise<void> {
  const chain = prng.pick(ofKind(objects, "chain"));
  const rule = randomRule(prng, chain.id, []);
  // After the two rules that let neighbor messages through.
  const position = 2 + prng.below(chain.ruleIds.length - 1);
  await cloud.change([{ op: "create", object: rule, position }]);
}

async function removeRule({ cloud, prng }: EditParts, objects: readonly TopologyObject[]): Promise<void> {
  const rules = ofKind(objects, "chain").flatMap((chain) => chain.ruleIds.slice(2));
  if (rules.length > 0) await cloud.change([{ op: "delete", kind: "rule", id: prng.pick(rules) }]);
}

async function changeRule({ cloud, prng }: EditParts, objects: readonly TopologyObject[]): Promise<void> {
  const rules = ofKind(objects, "chain").flatMap((chain) =>
    chain.ruleIds.slice(2).map((id) => ({ id, chainId: chain.id })),
  );
  if (rules.length === 0) return;
  const { id, chainId } = prng.pick(rules);
  const { condition, action } = randomRule(prng, chainId, []);
  await cloud.change([modify("rule", id, { condition, action })]);
}

async function setFilter({ cloud, prng }: EditParts, objects: readonly TopologyObject[]): Promise<void> {
  const object = prng.pick(objects.filter(({ kind }) => kind === "bridge" || kind === "router" || kind === "port"));
  const tenant = "tenant" in object ? object.tenant : "";
  const chain = prng.pick(ofKind(objects, "chain").filter((candidate) => candidate.tenant === tenant));
  const field = prng.pick(["inboundFilterId", "outboundFilterId"] as const);
  await cloud.change([modify(object.kind, object.id, { [field]: prng.below(2) === 0 ? chain.id : undefined })]);
}

/** Moves an access port to the other VLAN of its bridge. */
async function setVlan({ cloud, prng }: EditParts, objects: readonly TopologyObject[]): Promise<void> {
  const ports = ofKind(objects, "port").filter(
    (port) => port.deviceKind === "bridge" && port.vlan !== undefined && port.binding !== undefined,
  );
  if (ports.length === 0) return;
  const port = prng.pick(ports);
  if (port.deviceKind === "bridge") await cloud.change([modify("port", port.id, { vlan: port.vlan === 10 ? 20 : 10 })]);
}

/** A VM migrates: the binding first or the VM first. */
async function moveVm({ cloud, vms, prng }: EditParts, objects: readonly TopologyObject[]): Promise<void> {
  const vm = prng.pick(vms);
  const host = prng.pick([...cloud.hosts.values()].filter(({ isDead }) => !isDead));
  const port = objects.find((object): object is Port => object.id === vm.portId);
  if (port?.binding === undefined || host.has(vm.spec.name)) return;
  const binding = { hostId: host.spec.id, interfaceName: vm.spec.name, generation: port.binding.generation + 1 };
  const isVmFirst = prng.below(2) === 0;
  if (isVmFirst) cloud.moveVm(vm.spec.name, host.spec.name);
  await cloud.run(prng.below(20));
  await cloud.change([modify("port", port.id, { binding })]);
  await cloud.run(prng.below(20));
  if (!isVmFirst) cloud.moveVm(vm.spec.name, host.spec.name);
}

async function addRoute({ cloud, prng }: EditParts, objects: readonly TopologyObject[]): Promise<void> {
  const router = prng.pick(ofKind(objects, "router"));
  const target = `10.0.${1 + prng.below(4)}`;
  const destination = prng.below(2) === 0 ? `${target}.${10 + prng.below(3)}/32` : `${target}.0/${24 + prng.below(3)}`;
  const nextHop = { type: prng.pick(["blackhole", "reject"] as const) };
  const source = prng.below(2) === 0 ? "0.0.0.0/0" : `10.0.${1 + prng.below(4)}.0/24`;
  const object = {
    kind: "route",
    id: uuid(prng),
    routerId: router.id,
    source,
    destination,
    weight: prng.below(20),
    nextHop,
  } as const;
  await cloud.change([{ op: "create", object }]);
}

async function removeRoute({ cloud, prng }: EditParts, objects: readonly TopologyObject[]): Promise<void> {
  const routes = ofKind(objects, "route");
  const odd = routes.filter(({ nextHop }) => nextHop.type !== "port");
  const route =
    odd.length > 0 && prng.below(3) > 0 ? prng.pick(odd) : routes.length > 0 ? prng.pick(routes) : undefined;
  if (route !== undefined) await cloud.change([{ op: "delete", kind: "route", id: route.id }]);
}

/** Takes a link apart, and puts it together again a little later. */
async function relink({ cloud, prng }: EditParts, objects: readonly TopologyObject[]): Promise<void> {
  const linked = ofKind(objects, "port").filter((port) => port.peerId !== undefined);
  if (linked.length === 0) return;
  const port = prng.pick(linked);
  await cloud.change([modify("port", port.id, { peerId: undefined })]);
  await cloud.run(prng.below(30));
  await cloud.change([modify("port", port.id, { peerId: port.peerId })]);
}

/** The interface of a VM goes down or up. */
function setLink({ cloud, vms, prng }: EditParts): Promise<void> {
  const name = prng.pick(vms).spec.name;
  const host = [...cloud.hosts.values()].find((candidate) => candidate.has(name));
  const down = vms.find((vm) => cloud.hostOf(vm.spec.name)?.isLinkUp(vm.spec.name) === false);
  if (down !== undefined) cloud.hostOf(down.spec.name)?.setLink(down.spec.name, true);
  else host?.setLink(name, false);
  return Promise.resolve();
}

function modify(kind: Kind, id: string, fields: Readonly<Record<string, unknown>>): TopologyChange {
  const change = (object: TopologyObject): TopologyObject => {
    const merged = Object.entries({ ...object, ...fields }).filter(([, value]) => value !== undefined);
    return Object.fromEntries(merged) as unknown as TopologyObject;
  };
  return { op: "modify", kind, id, change };
}

function ofKind<K extends Kind>(objects: readonly TopologyObject[], kind: K): readonly ObjectOf<K>[] {
  return objects.filter((object): object is ObjectOf<K> => object.kind === kind);
}
