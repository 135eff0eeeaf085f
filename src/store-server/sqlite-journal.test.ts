import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { unwrap } from "../base/result.ts";
import { DataTree } from "../store/data-tree.ts";
import type { TransactionRecord } from "../store/data-tree-record.ts";
import { writeSnapshot } from "./snapshot-file.ts";
import { SqliteJournal } from "./sqlite-journal.ts";

const at = { now: 0, wall: 1_700_000_000_000 };
const noData = new Uint8Array(0);

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "weft-journal-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** A tree with everything in it, and the records that made it. */
function history(): { readonly tree: DataTree; readonly records: TransactionRecord[] } {
  const tree = new DataTree();
  const records: TransactionRecord[] = [];
  const note = ({ record }: { readonly record: TransactionRecord | undefined }): void => {
    if (record !== undefined) records.push(record);
  };
  note(tree.openSession(10_000, new Uint8Array(16).fill(1), at));
  note(tree.openSession(10_000, new Uint8Array(16).fill(2), at));
  for (const path of ["/a", "/a/b", "/c"]) note(tree.write({ op: "create", path, data: new Uint8Array([1]) }, 1n, at));
  note(tree.write({ op: "create", path: "/e", data: noData, options: { mode: "ephemeral" } }, 2n, at));
  note(tree.write({ op: "create", path: "/a/s-", data: noData, options: { mode: "persistent-sequential" } }, 1n, at));
  note(tree.write({ op: "create", path: "/k", data: noData, options: { mode: "container" } }, 1n, at));
  note(tree.write({ op: "create", path: "/t", data: noData, options: { ttlMs: 5 } }, 1n, at));
  note(tree.write({ op: "set", path: "/a", data: new Uint8Array(300).fill(5) }, 1n, at));
  note(tree.write({ op: "remove", path: "/c" }, 1n, at));
  note(tree.closeSession(1n, at));
  return { tree, records };
}

const contents = (tree: DataTree): unknown[] => [...tree.snapshot()];

test("what was appended is there after reopening, from the log, from a snapshot, and from both", (t) => {
  const folder = folderOf(t);
  const { tree, records } = history();
  for (const cut of [records.length, 0, 5]) {
    const journal = unwrap(SqliteJournal.open(join(folder, String(cut))));
    unwrap(journal.load());
    unwrap(journal.append(records.slice(0, cut)));
    assert.equal(writeSnapshot(join(folder, String(cut))), cut);
    unwrap(journal.append(records.slice(cut)));
    journal.close();
    const again = unwrap(SqliteJournal.open(join(folder, String(cut))));
    assert.deepEqual(contents(unwrap(again.load())), contents(tree));
    again.close();
  }
});

test("a snapshot is written beside a server that goes on writing, and the records that it covers go", async (t) => {
  const folder = folderOf(t);
  const { tree, records } = history();
  const journal = unwrap(SqliteJournal.open(folder, { snapshotMinRecords: 5, snapshotPerNode: 0 }));
  unwrap(journal.append(records.slice(0, 8)));
  assert.equal(journal.maintain(tree), false);
  unwrap(journal.append(records.slice(8)));
  while (!journal.maintain(tree)) await new Promise((resolve) => setImmediate(resolve));
  journal.maintain(tree);
  journal.close();
  const db = new DatabaseSync(join(folder, "store.sqlite"), { readOnly: true });
  const left = Number(db.prepare("SELECT count(*) AS n FROM log").get()?.["n"]);
  db.close();
  assert.ok(left <= records.length - 8);
  const again = unwrap(SqliteJournal.open(folder));
  assert.deepEqual(contents(unwrap(again.load())), contents(tree));
  again.close();
});

test("a snapshot that was not finished is no snapshot, and goes", (t) => {
  const folder = folderOf(t);
  const { tree, records } = history();
  const journal = unwrap(SqliteJournal.open(folder));
  unwrap(journal.append(records));
  journal.close();
  writeFileSync(join(folder, "snapshot.sqlite.draft"), "half of it");
  const again = unwrap(SqliteJournal.open(folder));
  assert.deepEqual(contents(unwrap(again.load())), contents(tree));
  assert.equal(existsSync(join(folder, "snapshot.sqlite.draft")), false);
  again.close();
});

test("a full disk refuses the whole append, and what was there stays", (t) => {
  const folder = folderOf(t);
  const { tree, records } = history();
  const journal = unwrap(SqliteJournal.open(folder));
  unwrap(journal.append(records));
  journal.limitPages(journal.pages);
  const zxid = tree.zxid;
  const big = Array.from({ length: 50 }, (_, i): TransactionRecord => {
    const change = { op: "set", path: "/a", data: new Uint8Array(4_000) } as const;
    return { zxid: zxid + 1 + i, time: 0, session: 2n, changes: [change] };
  });
  const refused = journal.append(big);
  assert.deepEqual(refused.ok ? undefined : refused.error.kind, "full");
  assert.equal(journal.hasRoom(), false);
  assert.deepEqual(contents(unwrap(journal.load())), contents(tree));
  journal.limitPages(1_000_000);
  assert.equal(journal.hasRoom(), true);
  unwrap(journal.append(big));
  journal.close();
});

test("damage is found and named, never served", (t) => {
  const folder = folderOf(t);
  const { records } = history();
  const journal = unwrap(SqliteJournal.open(folder));
  unwrap(journal.append(records));
  journal.close();
  const db = new DatabaseSync(join(folder, "store.sqlite"));
  db.exec("UPDATE log SET record = zeroblob(length(record)) WHERE zxid = 3");
  db.close();
  const again = unwrap(SqliteJournal.open(folder));
  assert.deepEqual(again.load(), { ok: false, error: { kind: "broken", why: "log record 3: wrong checksum" } });
  again.close();
});

test("a record that is missing is damage too", (t) => {
  const folder = folderOf(t);
  const { records } = history();
  const journal = unwrap(SqliteJournal.open(folder));
  unwrap(journal.append(records.filter(({ zxid }) => zxid !== 4)));
  const loaded = journal.load();
  assert.match(loaded.ok ? "" : loaded.error.why, /records apply in order/);
  journal.close();
});

test("a second server on the same folder is refused; when the first has gone it may come", (t) => {
  const folder = folderOf(t);
  const first = unwrap(SqliteJournal.open(folder));
  const second = SqliteJournal.open(folder);
  assert.deepEqual(second, { ok: false, error: { kind: "foreign", why: `another server uses ${folder}` } });
  first.close();
  unwrap(SqliteJournal.open(folder)).close();
});

test("a file of somebody else, or of another format, is refused by name", (t) => {
  const folder = folderOf(t);
  const foreign = new DatabaseSync(join(folder, "store.sqlite"));
  foreign.exec("CREATE TABLE theirs(x)");
  foreign.close();
  const refused = SqliteJournal.open(folder);
  assert.deepEqual(refused, { ok: false, error: { kind: "foreign", why: "store.sqlite is not a weft store" } });
  rmSync(join(folder, "store.sqlite"));
  unwrap(SqliteJournal.open(folder)).close();
  const newer = new DatabaseSync(join(folder, "store.sqlite"));
  newer.exec("PRAGMA user_version = 99");
  newer.close();
  const other = SqliteJournal.open(folder);
  assert.match(other.ok ? "" : other.error.why, /format 99, this server reads 1/);
});

test("a folder that cannot be made, or a file that is no database, is a fault and no exception", (t) => {
  const folder = folderOf(t);
  writeFileSync(join(folder, "file"), "text");
  assert.equal(SqliteJournal.open(join(folder, "file", "below")).ok, false);
  writeFileSync(
    join(folder, "store.sqlite"),
    "this is no database, but longer than a header of one hundred bytes".repeat(4),
  );
  assert.equal(SqliteJournal.open(folder).ok, false);
});
