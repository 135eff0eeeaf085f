import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { LocalJournal } from "../local.ts";
import { encodeRecord } from "../local-records.ts";
import { value } from "./expecting.ts";

/** A disk with one journal on it, of any driver. */
export interface JournalWorld {
  /** The journal of the process that runs now. */
  readonly journal: LocalJournal;
  /** Power is lost while these records are synced, of whose bytes so many have reached the disk. Another process starts. */
  losePower(late: readonly Uint8Array[], survivingBytes: number): Promise<void>;
  close(): Promise<void>;
}

const records = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 5 });

/** What every local journal promises. */
export function journalSuite(name: string, open: () => Promise<JournalWorld>): void {
  const within = async (run: (world: JournalWorld) => Promise<void>): Promise<void> => {
    const world = await open();
    try {
      await run(world);
    } finally {
      await world.close();
    }
  };

  describe(`journal contract: ${name}`, () => {
    test("an empty journal has no records, and none after a sync of nothing", () =>
      within(async ({ journal }) => {
        assert.deepEqual(value(await journal.read()), { records: [], damagedBytes: 0 });
        value(await journal.sync());
        assert.deepEqual(value(await journal.read()).records, []);
      }));

    test("records come back in order, also those that are not synced yet", () =>
      within(async ({ journal }) => {
        journal.append(Uint8Array.of(1));
        value(await journal.sync());
        journal.append(Uint8Array.of());
        journal.append(Uint8Array.of(2, 3));
        assert.deepEqual(value(await journal.read()).records, [Uint8Array.of(1), Uint8Array.of(), Uint8Array.of(2, 3)]);
      }));

    test("power lost at every byte of a write: all that was synced is there, nothing is read half, and it can go on", async () => {
      const synced = [Uint8Array.of(1, 2), Uint8Array.of()];
      const late = [Uint8Array.of(3), Uint8Array.of(4, 5, 6)];
      const bytes = late.reduce((sum, record) => sum + encodeRecord(record).length, 0);
      for (let cut = 0; cut <= bytes; cut++)
        await within((world) => survives(world, { synced, late, cut, wanted: wholeRecords(late, cut) }));
    });

    test("power lost with any records", () =>
      fc.assert(
        fc.asyncProperty(records, records, fc.nat({ max: 150 }), (synced, late, cut) =>
          within((world) => survives(world, { synced, late, cut, wanted: wholeRecords(late, cut) })),
        ),
        { numRuns: 30 },
      ));

    test("a snapshot takes the place of everything before it, and of nothing after it", () =>
      within(async (world) => {
        world.journal.append(Uint8Array.of(1));
        const replaced = world.journal.replace([Uint8Array.of(2), Uint8Array.of(3)]);
        world.journal.append(Uint8Array.of(4));
        value(await replaced);
        value(await world.journal.sync());
        await world.losePower([], 0);
        assert.deepEqual(value(await world.journal.read()).records, [
          Uint8Array.of(2),
          Uint8Array.of(3),
          Uint8Array.of(4),
        ]);
      }));

    test("calls that overlap keep the order of the calls", () =>
      within(async ({ journal }) => {
        const done = [];
        for (let i = 0; i < 20; i++) {
          journal.append(Uint8Array.of(i));
          done.push(journal.sync());
        }
        for (const result of await Promise.all(done)) value(result);
        assert.deepEqual(
          value(await journal.read()).records.map(([byte]) => byte),
          Array.from({ length: 20 }, (_, i) => i),
        );
      }));
  });
}

interface Loss {
  readonly synced: readonly Uint8Array[];
  readonly late: readonly Uint8Array[];
  readonly cut: number;
  readonly wanted: number;
}

async function survives(world: JournalWorld, { synced, late, cut, wanted }: Loss): Promise<void> {
  for (const record of synced) world.journal.append(record);
  value(await world.journal.sync());
  await world.losePower(late, cut);
  const found = [...synced, ...late].slice(0, synced.length + wanted);
  assert.deepEqual(value(await world.journal.read()).records, found);
  world.journal.append(Uint8Array.of(42));
  value(await world.journal.sync());
  assert.deepEqual(value(await world.journal.read()), { records: [...found, Uint8Array.of(42)], damagedBytes: 0 });
}

/** How many of these records are whole within the first `cut` bytes. */
function wholeRecords(late: readonly Uint8Array[], cut: number): number {
  let end = 0;
  return late.filter((record) => {
    end += encodeRecord(record).length;
    return end <= cut;
  }).length;
}
