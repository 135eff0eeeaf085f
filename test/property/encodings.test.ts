import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseHostAlive, parsePortActive } from "../../src/api-schema/agent-api.ts";
import { decodeObject } from "../../src/model/encoding.ts";
import { isKind, KINDS } from "../../src/model/registry.ts";
import { BRIDGE_NEIGHBOR_MAP, FDB_MAP, NEIGHBOR_MAP } from "../../src/state/map-kinds.ts";
import { parseLayout } from "../../src/store/recipes/layout-document.ts";
import { parseOpinion } from "../../src/store/recipes/opinion-table.ts";
import { readBackup } from "../../src/store/upkeep/backup-text.ts";

const folder = join(import.meta.dirname, "..", "fixtures", "encodings");
const read = (name: string): string => readFileSync(join(folder, name), "utf8");
const lines = (name: string): readonly string[] => read(name).trimEnd().split("\n");

/** Samples that tests beside the agent's code read. */
const isElsewhere = (name: string): boolean => name.startsWith("agent-");
/** Samples that a test here has read. */
const used = new Set<string>();
const sample = <T>(name: string, take: (name: string) => T): T => {
  used.add(name);
  return take(name);
};

/**
 * One sample of every encoding that outlives a process, as each release wrote it. A sample is never changed: when an encoding gets a
 * new version, a file is added, and the one before stays readable for a release.
 */
describe("encodings that outlive a process are read as every release wrote them", () => {
  test("documents of objects, one of each kind", () => {
    const kinds = sample("documents-v1.jsonl", lines).map((line) => {
      const { kind, id } = JSON.parse(line) as { readonly kind: string; readonly id: string };
      assert.ok(isKind(kind));
      const object = decodeObject({ kind, id }, line);
      assert.ok(object.ok, JSON.stringify(object));
      return kind;
    });
    assert.deepEqual([...new Set(kinds)].toSorted(), KINDS.toSorted());
  });

  test("the layout's node", () => {
    const found = sample("layout-v1.txt", lines).map((line) => parseLayout(new TextEncoder().encode(line)));
    assert.deepEqual(found, [{ layout: 1 }, { layout: 1, migratingTo: 2 }]);
  });

  test("entries of maps", () => {
    const kinds = { fdb: FDB_MAP, "bridge-neighbor": BRIDGE_NEIGHBOR_MAP, neighbor: NEIGHBOR_MAP };
    for (const line of sample("map-entries-v1.txt", lines)) {
      const [map, name = ""] = line.split(" ");
      const parsed =
        map === "fdb"
          ? parseOpinion(kinds.fdb, name)
          : map === "neighbor"
            ? parseOpinion(kinds.neighbor, name)
            : parseOpinion(kinds["bridge-neighbor"], name);
      assert.ok(parsed.ok, `${line}: ${parsed.ok ? "" : parsed.error}`);
      assert.equal(parsed.value.origin, name.includes(",c") ? "configured" : "learned");
    }
  });

  test("states of hosts and ports", () => {
    const [alive = "", ...actives] = sample("state-keys-v1.jsonl", lines);
    assert.equal(parseHostAlive(alive).ok, true);
    for (const active of actives) assert.ok(parsePortActive(active).ok, active);
  });

  test("backups", () => {
    const backup = readBackup(sample("backup-v1.jsonl", read), (text) =>
      createHash("sha256").update(text).digest("hex"),
    );
    assert.ok(backup.ok, JSON.stringify(backup));
    assert.deepEqual([backup.value.head.layout, backup.value.nodes.length], [1, 5]);
    assert.deepEqual([...(backup.value.nodes[2]?.data ?? [])], [255, 0, 1]);
    assert.equal(backup.value.nodes[3]?.leases, 3);
  });

  test("no sample lies here that nobody reads", () => {
    for (const name of readdirSync(folder)) assert.ok(used.has(name) || isElsewhere(name), name);
  });
});
