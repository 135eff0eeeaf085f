import { formatIp, type Ip, isV4, parseIp } from "../addr/ip.ts";
import { formatMac, type Mac, parseMac } from "../addr/mac.ts";
import { type Prefix, parsePrefix, prefixContains } from "../addr/prefix.ts";
import type { AgentDrops, AgentFlows, AgentTrace } from "../api-schema/agent-api.ts";
import type { Duration } from "../base/clock.ts";
import { unwrap } from "../base/result.ts";
import type { Id, TopologyObject } from "../model/objects.ts";
import { buildFrame, type FrameSpec } from "../wire/build-frame.ts";
import { SimCloud } from "./cloud.ts";
import type { Received, SimVm } from "./vm.ts";

/** The tenant network that a simulated lab builds: bridges with VMs on hosts, one router between them, both families. */
export interface SimulatedLabPlan {
  readonly zone: { readonly id: Id; readonly name: string; readonly mtu: number };
  readonly router: { readonly id: Id; readonly name: string };
  readonly hosts: readonly { readonly name: string; readonly id: Id; readonly underlay: string }[];
  readonly bridges: readonly SimulatedBridge[];
  readonly vms: readonly SimulatedVm[];
  /** Largest IP packet of a VM. */
  readonly vmMtu: number;
}

/** A bridge of the plan, and the router's two addresses on it. */
export interface SimulatedBridge {
  readonly name: string;
  readonly id: Id;
  readonly v4Gateway: string;
  readonly v6Gateway: string;
  readonly bridgePortId: Id;
  readonly routerPortId: Id;
}

/** A VM of the plan. */
export interface SimulatedVm {
  readonly name: string;
  readonly hostName: string;
  readonly bridgeName: string;
  readonly portId: Id;
  readonly mac: string;
  readonly v4: string;
  readonly v6: string;
}

/** One echo request and what came of it. */
export interface PingResult {
  readonly sequence: number;
  /** TTL or hop limit of the reply; undefined: none came. */
  readonly ttl: number | undefined;
  /** Virtual milliseconds; says nothing about any real network. */
  readonly roundTripMs: Duration | undefined;
}

/** One step of a traceroute: who said that the packet ended there. */
export interface HopResult {
  readonly ttl: number;
  /** Address of the answering router or destination; undefined: silence. */
  readonly from: string | undefined;
  readonly isDestination: boolean;
}

const TENANT = "lab";
const V4_LENGTH = 24;
const V6_LENGTH = 64;
const REPLY_MS: Duration = 2_000;
const HOPS_MAX = 16;
const TRACEROUTE_PORT = 33_434;
const ECHO_IDENTIFIER = 0x77_65;

/**
 * The lab on memory datapaths, with simulated VMs, in virtual time: the real agents' cores, one process, no privileges. Time
 * passes only while a method runs.
 */
export class SimulatedLab {
  readonly cloud: SimCloud;
  readonly plan: SimulatedLabPlan;
  #sequence = 0;

  private constructor(plan: SimulatedLabPlan, cloud: SimCloud) {
    this.plan = plan;
    this.cloud = cloud;
  }

  /** Builds everything and waits until every VM's port is served. */
  static async start(plan: SimulatedLabPlan, seed = 1): Promise<SimulatedLab> {
    const cloud = new SimCloud({ seed });
    for (const { id, name, underlay } of plan.hosts) cloud.addHost({ id, name, address: underlay, workers: 2 });
    await cloud.start();
    await cloud.change(labObjects(plan).map((object) => ({ op: "create", object })));
    for (const vm of plan.vms) cloud.addVm(vm.hostName, { ...vmSpec(plan, vm) });
    await cloud.settle();
    return new SimulatedLab(plan, cloud);
  }

  /** Sends `count` echo requests, one after the other. */
  async ping(vmName: string, to: string, count = 1): Promise<readonly PingResult[]> {
    const vm = this.cloud.vm(vmName);
    const results: PingResult[] = [];
    for (let i = 0; i < count; i++) {
      const sequence = ++this.#sequence & 0xffff;
      const sentAt = this.cloud.scheduler.clock.now();
      vm.ping({ to: ipOf(to), payload: new Uint8Array(56) }, ECHO_IDENTIFIER, sequence);
      const reply = await this.#await(vm, ({ what, word }) => what === "echo-reply" && word[1] === sequence);
      results.push({ sequence, ttl: reply?.ttl, roundTripMs: reply === undefined ? undefined : reply.at - sentAt });
    }
    return results;
  }

  /** Sends echo requests of growing TTL until the destination answers, as `traceroute -I` does. */
  async traceroute(vmName: string, to: string): Promise<readonly HopResult[]> {
    const vm = this.cloud.vm(vmName);
    const hops: HopResult[] = [];
    for (let ttl = 1; ttl <= HOPS_MAX; ttl++) {
      const sequence = ++this.#sequence & 0xffff;
      const from = vm.received.length;
      vm.ping({ to: ipOf(to), ttl, payload: new Uint8Array(32) }, TRACEROUTE_PORT, sequence);
      const answer = await this.#await(vm, ({ what }) => what === "echo-reply" || what === "icmp-error", from);
      const isDestination = answer?.what === "echo-reply";
      hops.push({ ttl, from: answer === undefined ? undefined : formatIp(answer.from), isDestination });
      if (isDestination) break;
    }
    return hops;
  }

  /** Runs an echo request of a VM through the live topology of its host, without sending it. */
  async trace(vmName: string, to: string): Promise<AgentTrace | undefined> {
    const planned = this.plan.vms.find(({ name }) => name === vmName);
    if (planned === undefined) return undefined;
    const { agent } = this.cloud.host(planned.hostName);
    if (agent === undefined) return undefined;
    const frame = buildFrame(this.#echoFrame(planned, ipOf(to)));
    return this.cloud.until(agent.state.trace(planned.portId, frame));
  }

  /** The installed flows of a host. */
  async flows(hostName: string, limit = 100): Promise<AgentFlows | undefined> {
    const { agent } = this.cloud.host(hostName);
    return agent === undefined ? undefined : this.cloud.until(agent.state.flows(limit));
  }

  /** What a host dropped, by port and reason. */
  drops(hostName: string): AgentDrops | undefined {
    return this.cloud.host(hostName).agent?.state.drops();
  }

  /** Ends the lab. Nothing is left, as nothing was outside of this process. */
  close(): Promise<void> {
    return this.cloud.close();
  }

  async #await(vm: SimVm, isIt: (received: Received) => boolean, from = 0): Promise<Received | undefined> {
    const end = this.cloud.scheduler.clock.now() + REPLY_MS;
    for (;;) {
      const found = vm.received.slice(from).find(isIt);
      if (found !== undefined || this.cloud.scheduler.clock.now() >= end) return found;
      await this.cloud.run(5);
    }
  }

  #echoFrame(planned: SimulatedVm, to: Ip): FrameSpec {
    const vm = this.cloud.vm(planned.name);
    const own = vm.addressFor(to);
    const isNear = own !== undefined && prefixContains(own.prefix, to);
    const target = this.plan.vms.find(({ v4, v6 }) => v4 === formatIp(to) || v6 === formatIp(to));
    const dst = isNear && target !== undefined ? macOf(target.mac) : routerMac(this.plan, planned.bridgeName);
    const eth = { src: vm.spec.mac, dst };
    const echo = { kind: "echo-request", identifier: ECHO_IDENTIFIER, sequence: 0 } as const;
    const payload = new Uint8Array(56);
    const src = own?.prefix.ip ?? to;
    if (isV4(to)) return { eth, ipv4: { src: src.w3, dst: to.w3 }, icmpv4: echo, payload };
    return { eth, ipv6: { src, dst: to }, icmpv6: echo, payload };
  }
}

/** The objects of the plan, in an order in which they can be created. */
function labObjects(plan: SimulatedLabPlan): readonly TopologyObject[] {
  const base = { tenant: TENANT, isUp: true } as const;
  const { zone, router, vmMtu } = plan;
  const members = plan.hosts.map(({ id, underlay }) => ({ hostId: id, address: underlay }));
  return [
    { kind: "tunnel-zone", ...zone, members },
    ...plan.bridges.map(({ id, name }): TopologyObject => ({ ...base, kind: "bridge", id, name, portIds: [] })),
    { ...base, kind: "router", id: router.id, name: router.name, portIds: [], routeIds: [] },
    ...plan.bridges.flatMap((bridge) => linkObjects(plan, bridge, vmMtu)),
    ...plan.vms.map((vm) => vmPort(plan, vm)),
  ];
}

function linkObjects(plan: SimulatedLabPlan, bridge: SimulatedBridge, mtu: number): readonly TopologyObject[] {
  const base = { tenant: TENANT, isUp: true, kind: "port" } as const;
  const { bridgePortId, routerPortId, v4Gateway, v6Gateway } = bridge;
  const addresses = [`${v4Gateway}/${V4_LENGTH}`, `${v6Gateway}/${V6_LENGTH}`];
  const mac = formatMac(routerMac(plan, bridge.name));
  const { name } = plan.router;
  return [
    { ...base, deviceKind: "bridge", id: bridgePortId, name: `${bridge.name}-${name}`, bridgeId: bridge.id },
    {
      ...{ ...base, deviceKind: "router", id: routerPortId, name: `${name}-${bridge.name}`, routerId: plan.router.id },
      ...{ peerId: bridgePortId, mac, addresses, mtu },
    },
  ];
}

function vmPort(plan: SimulatedLabPlan, vm: SimulatedVm): TopologyObject {
  const hostId = plan.hosts.find(({ name }) => name === vm.hostName)?.id ?? "";
  const bridgeId = plan.bridges.find(({ name }) => name === vm.bridgeName)?.id ?? "";
  const binding = { hostId, interfaceName: vm.name, generation: 1 };
  const base = { tenant: TENANT, isUp: true, kind: "port", deviceKind: "bridge" } as const;
  return { ...base, id: vm.portId, name: vm.name, bridgeId, binding };
}

function vmSpec(plan: SimulatedLabPlan, { name, mac, v4, v6, bridgeName }: SimulatedVm): SimVm["spec"] {
  const bridge = plan.bridges.find((candidate) => candidate.name === bridgeName);
  if (bridge === undefined) throw new Error(`the plan has no bridge ${bridgeName}`);
  const addresses = [
    { prefix: prefixOf(`${v4}/${V4_LENGTH}`), gateway: ipOf(bridge.v4Gateway) },
    { prefix: prefixOf(`${v6}/${V6_LENGTH}`), gateway: ipOf(bridge.v6Gateway) },
  ];
  return { name, mac: macOf(mac), addresses, vlan: 0, mtu: plan.vmMtu };
}

/** The MAC address of the router on a bridge. */
function routerMac(plan: SimulatedLabPlan, bridgeName: string): Mac {
  return 0x0200_0000_aa00 + plan.bridges.findIndex(({ name }) => name === bridgeName) + 1;
}

function ipOf(text: string): Ip {
  return unwrap(parseIp(text));
}

function macOf(text: string): Mac {
  return unwrap(parseMac(text));
}

function prefixOf(text: string): Prefix {
  return unwrap(parsePrefix(text));
}
