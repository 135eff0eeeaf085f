import assert from "node:assert/strict";
import { test } from "node:test";
import { UNHEARD_MS } from "./limits.ts";
import {
  type HostLife,
  mayForward,
  NO_OWNER,
  nextOwnership,
  type Ownership,
  type OwnershipEvent,
} from "./ownership.ts";

const active = { hostId: "h", tunnelKey: 5, generation: 2 };
const newer = { hostId: "g", tunnelKey: 9, generation: 3 };
const LIMIT = 600;
const NOW = 10_000;

const STATES = {
  none: NO_OWNER,
  confirmed: { kind: "confirmed", active },
  unconfirmed: { kind: "unconfirmed", active, since: NOW - 100, lasted: 100 },
  overdue: { kind: "unconfirmed", active, since: NOW - 99, lasted: LIMIT - 10 },
} satisfies Readonly<Record<string, Ownership>>;

const published: OwnershipEvent = { kind: "published", active: newer };
const fresh: Ownership = { kind: "confirmed", active: newer };
const begun: Ownership = { kind: "unconfirmed", active, since: NOW, lasted: 0 };
const { none, confirmed, unconfirmed, overdue } = STATES;
const missed: OwnershipEvent = { kind: "missed", active, since: NOW - 500, lasted: 400 };
const recalled: Ownership = { kind: "unconfirmed", active, since: NOW - 500, lasted: 400 };
const unheard: Ownership = { ...recalled, unheard: 0 };

/** The whole table: state, event, life of the host, what comes of it. */
const TABLE: readonly (readonly [Ownership, OwnershipEvent, readonly HostLife[], Ownership])[] = [
  [none, published, ["alive", "dead", "unknown"], fresh],
  [none, { kind: "withdrawn" }, ["alive", "dead", "unknown"], none],
  [none, { kind: "vanished" }, ["alive", "dead", "unknown"], none],
  [none, { kind: "host-dead" }, ["dead"], none],
  [none, { kind: "time", elapsed: 10 }, ["alive", "dead", "unknown"], none],
  [confirmed, published, ["alive", "dead", "unknown"], fresh],
  [confirmed, { kind: "withdrawn" }, ["alive", "dead", "unknown"], none],
  [confirmed, { kind: "vanished" }, ["alive"], begun],
  [confirmed, { kind: "vanished" }, ["dead", "unknown"], none],
  [confirmed, { kind: "host-dead" }, ["dead"], confirmed],
  [confirmed, { kind: "time", elapsed: 10 }, ["alive", "dead", "unknown"], confirmed],
  [unconfirmed, published, ["alive", "dead", "unknown"], fresh],
  [unconfirmed, { kind: "withdrawn" }, ["alive", "dead", "unknown"], none],
  [unconfirmed, { kind: "vanished" }, ["alive", "dead", "unknown"], unconfirmed],
  [unconfirmed, { kind: "host-dead" }, ["dead"], none],
  [unconfirmed, { kind: "time", elapsed: 10 }, ["alive", "unknown"], { ...unconfirmed, lasted: 110 }],
  [overdue, { kind: "time", elapsed: 10 }, ["alive", "unknown"], none],
  [none, missed, ["alive"], recalled],
  [none, missed, ["unknown"], unheard],
  [none, missed, ["dead"], none],
  [none, { ...missed, lasted: LIMIT }, ["alive", "unknown"], none],
  [none, { kind: "missed", active, lasted: 0 }, ["alive"], begun],
  [confirmed, missed, ["alive"], recalled],
  [unconfirmed, missed, ["alive", "unknown"], unconfirmed],
  [unheard, { kind: "time", elapsed: 10 }, ["alive"], { ...recalled, lasted: 410 }],
  [unheard, { kind: "time", elapsed: 10 }, ["unknown"], { ...recalled, lasted: 410, unheard: 10 }],
  [unheard, { kind: "host-dead" }, ["dead"], none],
  [unheard, published, ["alive", "dead", "unknown"], fresh],
];

test("the table of transitions", () => {
  for (const [before, event, lives, after] of TABLE) {
    for (const life of lives) {
      const next = nextOwnership(before, event, { now: NOW, life, limitMs: LIMIT });
      assert.deepEqual(next, after, `${before.kind} ${event.kind} ${life}`);
    }
  }
});

test("a host that an earlier agent knew has some time to be heard of", () => {
  const before: Ownership = { ...unheard, unheard: UNHEARD_MS - 10 };
  const event: OwnershipEvent = { kind: "time", elapsed: 10 };
  const view = { now: NOW, limitMs: 10 * UNHEARD_MS };
  assert.equal(nextOwnership(before, event, { ...view, life: "unknown" }), none);
  assert.equal(nextOwnership(before, event, { ...view, life: "alive" }).kind, "unconfirmed");
});

test("a port is forwarded to while its owner is that of the binding and not dead", () => {
  const binding = { hostId: "h", generation: 2 };
  for (const state of [confirmed, unconfirmed]) {
    assert.deepEqual(
      (["alive", "unknown", "dead"] as const).map((life) => mayForward(state, binding, life)),
      [true, true, false],
    );
    assert.equal(mayForward(state, { hostId: "h", generation: 3 }, "alive"), false, "a newer binding fences");
    assert.equal(mayForward(state, { hostId: "g", generation: 2 }, "alive"), false, "another host");
  }
  assert.equal(mayForward(none, binding, "alive"), false);
});
