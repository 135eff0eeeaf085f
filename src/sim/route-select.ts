import { formatPrefix } from "../addr/prefix.ts";
import { fmix32 } from "../flow/hash.ts";
import { FRAGMENT_NO } from "../flow/layout.ts";
import { ROUTE, type RouteNode, type SimRoute } from "./route-table.ts";
import type { SimRouter } from "./sim-router.ts";
import type { Walk } from "./walk.ts";

/**
 * The route of a packet: the longest destination prefix that has a route for its source whose port is usable, there the
 * lowest weight, and among equals the one that the flow's hash prefers. Undefined: none.
 */
export function selectRoute(walk: Walk, router: SimRouter): SimRoute | undefined {
  const { dst } = walk.packet;
  const { routes } = router;
  for (let node: RouteNode | undefined = routes.lookup(dst); node !== undefined; node = routes.shorter(node)) {
    earnNode(walk, router, node);
    const route = best(walk, node.routes);
    if (route !== undefined) return route;
  }
  return undefined;
}

function earnNode(walk: Walk, router: SimRouter, node: RouteNode): void {
  const tag = router.routes.tagOf(node, walk.packet.dst);
  walk.tags.add(tag);
  if (walk.sink === undefined) return;
  const prefix = formatPrefix({ ip: node.prefix, length: node.length });
  walk.sink.reads?.(tag, `route ${router.label} ${prefix}`);
}

function best(walk: Walk, routes: readonly SimRoute[]): SimRoute | undefined {
  for (let i = 0; i < routes.length; i++) {
    const route = routes[i] as SimRoute;
    if (!isUsable(walk, route)) continue;
    const next = routes[i + 1];
    return next === undefined || next.weight !== route.weight ? route : spread(walk, routes, i);
  }
  return undefined;
}

/**
 * Rendezvous hashing over the usable routes of the weight of `routes[first]`: the highest score wins, so that each route
 * that comes or goes moves only its own share of the flows, and every host decides alike.
 */
function spread(walk: Walk, routes: readonly SimRoute[], first: number): SimRoute | undefined {
  const { weight } = routes[first] as SimRoute;
  let winner: SimRoute | undefined;
  let top = -1;
  let hash = 0;
  for (let i = first; i < routes.length; i++) {
    const route = routes[i] as SimRoute;
    if (route.weight !== weight) break;
    if (i !== first && !isUsable(walk, route)) continue;
    if (winner === undefined) {
      winner = route;
      continue;
    }
    if (top < 0) {
      hash = flowHash(walk);
      top = fmix32(hash ^ winner.hash);
    }
    const score = fmix32(hash ^ route.hash);
    if (score <= top) continue;
    winner = route;
    top = score;
  }
  return winner;
}

function isUsable(walk: Walk, route: SimRoute): boolean {
  const why = whyNot(walk, route);
  if (why !== undefined && walk.sink !== undefined) noteSkipped(walk, route, why);
  return why === undefined;
}

/** Why a route cannot be taken by this packet now; undefined: it can. */
function whyNot(walk: Walk, route: SimRoute): string | undefined {
  if (route.source !== undefined && !route.source.contains(walk.packet.src)) return "not for this source";
  if (route.kind !== ROUTE.port) return undefined;
  const port = walk.port(route.port);
  if (port === undefined) return "port absent";
  if (!port.isUp) return "port down";
  if (port.peer !== 0) return undefined;
  if (!port.isBound) return "port unplugged";
  return walk.placement(port)?.isActive === true ? undefined : "port inactive";
}

function noteSkipped(walk: Walk, { destination, length, kind, port }: SimRoute, why: string): void {
  const by = kind === ROUTE.port ? ` by ${walk.labelOf(port)}` : "";
  walk.note(`skips route ${formatPrefix({ ip: destination, length })}${by}: ${why}`);
}

/**
 * The same for both directions of a flow, and for all fragments of a packet: addresses, protocol, and of whole packets the
 * ports (ICMP: the echo identifier).
 */
function flowHash(walk: Walk): number {
  const { packet } = walk;
  const { src, dst } = packet;
  let hash = (src.w0 ^ dst.w0) + (src.w1 ^ dst.w1) + (src.w2 ^ dst.w2) + (src.w3 ^ dst.w3);
  hash = Math.imul(hash | 0, 0x9e37_79b1) ^ packet.protocol;
  if (packet.fragment === FRAGMENT_NO) {
    const word = packet.l4Word;
    const isIcmp = packet.protocol === 1 || packet.protocol === 58;
    hash ^= Math.imul(isIcmp ? word >>> 16 : (word ^ (word >>> 16)) & 0xffff, 0x85eb_ca6b);
  }
  return fmix32(hash);
}
