import { formatIp, type Ip, ipFromV4, isMulticastIp, isV4 } from "../addr/ip.ts";
import { type Mac, macFrom } from "../addr/mac.ts";
import { unreachable } from "../base/assert.ts";
import { FRAME_IP4 } from "../flow/layout.ts";
import { buildFrame, type VlanSpec } from "../wire/build-frame.ts";
import { type Frame, layerOf } from "../wire/frame.ts";
import { ICMP_LENGTH } from "../wire/icmp-view.ts";
import { ICMPV4_TIME_EXCEEDED, ICMPV4_UNREACHABLE, type Icmpv4Fields, isIcmpv4Error } from "../wire/icmpv4.ts";
import { ICMPV6_TIME_EXCEEDED, ICMPV6_UNREACHABLE, type Icmpv6Fields, isIcmpv6Error } from "../wire/icmpv6.ts";
import { IPV4_LENGTH_MIN, Ipv4View } from "../wire/ipv4.ts";
import { IPV6_LENGTH, Ipv6View } from "../wire/ipv6.ts";
import { layersOf } from "./frame-layers.ts";
import { isUnspecified } from "./ip-words.ts";
import { ICMPV4_ERROR_MAX, ICMPV6_ERROR_MAX } from "./limits.ts";
import { addressFor, type SimPort } from "./sim-port.ts";
import type { Hop, Walk } from "./walk.ts";

/** What a router tells the sender of a packet. */
export type IcmpTrouble =
  | { readonly kind: "no-route" | "host-unreachable" | "port-unreachable" | "protocol-unreachable" }
  | { readonly kind: "prohibited" | "reject-route" | "ttl-expired" }
  | { readonly kind: "too-big"; readonly mtu: number };

/** Where an error comes from and goes to. */
interface Sender {
  readonly port: SimPort;
  /** Source address of the error. */
  readonly address: Ip;
  readonly eth: { readonly dst: Mac; readonly src: Mac };
  /** Tags of the packet, where no router has taken them off. */
  readonly vlans: readonly VlanSpec[];
}

/**
 * Sends an ICMP or ICMPv6 error from the port by which the packet came to the router, if the rules allow one: none about
 * errors, later fragments, group addresses, or sources that cannot be answered (RFC 1812 4.3.2.7, RFC 4443 2.4). The
 * quoted packet is the one that arrived at this router. How many are sent in a time is the worker's affair.
 */
export function sendIcmpError(walk: Walk, hop: Hop, trouble: IcmpTrouble): void {
  const { port } = hop;
  if ((!walk.isLive && walk.sink === undefined) || port === undefined) return;
  const frame = layersOf(walk);
  if (frame === undefined || !mayBeAnswered(frame)) return noteNoError(walk, trouble, port);
  const isV4Family = walk.packet.frameClass === FRAME_IP4;
  const source = sourceOf(frame);
  const address = source === undefined ? undefined : addressFor(port, source, isV4Family);
  if (address === undefined) return noteNoError(walk, trouble, port);
  const sender = {
    port,
    address: address.ip,
    eth: { dst: macFrom(hop.macHigh, hop.macLow), src: port.mac },
    vlans: [],
  };
  noteError(walk, { frame, sender, trouble });
  walk.emit(port, errorFrame({ frame, sender, trouble, ttlDecrement: hop.ttlDecrement }));
}

/**
 * The same where no router is on the way: the network itself says, in the name of the destination, that its path is
 * narrower than the packet (as Linux does for a bridged tunnel, RFC 1191 3).
 */
export function sendTooBigFromPath(walk: Walk, inPort: SimPort, mtu: number): void {
  if (!walk.isLive && walk.sink === undefined) return;
  const frame = layersOf(walk);
  const trouble: IcmpTrouble = { kind: "too-big", mtu };
  if (frame === undefined || !mayBeAnswered(frame)) return noteNoError(walk, trouble, inPort);
  const vlans = frame.layers.flatMap((layer) => (layer.header === "vlan" ? [{ vid: layer.fields.vid }] : []));
  const address = layerOf(frame, "ipv6")?.fields.dst ?? ipFromV4(layerOf(frame, "ipv4")?.fields.dst ?? 0);
  const sender = { port: inPort, address, eth: { dst: walk.packet.srcMac, src: walk.packet.dstMac }, vlans };
  noteError(walk, { frame, sender, trouble });
  walk.emit(inPort, errorFrame({ frame, sender, trouble, ttlDecrement: 0 }));
}

/** Tells the trace who says what to whom, by which port of the device. */
function noteError(walk: Walk, { frame, sender, trouble }: Omit<ErrorParts, "ttlDecrement">): void {
  if (walk.sink === undefined) return;
  const source = sourceOf(frame);
  const what = trouble.kind === "too-big" ? `${trouble.kind}, mtu ${trouble.mtu},` : trouble.kind;
  const ends = `from ${formatIp(sender.address)} to ${source === undefined ? "nobody" : formatIp(source)}`;
  walk.note(`icmp error ${what} ${ends} at ${sender.port.label}`);
}

function noteNoError(walk: Walk, { kind }: IcmpTrouble, { label }: SimPort): void {
  if (walk.sink !== undefined) walk.note(`no icmp error ${kind} at ${label}: such packets are not answered`);
}

/** True when an error about the frame may be sent at all. */
function mayBeAnswered(frame: Frame): boolean {
  const eth = layerOf(frame, "ethernet");
  const source = sourceOf(frame);
  if (eth === undefined || source === undefined || isGroupMac(eth.fields.dst)) return false;
  if (isMulticastIp(source) || isUnspecified(source) || isBadV4(source)) return false;
  const icmpv4 = layerOf(frame, "icmpv4");
  if (icmpv4 !== undefined && isIcmpv4Error(icmpv4.fields)) return false;
  const icmpv6 = layerOf(frame, "icmpv6");
  if (icmpv6 !== undefined && isIcmpv6Error(icmpv6.fields)) return false;
  if (layerOf(frame, "ndp")?.fields.kind === "redirect") return false;
  const ipv4 = layerOf(frame, "ipv4");
  if (ipv4 !== undefined) return ipv4.fields.fragmentOffset === 0 && !isMulticastIp(ipFromV4(ipv4.fields.dst));
  const fragment = frame.layers.find((layer) => layer.header === "ipv6-extension" && layer.fields.kind === "fragment");
  if (fragment?.header === "ipv6-extension" && fragment.fields.kind === "fragment") {
    if (fragment.fields.fragmentOffset !== 0) return false;
  }
  return !isMulticastIp(layerOf(frame, "ipv6")?.fields.dst ?? source);
}

function sourceOf(frame: Frame): Ip | undefined {
  const ipv4 = layerOf(frame, "ipv4");
  return ipv4 === undefined ? layerOf(frame, "ipv6")?.fields.src : ipFromV4(ipv4.fields.src);
}

function isGroupMac(mac: Mac): boolean {
  return Math.floor(mac / 0x100_0000_0000) % 2 === 1;
}

function isBadV4(ip: Ip): boolean {
  const first = ip.w3 >>> 24;
  return isV4(ip) && (first === 0 || first === 127 || first >= 240);
}

interface ErrorParts {
  readonly frame: Frame;
  readonly sender: Sender;
  readonly trouble: IcmpTrouble;
  readonly ttlDecrement: number;
}

function errorFrame(parts: ErrorParts): Uint8Array {
  return layerOf(parts.frame, "ipv4") === undefined ? errorFrameV6(parts) : errorFrameV4(parts);
}

function errorFrameV4({ frame, sender, trouble, ttlDecrement }: ErrorParts): Uint8Array {
  const at = layerOf(frame, "ipv4")?.offset ?? 0;
  const header = new Ipv4View(frame.bytes, at);
  const end = Math.min(at + header.totalLength, at + ICMPV4_ERROR_MAX - IPV4_LENGTH_MIN - ICMP_LENGTH);
  const payload = frame.bytes.slice(at, Math.min(end, frame.bytes.length));
  const quoted = new Ipv4View(payload, 0);
  quoted.ttl = header.ttl - ttlDecrement;
  if (ttlDecrement > 0) quoted.fillChecksum();
  return buildFrame({
    eth: sender.eth,
    vlans: sender.vlans,
    // RFC 1812 4.3.2.5: errors have the precedence of internetwork control, as Linux sends them.
    ipv4: { src: sender.address.w3, dst: header.src, dscp: 48 },
    icmpv4: icmpv4Of(trouble),
    payload,
  });
}

function errorFrameV6({ frame, sender, trouble, ttlDecrement }: ErrorParts): Uint8Array {
  const at = layerOf(frame, "ipv6")?.offset ?? 0;
  const header = new Ipv6View(frame.bytes, at);
  const length = Math.min(IPV6_LENGTH + header.payloadLength, ICMPV6_ERROR_MAX - IPV6_LENGTH - ICMP_LENGTH);
  const payload = frame.bytes.slice(at, Math.min(at + length, frame.bytes.length));
  new Ipv6View(payload, 0).hopLimit = header.hopLimit - ttlDecrement;
  return buildFrame({
    eth: sender.eth,
    vlans: sender.vlans,
    ipv6: { src: sender.address, dst: header.src },
    icmpv6: icmpv6Of(trouble),
    payload,
  });
}

function icmpv4Of(trouble: IcmpTrouble): Icmpv4Fields {
  const unreachableWith = (code: number): Icmpv4Fields => ({ kind: "unreachable", code, nextHopMtu: 0 });
  switch (trouble.kind) {
    case "no-route":
      return unreachableWith(ICMPV4_UNREACHABLE.net);
    case "host-unreachable":
      return unreachableWith(ICMPV4_UNREACHABLE.host);
    case "port-unreachable":
      return unreachableWith(ICMPV4_UNREACHABLE.port);
    case "protocol-unreachable":
      return unreachableWith(ICMPV4_UNREACHABLE.protocol);
    case "prohibited":
    case "reject-route":
      return unreachableWith(ICMPV4_UNREACHABLE.communicationProhibited);
    case "ttl-expired":
      return { kind: "time-exceeded", code: ICMPV4_TIME_EXCEEDED.ttl };
    case "too-big":
      return { kind: "unreachable", code: ICMPV4_UNREACHABLE.fragmentationNeeded, nextHopMtu: trouble.mtu };
    default:
      return unreachable(trouble);
  }
}

function icmpv6Of(trouble: IcmpTrouble): Icmpv6Fields {
  switch (trouble.kind) {
    case "no-route":
      return { kind: "unreachable", code: ICMPV6_UNREACHABLE.noRoute };
    case "host-unreachable":
      return { kind: "unreachable", code: ICMPV6_UNREACHABLE.address };
    case "port-unreachable":
      return { kind: "unreachable", code: ICMPV6_UNREACHABLE.port };
    case "protocol-unreachable":
      // RFC 8200 4: an unknown next header is a parameter problem, at the next header field of the IPv6 header.
      return { kind: "parameter-problem", code: 1, pointer: 6 };
    case "prohibited":
      return { kind: "unreachable", code: ICMPV6_UNREACHABLE.prohibited };
    case "reject-route":
      return { kind: "unreachable", code: ICMPV6_UNREACHABLE.rejectRoute };
    case "ttl-expired":
      return { kind: "time-exceeded", code: ICMPV6_TIME_EXCEEDED.hopLimit };
    case "too-big":
      return { kind: "packet-too-big", mtu: trouble.mtu };
    default:
      return unreachable(trouble);
  }
}
