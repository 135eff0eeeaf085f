import { type Ip, isLinkLocalV6, isV4 } from "../addr/ip.ts";
import { type Mac, macHigh, macLow, parseMac } from "../addr/mac.ts";
import { parsePrefix } from "../addr/prefix.ts";
import { unwrap } from "../base/result.ts";
import { type FlowTag, tagObject, tagPlacement } from "../flow/tag.ts";
import { leadsOut } from "../model/leads-out.ts";
import type { Id, Port } from "../model/objects.ts";
import type { Handles } from "./handles.ts";
import { IpMask } from "./ip-words.ts";
import type { MacWords } from "./packet.ts";
import { compileGuard, type SourceGuard } from "./source-guard.ts";

/** One address of a router port. */
export interface PortAddress {
  readonly ip: Ip;
  /** Prefix length in bits of the 128-bit form. */
  readonly length: number;
  readonly isV4: boolean;
  readonly isLinkLocal: boolean;
  readonly subnet: IpMask;
}

/** A vport as the walk reads it: references resolved to handles, 0 where there is none. Immutable. */
export interface SimPort extends MacWords {
  readonly handle: number;
  readonly id: Id;
  /** Name or, without one, id: for people. */
  readonly label: string;
  readonly tag: FlowTag;
  readonly placementTag: FlowTag;
  readonly isUp: boolean;
  readonly isRouter: boolean;
  /** Bridge or router. */
  readonly device: number;
  readonly inFilter: number;
  readonly outFilter: number;
  readonly peer: number;
  readonly isBound: boolean;
  /** Bridge ports: access VLAN; 0: trunk, or not VLAN-aware. */
  readonly vlan: number;
  /** Leads to a network that may be joined to the one under the overlay: a router port on an interface, or a bridge port said so. */
  readonly isExternal: boolean;
  /** Bridge ports: which sources may enter; undefined: any. */
  readonly guard: SourceGuard | undefined;
  /** Router ports; 0 at bridge ports. */
  readonly mac: Mac;
  /** Router ports: largest IP packet; 0 at bridge ports. */
  readonly mtu: number;
  /** Router ports: configured addresses, then, if one of them is IPv6, the link-local address of the MAC (RFC 4291 app. A). */
  readonly addresses: readonly PortAddress[];
}

/** Prepares a port. The object has passed the model's validation; texts that do not parse are bugs and throw. */
export function compilePort(port: Port, handles: Handles): SimPort {
  const handle = handles.of(port.id);
  const isRouter = port.deviceKind === "router";
  const mac = isRouter ? unwrap(parseMac(port.mac)) : 0;
  return {
    handle,
    id: port.id,
    label: port.name ?? port.id,
    tag: tagObject(handle),
    placementTag: tagPlacement(handle),
    isUp: port.isUp,
    isRouter,
    device: handles.of(isRouter ? port.routerId : port.bridgeId),
    inFilter: handles.ofOptional(port.inboundFilterId),
    outFilter: handles.ofOptional(port.outboundFilterId),
    peer: handles.ofOptional(port.peerId),
    isBound: port.binding !== undefined,
    vlan: isRouter ? 0 : (port.vlan ?? 0),
    isExternal: port.binding !== undefined && leadsOut(port),
    guard: isRouter ? undefined : compileGuard(port),
    mac,
    macHigh: macHigh(mac),
    macLow: macLow(mac) | 0,
    mtu: isRouter ? port.mtu : 0,
    addresses: isRouter ? compileAddresses(port.addresses, mac) : [],
  };
}

/** The address with which a port answers in a family: the first whose subnet holds `peer`, else the first global one. */
export function addressFor(port: SimPort, peer: Ip, isV4Family: boolean): PortAddress | undefined {
  let fallback: PortAddress | undefined;
  for (const address of port.addresses) {
    if (address.isV4 !== isV4Family) continue;
    if (address.subnet.contains(peer)) return address;
    if (fallback === undefined || fallback.isLinkLocal) fallback ??= address;
  }
  return fallback;
}

/** The link-local address made from a MAC address: fe80::/64 and the modified EUI-64 (RFC 4291 appendix A). */
export function linkLocalOf(mac: Mac): Ip {
  const high = macHigh(mac);
  const low = macLow(mac);
  return {
    w0: 0xfe80_0000,
    w1: 0,
    w2: (((high ^ 0x0200) << 16) | ((low >>> 24) << 8) | 0xff) >>> 0,
    w3: (0xfe00_0000 | (low & 0xff_ffff)) >>> 0,
  };
}

function compileAddresses(texts: readonly string[], mac: Mac): readonly PortAddress[] {
  const addresses = texts.map((text) => {
    const { ip, length } = unwrap(parsePrefix(text));
    return portAddress(ip, length);
  });
  const hasV6 = addresses.some((address) => !address.isV4);
  return hasV6 ? [...addresses, portAddress(linkLocalOf(mac), 64)] : addresses;
}

function portAddress(ip: Ip, length: number): PortAddress {
  return { ip, length, isV4: isV4(ip), isLinkLocal: isLinkLocalV6(ip), subnet: new IpMask(ip, length) };
}
