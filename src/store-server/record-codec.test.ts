import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { unwrap } from "../base/result.ts";
import type { SnapshotEntry, TransactionRecord, TreeChange } from "../store/data-tree-record.ts";
import { decodeEntry, decodeRecord, encodeEntry, encodeRecord } from "./record-codec.ts";

function record<T>(model: { readonly [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

const path = fc.string({ unit: "grapheme", maxLength: 20 }).map((text) => `/${text.toWellFormed()}`);
const bytes = fc.uint8Array({ maxLength: 60 });
const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const int = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
const session = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
const lifetime = fc.constantFrom("persistent", "ephemeral", "container", "ttl");

const change: fc.Arbitrary<TreeChange> = fc.oneof(
  record({ op: fc.constant("create"), path, data: bytes, lifetime, ttlMs: number }),
  record({ op: fc.constant("set"), path, data: bytes }),
  record({ op: fc.constant("remove"), path }),
  record({ op: fc.constant("open-session"), session, timeoutMs: fc.nat(), password: bytes }),
  record({ op: fc.constant("close-session"), session }),
) as fc.Arbitrary<TreeChange>;
const transaction: fc.Arbitrary<TransactionRecord> = record({
  ...{ zxid: number, time: number, session, changes: fc.array(change, { maxLength: 6 }) },
});
const entry: fc.Arbitrary<SnapshotEntry> = fc.oneof(
  record({ entry: fc.constant("head"), zxid: number, nextSession: session }),
  record({ entry: fc.constant("session"), session, timeoutMs: fc.nat(), password: bytes }),
  record({
    ...{ entry: fc.constant("node"), path, data: bytes, lifetime, ttlMs: number, owner: session, version: int },
    ...{ czxid: number, mzxid: number, pzxid: number, ctime: number, mtime: number, creates: int },
  }),
) as fc.Arbitrary<SnapshotEntry>;

test("a record is read back as it was written, and refused when cut at any byte", () => {
  fc.assert(
    fc.property(transaction, (value) => {
      const encoded = encodeRecord(value);
      assert.deepEqual(unwrap(decodeRecord(encoded)), value);
      for (let length = 0; length < encoded.length; length++) {
        assert.equal(decodeRecord(encoded.subarray(0, length)).ok, false);
      }
    }),
  );
});

test("a snapshot entry is read back as it was written, and refused when cut at any byte", () => {
  fc.assert(
    fc.property(entry, (value) => {
      const encoded = encodeEntry(value);
      assert.deepEqual(unwrap(decodeEntry(encoded)), value);
      for (let length = 0; length < encoded.length; length++) {
        assert.equal(decodeEntry(encoded.subarray(0, length)).ok, false);
      }
    }),
  );
});

test("the stored form of one sample of each kind stays as it is: older files must be read for ever", () => {
  const sample: TransactionRecord = {
    ...{ zxid: 0x1234, time: 1_700_000_000_000, session: 7n },
    changes: [
      { op: "create", path: "/a", data: new Uint8Array([1, 2]), lifetime: "ttl", ttlMs: 60_000 },
      { op: "set", path: "/a", data: new Uint8Array([3]) },
      { op: "remove", path: "/a" },
      { op: "open-session", session: 7n, timeoutMs: 4_000, password: new Uint8Array([9]) },
      { op: "close-session", session: 7n },
    ],
  };
  const stored = [
    "00000000000012340000018bcfe5680000000000000000070000000500000001000000022f61000000020102000000030000",
    "00000000ea6000000002000000022f61000000010300000003000000022f6100000004000000000000000700000fa0000000",
    "0109000000050000000000000007",
  ].join("");
  assert.equal(Buffer.from(encodeRecord(sample)).toString("hex"), stored);
  assert.deepEqual(unwrap(decodeRecord(Buffer.from(stored, "hex"))), sample);
});

test("noise is refused, never more", () => {
  fc.assert(
    fc.property(bytes, (noise) => {
      decodeRecord(noise);
      decodeEntry(noise);
    }),
  );
});
