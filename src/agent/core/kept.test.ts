import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { decodeKept, encodeKept, KEPT_VERSION } from "./kept.ts";

const HOST = "7b0c7f0e-6a7f-4c55-9c39-0d5c0e6f2a11";

function sample(version: number): readonly Uint8Array[] {
  const url = new URL(`../../../test/fixtures/encodings/agent-journal-v${version}.jsonl`, import.meta.url);
  const lines = readFileSync(url, "utf8").trim().split("\n");
  return lines.map((line) => new TextEncoder().encode(line));
}

function bytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

describe("what an agent keeps", () => {
  it("is read as every release wrote it", () => {
    const kept = decodeKept(sample(1), HOST);
    assert.ok(kept.ok);
    assert.deepEqual(kept.value.session, { id: "10000c0ffee0001", password: "", lastZxid: "0" });
    assert.equal(kept.value.layoutMadeBy, "2");
    assert.deepEqual(
      [...kept.value.keys.values()],
      [
        { owner: "00000000-0000-8000-8000-000000000003", key: 4711, generation: 2 },
        { owner: "flood 00000000-0000-8000-8000-000000000002", key: 4712, generation: 0 },
      ],
    );
    assert.deepEqual(
      [...kept.value.resting],
      [
        [99, 1_800_000_000_000],
        [100, 1_800_000_000_001],
      ],
    );
  });

  it("says the same when it is written anew, without keys that have rested", () => {
    const kept = decodeKept(sample(1), HOST);
    assert.ok(kept.ok);
    const again = decodeKept(kept.value.records(HOST, 1_800_000_000_000).map(encodeKept), HOST);
    assert.ok(again.ok);
    assert.deepEqual(again.value, kept.value);
    assert.deepEqual([...again.value.resting.keys()], [100]);
  });

  it("is refused by name when a newer release wrote it, and when it is another host's", () => {
    const newer = decodeKept([bytes({ record: "agent-journal", v: KEPT_VERSION + 1, hostId: HOST })], HOST);
    assert.match(newer.ok ? "" : newer.error, /version 2, this agent knows 1: upgrade/);
    const copied = decodeKept(sample(1), "other");
    assert.match(copied.ok ? "" : copied.error, new RegExp(`belongs to host ${HOST}`));
  });

  it("is refused when it is something else", () => {
    const header = { record: "agent-journal", v: 1, hostId: HOST };
    const foreign = [
      [bytes({})],
      [bytes("x")],
      [Uint8Array.of(0xff)],
      [bytes({ record: "layout", madeBy: "2" })],
      [bytes(header), bytes(header)],
      [bytes(header), bytes({ record: "key", owner: "a", key: 1 << 20, generation: 0 })],
      [bytes(header), bytes({ record: "session", session: { id: "x", password: "", lastZxid: "0" } })],
      [bytes(header), bytes({ record: "rest", key: 4, until: null })],
    ];
    for (const records of foreign) assert.equal(decodeKept(records, HOST).ok, false);
  });
});
