import type { Ip } from "../addr/ip.ts";
import { type FlowTag, hashIp, tagRoute } from "../flow/tag.ts";
import type { IpMask } from "./ip-words.ts";
import { isV4Words } from "./ip-words.ts";

/** What a route does. */
export const ROUTE = { port: 1, local: 2, blackhole: 3, reject: 4, broadcast: 5 } as const;

/** A route as the walk reads it. Immutable, one shape. */
export interface SimRoute {
  /** Unique within the router: id of the stored route, or made from the port and its address. */
  readonly id: string;
  /** One of `ROUTE`. */
  readonly kind: number;
  readonly destination: Ip;
  /** Prefix length in bits of the 128-bit form. */
  readonly length: number;
  /** Undefined: any source. */
  readonly source: IpMask | undefined;
  readonly weight: number;
  /** Out port; for local routes the port that owns the address; else 0. */
  readonly port: number;
  readonly gateway: Ip | undefined;
  /** The same on every host: orders and spreads routes of equal weight. */
  readonly hash: number;
}

/** One destination prefix. `routes` is sorted by weight, then by hash; empty where the tree only branches. */
export class RouteNode {
  readonly prefix: Ip;
  readonly length: number;
  readonly hash: number;
  routes: readonly SimRoute[] = [];
  parent: RouteNode | undefined;
  zero: RouteNode | undefined;
  one: RouteNode | undefined;

  constructor(prefix: Ip, length: number) {
    this.prefix = prefix;
    this.length = length;
    this.hash = hashIp(prefix) ^ Math.imul(length, 0x9e37_79b1);
  }
}

/** Bits behind the matched prefix that select the bucket of a route's tag. */
const BUCKET_BITS = 6;
const V4_ROOT_LENGTH = 96;

/**
 * The routes of one router: a path-compressed binary tree over 128-bit addresses with a root of its own for each family.
 *
 * How a change of routes finds its flows: a look-up earns, for the longest matching prefix M and each shorter one that it
 * falls back to, the tag (router, M, bucket), where the bucket is the next six bits of the destination behind M. (The
 * family's root always counts as a prefix.) Adding the first route of a prefix P changes the answer only for destinations
 * under P that were looked up in the nearest prefix M' above P, so it touches the buckets of M' that lie under P: one when P
 * is at least six bits longer. Any other change at P touches the 64 buckets of P. Sound for source routes too, since
 * falling back past P looks at M'. A host route under a default route so concerns 1/64 of the flows of the default route.
 */
export class RouteTable {
  readonly #router: number;
  readonly #v6 = new RouteNode({ w0: 0, w1: 0, w2: 0, w3: 0 }, 0);
  readonly #v4 = new RouteNode({ w0: 0, w1: 0, w2: 0xffff, w3: 0 }, V4_ROOT_LENGTH);
  #size = 0;

  /** `router` is the handle that goes into the tags. */
  constructor(router: number) {
    this.#router = router;
  }

  /** Number of routes. */
  get size(): number {
    return this.#size;
  }

  /** The node of the longest prefix of the destination that has routes, or the family's root. */
  lookup(destination: Ip): RouteNode {
    let best = isV4Words(destination) ? this.#v4 : this.#v6;
    let node: RouteNode | undefined = best;
    while (node !== undefined && contains(node, destination)) {
      if (node.routes.length > 0) best = node;
      node = node.length === 128 ? undefined : child(node, destination);
    }
    return best;
  }

  /** The next shorter prefix that has routes, or the family's root, or undefined after the root. */
  shorter(node: RouteNode): RouteNode | undefined {
    let up = node.parent;
    while (up !== undefined && up.routes.length === 0 && up.parent !== undefined) up = up.parent;
    return up;
  }

  /** The tag of a look-up of `destination` that ended in, or passed, `node`. */
  tagOf(node: RouteNode, destination: Ip): FlowTag {
    return tagRoute(this.#router, node.hash, bitsAfter(destination, node.length));
  }

  /** Adds a route, in place of the one with the same id and prefix. Returns the tags of the flows that it may concern. */
  add(route: SimRoute): readonly FlowTag[] {
    const node = this.#nodeOf(route);
    const tags = node.routes.length > 0 || node.parent === undefined ? this.#allTags(node) : this.#tagsAbove(node);
    const others = node.routes.filter((other) => other.id !== route.id);
    this.#size += 1 + others.length - node.routes.length;
    node.routes = [...others, route].sort((a, b) => a.weight - b.weight || a.hash - b.hash || (a.id < b.id ? -1 : 1));
    return tags;
  }

  /** Removes the route with this id and prefix. Returns the tags of the flows that it may concern. */
  remove(route: SimRoute): readonly FlowTag[] {
    const node = this.#find(route);
    if (node === undefined) return [];
    const left = node.routes.filter((other) => other.id !== route.id);
    if (left.length === node.routes.length) return [];
    this.#size--;
    node.routes = left;
    const tags = this.#allTags(node);
    if (left.length === 0) prune(node);
    return tags;
  }

  /** All routes, longest prefixes last. */
  *entries(): Iterable<SimRoute> {
    const stack = [this.#v6, this.#v4];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      yield* node.routes;
      if (node.one !== undefined) stack.push(node.one);
      if (node.zero !== undefined) stack.push(node.zero);
    }
  }

  #allTags(node: RouteNode): readonly FlowTag[] {
    const tags: FlowTag[] = [];
    for (let bucket = 0; bucket < 1 << BUCKET_BITS; bucket++) tags.push(tagRoute(this.#router, node.hash, bucket));
    return tags;
  }

  #tagsAbove(node: RouteNode): readonly FlowTag[] {
    const above = this.shorter(node);
    if (above === undefined) return this.#allTags(node);
    const extra = Math.min(BUCKET_BITS, node.length - above.length);
    const free = BUCKET_BITS - extra;
    const first = (bitsAfter(node.prefix, above.length) >>> free) << free;
    const tags: FlowTag[] = [];
    for (let i = 0; i < 1 << free; i++) tags.push(tagRoute(this.#router, above.hash, first + i));
    return tags;
  }

  #find(route: SimRoute): RouteNode | undefined {
    let node: RouteNode | undefined = isV4Words(route.destination) ? this.#v4 : this.#v6;
    while (node !== undefined && node.length < route.length && contains(node, route.destination)) {
      node = child(node, route.destination);
    }
    return node?.length === route.length && contains(node, route.destination) ? node : undefined;
  }

  #nodeOf(route: SimRoute): RouteNode {
    let node = isV4Words(route.destination) ? this.#v4 : this.#v6;
    for (;;) {
      if (node.length === route.length) return node;
      const next: RouteNode | undefined = child(node, route.destination);
      if (next === undefined) return attach(node, new RouteNode(route.destination, route.length));
      const common = Math.min(commonBits(next.prefix, route.destination), next.length, route.length);
      if (common === next.length) {
        node = next;
        continue;
      }
      const fork = attach(node, new RouteNode(networkOf(route.destination, common), common));
      attach(fork, next);
      if (common === route.length) return fork;
      return attach(fork, new RouteNode(route.destination, route.length));
    }
  }
}

function attach(parent: RouteNode, node: RouteNode): RouteNode {
  node.parent = parent;
  if (bitAt(node.prefix, parent.length) === 0) parent.zero = node;
  else parent.one = node;
  return node;
}

/** Takes out a node without routes unless it branches, then its parent if that became needless. */
function prune(node: RouteNode): void {
  const { parent } = node;
  if (parent === undefined || node.routes.length > 0) return;
  if (node.zero !== undefined && node.one !== undefined) return;
  const only = node.zero ?? node.one;
  if (only !== undefined) {
    attach(parent, only);
    return;
  }
  if (parent.zero === node) parent.zero = undefined;
  else parent.one = undefined;
  prune(parent);
}

function child(node: RouteNode, ip: Ip): RouteNode | undefined {
  return bitAt(ip, node.length) === 0 ? node.zero : node.one;
}

function wordAt(ip: Ip, index: number): number {
  if (index === 3) return ip.w3;
  if (index === 2) return ip.w2;
  if (index === 1) return ip.w1;
  return index === 0 ? ip.w0 : 0;
}

function bitAt(ip: Ip, bit: number): number {
  return (wordAt(ip, bit >>> 5) >>> (31 - (bit & 31))) & 1;
}

/** The six bits from position `from` on, zeros behind the end. */
function bitsAfter(ip: Ip, from: number): number {
  const shift = from & 31;
  const first = wordAt(ip, from >>> 5);
  if (shift === 0) return first >>> (32 - BUCKET_BITS);
  const second = wordAt(ip, (from >>> 5) + 1);
  return ((first << shift) | (second >>> (32 - shift))) >>> (32 - BUCKET_BITS);
}

function contains(node: RouteNode, ip: Ip): boolean {
  const { prefix, length } = node;
  if (length <= 32) return equalBits(prefix.w0 ^ ip.w0, length);
  if (((prefix.w0 ^ ip.w0) | 0) !== 0) return false;
  if (length <= 64) return equalBits(prefix.w1 ^ ip.w1, length - 32);
  if (((prefix.w1 ^ ip.w1) | 0) !== 0) return false;
  if (length <= 96) return equalBits(prefix.w2 ^ ip.w2, length - 64);
  if (((prefix.w2 ^ ip.w2) | 0) !== 0) return false;
  return equalBits(prefix.w3 ^ ip.w3, length - 96);
}

function equalBits(difference: number, bits: number): boolean {
  return bits === 0 || difference >>> (32 - bits) === 0;
}

function commonBits(a: Ip, b: Ip): number {
  if (((a.w0 ^ b.w0) | 0) !== 0) return Math.clz32(a.w0 ^ b.w0);
  if (((a.w1 ^ b.w1) | 0) !== 0) return 32 + Math.clz32(a.w1 ^ b.w1);
  if (((a.w2 ^ b.w2) | 0) !== 0) return 64 + Math.clz32(a.w2 ^ b.w2);
  return 96 + Math.clz32(a.w3 ^ b.w3);
}

function networkOf(ip: Ip, length: number): Ip {
  const mask = (bits: number): number => (bits <= 0 ? 0 : bits >= 32 ? 0xffff_ffff : ~(0xffff_ffff >>> bits));
  return {
    w0: (ip.w0 & mask(length)) >>> 0,
    w1: (ip.w1 & mask(length - 32)) >>> 0,
    w2: (ip.w2 & mask(length - 64)) >>> 0,
    w3: (ip.w3 & mask(length - 96)) >>> 0,
  };
}
