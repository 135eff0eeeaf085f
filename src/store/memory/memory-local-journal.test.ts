import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { failure, value } from "../compliance/expecting.ts";
import { journalSuite } from "../compliance/journal-suite.ts";
import { decodeRecords, encodeRecord } from "../local-records.ts";
import { MemoryLocalJournal } from "./memory-local-journal.ts";

journalSuite("memory", async () => {
  const journal = new MemoryLocalJournal();
  return {
    journal,
    async losePower(late, survivingBytes) {
      for (const record of late) journal.append(record);
      journal.losePower(survivingBytes);
    },
    async close() {},
  };
});

const records = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 6 });

describe("local journal", () => {
  test("after a loss of power at any byte, everything synced is there and nothing is read half", async () => {
    await fc.assert(
      fc.asyncProperty(records, records, fc.nat({ max: 200 }), async (synced, late, cut) => {
        const journal = new MemoryLocalJournal();
        for (const record of synced) journal.append(record);
        value(await journal.sync());
        for (const record of late) journal.append(record);
        journal.losePower(cut);
        const found = value(await journal.read()).records;
        assert.deepEqual(found, [...synced, ...late].slice(0, found.length));
        assert.ok(found.length >= synced.length);
        journal.append(Uint8Array.of(42));
        value(await journal.sync());
        assert.deepEqual(value(await journal.read()), { records: [...found, Uint8Array.of(42)], damagedBytes: 0 });
      }),
    );
  });

  test("any bytes are read without a failure, and a flipped bit is never believed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const { records: found, damagedBytes } = decodeRecords(bytes);
        assert.ok(damagedBytes <= bytes.length && found.length <= bytes.length / 8);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 30 }), fc.nat(), (record, position) => {
        const bytes = encodeRecord(record);
        const bit = position % (bytes.length * 8);
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
        assert.deepEqual(decodeRecords(bytes).records, []);
      }),
    );
    assert.deepEqual(decodeRecords(new Uint8Array(32)).records.length, 0);
  });

  test("a snapshot takes the place of everything, and a full disk is a value", async () => {
    const journal = new MemoryLocalJournal();
    journal.append(Uint8Array.of(1));
    value(await journal.replace([Uint8Array.of(2), Uint8Array.of(3)]));
    journal.losePower();
    assert.deepEqual(value(await journal.read()).records, [Uint8Array.of(2), Uint8Array.of(3)]);
    journal.failWith({ code: "ENOSPC", what: "sync" });
    journal.append(Uint8Array.of(4));
    assert.deepEqual(failure(await journal.sync()), { code: "ENOSPC", what: "sync" });
    journal.failWith(undefined);
    value(await journal.sync());
    assert.equal(value(await journal.read()).records.length, 3);
  });
});
