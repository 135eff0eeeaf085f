import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ipFromV4 } from "../addr/ip.ts";
import { BRIDGE_NEIGHBOR_MAP, type DeviceMapText, FDB_MAP, NEIGHBOR_MAP, NEVER } from "./map-kinds.ts";

const mac = fc.nat({ max: 2 ** 48 - 1 });
const ip = fc.nat({ max: 2 ** 32 - 1 }).map(ipFromV4);
const plain = { noNullPrototype: true } as const;
const time = fc.nat({ max: NEVER });

function holds<T>(text: DeviceMapText<T>, values: fc.Arbitrary<T>): void {
  fc.assert(fc.property(values, (value) => assert.deepEqual(text.parse(text.format(value)), { ok: true, value })));
  fc.assert(fc.property(fc.string(), (noise) => assert.equal(typeof text.parse(noise).ok, "boolean")));
}

test("keys and values of device maps are read as they were written", () => {
  holds(FDB_MAP.key, fc.record({ vlan: fc.nat({ max: 4095 }), mac }, plain));
  holds(FDB_MAP.value, fc.uuid());
  holds(BRIDGE_NEIGHBOR_MAP.key, ip);
  holds(BRIDGE_NEIGHBOR_MAP.value, mac);
  holds(NEIGHBOR_MAP.value, fc.record({ mac, staleAt: time, expiresAt: time }, plain));
});

test("a configured neighbor is a MAC address alone", () => {
  assert.equal(NEIGHBOR_MAP.value.format({ mac: 1, staleAt: NEVER, expiresAt: NEVER }), "00:00:00:00:00:01");
});

test("what is no key of the FDB says what was expected", () => {
  for (const text of [
    "",
    "02:00:00:00:00:01@",
    "02:00:00:00:00:01@0",
    "02:00:00:00:00:01@4096",
    "02:00:00:00:00:01@1@1",
  ]) {
    assert.equal(FDB_MAP.key.parse(text).ok, false, text);
  }
});
