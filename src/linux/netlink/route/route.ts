import type { MessageReader } from "../message-reader.ts";
import { netlinkFlags } from "../protocol.ts";
import { collectAll, collectNothing, type NetlinkRequest } from "../request.ts";
import { addressFamily, familyOf, type IpBytes, routeMessage } from "./types.ts";

/** A route of a kernel routing table. */
export interface KernelRoute {
  readonly family: "ipv4" | "ipv6";
  /** Undefined: everything (a default route). */
  readonly destination: IpBytes | undefined;
  readonly prefixLength: number;
  readonly gateway: IpBytes | undefined;
  readonly ifindex: number | undefined;
  readonly metric: number;
  readonly table: number;
  /** RTN_*: 1 unicast, 2 local, 3 broadcast, 6 blackhole, 7 unreachable. */
  readonly type: number;
}

/** A route to be added or deleted in the main table. */
export interface NewRoute {
  readonly destination: IpBytes;
  /** 0 with an address of zeros is the default route. */
  readonly prefixLength: number;
  /** Next hop; absent when the destination is on the link. */
  readonly gateway?: IpBytes;
  readonly ifindex?: number;
  readonly metric?: number;
}

const headerBytes = 12;
const attribute = { destination: 1, outInterface: 4, gateway: 5, priority: 6, table: 15 };
const mainTable = 254;
const protocolStatic = 4;
const scopeUniverse = 0;
const scopeLink = 253;
const scopeNowhere = 255;
const unicast = 1;

/** Adds a route, or replaces the one to the same destination with the same metric. */
export function addRoute(route: NewRoute): NetlinkRequest<undefined> {
  const flags = netlinkFlags.create | netlinkFlags.replace;
  return order(route, { name: "add a route", type: routeMessage.newRoute, flags });
}

/** Removes a route; ESRCH when there is none. */
export function deleteRoute(route: NewRoute): NetlinkRequest<undefined> {
  return order(route, { name: "delete a route", type: routeMessage.delRoute, flags: 0 });
}

/** All routes of all tables of one IP version. */
export function listRoutes(version: "ipv4" | "ipv6"): NetlinkRequest<readonly KernelRoute[]> {
  const family = version === "ipv4" ? addressFamily.inet : addressFamily.inet6;
  return {
    name: `list the ${version} routes`,
    type: routeMessage.getRoute,
    flags: netlinkFlags.dump,
    write: (writer) => writer.u8(family).u8(0).u16(0).u32(0).u32(0),
    collector: collectAll(readRoute),
  };
}

/** Reads a RTM_NEWROUTE or RTM_DELROUTE message. Of several next hops only what all share is read. */
export function readRoute(message: MessageReader): KernelRoute | undefined {
  if (message.type !== routeMessage.newRoute && message.type !== routeMessage.delRoute) return undefined;
  const attributes = message.attributes(headerBytes);
  return {
    family: message.headerU8(0) === addressFamily.inet6 ? "ipv6" : "ipv4",
    destination: attributes.bytes(attribute.destination),
    prefixLength: message.headerU8(1),
    gateway: attributes.bytes(attribute.gateway),
    ifindex: attributes.u32(attribute.outInterface),
    metric: attributes.u32(attribute.priority) ?? 0,
    table: attributes.u32(attribute.table) ?? message.headerU8(4),
    type: message.headerU8(7),
  };
}

function order(
  route: NewRoute,
  { name, type, flags }: { readonly name: string; readonly type: number; readonly flags: number },
): NetlinkRequest<undefined> {
  const { destination, prefixLength, gateway, ifindex, metric } = route;
  const onLink = gateway === undefined && destination.length === 4 ? scopeLink : scopeUniverse;
  const scope = type === routeMessage.delRoute ? scopeNowhere : onLink;
  return {
    name,
    type,
    flags,
    write(writer) {
      writer.u8(familyOf(destination)).u8(prefixLength).u8(0).u8(0);
      writer.u8(mainTable).u8(protocolStatic).u8(scope).u8(unicast).u32(0);
      if (prefixLength > 0) writer.attribute(attribute.destination, destination);
      if (gateway !== undefined) writer.attribute(attribute.gateway, gateway);
      if (ifindex !== undefined) writer.attributeU32(attribute.outInterface, ifindex);
      if (metric !== undefined) writer.attributeU32(attribute.priority, metric);
    },
    collector: collectNothing,
  };
}
