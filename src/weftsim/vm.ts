import { type Ip, ipFromV4, isMulticastIp, isV4, sameIp } from "../addr/ip.ts";
import { isMulticastMac, MAC_BROADCAST, type Mac, macFrom } from "../addr/mac.ts";
import { type Prefix, prefixContains } from "../addr/prefix.ts";
import type { Duration, Instant } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import type { Scheduler } from "../base/scheduler.ts";
import { ARP_OPERATION, type ArpFields } from "../wire/arp.ts";
import { buildFrame, type FrameSpec } from "../wire/build-frame.ts";
import { type Frame, formatFrame, layerOf, parseFrame } from "../wire/frame.ts";
import { badChecksumsOf } from "../wire/frame-checksum.ts";
import { NDP_HOP_LIMIT, type NdpFields, ndpMac } from "../wire/ndp.ts";
import type { EventLog } from "./event-log.ts";
import { VM_RECEIVED_MAX } from "./limits.ts";
import { VmNeighbors } from "./vm-neighbors.ts";

/** An address of a VM and the router it uses for everything outside the subnet. */
export interface VmAddress {
  readonly prefix: Prefix;
  readonly gateway?: Ip;
}

/** What a simulated VM is. */
export interface VmSpec {
  readonly name: string;
  readonly mac: Mac;
  /** At most one of each family. */
  readonly addresses: readonly VmAddress[];
  /** The tag of its frames; 0: none. A VM behind a trunk port has one. */
  readonly vlan: number;
  readonly mtu: number;
}

/** What a VM is made of. `transmit` puts a frame on its interface. */
export interface VmParts {
  readonly scheduler: Scheduler;
  readonly prng: Prng;
  readonly log: EventLog;
  transmit(frame: Uint8Array): void;
}

/** A packet that reached a VM, neighbor messages apart. */
export interface Received {
  readonly at: Instant;
  readonly what: "udp" | "tcp" | "echo-request" | "echo-reply" | "icmp-error" | "other";
  readonly from: Ip;
  readonly to: Ip;
  /** TTL or hop limit as it arrived. */
  readonly ttl: number;
  /** Ports, echo identifier and sequence, or ICMP type and code. */
  readonly word: readonly [number, number];
  readonly payload: Uint8Array;
  readonly frame: Uint8Array;
}

/** A packet to send. The family follows from `to`. */
export interface Sending {
  readonly to: Ip;
  readonly ttl?: number;
  readonly dscp?: number;
  readonly dontFragment?: boolean;
  readonly payload?: Uint8Array;
}

/** What a VM counts besides what it received. */
export interface VmCounts {
  sent: number;
  /** Frames that came in, all of them. */
  frames: number;
  /** Unicast frames to another MAC address: floods. */
  overheard: number;
  /** Frames that are malformed or whose checksums are wrong. */
  bad: number;
  /** Packets that it had no route for, or whose next hop did not answer. */
  unsendable: number;
}

/** Slowest answer of a VM. */
const THINK_MS: Duration = 0.1;

/** A simulated virtual machine: one interface, an address or two, ARP, neighbor discovery, echo, and a memory of what came in. */
export class SimVm {
  readonly spec: VmSpec;
  readonly received: Received[] = [];
  /** Source MAC addresses of all frames that came in, whatever they were. */
  readonly heard = new Set<Mac>();
  readonly counts: VmCounts = { sent: 0, frames: 0, overheard: 0, bad: 0, unsendable: 0 };
  readonly #parts: VmParts;
  readonly #neighbors: VmNeighbors;

  constructor(spec: VmSpec, parts: VmParts) {
    this.spec = spec;
    this.#parts = parts;
    this.#neighbors = new VmNeighbors({ scheduler: parts.scheduler, ask: (ip) => this.#askFor(ip) });
  }

  /** The address with which it speaks to `to`, or undefined. */
  addressFor(to: Ip): VmAddress | undefined {
    return this.spec.addresses.find(({ prefix }) => isV4(prefix.ip) === isV4(to));
  }

  /** The address of a family. */
  ip(family: 4 | 6): Ip | undefined {
    return this.spec.addresses.find(({ prefix }) => isV4(prefix.ip) === (family === 4))?.prefix.ip;
  }

  /** Packets that no neighbor answered for, so far. */
  get unresolved(): number {
    return this.#neighbors.unresolved;
  }

  /** What it knows of a neighbor. */
  neighbor(ip: Ip): Mac | undefined {
    return this.#neighbors.macOf(ip);
  }

  /** Forgets its neighbors. */
  forgetNeighbors(): void {
    this.#neighbors.clear();
  }

  /** Sends an echo request. */
  ping(sending: Sending, identifier: number, sequence: number): void {
    this.#sendEcho(sending, { kind: "echo-request", identifier, sequence });
  }

  /** Sends a UDP datagram. */
  sendUdp(sending: Sending, srcPort: number, dstPort: number): void {
    const udp = { srcPort, dstPort };
    const { payload = new Uint8Array(0) } = sending;
    this.#route(sending, (eth, ip) => ({ ...eth, ...ip, udp, payload }));
  }

  /** Sends a TCP segment, a SYN unless `flags` says otherwise. */
  sendTcp(
    sending: Sending,
    tcp: { readonly srcPort: number; readonly dstPort: number; readonly flags?: number },
  ): void {
    const { payload = new Uint8Array(0) } = sending;
    this.#route(sending, (eth, ip) => ({ ...eth, ...ip, tcp: { flags: 2, ...tcp }, payload }));
  }

  /** Announces its IPv4 address (gratuitous ARP) and its IPv6 address (unsolicited advertisement). */
  announce(): void {
    const { mac } = this.spec;
    const v4 = this.ip(4);
    if (v4 !== undefined) {
      const arp = { operation: ARP_OPERATION.request, senderMac: mac, senderIp: v4.w3, targetMac: 0, targetIp: v4.w3 };
      this.#transmit({ eth: { dst: MAC_BROADCAST, src: mac }, arp });
    }
    const v6 = this.ip(6);
    if (v6 !== undefined) this.#advertise(v6, { to: ALL_NODES, mac: ALL_NODES_MAC, isSolicited: false });
  }

  /** Puts any bytes on the interface. */
  sendFrame(bytes: Uint8Array): void {
    this.counts.sent++;
    this.#parts.log.add({ at: this.spec.name, event: "tx", detail: formatFrame(bytes) });
    this.#parts.transmit(bytes);
  }

  /** A frame comes out of the network. */
  receive(bytes: Uint8Array): void {
    this.counts.frames++;
    this.#parts.log.add({ at: this.spec.name, event: "rx", detail: formatFrame(bytes) });
    const frame = parseFrame(bytes);
    const eth = layerOf(frame, "ethernet")?.fields;
    if (eth === undefined || frame.malformed !== undefined || badChecksumsOf(frame).length > 0) {
      this.counts.bad++;
      return;
    }
    this.heard.add(eth.src);
    if ((layerOf(frame, "vlan")?.fields.vid ?? 0) !== this.spec.vlan) return;
    if (eth.dst !== this.spec.mac && !isMulticastMac(eth.dst)) {
      this.counts.overheard++;
      return;
    }
    this.#take(frame, eth.src);
  }

  #take(frame: Frame, srcMac: Mac): void {
    const arp = layerOf(frame, "arp")?.fields;
    if (arp !== undefined) return this.#takeArp(arp);
    const ndp = layerOf(frame, "ndp")?.fields;
    if (ndp !== undefined) return this.#takeNdp(ndp, { from: layerOf(frame, "ipv6")?.fields.src, srcMac });
    const received = receivedOf(frame, this.#parts.scheduler.clock.now());
    if (received === undefined || !this.spec.addresses.some(({ prefix }) => sameIp(prefix.ip, received.to))) return;
    if (this.received.length < VM_RECEIVED_MAX) this.received.push(received);
    if (received.what !== "echo-request") return;
    const { from, payload } = received;
    const [identifier, sequence] = received.word;
    this.#later(() => this.#sendEcho({ to: from, payload }, { kind: "echo-reply", identifier, sequence }));
  }

  #takeArp(arp: ArpFields): void {
    const own = this.ip(4);
    const sender = ipFromV4(arp.senderIp);
    if (own === undefined || sameIp(sender, own)) return;
    const isForMe = arp.targetIp === own.w3;
    if (arp.senderIp !== 0) this.#neighbors.learn(sender, arp.senderMac, isForMe);
    if (!isForMe || arp.operation !== ARP_OPERATION.request) return;
    const { mac } = this.spec;
    const reply = { senderMac: mac, senderIp: own.w3, targetMac: arp.senderMac, targetIp: arp.senderIp };
    const eth = { dst: arp.senderMac, src: mac };
    this.#later(() => this.#transmit({ eth, arp: { operation: ARP_OPERATION.reply, ...reply } }));
  }

  #takeNdp(ndp: NdpFields, at: { readonly from: Ip | undefined; readonly srcMac: Mac }): void {
    const own = this.ip(6);
    if (own === undefined) return;
    if (ndp.kind === "neighbor-advertisement") {
      return this.#neighbors.learn(ndp.target, ndpMac(ndp, "target-mac") ?? at.srcMac);
    }
    if (ndp.kind !== "neighbor-solicitation" || !sameIp(ndp.target, own) || at.from === undefined) return;
    const to = at.from;
    const mac = ndpMac(ndp, "source-mac") ?? at.srcMac;
    this.#neighbors.learn(to, mac, true);
    this.#later(() => this.#advertise(own, { to, mac, isSolicited: true }));
  }

  #advertise(own: Ip, answer: { readonly to: Ip; readonly mac: Mac; readonly isSolicited: boolean }): void {
    const { mac } = this.spec;
    const flags = { isRouter: false, isSolicited: answer.isSolicited, isOverride: true };
    this.#transmit({
      eth: { dst: answer.mac, src: mac },
      ipv6: { src: own, dst: answer.to, hopLimit: NDP_HOP_LIMIT },
      ndp: { kind: "neighbor-advertisement", ...flags, target: own, options: [{ kind: "target-mac", mac }] },
    });
  }

  #askFor(ip: Ip): void {
    const { mac } = this.spec;
    const own = this.addressFor(ip)?.prefix.ip;
    if (own === undefined) return;
    if (isV4(ip)) {
      const arp = { operation: ARP_OPERATION.request, senderMac: mac, senderIp: own.w3, targetMac: 0, targetIp: ip.w3 };
      return this.#transmit({ eth: { dst: MAC_BROADCAST, src: mac }, arp });
    }
    const group: Ip = { w0: 0xff02_0000, w1: 0, w2: 1, w3: (0xff00_0000 | (ip.w3 & 0xff_ffff)) >>> 0 };
    this.#transmit({
      eth: { dst: macFrom(0x3333, group.w3), src: mac },
      ipv6: { src: own, dst: group, hopLimit: NDP_HOP_LIMIT },
      ndp: { kind: "neighbor-solicitation", target: ip, options: [{ kind: "source-mac", mac }] },
    });
  }

  #sendEcho(
    sending: Sending,
    echo: { kind: "echo-request" | "echo-reply"; identifier: number; sequence: number },
  ): void {
    const { payload = new Uint8Array(0) } = sending;
    this.#route(sending, (eth, ip) =>
      "ipv4" in ip
        ? { ...eth, ipv4: ip.ipv4, icmpv4: echo, payload }
        : { ...eth, ipv6: ip.ipv6, icmpv6: echo, payload },
    );
  }

  /** Finds the next hop, and sends when its MAC address is known. */
  #route(sending: Sending, build: (eth: EthSpec, ip: IpSpec) => FrameSpec): void {
    const { to } = sending;
    const own = this.addressFor(to);
    const next = own === undefined || prefixContains(own.prefix, to) ? to : own.gateway;
    if (own === undefined || next === undefined || isMulticastIp(to)) {
      this.counts.unsendable++;
      return;
    }
    this.#neighbors.resolve(next, (mac) => {
      this.#transmit(build({ eth: { dst: mac, src: this.spec.mac } }, ipSpecOf(own.prefix.ip, sending)));
    });
  }

  #transmit(spec: FrameSpec): void {
    const { vlan } = this.spec;
    this.sendFrame(buildFrame(vlan === 0 ? spec : { ...spec, vlans: [{ vid: vlan }] }));
  }

  #later(answer: () => void): void {
    this.#parts.scheduler.after(THINK_MS * this.#parts.prng.float(), answer);
  }
}

interface EthSpec {
  readonly eth: { readonly dst: Mac; readonly src: Mac };
}

type IpSpec = Pick<Extract<FrameSpec, { ipv4: unknown }>, "ipv4"> | Pick<Extract<FrameSpec, { ipv6: unknown }>, "ipv6">;

function ipSpecOf(src: Ip, { to, ttl = 64, dscp = 0, dontFragment = true }: Sending): IpSpec {
  if (isV4(to)) return { ipv4: { src: src.w3, dst: to.w3, ttl, dscp, dontFragment } };
  return { ipv6: { src, dst: to, hopLimit: ttl, dscp } };
}

function receivedOf(frame: Frame, at: Instant): Received | undefined {
  const ipv4 = layerOf(frame, "ipv4")?.fields;
  const ipv6 = layerOf(frame, "ipv6")?.fields;
  const ends = ipv4 !== undefined ? { from: ipFromV4(ipv4.src), to: ipFromV4(ipv4.dst) } : undefined;
  const { from, to } = ends ?? { from: ipv6?.src, to: ipv6?.dst };
  if (from === undefined || to === undefined) return undefined;
  const payload = frame.bytes.slice(frame.payload.offset, frame.payload.end);
  const base = { at, from, to, ttl: ipv4?.ttl ?? ipv6?.hopLimit ?? 0, payload, frame: frame.bytes };
  return { ...base, ...upperOf(frame) };
}

function upperOf(frame: Frame): Pick<Received, "what" | "word"> {
  const udp = layerOf(frame, "udp")?.fields;
  if (udp !== undefined) return { what: "udp", word: [udp.srcPort, udp.dstPort] };
  const tcp = layerOf(frame, "tcp")?.fields;
  if (tcp !== undefined) return { what: "tcp", word: [tcp.srcPort, tcp.dstPort] };
  const icmp = layerOf(frame, "icmpv4") ?? layerOf(frame, "icmpv6");
  if (icmp === undefined) return { what: "other", word: [0, 0] };
  const { fields, offset } = icmp;
  if (fields.kind === "echo-request" || fields.kind === "echo-reply") {
    return { what: fields.kind, word: [fields.identifier, fields.sequence] };
  }
  const what = fields.kind === "other" ? "other" : "icmp-error";
  return { what, word: [frame.bytes[offset] ?? 0, frame.bytes[offset + 1] ?? 0] };
}

const ALL_NODES: Ip = { w0: 0xff02_0000, w1: 0, w2: 0, w3: 1 };
const ALL_NODES_MAC: Mac = 0x3333_0000_0001;
