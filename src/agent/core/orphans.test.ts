import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { parseIp } from "../../addr/ip.ts";
import { unwrap } from "../../base/result.ts";
import type { WorldChange } from "../../sim/world-change.ts";
import { ORPHAN_GRACE_MS, ORPHANS_MAX } from "./limits.ts";
import { Orphans } from "./orphans.ts";
import { RemotePorts } from "./remote-ports.ts";

const IP = unwrap(parseIp("10.0.0.1"));
const NOW = 1_000_000;
const LIMIT = 600_000;

function neighbor(expiresAt: number, staleAt = expiresAt): WorldChange {
  return { kind: "router-neighbor", routerId: "r", ip: IP, entry: { mac: 1, staleAt, expiresAt } };
}

function fdb(portId: string | undefined, mac = 1): WorldChange {
  return { kind: "fdb", bridgeId: "b", vlan: 0, mac, portId };
}

const NO_NEIGHBOR: WorldChange = { kind: "router-neighbor", routerId: "r", ip: IP, entry: undefined };
const NEIGHBOR = neighbor(NOW + 3_600_000);
/** As workers are told of it when nobody says it any more. */
const UNWRITTEN = neighbor(NOW + 3_600_000, Number.MIN_SAFE_INTEGER);

describe("entries of a host that lost its session", () => {
  let remote: RemotePorts;
  let orphans: Orphans;

  /** What the workers are told in so much time. */
  const pass = (span: number): readonly WorldChange[] => {
    const changes: WorldChange[] = [];
    for (let passed = 0; passed < span; passed += 1_000) {
      remote.time(1_000, NOW);
      changes.push(...orphans.time(1_000, NOW));
    }
    return changes;
  };

  const key = (portId: string, hostId: string | undefined, isWithdrawn = false): readonly WorldChange[] => {
    const state = hostId === undefined ? undefined : { hostId, tunnelKey: 1, generation: 1 };
    remote.active(portId, { state, isWithdrawn }, NOW);
    return orphans.look(NOW);
  };

  const entry = (change: WorldChange, lost?: WorldChange, isMissed = false): readonly WorldChange[] =>
    orphans.take({ kind: "entry", change, lost, isMissed }, NOW);

  beforeEach(() => {
    remote = new RemotePorts(LIMIT);
    orphans = new Orphans(remote);
    for (const [port, host] of [
      ["p2", "h2"],
      ["p3", "h3"],
    ] as const) {
      remote.watch(port, true);
      remote.life(host, "alive", NOW);
      key(port, host);
    }
  });

  for (const order of ["entries first", "ports first"] as const) {
    it(`stay while it is alive: ${order}`, () => {
      if (order === "ports first") key("p2", undefined);
      assert.deepEqual(entry(NO_NEIGHBOR, NEIGHBOR), [UNWRITTEN]);
      assert.deepEqual(entry(fdb(undefined), fdb("p2")), []);
      if (order === "entries first") assert.deepEqual(key("p2", undefined), []);
      assert.deepEqual(pass(LIMIT / 2), []);
      assert.deepEqual([...orphans.kept()], [NEIGHBOR, fdb("p2")]);
    });
  }

  it("go at once when it is dead", () => {
    key("p2", undefined);
    entry(NO_NEIGHBOR, NEIGHBOR);
    entry(fdb(undefined), fdb("p2"));
    pass(5_000);
    remote.life("h2", "dead", NOW);
    assert.deepEqual(orphans.time(0, NOW), [NO_NEIGHBOR, fdb(undefined)]);
  });

  it("go when it was dead before its session ended", () => {
    remote.life("h2", "dead", NOW);
    key("p2", undefined);
    assert.deepEqual(entry(fdb(undefined), fdb("p2")), [fdb(undefined)]);
    assert.deepEqual(entry(NO_NEIGHBOR, NEIGHBOR), [UNWRITTEN]);
    assert.deepEqual(pass(ORPHAN_GRACE_MS), [NO_NEIGHBOR]);
  });

  it("go when its time is over", () => {
    key("p2", undefined);
    entry(NO_NEIGHBOR, NEIGHBOR);
    entry(fdb(undefined), fdb("p2"));
    assert.deepEqual(pass(LIMIT - 1_000), []);
    assert.deepEqual(pass(1_000 + ORPHAN_GRACE_MS), [fdb(undefined), NO_NEIGHBOR]);
  });

  it("go when it has a session again and does not say them anew", () => {
    key("p2", undefined);
    entry(NO_NEIGHBOR, NEIGHBOR);
    pass(5_000);
    key("p2", "h2");
    assert.deepEqual(pass(ORPHAN_GRACE_MS), [NO_NEIGHBOR]);
  });

  for (const isMissed of [false, true])
    it(`are kept for each of the hosts that lost their sessions at one time${isMissed ? ", before we began" : ""}`, () => {
      entry(NO_NEIGHBOR, NEIGHBOR, isMissed);
      pass(1_000);
      key("p2", undefined);
      key("p3", undefined);
      pass(5_000);
      key("p2", "h2");
      assert.deepEqual(pass(60_000), []);
      key("p3", "h3");
      assert.deepEqual(pass(ORPHAN_GRACE_MS), [NO_NEIGHBOR]);
    });

  it("give way to what somebody else says", () => {
    key("p2", undefined);
    entry(fdb(undefined), fdb("p2"));
    assert.deepEqual(entry(fdb("p3")), [fdb("p3")]);
    assert.deepEqual([...orphans.kept()], []);
    assert.deepEqual(pass(2 * LIMIT), []);
  });

  it("end with their own time", () => {
    key("p2", undefined);
    const short = neighbor(NOW + 10);
    assert.deepEqual(entry(NO_NEIGHBOR, short), [neighbor(NOW + 10, Number.MIN_SAFE_INTEGER)]);
    assert.deepEqual(orphans.time(10, NOW + 10), [NO_NEIGHBOR]);
    assert.deepEqual(entry(NO_NEIGHBOR, neighbor(NOW)), [NO_NEIGHBOR]);
  });

  it("are not kept for a host that lost its session long before", () => {
    key("p2", undefined);
    pass(60_000);
    entry(NO_NEIGHBOR, NEIGHBOR);
    assert.deepEqual(pass(ORPHAN_GRACE_MS), [NO_NEIGHBOR]);
    assert.deepEqual(entry(fdb(undefined), fdb("p3")), []);
    assert.deepEqual(pass(ORPHAN_GRACE_MS), [fdb(undefined)]);
  });

  it("of a port that nobody serves go at once, and so do those that were taken back", () => {
    key("p2", undefined, true);
    assert.deepEqual(entry(fdb(undefined), fdb("p2")), [fdb(undefined)]);
    assert.deepEqual(entry(fdb(undefined)), [fdb(undefined)]);
  });

  it("that an earlier agent knew are told when their host is known, and never else", () => {
    assert.deepEqual(entry(fdb(undefined, 2), fdb("p2", 2), true), []);
    assert.deepEqual(entry(NO_NEIGHBOR, NEIGHBOR, true), []);
    assert.deepEqual(key("p2", undefined), [fdb("p2", 2), UNWRITTEN]);
    assert.deepEqual(pass(10_000), []);
    assert.deepEqual(entry(fdb(undefined, 3), fdb("p3", 3), true), []);
    assert.deepEqual(pass(ORPHAN_GRACE_MS), []);
    assert.deepEqual(key("p3", undefined), []);
  });

  it("go with their device", () => {
    key("p2", undefined);
    entry(NO_NEIGHBOR, NEIGHBOR);
    orphans.forget("r");
    assert.deepEqual([...orphans.kept()], []);
  });

  it("are limited: more of them go at once", () => {
    key("p2", undefined);
    for (let mac = 1; mac <= ORPHANS_MAX; mac++) entry(fdb(undefined, mac), fdb("p2", mac));
    assert.deepEqual(entry(NO_NEIGHBOR, NEIGHBOR), [NO_NEIGHBOR]);
    assert.deepEqual(orphans.counts, { kept: ORPHANS_MAX, refused: 1 });
  });
});
