import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { unwrap } from "../../base/result.ts";
import { decodeObject } from "../../model/encoding.ts";
import type { TopologyObject } from "../../model/objects.ts";
import { decodeSnapshot, encodeSnapshot, SNAPSHOT_VERSION, type WorldSnapshot } from "./world-snapshot.ts";

const HOST = "7b0c7f0e-6a7f-4c55-9c39-0d5c0e6f2a11";
const [BRIDGE, PORT, OTHER] = [2, 3, 4].map((n) => `00000000-0000-8000-8000-00000000000${n}`) as [
  string,
  string,
  string,
];

function bytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function sample(version: number): readonly Uint8Array[] {
  const url = new URL(`../../../test/fixtures/encodings/agent-snapshot-v${version}.jsonl`, import.meta.url);
  const lines = readFileSync(url, "utf8").trim().split("\n");
  return lines.map((line) => new TextEncoder().encode(line));
}

function documents({ objects }: WorldSnapshot): readonly TopologyObject[] {
  return [...objects.values()].map(({ kind, id, text }) => unwrap(decodeObject({ kind, id }, text)));
}

describe("snapshot of a host's world", () => {
  it("is read as every release wrote it, and says the same when it is written anew", () => {
    const read = decodeSnapshot(sample(1), HOST);
    assert.ok(read.ok && read.value !== undefined);
    const { at, objects, actives, floods, maps } = read.value;
    assert.equal(at, 1_800_000_000_000);
    const host = decodeObject({ kind: "host", id: HOST }, objects.get(HOST)?.text ?? "");
    assert.equal(host.ok && host.value.name, "h1");
    assert.deepEqual(actives.get(PORT), { hostId: OTHER, tunnelKey: 4711, generation: 2 });
    assert.equal(floods.get(BRIDGE)?.get(OTHER), 4712);
    assert.deepEqual(maps.get(`fdb/${BRIDGE}`), [["02:00:00:00:00:01", PORT]]);
    const known = documents(read.value);
    const again = decodeSnapshot([...encodeSnapshot({ at, objects: known, actives, floods, maps }, HOST)], HOST);
    assert.ok(again.ok && again.value !== undefined);
    assert.deepEqual(documents(again.value), known);
    assert.deepEqual({ ...again.value, objects }, read.value);
  });

  it("remembers since when an owner is unconfirmed", () => {
    const unconfirmed = { since: 5, lasted: 7 };
    const active = { hostId: OTHER, tunnelKey: 1, generation: 1 };
    const known = { at: 1, objects: [], actives: [[PORT, active, unconfirmed]] as const, floods: [], maps: [] };
    const read = decodeSnapshot([...encodeSnapshot(known, HOST)], HOST);
    assert.ok(read.ok);
    assert.deepEqual(read.value?.actives.get(PORT), active);
    assert.deepEqual(read.value?.unconfirmed.get(PORT), unconfirmed);
  });

  it("is nothing when there is none", () => {
    assert.deepEqual(decodeSnapshot([], HOST), { ok: true, value: undefined });
  });

  it("is refused with a sentence when it is of a newer release, of another host or something else", () => {
    const header = { record: "agent-snapshot", v: 1, hostId: HOST, at: 1 };
    const refused = [
      [[{ ...header, v: SNAPSHOT_VERSION + 1 }], /version 2, this agent knows 1/],
      [[{ ...header, hostId: OTHER }], new RegExp(`belongs to host ${OTHER}`)],
      [[{}], /no snapshot/],
      [[header, { record: "object", kind: "unheard-of", id: "x", text: "" }], /record 2/],
      [[header, { record: "active", portId: PORT, state: { hostId: OTHER } }], /record 2/],
      [
        [
          header,
          {
            ...{ record: "active", portId: PORT, unconfirmed: { since: 1, lasted: -1 } },
            state: { hostId: OTHER, tunnelKey: 1, generation: 1 },
          },
        ],
        /record 2/,
      ],
      [[header, { record: "floods", bridgeId: BRIDGE, keys: [[OTHER, "x"]] }], /record 2/],
      [[header, { record: "map", name: "fdb/x", entries: [["a"]] }], /record 2/],
    ] as const;
    for (const [records, why] of refused) {
      const read = decodeSnapshot(records.map(bytes), HOST);
      assert.match(read.ok ? "" : read.error, why);
    }
  });
});
