import { type Ip, isLinkLocalV6, isMulticastIp, isV4, parseIp, sameIp } from "../addr/ip.ts";
import { isMulticastMac, parseMac } from "../addr/mac.ts";
import { maskWord, networkOf, type Prefix, parsePrefix, prefixContains } from "../addr/prefix.ts";
import type { ModelError, ModelErrorKind } from "./model-error.ts";
import type { Port, RouterPort } from "./objects.ts";
import type { TopologyView } from "./view.ts";

const LENGTH_FULL = 128;

/** What must hold of a port by itself, beyond its schema. */
export function validatePortAlone(port: Port): readonly ModelError[] {
  const errors: ModelError[] = [];
  const add = adder(port, errors);
  if (port.peerId !== undefined && port.binding !== undefined) {
    add("linked-and-bound", "binding", "either a peer or a binding, not both");
  }
  if (port.peerId === port.id) add("bad-value", "peerId", "another port");
  if (port.deviceKind === "router") validateRouterPort(port, add);
  return errors;
}

/** What must hold of a port in its topology; references are known to exist. */
export function validatePortAmong(port: Port, view: TopologyView): readonly ModelError[] {
  const errors: ModelError[] = [];
  const add = adder(port, errors);
  validatePeer({ port, view, add });
  if (port.binding !== undefined && isInterfaceTaken(port, view)) {
    add("interface-taken", "binding.interfaceName", "an interface of the host that no other port is bound to");
  }
  if (port.deviceKind === "router") {
    for (const [i, text] of port.addresses.entries()) {
      const other = overlappingPort({ port, text, view });
      if (other !== undefined) {
        add(
          "address-overlap",
          `addresses[${i}]`,
          `a subnet that does not overlap those of port ${other} of the router`,
        );
      }
    }
  }
  return errors;
}

/** True for an address that one interface can own: not unspecified, not loopback, not multicast, not broadcast. */
export function isUnicastIp(ip: Ip): boolean {
  if (isMulticastIp(ip)) return false;
  if (isV4(ip)) return ip.w3 >>> 24 !== 0 && ip.w3 >>> 24 !== 127 && ip.w3 >>> 28 !== 0xf;
  return ip.w0 !== 0 || ip.w1 !== 0 || ip.w2 !== 0 || ip.w3 > 1;
}

/** True when the address is one that a host on this subnet may have (RFC 1122 3.2.1.3; /31 as in RFC 3021). */
export function isHostOf(prefix: Prefix): boolean {
  const hostBits = LENGTH_FULL - prefix.length;
  if (hostBits < 2 || !isV4(prefix.ip)) return true;
  const hostMask = ~maskWord(prefix.length, 3) >>> 0;
  const host = (prefix.ip.w3 & hostMask) >>> 0;
  return host !== 0 && host !== hostMask;
}

/** The address and network of a checked text. */
export function prefixOf(text: string): Prefix | undefined {
  const prefix = parsePrefix(text);
  return prefix.ok ? prefix.value : undefined;
}

/** True when a gateway can be reached through the port: in one of its subnets, not its own, or IPv6 link-local. */
export function isOnLink(port: RouterPort, gateway: string): boolean {
  const ip = parseIp(gateway);
  if (!ip.ok) return false;
  const prefixes = port.addresses.map(prefixOf).filter((prefix) => prefix !== undefined);
  if (prefixes.some((prefix) => sameIp(prefix.ip, ip.value))) return false;
  return isLinkLocalV6(ip.value) || prefixes.some((prefix) => prefixContains(prefix, ip.value));
}

type Add = (kind: ModelErrorKind, field: string, expected: string) => void;

function adder(port: Port, errors: ModelError[]): Add {
  return (kind, field, expected) => errors.push({ kind, object: { kind: "port", id: port.id }, field, expected });
}

function validateRouterPort(port: RouterPort, add: Add): void {
  const mac = parseMac(port.mac);
  if (mac.ok && (mac.value === 0 || isMulticastMac(mac.value))) add("bad-value", "mac", "a unicast MAC address");
  const prefixes = port.addresses.map(prefixOf);
  for (const [i, prefix] of prefixes.entries()) {
    const field = `addresses[${i}]`;
    if (prefix === undefined) continue;
    if (!isUnicastIp(prefix.ip)) add("bad-value", field, "a unicast address");
    else if (!isHostOf(prefix)) add("bad-value", field, "an address of a host, neither network nor broadcast address");
    else if (prefix.length === (isV4(prefix.ip) ? 96 : 0)) add("bad-value", field, "a prefix length of at least 1");
    const isRepeated = prefixes.slice(0, i).some((earlier) => earlier !== undefined && sameIp(earlier.ip, prefix.ip));
    if (isRepeated) add("duplicate-item", field, "each address once");
  }
}

interface PeerCheck {
  readonly port: Port;
  readonly view: TopologyView;
  readonly add: Add;
}

function validatePeer({ port, view, add }: PeerCheck): void {
  if (port.peerId === undefined) return;
  const peer = view.get("port", port.peerId);
  if (peer === undefined) return;
  if (peer.peerId === undefined) add("peer-asymmetric", "peerId", "a peer that names this port as its peer");
  else if (peer.peerId !== port.id)
    add("peer-taken", "peerId", `a port without a peer; it is linked to ${peer.peerId}`);
  if (peer.binding !== undefined) add("peer-taken", "peerId", "a port that is not bound to an interface");
  const deviceId = (side: Port): string => (side.deviceKind === "bridge" ? side.bridgeId : side.routerId);
  if (deviceId(peer) === deviceId(port)) add("bad-value", "peerId", "a port of another device");
}

function isInterfaceTaken(port: Port, view: TopologyView): boolean {
  const { binding } = port;
  if (binding === undefined) return false;
  const host = view.get("host", binding.hostId);
  return (host?.portIds ?? []).some((id) => {
    if (id === port.id) return false;
    const other = view.get("port", id)?.binding;
    return other?.hostId === binding.hostId && other.interfaceName === binding.interfaceName;
  });
}

interface OverlapQuery {
  readonly port: RouterPort;
  readonly text: string;
  readonly view: TopologyView;
}

/** A sibling port of the router whose subnets overlap this address's; link-local subnets are on every link. */
function overlappingPort({ port, text, view }: OverlapQuery): string | undefined {
  const prefix = prefixOf(text);
  if (prefix === undefined || isLinkLocalV6(prefix.ip)) return undefined;
  return (view.get("router", port.routerId)?.portIds ?? []).find((id) => {
    const sibling = id === port.id ? undefined : view.get("port", id);
    if (sibling?.deviceKind !== "router") return false;
    return sibling.addresses.some((address) => {
      const other = prefixOf(address);
      return other !== undefined && overlaps(prefix, other);
    });
  });
}

function overlaps(a: Prefix, b: Prefix): boolean {
  const wider = a.length <= b.length ? a : b;
  return prefixContains(networkOf(wider), (wider === a ? b : a).ip);
}
