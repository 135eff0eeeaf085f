import { formatIp } from "../../../src/addr/ip.ts";
import { formatMac } from "../../../src/addr/mac.ts";
import { formatPrefix, networkOf } from "../../../src/addr/prefix.ts";
import type { Id, TopologyObject } from "../../../src/model/objects.ts";
import type { SimCloud } from "../../../src/weftsim/cloud.ts";
import type { Received } from "../../../src/weftsim/vm.ts";
import { layerOf, parseFrame } from "../../../src/wire/frame.ts";
import type { PlannedVm } from "../topologies.ts";
import { arrivalsOf, type Probe, replyOf } from "../traffic.ts";
import { Evaluator, type PlainVm } from "./evaluate.ts";

/** What a run had in mind when it sent probes. */
export interface DeliveryCase {
  readonly cloud: SimCloud;
  readonly vms: readonly PlannedVm[];
  readonly objects: readonly TopologyObject[];
  readonly probes: readonly Probe[];
  /** Number of packets that each VM had received before. */
  readonly before: ReadonlyMap<string, number>;
}

/** How many packets each VM has received. */
export function receivedCounts(cloud: SimCloud): ReadonlyMap<string, number> {
  return new Map(cloud.vms.map((vm) => [vm.spec.name, vm.received.length]));
}

/** What is wrong with what arrived, whatever the topology was meanwhile: another tenant's packets, and packets that were changed. */
export function strayProblems(
  of: Omit<DeliveryCase, "objects" | "probes"> & { readonly all: ReadonlyMap<number, Probe> },
): readonly string[] {
  const problems: string[] = [];
  for (const planned of of.vms) {
    const vm = of.cloud.vm(planned.spec.name);
    for (const { id, received } of arrivalsOf(vm, of.before.get(vm.spec.name) ?? 0)) {
      const probe = of.all.get(id);
      const isReply = received.what === "echo-reply";
      if (probe === undefined) problems.push(`${vm.spec.name} got probe ${id}, which was never sent`);
      else if (probe.from.tenant !== planned.tenant)
        problems.push(`${vm.spec.name} got ${textOf(probe)} of another tenant`);
      else if (!isSame(probe, received, isReply))
        problems.push(`${vm.spec.name} got ${textOf(probe)} changed: ${JSON.stringify(received.word)}`);
    }
  }
  return problems;
}

/** VMs that heard, in any frame, a MAC address of another tenant. Only where tenants have MAC addresses of their own. */
export function leakProblems(cloud: SimCloud, vms: readonly PlannedVm[]): readonly string[] {
  const tenantOf = (mac: number): number => Math.floor(mac / 0x1_0000) & 0xff;
  return vms.flatMap(({ spec }) => {
    const strangers = [...cloud.vm(spec.name).heard].filter((mac) => tenantOf(mac) !== tenantOf(spec.mac));
    return strangers.map((mac) => `${spec.name} heard ${formatMac(mac)} of another tenant`);
  });
}

/**
 * Every probe and every echo reply arrived exactly when the topology, evaluated directly, lets it: once, with the TTL that the
 * routers on its way left. For times in which nothing changes and nothing is lost.
 */
export function deliveryProblems(of: DeliveryCase): readonly string[] {
  const plain = new Map(of.vms.map((vm) => [vm.spec.name, plainVm(of.cloud, vm, of.objects)]));
  const evaluator = new Evaluator(of.objects, [...plain.values()]);
  const arrived = arrivedProbes(of);
  const problems: string[] = [];
  for (const probe of of.probes) {
    const from = plain.get(probe.from.spec.name) as PlainVm;
    const to = probe.to === undefined ? undefined : plain.get(probe.to.spec.name);
    const fates = evaluator.fates(from, to, probe.packet);
    const got = arrived.get(`${probe.id} ${probe.kind}`) ?? [];
    problems.push(...compare(textOf(probe), fates, got));
    if (probe.kind !== "echo-request" || to === undefined || got.length === 0) continue;
    const back = evaluator.fates(to, from, replyOf(probe.packet));
    problems.push(...compare(`reply to ${textOf(probe)}`, back, arrived.get(`${probe.id} echo-reply`) ?? []));
  }
  return problems;
}

/** The topology of VMs as the evaluator wants it. */
export function plainVm(cloud: SimCloud, vm: PlannedVm, objects: readonly TopologyObject[]): PlainVm {
  const port = objects.find((object) => object.id === vm.portId);
  const { spec, portId } = vm;
  return {
    ...{ name: spec.name, mac: formatMac(spec.mac), portId, vlan: spec.vlan },
    addresses: spec.addresses.map(({ prefix, gateway }) => ({
      ip: formatIp(prefix.ip),
      prefix: formatPrefix(networkOf(prefix)),
      gateway: gateway === undefined ? "" : formatIp(gateway),
    })),
    isServed: port?.kind === "port" && port.binding !== undefined && isServedAt(cloud, vm, port.binding.hostId),
  };
}

function isServedAt(cloud: SimCloud, vm: PlannedVm, hostId: Id): boolean {
  const host = [...cloud.hosts.values()].find(({ spec }) => spec.id === hostId);
  return host?.agent?.isRunning === true && host.isLinkUp(vm.spec.name);
}

function arrivedProbes(of: DeliveryCase): ReadonlyMap<string, readonly Received[]> {
  const arrived = new Map<string, Received[]>();
  for (const vm of of.cloud.vms) {
    for (const { id, received } of arrivalsOf(vm, of.before.get(vm.spec.name) ?? 0)) {
      const key = `${id} ${received.what}`;
      arrived.set(key, [...(arrived.get(key) ?? []), received]);
    }
  }
  return arrived;
}

function compare(what: string, fates: ReadonlySet<number>, got: readonly Received[]): readonly string[] {
  if (got.length > 1) return [`${what} arrived ${got.length} times`];
  const ttl = got[0]?.ttl ?? 0;
  if (fates.has(ttl)) return [];
  const expected = [...fates].map((fate) => (fate === 0 ? "nothing" : `ttl ${fate}`)).join(" or ");
  return [`${what} arrived with ${ttl === 0 ? "nothing" : `ttl ${ttl}`}, the topology says ${expected}`];
}

function isSame(probe: Probe, received: Received, isReply: boolean): boolean {
  const packet = isReply ? replyOf(probe.packet) : probe.packet;
  if (formatIp(received.from) !== packet.src || formatIp(received.to) !== packet.dst) return false;
  const frame = parseFrame(received.frame);
  const dscp = layerOf(frame, "ipv4")?.fields.dscp ?? layerOf(frame, "ipv6")?.fields.dscp;
  if (dscp !== packet.dscp || received.ttl > packet.ttl) return false;
  if (isReply) return true;
  if (received.what !== probe.kind) return false;
  return probe.kind === "echo-request" || (received.word[0] === packet.srcPort && received.word[1] === packet.dstPort);
}

function textOf({ id, kind, from, to, packet }: Probe): string {
  const { src, dst, srcPort, dstPort, dscp, ttl } = packet;
  const names = `${from.spec.name} to ${to?.spec.name ?? "nobody"}`;
  return `probe ${id} (${kind} from ${names}, ${src}:${srcPort} > ${dst}:${dstPort}, dscp ${dscp}, ttl ${ttl})`;
}
