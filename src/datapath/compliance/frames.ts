import type { Ip } from "../../addr/ip.ts";
import { assert } from "../../base/assert.ts";
import {
  buildFrame,
  type FrameSpec,
  type Ipv4Spec,
  type Ipv6Spec,
  type TcpSpec,
  type VlanSpec,
} from "../../wire/build-frame.ts";
import { setU16 } from "../../wire/bytes.ts";
import { foldSum, pseudoSumV4, pseudoSumV6 } from "../../wire/checksum.ts";
import { layerOf, parseFrame } from "../../wire/frame.ts";

/** Addresses of the suite's two ends, and those that rewrites put in their place. */
export const A = { mac: 0x0200_0000_0001, v4: 0x0a00_0001, v6: { w0: 0xfd00_0000, w1: 0, w2: 0, w3: 1 } } as const;
/** The other end. */
export const B = { mac: 0x0200_0000_0002, v4: 0x0a00_0102, v6: { w0: 0xfd00_0000, w1: 1, w2: 0, w3: 2 } } as const;
/** What a rewrite puts in place of A. */
export const C = {
  mac: 0x0e12_3456_789a,
  v4: 0xc633_6407,
  v6: { w0: 0x2001_0db8, w1: 0xffff_0001, w2: 0x8000, w3: 0xfe },
} as const;
/** What a rewrite puts in place of B. */
export const D = {
  mac: 0x0eff_fe00_80f1,
  v4: 0xcb00_71fe,
  v6: { w0: 0x2001_0db8, w1: 0, w2: 0xabcd_ef01, w3: 0x77 },
} as const;

/** Payload of most frames: an odd number of bytes, so that checksums must pad. */
export const TEXT = new TextEncoder().encode("the quick brown fox");

/** What the builders below take, each with a default. */
export interface FrameChange {
  readonly macs?: { readonly dst: number; readonly src: number };
  readonly vlans?: readonly VlanSpec[];
  readonly v4?: Partial<Ipv4Spec>;
  readonly v6?: Partial<Ipv6Spec>;
  readonly ports?: { readonly src: number; readonly dst: number };
  readonly payload?: Uint8Array;
}

const PORTS = { src: 40_000, dst: 5001 } as const;

/** An UDP datagram from A to B over IPv4. */
export function udp4(change: FrameChange = {}): Uint8Array {
  const { src, dst } = change.ports ?? PORTS;
  return buildFrame({ ...ip4(change), udp: { srcPort: src, dstPort: dst }, payload: change.payload ?? TEXT });
}

/** The same without a UDP checksum. */
export function udp4NoChecksum(change: FrameChange = {}): Uint8Array {
  const bytes = udp4(change);
  const at = bytes.length - (change.payload ?? TEXT).length - 2;
  bytes.fill(0, at, at + 2);
  return bytes;
}

/** An UDP datagram from A to B over IPv6. */
export function udp6(change: FrameChange = {}): Uint8Array {
  const { src, dst } = change.ports ?? PORTS;
  return buildFrame({ ...ip6(change), udp: { srcPort: src, dstPort: dst }, payload: change.payload ?? TEXT });
}

/** A TCP segment from A to B over IPv4. */
export function tcp4(change: FrameChange & { readonly tcp?: Partial<TcpSpec> } = {}): Uint8Array {
  const { src, dst } = change.ports ?? PORTS;
  const tcp = { srcPort: src, dstPort: dst, sequence: 0x1234_5678, ...change.tcp };
  return buildFrame({ ...ip4(change), tcp, payload: change.payload ?? TEXT });
}

/** A TCP segment from A to B over IPv6. */
export function tcp6(change: FrameChange = {}): Uint8Array {
  const { src, dst } = change.ports ?? PORTS;
  return buildFrame({
    ...ip6(change),
    tcp: { srcPort: src, dstPort: dst, sequence: 7 },
    payload: change.payload ?? TEXT,
  });
}

/** An echo request from A to B. */
export function ping4(change: FrameChange = {}, identifier = 0x4321): Uint8Array {
  const icmpv4 = { kind: "echo-request", identifier, sequence: 9 } as const;
  return buildFrame({ ...ip4(change), icmpv4, payload: change.payload ?? TEXT });
}

/** An echo request over IPv6. */
export function ping6(change: FrameChange = {}, identifier = 0x4321): Uint8Array {
  const icmpv6 = { kind: "echo-request", identifier, sequence: 9 } as const;
  return buildFrame({ ...ip6(change), icmpv6, payload: change.payload ?? TEXT });
}

/** A packet of any protocol over IPv4; the payload is written as it is. */
export function raw4(protocol: number, change: FrameChange = {}): Uint8Array {
  return buildFrame({ ...ip4(change), protocol, payload: change.payload ?? TEXT });
}

/** A packet of any protocol over IPv6. */
export function raw6(protocol: number, change: FrameChange = {}): Uint8Array {
  return buildFrame({ ...ip6(change), protocol, payload: change.payload ?? TEXT });
}

/** An ARP request of A for B. */
export function arp(change: Pick<FrameChange, "macs" | "vlans"> = {}): Uint8Array {
  const request = { operation: 1, senderMac: A.mac, senderIp: A.v4, targetMac: 0, targetIp: B.v4 };
  return buildFrame({ ...link(change), arp: request });
}

/** A frame of no protocol that weft knows. */
export function strange(change: Pick<FrameChange, "macs" | "vlans"> = {}): Uint8Array {
  return buildFrame({ ...link(change), etherType: 0x88b5, payload: TEXT });
}

/** The bytes behind the IP header of a frame without tags and options. */
export function transportOf(frame: Uint8Array, family: 4 | 6): Uint8Array {
  return frame.slice(family === 4 ? 34 : 54);
}

/** A frame with bytes of it replaced. */
export function patched(frame: Uint8Array, at: number, bytes: readonly number[]): Uint8Array {
  const copy = frame.slice();
  copy.set(bytes, at);
  return copy;
}

/** The frame with the sum of the pseudo header in place of its TCP or UDP checksum, as a sender leaves it to the device. */
export function withPseudoSum(frame: Uint8Array): Uint8Array {
  const parsed = parseFrame(frame);
  const transport = layerOf(parsed, "udp") ?? layerOf(parsed, "tcp");
  const v4 = layerOf(parsed, "ipv4");
  const ip = v4 ?? layerOf(parsed, "ipv6");
  assert(transport !== undefined && ip !== undefined, "a frame without TCP or UDP has no such checksum");
  const isUdp = transport.header === "udp";
  const covered = { protocol: isUdp ? 17 : 6, length: ip.end + ip.fields.payloadLength - transport.offset };
  const sum =
    ip.header === "ipv4"
      ? pseudoSumV4({ src: ip.fields.src, dst: ip.fields.dst, ...covered })
      : pseudoSumV6({ src: ip.fields.src, dst: ip.fields.dst, ...covered });
  const partial = frame.slice();
  setU16(partial, transport.offset + (isUdp ? 6 : 16), foldSum(sum));
  return partial;
}

function link({ macs, vlans }: FrameChange): Pick<FrameSpec, "eth" | "vlans"> {
  const eth = macs ?? { dst: B.mac, src: A.mac };
  return vlans === undefined ? { eth } : { eth, vlans };
}

function ip4(change: FrameChange): Pick<FrameSpec, "eth" | "vlans"> & { readonly ipv4: Ipv4Spec } {
  return { ...link(change), ipv4: { src: A.v4, dst: B.v4, identification: 0x1234, ...change.v4 } };
}

function ip6(change: FrameChange): Pick<FrameSpec, "eth" | "vlans"> & { readonly ipv6: Ipv6Spec } {
  const src: Ip = A.v6;
  const dst: Ip = B.v6;
  return { ...link(change), ipv6: { src, dst, flowLabel: 0xb_cdef, ...change.v6 } };
}
