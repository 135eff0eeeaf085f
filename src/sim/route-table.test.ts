import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { formatIp, type Ip, ipFromV4, isV4 } from "../addr/ip.ts";
import { formatPrefix, networkOf, prefixContains } from "../addr/prefix.ts";
import { IpMask } from "./ip-words.ts";
import { ROUTE, type RouteNode, RouteTable, type SimRoute } from "./route-table.ts";

/** Few different bits, at the start and around a word's end, so that prefixes nest. */
const v4 = fc.integer({ min: 0, max: 0xfff }).map((bits) => ipFromV4(((bits & 0xff0) << 20) | (bits & 0xf)));
const v6: fc.Arbitrary<Ip> = fc.record({
  w0: fc.constantFrom(0xfd00_0000, 0xfd00_0001),
  w1: fc.constantFrom(0, 1, 0x8000_0000),
  w2: fc.constantFrom(0, 0xff),
  w3: fc.integer({ min: 0, max: 7 }),
});
const ip = fc.oneof(v4, v6);
const SOURCES: readonly (IpMask | undefined)[] = [undefined, undefined, new IpMask(ipFromV4(0x8000_0000), 97)];

const route: fc.Arbitrary<SimRoute> = fc
  .record({
    ip,
    cut: fc.integer({ min: 0, max: 32 }),
    n: fc.integer({ min: 0, max: 3 }),
    s: fc.integer({ min: 0, max: 2 }),
  })
  .map(({ ip: address, cut, n, s }) => {
    const length = isV4(address) ? Math.max(96, 128 - cut) : Math.max(0, 128 - cut * 4);
    const destination = networkOf({ ip: address, length });
    return {
      id: `n${n}`,
      kind: ROUTE.blackhole,
      destination: destination.ip,
      length,
      source: SOURCES[s],
      weight: n,
      port: 0,
      gateway: undefined,
      hash: n,
    };
  });
const step = fc.record({ route, isAdd: fc.boolean() });

/** The route of a packet by looking at all of them. */
function naive(routes: readonly SimRoute[], destination: Ip, source: Ip): SimRoute | undefined {
  const fits = routes.filter(
    (each) =>
      prefixContains({ ip: each.destination, length: each.length }, destination) &&
      (each.source === undefined || each.source.contains(source)),
  );
  return fits.sort((a, b) => b.length - a.length || a.weight - b.weight || a.hash - b.hash)[0];
}

/** The same by the table, with the tags that it earns. */
function lookup(table: RouteTable, destination: Ip, source: Ip): { route: SimRoute | undefined; tags: Set<number> } {
  const tags = new Set<number>();
  for (let node: RouteNode | undefined = table.lookup(destination); node !== undefined; node = table.shorter(node)) {
    tags.add(table.tagOf(node, destination));
    const found = node.routes.find((each) => each.source === undefined || each.source.contains(source));
    if (found !== undefined) return { route: found, tags };
  }
  return { route: undefined, tags };
}

/** Applies steps to a table and to a list. */
function apply(table: RouteTable, list: SimRoute[], { route: next, isAdd }: { route: SimRoute; isAdd: boolean }) {
  const at = list.findIndex(
    (each) =>
      each.id === next.id && each.length === next.length && formatIp(each.destination) === formatIp(next.destination),
  );
  if (at >= 0) list.splice(at, 1);
  if (isAdd) list.push(next);
  return isAdd ? table.add(next) : table.remove(next);
}

describe("a route table", () => {
  it("finds what looking at all routes finds", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.array(fc.tuple(ip, ip), { maxLength: 20 }), (steps, asks) => {
        const table = new RouteTable(1);
        const list: SimRoute[] = [];
        for (const each of steps) apply(table, list, each);
        assert.equal(table.size, list.length);
        const text = (each: SimRoute): string =>
          `${formatPrefix({ ip: each.destination, length: each.length })} ${each.id}`;
        assert.deepEqual([...table.entries()].map(text).sort(), list.map(text).sort());
        for (const [destination, source] of asks) {
          assert.equal(lookup(table, destination, source).route, naive(list, destination, source));
        }
      }),
      { numRuns: 500 },
    );
  });

  it("names a tag of every look-up whose answer a change alters", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 20 }),
        step,
        fc.array(fc.tuple(ip, ip), { maxLength: 30 }),
        (steps, last, asks) => {
          const table = new RouteTable(1);
          const list: SimRoute[] = [];
          for (const each of steps) apply(table, list, each);
          const before = asks.map(([destination, source]) => lookup(table, destination, source));
          const changed = new Set(apply(table, list, last));
          for (const [i, [destination, source]] of asks.entries()) {
            const { route: now } = lookup(table, destination, source);
            const { route: then, tags } = before[i] as ReturnType<typeof lookup>;
            if (now === then) continue;
            assert.ok(
              [...tags].some((tag) => changed.has(tag)),
              `${formatIp(destination)}: no tag`,
            );
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("touches one bucket of 64 of the default route when a host route comes", () => {
    const table = new RouteTable(1);
    const base = { kind: ROUTE.blackhole, source: undefined, weight: 0, port: 0, gateway: undefined, hash: 0 };
    table.add({ ...base, id: "default", destination: ipFromV4(0), length: 96 });
    const tags = new Set(table.add({ ...base, id: "host", destination: ipFromV4(0x0a00_0001), length: 128 }));
    assert.equal(tags.size, 1);
    const isTouched = (v: number): boolean => tags.has(table.tagOf(table.lookup(ipFromV4(v)), ipFromV4(v)));
    assert.equal(isTouched(0x0a00_0002), true, "the neighbor of the host");
    assert.equal(isTouched(0xc0a8_0001), false, "elsewhere");
  });
});
