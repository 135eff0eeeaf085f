import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { formatIp, type Ip } from "../addr/ip.ts";
import { DeadlineQueue } from "./deadline-queue.ts";
import { IpTable } from "./ip-table.ts";
import { MacTable } from "./mac-table.ts";

describe("a MAC table", () => {
  const change = fc.record({
    vlan: fc.integer({ min: 0, max: 3 }),
    mac: fc.integer({ min: 0, max: 40 }).map((n) => n * 0x0100_0000_0001),
    value: fc.integer({ min: 0, max: 3 }),
  });

  it("holds what a map would, after any changes", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 400 }), (changes) => {
        const table = new MacTable();
        const model = new Map<string, number>();
        for (const { vlan, mac, value } of changes) {
          const key = `${vlan} ${mac}`;
          assert.equal(table.set(vlan, mac, value), model.get(key) ?? 0);
          if (value === 0) model.delete(key);
          else model.set(key, value);
        }
        assert.equal(table.size, model.size);
        const seen = new Map<string, number>();
        table.forEach((vlan, mac, value) => {
          seen.set(`${vlan} ${mac}`, value);
        });
        assert.deepEqual([...seen].sort(), [...model].sort());
        for (const { vlan, mac } of changes) assert.equal(table.get(vlan, mac), model.get(`${vlan} ${mac}`) ?? 0);
      }),
    );
  });
});

describe("an IP table", () => {
  const small = fc.integer({ min: 0, max: 3 }).map((n) => n * 0x4000_0001);
  const ip: fc.Arbitrary<Ip> = fc.record({ w0: small, w1: small, w2: small, w3: small });
  const change = fc.record({ ip, value: fc.option(fc.integer(), { nil: undefined }) });

  it("holds what a map would, whatever the sign of the words", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 400 }), (changes) => {
        const table = new IpTable<number>();
        const model = new Map<string, number>();
        for (const { ip: key, value } of changes) {
          const signed = { w0: key.w0 | 0, w1: key.w1 | 0, w2: key.w2 | 0, w3: key.w3 | 0 };
          assert.equal(table.set(signed, value), model.get(formatIp(key)));
          if (value === undefined) model.delete(formatIp(key));
          else model.set(formatIp(key), value);
        }
        assert.equal(table.size, model.size);
        const seen = [...table.entries()].map(([key, value]) => [formatIp(key), value]);
        assert.deepEqual(seen.sort(), [...model].sort());
        for (const { ip: key } of changes) assert.equal(table.get(key), model.get(formatIp(key)));
      }),
    );
  });
});

describe("a deadline queue", () => {
  it("gives items in the order of their times, and of their coming at equal times", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 })), (times) => {
        const queue = new DeadlineQueue<{ readonly dueAt: number; readonly n: number }>();
        const items = times.map((dueAt, n) => ({ dueAt, n }));
        for (const item of items) queue.push(item);
        const sorted = [...items].sort((a, b) => a.dueAt - b.dueAt || a.n - b.n);
        for (const item of sorted) {
          assert.equal(queue.nextAt, item.dueAt);
          assert.equal(queue.pop(), item);
        }
        assert.equal(queue.pop(), undefined);
        assert.equal(queue.nextAt, Number.POSITIVE_INFINITY);
      }),
    );
  });
});
