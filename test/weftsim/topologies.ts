import { parseIp } from "../../src/addr/ip.ts";
import { formatMac, type Mac } from "../../src/addr/mac.ts";
import { parsePrefix } from "../../src/addr/prefix.ts";
import type { Prng } from "../../src/base/prng.ts";
import { unwrap } from "../../src/base/result.ts";
import type { Chain, Condition, Id, Port, Rule, RuleAction, TopologyObject } from "../../src/model/objects.ts";
import type { HostSpec } from "../../src/weftsim/host.ts";
import type { VmSpec } from "../../src/weftsim/vm.ts";

/** A VM of a random topology. */
export interface PlannedVm {
  readonly tenant: string;
  readonly hostName: string;
  readonly portId: Id;
  readonly spec: VmSpec;
}

/** Hosts, objects in an order in which they can be created, and VMs. */
export interface RandomTopology {
  readonly hosts: readonly HostSpec[];
  readonly objects: readonly TopologyObject[];
  readonly vms: readonly PlannedVm[];
  /** False: tenants use the same MAC addresses, so that a frame does not show whose it is. */
  readonly hasOwnMacs: boolean;
}

/** Bounds of a random topology. */
export interface TopologySize {
  readonly hosts?: number;
  readonly tenants?: number;
}

/** Values that random rules and random traffic both draw from, so that rules are hit. */
export const VALUES = {
  ports: [22, 53, 80, 443, 5000],
  dscps: [0, 10, 46],
} as const;

/** A layer-2 segment with VMs: a bridge, or a VLAN of one. */
interface Segment {
  readonly bridgeId: Id;
  readonly vlan: number;
  readonly isTrunked: boolean;
  readonly number: number;
  readonly router: number;
}

/** A link of a router towards others. */
interface Way {
  readonly port: Port;
  /** The neighbor's IPv4 and IPv6 address. */
  readonly gateways: readonly [string, string];
  isThere(router: number): boolean;
}

const SUBNET_V4 = (segment: number): string => `10.0.${segment}`;
const SUBNET_V6 = (segment: number): string => `fd00:1:1:${segment.toString(16)}:`;
const UNDERLAY_MTU = 1500;
const VM_MTU = 1400;

/**
 * A random topology: tenants that all use the same IP addresses, and half of the time the same MAC addresses, chains of routers, bridges (some with VLANs,
 * some in two pieces), routes with weights, filters, VMs over two to four hosts.
 */
export function randomTopology(prng: Prng, most: TopologySize = {}): RandomTopology {
  const hosts = Array.from({ length: Math.min(2 + prng.below(3), most.hosts ?? 4) }, (_, i) => ({
    id: uuid(prng),
    name: `h${i + 1}`,
    address: `192.0.2.${i + 1}`,
    workers: 1 + prng.below(3),
  }));
  const zone: TopologyObject = {
    ...{ kind: "tunnel-zone", id: uuid(prng), name: "underlay", mtu: UNDERLAY_MTU },
    members: hosts.map(({ id, address }) => ({ hostId: id, address })),
  };
  const hasOwnMacs = prng.below(2) === 0;
  const tenants = Array.from({ length: Math.min(1 + prng.below(3), most.tenants ?? 3) }, (_, i) => {
    return new Tenant(prng, hosts, { name: `t${i + 1}`, firstMac: macOfTenant(hasOwnMacs ? i + 1 : 0) });
  });
  return {
    hasOwnMacs,
    hosts,
    objects: [zone, ...tenants.flatMap((tenant) => tenant.objects)],
    vms: tenants.flatMap((tenant) => tenant.vms),
  };
}

/** The first MAC address of the n-th tenant, counted from 1; 0: of all of them. */
export function macOfTenant(number: number): Mac {
  return 0x0200_0000_0100 + 0x1_0000 * number;
}

/** A UUID of the generator. */
export function uuid(prng: Prng): Id {
  const hex = Array.from({ length: 4 }, () => prng.u32().toString(16).padStart(8, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** A random rule of a chain. `others` are chains that it may jump to. */
export function randomRule(prng: Prng, chainId: Id, others: readonly Id[]): Rule {
  return {
    kind: "rule",
    id: uuid(prng),
    chainId,
    condition: randomCondition(prng),
    action: randomAction(prng, others),
  };
}

class Tenant {
  readonly objects: TopologyObject[] = [];
  readonly vms: PlannedVm[] = [];
  readonly #prng: Prng;
  readonly #hosts: readonly HostSpec[];
  readonly #name: string;
  readonly #routers: Id[] = [];
  readonly #segments: Segment[] = [];
  readonly #chains: Id[] = [];
  #nextMac: Mac;

  constructor(prng: Prng, hosts: readonly HostSpec[], options: { readonly name: string; readonly firstMac: Mac }) {
    this.#prng = prng;
    this.#hosts = hosts;
    this.#name = options.name;
    this.#nextMac = options.firstMac;
    for (let i = 0; i < 2; i++) this.#chain();
    for (let i = 0; i <= prng.below(3); i++) this.#router();
    for (let i = 0; i <= prng.below(3); i++) this.#bridge();
    this.#uplinks();
    this.#linkRouters();
    for (const segment of this.#segments) for (let i = 0; i <= prng.below(3); i++) this.#vm(segment, i);
    this.#oddRoutes();
  }

  get #base(): { readonly tenant: string; readonly isUp: boolean } {
    return { tenant: this.#name, isUp: this.#prng.below(40) !== 0 };
  }

  /** A filter on a device or port, now and then. */
  #filters(oneIn: number): { readonly inboundFilterId?: Id; readonly outboundFilterId?: Id } {
    const prng = this.#prng;
    return {
      ...(prng.below(oneIn) === 0 ? { inboundFilterId: prng.pick(this.#chains) } : {}),
      ...(prng.below(oneIn) === 0 ? { outboundFilterId: prng.pick(this.#chains) } : {}),
    };
  }

  #chain(): void {
    const prng = this.#prng;
    const id = uuid(prng);
    const chain: Chain = { kind: "chain", id, tenant: this.#name, name: `chain ${this.#chains.length}`, ruleIds: [] };
    const others = [...this.#chains];
    this.#chains.push(id);
    this.objects.push(chain, ...preamble(prng, id));
    for (let i = 0; i <= prng.below(5); i++) this.objects.push(randomRule(prng, id, others));
  }

  #router(): void {
    const id = uuid(this.#prng);
    const name = `r${this.#routers.length}`;
    this.#routers.push(id);
    this.objects.push({ ...this.#base, kind: "router", id, name, portIds: [], routeIds: [], ...this.#filters(6) });
  }

  #bridge(): void {
    const prng = this.#prng;
    const id = uuid(prng);
    const count = this.#segments.length;
    this.objects.push({ ...this.#base, kind: "bridge", id, name: `b${count}`, portIds: [], ...this.#filters(6) });
    const router = prng.below(this.#routers.length);
    if (prng.below(3) === 0) {
      for (const vlan of [10, 20]) this.#segment({ bridgeId: id, vlan, isTrunked: prng.below(2) === 0, router });
    } else this.#segment({ bridgeId: id, vlan: 0, isTrunked: false, router });
  }

  #segment(segment: Omit<Segment, "number">): void {
    this.#segments.push({ ...segment, number: this.#segments.length + 1 });
  }

  #uplinks(): void {
    for (const { bridgeId, vlan, number, router } of this.#segments) {
      const addresses = [`${SUBNET_V4(number)}.1/24`, `${SUBNET_V6(number)}:1/64`];
      this.#link(this.#bridgePort(bridgeId, vlan), this.#routerPort(router, addresses));
    }
  }

  /** A chain of routers; between two of them one link, two links of equal cost, or a bridge. */
  #linkRouters(): void {
    const prng = this.#prng;
    for (let i = 0; i + 1 < this.#routers.length; i++) {
      const links = prng.below(3) === 0 ? 2 : 1;
      for (let link = 0; link < links; link++) {
        const subnet = `172.16.${2 * i + link}`;
        const subnet6 = `fd00:ff:1:${2 * i + link + 1}:`;
        const near = this.#routerPort(i, [`${subnet}.1/30`, `${subnet6}:1/64`]);
        const far = this.#routerPort(i + 1, [`${subnet}.2/30`, `${subnet6}:2/64`]);
        if (prng.below(3) === 0) this.#linkByBridge(near, far);
        else this.#link(near, far);
        this.#routesAlong(i, {
          port: near,
          gateways: [`${subnet}.2`, `${subnet6}:2`],
          isThere: (router) => router > i,
        });
        this.#routesAlong(i + 1, {
          port: far,
          gateways: [`${subnet}.1`, `${subnet6}:1`],
          isThere: (router) => router <= i,
        });
      }
    }
  }

  #linkByBridge(near: Port, far: Port): void {
    const id = uuid(this.#prng);
    this.objects.push({ ...this.#base, kind: "bridge", id, name: `transit ${id.slice(0, 4)}`, portIds: [] });
    this.#link(this.#bridgePort(id, 0), near);
    this.#link(this.#bridgePort(id, 0), far);
  }

  /** Routes of a router to all segments at the other side of one of its links. */
  #routesAlong(router: number, way: Way): void {
    const { port, gateways, isThere } = way;
    for (const segment of this.#segments) {
      if (!isThere(segment.router)) continue;
      const destinations = [`${SUBNET_V4(segment.number)}.0/24`, `${SUBNET_V6(segment.number)}:/64`];
      for (const [family, destination] of destinations.entries()) {
        const gateway = gateways[family] as string;
        const nextHop = { type: "port", portId: port.id, gateway } as const;
        this.#route(router, { destination, nextHop, weight: 10, source: family === 0 ? "0.0.0.0/0" : "::/0" });
      }
    }
  }

  /** Routes that take something away: by destination, by source, or too heavy to matter. */
  #oddRoutes(): void {
    const prng = this.#prng;
    for (let i = 0; i < prng.below(3); i++) {
      const segment = prng.pick(this.#segments);
      const host = 10 + prng.below(3);
      const isWhole = prng.below(2) === 0;
      const destination = isWhole ? `${SUBNET_V4(segment.number)}.0/25` : `${SUBNET_V4(segment.number)}.${host}/32`;
      const source = prng.below(2) === 0 ? "0.0.0.0/0" : `${SUBNET_V4(1 + prng.below(3))}.0/24`;
      const type = prng.pick(["blackhole", "reject"] as const);
      this.#route(prng.below(this.#routers.length), { destination, source, weight: prng.below(20), nextHop: { type } });
    }
  }

  #route(
    router: number,
    route: Pick<Extract<TopologyObject, { kind: "route" }>, "source" | "destination" | "weight" | "nextHop">,
  ): void {
    this.objects.push({ kind: "route", id: uuid(this.#prng), routerId: this.#routers[router] as Id, ...route });
  }

  #bridgePort(bridgeId: Id, vlan: number): Port {
    const access = vlan === 0 ? {} : { vlan };
    const port: Port = {
      ...{ ...this.#base, kind: "port", deviceKind: "bridge", id: uuid(this.#prng), bridgeId },
      ...access,
      ...this.#filters(10),
    };
    this.objects.push(port);
    return port;
  }

  #routerPort(router: number, addresses: readonly string[]): Port {
    const routerId = this.#routers[router] as Id;
    const mac = formatMac(this.#mac());
    const port: Port = {
      ...{ ...this.#base, kind: "port", deviceKind: "router", id: uuid(this.#prng), routerId },
      ...{ mac, addresses: [...addresses], mtu: VM_MTU },
      ...this.#filters(10),
    };
    this.objects.push(port);
    return port;
  }

  /** Replaces the second port by one that names the first as its peer; the store keeps both sides in step. */
  #link(near: Port, far: Port): void {
    const at = this.objects.indexOf(far);
    this.objects.splice(at, 1);
    this.objects.push({ ...far, peerId: near.id });
  }

  #vm(segment: Segment, index: number): void {
    const prng = this.#prng;
    const { number, bridgeId, vlan, isTrunked } = segment;
    const host = prng.pick(this.#hosts);
    const name = `${this.#name}s${number}v${index}`;
    const isBehindTrunk = isTrunked && index === 0;
    const port = { ...this.#bridgePort(bridgeId, isBehindTrunk ? 0 : vlan) };
    this.objects.pop();
    this.objects.push({ ...port, binding: { hostId: host.id, interfaceName: name, generation: 1 } });
    const addresses = [addressOf(`${SUBNET_V4(number)}.${10 + index}/24`, `${SUBNET_V4(number)}.1`)];
    if (prng.below(3) > 0) addresses.push(addressOf(`${SUBNET_V6(number)}:${10 + index}/64`, `${SUBNET_V6(number)}:1`));
    const spec = { name, mac: this.#mac(), addresses, vlan: isBehindTrunk ? vlan : 0, mtu: VM_MTU };
    this.vms.push({ tenant: this.#name, hostName: host.name, portId: port.id, spec });
  }

  #mac(): Mac {
    return this.#nextMac++;
  }
}

/** What lets ARP and neighbor discovery through, so that a filter never decides whether a neighbor is known. */
function preamble(prng: Prng, chainId: Id): readonly Rule[] {
  const rule = (condition: Condition): Rule => ({
    kind: "rule",
    id: uuid(prng),
    chainId,
    condition,
    action: { type: "accept" },
  });
  return [
    rule({ etherType: 0x0806 }),
    rule({ protocol: 58, fragments: "header", sourcePorts: { from: 133, to: 137 } }),
  ];
}

function randomCondition(prng: Prng): Condition {
  const isV4 = prng.below(3) > 0;
  const condition: Condition = {
    ...(prng.below(3) === 0 ? { source: subnet(prng, isV4) } : {}),
    ...(prng.below(3) === 0 ? { destination: subnet(prng, isV4) } : {}),
    ...randomTransport(prng, isV4),
    ...(prng.below(5) === 0 ? { dscp: prng.pick(VALUES.dscps) } : {}),
    ...(prng.below(8) === 0 ? { etherType: isV4 ? 0x0800 : 0x86dd } : {}),
  };
  const fields = INVERTIBLE.filter((field) => condition[field] !== undefined);
  if (fields.length === 0) return randomTransport(prng, isV4, true);
  return {
    ...condition,
    ...(prng.below(5) === 0 ? { inverted: [prng.pick(fields)] } : {}),
    ...(prng.below(12) === 0 ? { negated: true } : {}),
  };
}

const INVERTIBLE = ["source", "destination", "dscp", "etherType", "destinationPorts"] as const;

function subnet(prng: Prng, isV4: boolean): string {
  const number = 1 + prng.below(4);
  return isV4 ? `${SUBNET_V4(number)}.0/${24 + prng.below(5)}` : `${SUBNET_V6(number)}:/64`;
}

function randomTransport(prng: Prng, isV4: boolean, isWanted = false): Condition {
  const dice = isWanted ? 0 : prng.below(6);
  const from = prng.pick(VALUES.ports);
  const protocol = prng.pick([6, 17]);
  if (dice === 0) return { protocol, fragments: "header", destinationPorts: { from, to: from + prng.below(500) } };
  if (dice === 1) return { protocol: prng.pick([isV4 ? 1 : 58, 6, 17]) };
  return {};
}

function randomAction(prng: Prng, others: readonly Id[]): RuleAction {
  const dice = prng.below(10);
  if (dice < 4) return { type: "drop" };
  if (dice < 5) return { type: "reject" };
  if (dice < 8 || others.length === 0) return { type: "accept" };
  return dice < 9 ? { type: "return" } : { type: "jump", chainId: prng.pick(others) };
}

function addressOf(prefix: string, gateway: string): VmSpec["addresses"][number] {
  return { prefix: unwrap(parsePrefix(prefix)), gateway: unwrap(parseIp(gateway)) };
}
