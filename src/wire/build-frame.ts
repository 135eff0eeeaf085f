import type { Ip, Ipv4 } from "../addr/ip.ts";
import type { Mac } from "../addr/mac.ts";
import { ARP_LENGTH, type ArpFields, emitArp } from "./arp.ts";
import { pseudoSumV4, pseudoSumV6 } from "./checksum.ts";
import { type Dhcpv4Fields, dhcpv4Length, emitDhcpv4 } from "./dhcpv4.ts";
import { ETHER_TYPE, ETHERNET_LENGTH, emitEthernet } from "./ethernet.ts";
import { ICMP_LENGTH, IcmpView } from "./icmp-view.ts";
import { emitIcmpv4, type Icmpv4Fields } from "./icmpv4.ts";
import { emitIcmpv6, type Icmpv6Fields } from "./icmpv6.ts";
import { IP_PROTOCOL } from "./ip-protocol.ts";
import { emitIpv4, type Ipv4Fields, ipv4Length, NO_IPV4_OPTIONS } from "./ipv4.ts";
import { emitIpv6, IPV6_LENGTH, type Ipv6Fields } from "./ipv6.ts";
import {
  emitIpv6Extension,
  type Ipv6ExtensionFields,
  ipv6ExtensionLength,
  ipv6ExtensionProtocol,
} from "./ipv6-extension.ts";
import { emitNdp, type NdpFields, ndpLength } from "./ndp.ts";
import { emitTcp, NO_TCP_OPTIONS, TCP_FLAG, type TcpFields, TcpView, tcpLength } from "./tcp.ts";
import { emitUdp, UDP_LENGTH, UdpView } from "./udp.ts";
import { emitVlan, VLAN_LENGTH, type VlanFields } from "./vlan.ts";
import { emitVxlan, VXLAN_LENGTH, type VxlanFields } from "./vxlan.ts";

/** Time to live and hop limit of packets that say none (RFC 1700, the common default). */
export const TTL_DEFAULT = 64;

/** A tag as one says it: priority, drop bit and TPID (0x8100) may be left out. */
export interface VlanSpec extends Partial<Omit<VlanFields, "vid" | "etherType">> {
  readonly vid: number;
  /** `ETHER_TYPE.vlan` or `ETHER_TYPE.serviceVlan`. */
  readonly tpid?: number;
}

/** An IPv4 header as one says it: length, protocol and checksum follow from the rest. */
export interface Ipv4Spec extends Partial<Omit<Ipv4Fields, "src" | "dst" | "protocol" | "payloadLength">> {
  readonly src: Ipv4;
  readonly dst: Ipv4;
}

/** An IPv6 header as one says it; the next-header fields of header and extensions follow from their order. */
export interface Ipv6Spec extends Partial<Omit<Ipv6Fields, "src" | "dst" | "nextHeader" | "payloadLength">> {
  readonly src: Ip;
  readonly dst: Ip;
  readonly extensions?: readonly Ipv6ExtensionFields[];
}

/** A TCP header as one says it: a bare acknowledgment without options unless told otherwise. */
export interface TcpSpec extends Partial<Omit<TcpFields, "srcPort" | "dstPort">> {
  readonly srcPort: number;
  readonly dstPort: number;
}

/** The ports of a UDP datagram. */
export interface UdpSpec {
  readonly srcPort: number;
  readonly dstPort: number;
}

/** What IPv4 and IPv6 both carry; the payload is empty unless given. */
export type TransportSpec =
  | { readonly udp: UdpSpec; readonly payload?: Uint8Array }
  | { readonly udp: UdpSpec; readonly dhcpv4: Dhcpv4Fields }
  | { readonly udp: UdpSpec; readonly vxlan: VxlanFields; readonly inner: FrameSpec }
  | { readonly tcp: TcpSpec; readonly payload?: Uint8Array }
  /** Any protocol; the payload is written as it is, which is how one makes fragments. */
  | { readonly protocol: number; readonly payload: Uint8Array };

/** What IPv4 carries; after an ICMP header follows `payload`: echo data or the packet that an error quotes. */
export type Ipv4PayloadSpec = TransportSpec | { readonly icmpv4: Icmpv4Fields; readonly payload?: Uint8Array };

/** What IPv6 carries. */
export type Ipv6PayloadSpec =
  | TransportSpec
  | { readonly icmpv6: Icmpv6Fields; readonly payload?: Uint8Array }
  | { readonly ndp: NdpFields };

/** A frame as one says it. Lengths, EtherTypes, protocol numbers and checksums follow from it. */
export type FrameSpec = {
  readonly eth: { readonly dst: Mac; readonly src: Mac };
  /** Tags, outermost first. */
  readonly vlans?: readonly VlanSpec[];
} & (
  | { readonly arp: ArpFields }
  | ({ readonly ipv4: Ipv4Spec } & Ipv4PayloadSpec)
  | ({ readonly ipv6: Ipv6Spec } & Ipv6PayloadSpec)
  /** Any other EtherType; below 0x600 it is the length of an LLC frame. */
  | { readonly etherType: number; readonly payload: Uint8Array }
);

/** The bytes of a frame, all lengths and checksums right; nothing is padded to the 60 bytes of a real wire. */
export function buildFrame(spec: FrameSpec): Uint8Array {
  const bytes = new Uint8Array(frameLength(spec));
  emitFrame(spec, bytes, 0);
  return bytes;
}

/** Bytes of the frame that `buildFrame` makes. */
export function frameLength(spec: FrameSpec): number {
  const link = ETHERNET_LENGTH + VLAN_LENGTH * (spec.vlans?.length ?? 0);
  if ("arp" in spec) return link + ARP_LENGTH;
  if ("ipv4" in spec) return link + ipv4Length({ options: spec.ipv4.options ?? NO_IPV4_OPTIONS }) + upperLength(spec);
  if ("ipv6" in spec) return link + IPV6_LENGTH + extensionsLength(spec.ipv6) + upperLength(spec);
  return link + spec.payload.length;
}

type UpperSpec = Ipv4PayloadSpec | Ipv6PayloadSpec;

function emitFrame(spec: FrameSpec, bytes: Uint8Array, offset: number): number {
  const at = emitLink(spec, bytes, offset);
  if ("arp" in spec) return emitArp(spec.arp, bytes, at);
  if ("ipv4" in spec) return emitIpv4Packet(spec, bytes, at);
  if ("ipv6" in spec) return emitIpv6Packet(spec, bytes, at);
  bytes.set(spec.payload, at);
  return at + spec.payload.length;
}

function emitLink(spec: FrameSpec, bytes: Uint8Array, offset: number): number {
  const { eth, vlans } = spec;
  const inner = etherTypeOf(spec);
  if (vlans === undefined) return emitEthernet({ dst: eth.dst, src: eth.src, etherType: inner }, bytes, offset);
  const types = [...vlans.map((vlan) => vlan.tpid ?? ETHER_TYPE.vlan), inner];
  let at = emitEthernet({ dst: eth.dst, src: eth.src, etherType: types[0] ?? inner }, bytes, offset);
  for (const [i, { vid, priority = 0, dropEligible = false }] of vlans.entries()) {
    at = emitVlan({ vid, priority, dropEligible, etherType: types[i + 1] ?? inner }, bytes, at);
  }
  return at;
}

function etherTypeOf(spec: FrameSpec): number {
  if ("arp" in spec) return ETHER_TYPE.arp;
  if ("ipv4" in spec) return ETHER_TYPE.ipv4;
  return "ipv6" in spec ? ETHER_TYPE.ipv6 : spec.etherType;
}

function emitIpv4Packet(spec: { readonly ipv4: Ipv4Spec } & Ipv4PayloadSpec, bytes: Uint8Array, at: number): number {
  const { ipv4 } = spec;
  const { src, dst } = ipv4;
  const protocol = protocolOf(spec);
  const length = upperLength(spec);
  const fields: Ipv4Fields = {
    dscp: ipv4.dscp ?? 0,
    ecn: ipv4.ecn ?? 0,
    identification: ipv4.identification ?? 0,
    dontFragment: ipv4.dontFragment ?? false,
    moreFragments: ipv4.moreFragments ?? false,
    fragmentOffset: ipv4.fragmentOffset ?? 0,
    ttl: ipv4.ttl ?? TTL_DEFAULT,
    protocol,
    src,
    dst,
    options: ipv4.options ?? NO_IPV4_OPTIONS,
    payloadLength: length,
  };
  const offset = emitIpv4(fields, bytes, at);
  return emitUpper(spec, bytes, { offset, pseudoSum: pseudoSumV4({ src, dst, protocol, length }) });
}

function emitIpv6Packet(spec: { readonly ipv6: Ipv6Spec } & Ipv6PayloadSpec, bytes: Uint8Array, at: number): number {
  const { ipv6 } = spec;
  const { src, dst, extensions } = ipv6;
  const protocol = protocolOf(spec);
  const length = upperLength(spec);
  const first = extensions?.[0];
  const fields: Ipv6Fields = {
    dscp: ipv6.dscp ?? 0,
    ecn: ipv6.ecn ?? 0,
    flowLabel: ipv6.flowLabel ?? 0,
    payloadLength: extensionsLength(ipv6) + length,
    nextHeader: first === undefined ? protocol : ipv6ExtensionProtocol(first),
    hopLimit: ipv6.hopLimit ?? TTL_DEFAULT,
    src,
    dst,
  };
  let offset = emitIpv6(fields, bytes, at);
  if (extensions !== undefined) offset = emitExtensions({ extensions, protocol }, bytes, offset);
  return emitUpper(spec, bytes, { offset, pseudoSum: pseudoSumV6({ src, dst, protocol, length }) });
}

function emitExtensions(
  chain: { readonly extensions: readonly Ipv6ExtensionFields[]; readonly protocol: number },
  bytes: Uint8Array,
  offset: number,
): number {
  let at = offset;
  for (const [i, extension] of chain.extensions.entries()) {
    const next = chain.extensions[i + 1];
    const nextHeader = next === undefined ? chain.protocol : ipv6ExtensionProtocol(next);
    at = emitIpv6Extension({ ...extension, nextHeader }, bytes, at);
  }
  return at;
}

function extensionsLength({ extensions }: Ipv6Spec): number {
  if (extensions === undefined) return 0;
  let length = 0;
  for (const extension of extensions) length += ipv6ExtensionLength(extension);
  return length;
}

function protocolOf(spec: UpperSpec): number {
  if ("udp" in spec) return IP_PROTOCOL.udp;
  if ("tcp" in spec) return IP_PROTOCOL.tcp;
  if ("icmpv4" in spec) return IP_PROTOCOL.icmpv4;
  if ("icmpv6" in spec || "ndp" in spec) return IP_PROTOCOL.icmpv6;
  return spec.protocol;
}

function upperLength(spec: UpperSpec): number {
  if ("udp" in spec) return UDP_LENGTH + udpPayloadLength(spec);
  if ("tcp" in spec) {
    return tcpLength({ options: spec.tcp.options ?? NO_TCP_OPTIONS }) + (spec.payload?.length ?? 0);
  }
  if ("icmpv4" in spec) return ICMP_LENGTH + (spec.payload?.length ?? 0);
  if ("icmpv6" in spec) return ICMP_LENGTH + (spec.payload?.length ?? 0);
  return "ndp" in spec ? ndpLength(spec.ndp) : spec.payload.length;
}

function emitUpper(spec: UpperSpec, bytes: Uint8Array, to: { offset: number; pseudoSum: number }): number {
  const { offset, pseudoSum } = to;
  if ("udp" in spec) return emitUdpDatagram(spec, bytes, to);
  if ("tcp" in spec) {
    const end = emitPayload(spec.payload, bytes, emitTcp(tcpFieldsOf(spec.tcp), bytes, offset));
    new TcpView(bytes, offset).fillChecksum(pseudoSum, end);
    return end;
  }
  if ("icmpv4" in spec) {
    const end = emitPayload(spec.payload, bytes, emitIcmpv4(spec.icmpv4, bytes, offset));
    new IcmpView(bytes, offset).fillChecksum(0, end);
    return end;
  }
  if ("icmpv6" in spec) {
    const end = emitPayload(spec.payload, bytes, emitIcmpv6(spec.icmpv6, bytes, offset));
    new IcmpView(bytes, offset).fillChecksum(pseudoSum, end);
    return end;
  }
  if ("ndp" in spec) {
    const end = emitNdp(spec.ndp, bytes, offset);
    new IcmpView(bytes, offset).fillChecksum(pseudoSum, end);
    return end;
  }
  return emitPayload(spec.payload, bytes, offset);
}

type UdpPayloadSpec = Extract<TransportSpec, { readonly udp: UdpSpec }>;

function udpPayloadLength(spec: UdpPayloadSpec): number {
  if ("dhcpv4" in spec) return dhcpv4Length(spec.dhcpv4);
  if ("vxlan" in spec) return VXLAN_LENGTH + frameLength(spec.inner);
  return spec.payload?.length ?? 0;
}

function emitUdpDatagram(spec: UdpPayloadSpec, bytes: Uint8Array, to: { offset: number; pseudoSum: number }): number {
  const { srcPort, dstPort } = spec.udp;
  const fields = { srcPort, dstPort, payloadLength: udpPayloadLength(spec) };
  const at = emitUdp(fields, bytes, to.offset);
  let end: number;
  if ("dhcpv4" in spec) end = emitDhcpv4(spec.dhcpv4, bytes, at);
  else if ("vxlan" in spec) end = emitFrame(spec.inner, bytes, emitVxlan(spec.vxlan, bytes, at));
  else end = emitPayload(spec.payload, bytes, at);
  new UdpView(bytes, to.offset).fillChecksum(to.pseudoSum);
  return end;
}

function tcpFieldsOf(spec: TcpSpec): TcpFields {
  return {
    srcPort: spec.srcPort,
    dstPort: spec.dstPort,
    sequence: spec.sequence ?? 0,
    acknowledgment: spec.acknowledgment ?? 0,
    flags: spec.flags ?? TCP_FLAG.ack,
    window: spec.window ?? 0xffff,
    urgentPointer: spec.urgentPointer ?? 0,
    options: spec.options ?? NO_TCP_OPTIONS,
  };
}

function emitPayload(payload: Uint8Array | undefined, bytes: Uint8Array, at: number): number {
  if (payload === undefined) return at;
  bytes.set(payload, at);
  return at + payload.length;
}
