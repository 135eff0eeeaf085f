import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { IcmpBudget } from "./icmp-budget.ts";
import { ICMP_ERRORS_PER_SECOND, PARKED_MAX, PARKED_PER_PORT_MAX } from "./limits.ts";
import { type ParkedPacket, Parking } from "./parking.ts";

function packet(vport: number, until: number): ParkedPacket {
  return { origin: { kind: "emitted", port: 1 }, frame: new Uint8Array(64), vport, until };
}

describe("parking", () => {
  it("gives packets back in their order, only those that wait for what came", () => {
    const parking = new Parking();
    const first = packet(1, 10);
    const second = packet(1, 10);
    for (const [on, waiting] of [
      ["a", first],
      ["b", packet(1, 10)],
      ["a", second],
    ] as const)
      assert.ok(parking.park(on, waiting));
    assert.deepEqual(parking.release("a"), [first, second]);
    assert.equal(parking.count, 1);
  });

  it("refuses what one port has too many of, and lets other ports in", () => {
    const parking = new Parking();
    for (let i = 0; i < PARKED_PER_PORT_MAX; i++) assert.ok(parking.park("a", packet(1, 10)));
    assert.ok(!parking.park("a", packet(1, 10)));
    assert.ok(parking.park("a", packet(2, 10)));
    parking.release("a");
    assert.ok(parking.park("a", packet(1, 10)));
  });

  it("is bounded over all ports", () => {
    const parking = new Parking();
    let taken = 0;
    for (let i = 0; i < PARKED_MAX + 100; i++) if (parking.park("a", packet(i, 10))) taken++;
    assert.equal(taken, PARKED_MAX);
  });

  it("hands out what has waited too long, and nothing else", () => {
    const parking = new Parking();
    parking.park("a", packet(1, 10));
    parking.park("a", packet(1, 20));
    assert.equal(parking.expire(9).length, 0);
    assert.deepEqual(
      parking.expire(10).map((entry) => entry.on),
      ["a"],
    );
    assert.equal(parking.count, 1);
  });
});

describe("ICMP budget", () => {
  it("ends within a second and is full again in the next, for each port", () => {
    const budget = new IcmpBudget();
    for (let i = 0; i < ICMP_ERRORS_PER_SECOND; i++) assert.ok(budget.take(1, 500));
    assert.ok(!budget.take(1, 999));
    assert.ok(budget.take(2, 999));
    assert.ok(budget.take(1, 1000));
  });
});
