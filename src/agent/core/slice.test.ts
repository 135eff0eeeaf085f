import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Id, TopologyObject } from "../../model/objects.ts";
import { type ObjectName, referencesOf, Slice } from "./slice.ts";

const HOST = "host";
const EACH = 4;
/** Fewer objects than there may be. */
const LITTLE = 7;
const shared = { tenant: "t", isUp: true } as const;

function ids(kind: string): readonly string[] {
  return Array.from({ length: EACH }, (_, i) => `${kind}${i}`);
}

const some = (kind: string): fc.Arbitrary<string[]> => fc.subarray([...ids(kind)]);
const one = (kind: string): fc.Arbitrary<string> => fc.constantFrom(...ids(kind));
const maybe = (kind: string): fc.Arbitrary<string | undefined> => fc.option(one(kind), { nil: undefined });

/** Objects that refer to each other in every way that makes a cycle. */
const object: fc.Arbitrary<TopologyObject> = fc.oneof(
  some("port").map((portIds): TopologyObject => ({ kind: "host", id: HOST, name: HOST, portIds, tunnelZoneIds: [] })),
  fc.tuple(one("port"), one("bridge"), maybe("port"), maybe("chain"), maybe("chain")).map(
    ([id, bridgeId, peerId, inbound, outbound]): TopologyObject => ({
      ...{ ...shared, kind: "port", id, deviceKind: "bridge", bridgeId },
      ...(peerId === undefined ? {} : { peerId }),
      ...(inbound === undefined ? {} : { inboundFilterId: inbound }),
      ...(outbound === undefined ? {} : { outboundFilterId: outbound }),
    }),
  ),
  fc
    .tuple(one("bridge"), some("port"))
    .map(([id, portIds]): TopologyObject => ({ ...shared, kind: "bridge", id, name: id, portIds })),
  fc
    .tuple(one("chain"), some("rule"))
    .map(([id, ruleIds]): TopologyObject => ({ kind: "chain", id, tenant: "t", name: id, ruleIds })),
  fc.tuple(one("rule"), one("chain"), maybe("chain")).map(([id, chainId, to]): TopologyObject => {
    const action = to === undefined ? ({ type: "accept" } as const) : ({ type: "jump", chainId: to } as const);
    return { kind: "rule", id, chainId, condition: {}, action };
  }),
);

const step = fc.record({ object, isGone: fc.boolean(), stays: fc.nat(2) });

/** What is reached from the host through the objects that are there: by looking at all of them. */
function reached(objects: ReadonlyMap<Id, TopologyObject>): ReadonlySet<Id> {
  const met = new Set<Id>([HOST]);
  for (const id of met) {
    const found = objects.get(id);
    for (const next of found === undefined ? [] : referencesOf(found)) met.add(next.id);
  }
  return met;
}

describe("slice of the topology", () => {
  it("never watches more than it may, leaves out by name, and takes in what there is room for again", () => {
    const full = { atLimit: 0, taken: 0 };
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 80, size: "max" }), (steps) => {
        const slice = new Slice(HOST, LITTLE);
        const watched = new Set<Id>(slice.start().watch.map(({ id }) => id));
        const objects = new Map<Id, TopologyObject>();
        for (const { object, isGone } of steps) {
          if (!slice.isWatched(object.id)) continue;
          const wasShort = slice.isShort;
          const { watch, unwatch, leftOut } = slice.update(
            { kind: object.kind, id: object.id },
            isGone ? undefined : object,
          );
          for (const { id } of watch) watched.add(id);
          for (const { id } of unwatch) assert.ok(watched.delete(id), `${id} was not watched`);
          if (isGone) objects.delete(object.id);
          else objects.set(object.id, object);
          for (const { id } of unwatch) objects.delete(id);
          const needed = reached(objects);
          assert.ok(watched.size <= LITTLE && slice.size === watched.size);
          assert.ok([...watched].every((id) => needed.has(id)));
          // What is needed is watched, or named as left out for as long as it is.
          for (const id of needed)
            assert.deepEqual(slice.leftOut(id)?.id, watched.has(id) ? undefined : id, `${id} of ${[...watched]}`);
          if (!slice.isShort) assert.equal(watched.size, needed.size);
          if (slice.isShort) assert.equal(watched.size, LITTLE);
          if (leftOut.length > 0) full.atLimit++;
          if (wasShort && watch.length > 0) full.taken++;
        }
      }),
      { numRuns: 500 },
    );
    assert.ok(full.atLimit > 100 && full.taken > 20, JSON.stringify(full));
  });

  it("watches what is reached from the host and nothing else, whatever comes and goes, cycles included", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 80, size: "max" }), (steps) => {
        const slice = new Slice(HOST);
        const watched = new Set<Id>(slice.start().watch.map(({ id }) => id));
        const objects = new Map<Id, TopologyObject>();
        for (const { object, isGone, stays } of steps) {
          const name: ObjectName = { kind: object.kind, id: object.id };
          if (!slice.isWatched(name.id)) continue;
          const now = isGone && stays === 0 ? undefined : object;
          const { watch, unwatch } = slice.update(name, now);
          for (const { id } of watch) assert.ok(!watched.has(id), `${id} is watched already`);
          for (const { id } of watch) watched.add(id);
          for (const { id } of unwatch) assert.ok(watched.delete(id), `${id} was not watched`);
          if (now === undefined) objects.delete(name.id);
          else objects.set(name.id, now);
          for (const { id } of unwatch) objects.delete(id);
          assert.deepEqual([...watched].sort(), [...reached(objects)].sort());
          assert.deepEqual([...slice.objects()].map(({ id }) => id).sort(), [...objects.keys()].sort());
        }
      }),
      { numRuns: 500 },
    );
  });
});
