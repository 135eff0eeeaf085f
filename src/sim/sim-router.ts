import type { Ip } from "../addr/ip.ts";
import { isV4, parseIp } from "../addr/ip.ts";
import { formatPrefix, maskWord, networkOf, parsePrefix } from "../addr/prefix.ts";
import { unreachable } from "../base/assert.ts";
import { unwrap } from "../base/result.ts";
import { type FlowTag, tagObject } from "../flow/tag.ts";
import type { Id, Route, Router } from "../model/objects.ts";
import type { Handles } from "./handles.ts";
import { IpMask } from "./ip-words.ts";
import { ROUTE, type RouteTable, type SimRoute } from "./route-table.ts";
import type { SimPort } from "./sim-port.ts";

/** A router as the walk reads it. Immutable but for the route table, which the world keeps up to date. */
export interface SimRouter {
  readonly handle: number;
  readonly id: Id;
  readonly label: string;
  readonly tag: FlowTag;
  readonly isUp: boolean;
  readonly inFilter: number;
  readonly outFilter: number;
  /** Ids of ports and routes that this thread does not have yet. */
  readonly missing: readonly Id[];
  readonly routes: RouteTable;
}

/** Weight of routes to the router itself: before all others of the same prefix. */
const LOCAL_WEIGHT = -1;
/** Weight of a connected subnet's route. */
const CONNECTED_WEIGHT = 0;
const V4_HOST_LENGTH = 128;

/** What compiling a router needs to look up. */
export interface RouterParts {
  readonly handle: number;
  readonly routes: RouteTable;
  readonly handles: Handles;
  /** True for ports and routes that this thread has. */
  readonly isHere: (handle: number) => boolean;
}

/** Prepares a router from its object and its route table. */
export function compileRouter(router: Router, parts: RouterParts): SimRouter {
  const { handle, routes, handles, isHere } = parts;
  const isMissing = (id: Id): boolean => !isHere(handles.of(id)) && !handles.isAbsent(handles.of(id));
  return {
    handle,
    id: router.id,
    label: router.name,
    tag: tagObject(handle),
    isUp: router.isUp,
    inFilter: handles.ofOptional(router.inboundFilterId),
    outFilter: handles.ofOptional(router.outboundFilterId),
    missing: [...router.portIds, ...router.routeIds].filter(isMissing),
    routes,
  };
}

/** Prepares a stored route. The object has passed the model's validation; texts that do not parse are bugs and throw. */
export function compileRoute(route: Route, handles: Handles): SimRoute {
  const destination = networkOf(unwrap(parsePrefix(route.destination)));
  const source = unwrap(parsePrefix(route.source));
  const isAnySource = source.length === (isV4(source.ip) ? 96 : 0);
  const { nextHop } = route;
  const base = {
    id: route.id,
    destination: destination.ip,
    length: destination.length,
    source: isAnySource ? undefined : new IpMask(source.ip, source.length),
    weight: route.weight,
    port: 0,
    gateway: undefined,
    hash: hashText(route.id),
  };
  switch (nextHop.type) {
    case "port": {
      const gateway = nextHop.gateway === undefined ? undefined : unwrap(parseIp(nextHop.gateway));
      return { ...base, kind: ROUTE.port, port: handles.of(nextHop.portId), gateway };
    }
    case "blackhole":
      return { ...base, kind: ROUTE.blackhole };
    case "reject":
      return { ...base, kind: ROUTE.reject };
    case "local":
      return { ...base, kind: ROUTE.local };
    default:
      return unreachable(nextHop);
  }
}

/**
 * The routes that follow from a port's addresses: each subnet through the port, each address to the router itself, and the
 * two addresses of an IPv4 subnet that mean all its hosts (RFC 1122 3.2.1.3; none in a /31, RFC 3021). A port that is down
 * has none. Link-local addresses are not routed.
 */
export function routesOfPort(port: SimPort): readonly SimRoute[] {
  if (!port.isUp) return [];
  const routes: SimRoute[] = [];
  for (const { ip, length, isLinkLocal } of port.addresses) {
    if (isLinkLocal) continue;
    const subnet = networkOf({ ip, length });
    const add = (kind: number, destination: Ip, bits: number): void => {
      const id = `${port.id} ${formatPrefix({ ip: destination, length: bits })}`;
      const weight = kind === ROUTE.port ? CONNECTED_WEIGHT : LOCAL_WEIGHT;
      const hash = hashText(id);
      const rest = { source: undefined, weight, port: port.handle, gateway: undefined, hash };
      routes.push({ id, kind, destination, length: bits, ...rest });
    };
    if (length < V4_HOST_LENGTH) add(ROUTE.port, subnet.ip, length);
    add(ROUTE.local, ip, V4_HOST_LENGTH);
    if (!isV4(ip) || length > V4_HOST_LENGTH - 2) continue;
    add(ROUTE.broadcast, subnet.ip, V4_HOST_LENGTH);
    add(ROUTE.broadcast, { ...subnet.ip, w3: (subnet.ip.w3 | ~maskWord(length, 3)) >>> 0 }, V4_HOST_LENGTH);
  }
  return routes;
}

/** FNV-1a over the characters of a text: the same on every host. */
function hashText(text: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193);
  return hash | 0;
}
