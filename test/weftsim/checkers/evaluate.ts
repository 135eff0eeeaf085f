import type { Bridge, Chain, Id, Port, Route, Router, Rule, TopologyObject } from "../../../src/model/objects.ts";
import { bitsOf, isInside, type PlainPacket, passes, type Rulebook } from "./evaluate-filter.ts";

/** A VM as the evaluator sees it. */
export interface PlainVm {
  readonly name: string;
  readonly mac: string;
  readonly portId: Id;
  readonly vlan: number;
  /** Address without length, prefix, gateway. */
  readonly addresses: readonly { readonly ip: string; readonly prefix: string; readonly gateway: string }[];
  /** Its port is bound where it is, and an agent serves it there. */
  readonly isServed: boolean;
}

/** A packet at the end of a layer-2 segment: at a VM, or at a router port. */
interface Arrival {
  readonly portId: Id;
  readonly packet: PlainPacket;
}

const BROADCAST = "ff:ff:ff:ff:ff:ff";
const ARP = 0x0806;
const DEPTH_MAX = 12;

/**
 * What the topology means, evaluated directly: no flows, no caches, no learning, no masks, nothing shared with `sim`. Slow, and
 * plain enough to be believed. Bridges are taken to send everything everywhere in the VLAN; who is not addressed ignores it.
 */
export class Evaluator implements Rulebook {
  readonly #objects: ReadonlyMap<Id, TopologyObject>;
  readonly #vms: readonly PlainVm[];
  readonly #resolved = new Map<string, string | undefined>();

  constructor(objects: readonly TopologyObject[], vms: readonly PlainVm[]) {
    this.#objects = new Map(objects.map((object) => [object.id, object]));
    this.#vms = vms;
  }

  /**
   * The TTLs with which the packet may arrive at the VM that has its destination; 0 stands for not at all. One value, except
   * where routes of equal weight lead to different fates.
   */
  fates(from: PlainVm, to: PlainVm | undefined, packet: PlainPacket): ReadonlySet<number> {
    const own = from.addresses.find(({ ip }) => ip === packet.src);
    if (own === undefined || to === undefined || !from.isServed) return new Set([0]);
    const next = isInside(packet.dst, own.prefix) ? packet.dst : own.gateway;
    const mac = this.#resolve({ portId: from.portId, mac: from.mac, ip: own.ip, vlan: from.vlan }, next);
    if (mac === undefined) return new Set([0]);
    const arrivals = this.#enter(from.portId, { ...packet, srcMac: from.mac, dstMac: mac, vlan: from.vlan }, 0);
    return this.#follow(arrivals, to, 0);
  }

  chain(id: Id): Chain | undefined {
    const object = this.#objects.get(id);
    return object?.kind === "chain" ? object : undefined;
  }

  rule(id: Id): Rule | undefined {
    const object = this.#objects.get(id);
    return object?.kind === "rule" ? object : undefined;
  }

  /** From the ends of a segment on: a VM takes it, a router passes it on. */
  #follow(arrivals: readonly Arrival[], to: PlainVm, depth: number): Set<number> {
    for (const { portId, packet } of arrivals) {
      if (portId === to.portId && packet.dstMac === to.mac && packet.vlan === to.vlan) return new Set([packet.ttl]);
      const port = this.#port(portId);
      if (port?.deviceKind === "router" && port.mac === packet.dstMac) return this.#route(port, packet, { to, depth });
    }
    return new Set([0]);
  }

  #route(
    inPort: Port & { deviceKind: "router" },
    packet: PlainPacket,
    at: { to: PlainVm; depth: number },
  ): Set<number> {
    const router = this.#objects.get(inPort.routerId);
    const none = new Set([0]);
    if (router?.kind !== "router" || at.depth > DEPTH_MAX) return none;
    const place = { inPort: inPort.id, outPort: undefined };
    if (!passes(this, router.inboundFilterId, { packet, place })) return none;
    const fates = new Set<number>();
    const candidates = this.#routesFor(router, packet);
    if (candidates.length === 0 || packet.ttl <= 1) return none;
    for (const route of candidates) {
      const found = route.nextHop.type !== "port" ? none : this.#leave(router, { route, packet, inPort, ...at });
      for (const fate of found) fates.add(fate);
    }
    return fates;
  }

  #leave(
    router: Router,
    way: { route: Route; packet: PlainPacket; inPort: Port; to: PlainVm; depth: number },
  ): Set<number> {
    const { route, packet, inPort, to, depth } = way;
    const none = new Set([0]);
    if (route.nextHop.type !== "port") return none;
    const outPort = this.#port(route.nextHop.portId);
    if (outPort?.deviceKind !== "router") return none;
    const place = { inPort: inPort.id, outPort: outPort.id };
    if (!passes(this, router.outboundFilterId, { packet, place })) return none;
    const mac = this.#nextMac(outPort, route.nextHop.gateway ?? packet.dst);
    if (mac === undefined) return none;
    const sent = { ...packet, srcMac: outPort.mac, dstMac: mac, ttl: packet.ttl - 1 };
    return this.#follow(this.#exit(outPort, sent, { inPort: inPort.id, depth: depth + 1 }), to, depth + 1);
  }

  /** The routes that the packet may take: longest prefix with a usable one for its source, there the lowest weight. */
  #routesFor(router: Router, packet: PlainPacket): readonly Route[] {
    const all = [...this.#connected(router), ...this.#ofKind("route").filter(({ routerId }) => routerId === router.id)];
    const usable = all.filter((route) => {
      if (bitsOf(packet.dst).length !== bitsOf(route.destination.split("/")[0] as string).length) return false;
      return isInside(packet.dst, route.destination) && isInside(packet.src, route.source) && this.#isUsable(route);
    });
    const longest = Math.max(...usable.map(({ destination }) => Number(destination.split("/")[1])));
    const there = usable.filter(({ destination }) => Number(destination.split("/")[1]) === longest);
    const lightest = Math.min(...there.map(({ weight }) => weight));
    return there.filter(({ weight }) => weight === lightest);
  }

  #connected(router: Router): readonly Route[] {
    const ports = this.#ofKind("port").filter(
      (port) => port.deviceKind === "router" && port.routerId === router.id && port.isUp,
    );
    return ports.flatMap((port) => {
      if (port.deviceKind !== "router") return [];
      return port.addresses.flatMap((address): Route[] => {
        const ip = address.split("/")[0] as string;
        const any = ip.includes(":") ? "::/0" : "0.0.0.0/0";
        const base = { kind: "route", id: address, routerId: router.id, source: any } as const;
        const host = `${ip}/${ip.includes(":") ? 128 : 32}`;
        return [
          { ...base, destination: address, weight: 0, nextHop: { type: "port", portId: port.id } },
          { ...base, destination: host, weight: -1, nextHop: { type: "local" } },
        ];
      });
    });
  }

  #isUsable(route: Route): boolean {
    if (route.nextHop.type !== "port") return true;
    const port = this.#port(route.nextHop.portId);
    return port?.isUp === true && port.peerId !== undefined;
  }

  /** The MAC address of a router's next hop. */
  #nextMac(outPort: Port & { deviceKind: "router" }, ip: string): string | undefined {
    const peer = outPort.peerId === undefined ? undefined : this.#port(outPort.peerId);
    if (peer === undefined) return undefined;
    if (peer.deviceKind === "router") return peer.mac;
    const known = this.#ofKind("port").find((port) => this.#isLinkedRouter(port, peer, ip));
    if (known?.deviceKind === "router") return known.mac;
    const own = outPort.addresses.find((address) => isInside(ip, address))?.split("/")[0];
    if (own === undefined) return undefined;
    return this.#resolve({ portId: outPort.id, mac: outPort.mac, ip: own, vlan: 0 }, ip);
  }

  /** A bridge knows the routers that are linked to it, and tells them to each other. */
  #isLinkedRouter(port: Port, at: Port & { deviceKind: "bridge" }, ip: string): boolean {
    if (port.deviceKind !== "router" || port.peerId === undefined) return false;
    const peer = this.#port(port.peerId);
    if (peer?.deviceKind !== "bridge" || peer.bridgeId !== at.bridgeId || (peer.vlan ?? 0) !== (at.vlan ?? 0))
      return false;
    return port.addresses.some((address) => address.split("/")[0] === ip);
  }

  /** Asks for a neighbor and waits for the answer: the MAC address, or undefined when either gets lost. */
  #resolve(asker: { portId: Id; mac: string; ip: string; vlan: number }, ip: string): string | undefined {
    const key = `${asker.portId} ${ip}`;
    if (!this.#resolved.has(key)) this.#resolved.set(key, this.#askFor(asker, ip));
    return this.#resolved.get(key);
  }

  #askFor(asker: { portId: Id; mac: string; ip: string; vlan: number }, ip: string): string | undefined {
    const question = neighborPacket({ from: asker.ip, to: ip, type: 135, srcMac: asker.mac, dstMac: BROADCAST });
    for (const { portId, packet } of this.#send(asker.portId, { ...question, vlan: asker.vlan })) {
      const owner = this.#ownerAt(portId, ip, packet.vlan);
      if (owner === undefined) continue;
      const answer = neighborPacket({ from: ip, to: asker.ip, type: 136, srcMac: owner.mac, dstMac: asker.mac });
      const back = this.#send(portId, { ...answer, vlan: owner.vlan });
      if (back.some((arrival) => arrival.portId === asker.portId && arrival.packet.vlan === asker.vlan))
        return owner.mac;
    }
    return undefined;
  }

  #ownerAt(portId: Id, ip: string, vlan: number): { readonly mac: string; readonly vlan: number } | undefined {
    const vm = this.#vms.find((candidate) => candidate.portId === portId && candidate.vlan === vlan);
    if (vm?.addresses.some((address) => address.ip === ip) === true) return vm;
    const port = this.#port(portId);
    if (port?.deviceKind !== "router" || !port.addresses.some((address) => address.split("/")[0] === ip))
      return undefined;
    return { mac: port.mac, vlan: 0 };
  }

  /** A station or router port speaks into its segment. */
  #send(portId: Id, packet: PlainPacket): readonly Arrival[] {
    const port = this.#port(portId);
    if (port === undefined) return [];
    return port.deviceKind === "router"
      ? this.#exit(port, packet, { inPort: undefined, depth: 0 })
      : this.#enter(portId, packet, 0);
  }

  /** Out of a port: to its VM, or through its link. */
  #exit(
    port: Port,
    packet: PlainPacket,
    from: { readonly inPort: Id | undefined; readonly depth: number },
  ): readonly Arrival[] {
    const place = { inPort: from.inPort, outPort: port.id };
    if (!port.isUp || !passes(this, port.outboundFilterId, { packet, place })) return [];
    if (port.binding !== undefined) {
      return this.#vms.some((vm) => vm.portId === port.id && vm.isServed) ? [{ portId: port.id, packet }] : [];
    }
    return port.peerId === undefined ? [] : this.#enter(port.peerId, packet, from.depth);
  }

  /** Into a device by a port. */
  #enter(portId: Id, packet: PlainPacket, depth: number): readonly Arrival[] {
    const port = this.#port(portId);
    if (port === undefined || !port.isUp || depth > DEPTH_MAX) return [];
    const place = { inPort: port.id, outPort: undefined };
    if (!passes(this, port.inboundFilterId, { packet, place })) return [];
    if (port.deviceKind === "bridge") return this.#bridge(port, packet, depth);
    const router = this.#objects.get(port.routerId);
    const isForIt = packet.dstMac === port.mac || packet.dstMac === BROADCAST;
    if (router?.kind !== "router" || !router.isUp || packet.vlan !== 0 || !isForIt) return [];
    return [{ portId, packet }];
  }

  #bridge(inPort: Port & { deviceKind: "bridge" }, packet: PlainPacket, depth: number): readonly Arrival[] {
    const bridge = this.#objects.get(inPort.bridgeId);
    if (bridge?.kind !== "bridge" || !bridge.isUp) return [];
    const members = this.#ofKind("port").filter((port) => port.deviceKind === "bridge" && port.bridgeId === bridge.id);
    const isAware = members.some((member) => member.deviceKind === "bridge" && member.vlan !== undefined);
    if (isAware && inPort.vlan !== undefined && packet.vlan !== 0) return [];
    const vlan = isAware ? (inPort.vlan ?? packet.vlan) : 0;
    if (!passes(this, bridge.inboundFilterId, { packet, place: { inPort: inPort.id, outPort: undefined } })) return [];
    return members.flatMap((member) => {
      if (member.id === inPort.id || member.deviceKind !== "bridge") return [];
      return this.#member(bridge, { member, inPort: inPort.id, packet, depth, ...(isAware ? { vlan } : {}) });
    });
  }

  #member(
    bridge: Bridge,
    way: { member: Port & { deviceKind: "bridge" }; inPort: Id; packet: PlainPacket; depth: number; vlan?: number },
  ): readonly Arrival[] {
    const { member, inPort, packet, depth, vlan } = way;
    if (vlan !== undefined && member.vlan !== undefined && member.vlan !== vlan) return [];
    const place = { inPort, outPort: member.id };
    if (!passes(this, bridge.outboundFilterId, { packet, place })) return [];
    const tag = vlan === undefined ? packet.vlan : member.vlan === undefined ? vlan : 0;
    return this.#exit(member, { ...packet, vlan: tag }, { inPort, depth: depth + 1 });
  }

  #port(id: Id): Port | undefined {
    const object = this.#objects.get(id);
    return object?.kind === "port" ? object : undefined;
  }

  readonly #kinds = new Map<string, TopologyObject[]>();

  #ofKind<K extends TopologyObject["kind"]>(kind: K): Extract<TopologyObject, { kind: K }>[] {
    let found = this.#kinds.get(kind);
    if (found === undefined) {
      found = [...this.#objects.values()].filter((object) => object.kind === kind);
      this.#kinds.set(kind, found);
    }
    return found as Extract<TopologyObject, { kind: K }>[];
  }
}

/** An ARP message, or a message of neighbor discovery, as filters see it. */
function neighborPacket(of: { from: string; to: string; type: number; srcMac: string; dstMac: string }): PlainPacket {
  const isV6 = of.to.includes(":");
  const ends = isV6
    ? { src: of.from, dst: of.to, protocol: 58, srcPort: of.type }
    : { src: "", dst: "", protocol: 0, srcPort: 0 };
  const { srcMac, dstMac } = of;
  return { srcMac, dstMac, etherType: isV6 ? 0x86dd : ARP, vlan: 0, dscp: 0, ttl: 255, dstPort: 0, ...ends };
}
