import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { DataTree } from "../store/data-tree.ts";
import type { SnapshotEntry } from "../store/data-tree-record.ts";
import { decodeEntry, decodeRecord, encodeEntry } from "./record-codec.ts";
import { checkedRow, markDatabase, refuseForeign } from "./sqlite-file.ts";

const snapshotName = "snapshot.sqlite";

/** The file of the log and its neighbor, by folder. */
export const logFile = (folder: string): string => join(folder, "store.sqlite");
const snapshotFile = (folder: string): string => join(folder, snapshotName);
const draftFile = (folder: string): string => join(folder, `${snapshotName}.draft`);

/** A tree as a folder holds it, and how many records were applied on top of its snapshot. Throws what is wrong with it. */
export function readTree(folder: string, log: DatabaseSync): { readonly tree: DataTree; readonly records: number } {
  const tree = readSnapshot(folder);
  let records = 0;
  const rows = log.prepare("SELECT zxid, crc, record FROM log WHERE zxid > ? ORDER BY zxid").iterate(tree.zxid);
  for (const row of rows) {
    tree.apply(checkedRow(row, { column: "record", name: `log record ${row["zxid"]}`, decode: decodeRecord }));
    records += 1;
  }
  return { tree, records };
}

/**
 * Writes what the folder holds now as its snapshot, beside a server that goes on writing its log, and returns the snapshot's
 * zxid. The new file replaces the old one in one step, when all of it is on the disk. Throws what went wrong.
 */
export function writeSnapshot(folder: string): number {
  const log = new DatabaseSync(logFile(folder), { readOnly: true });
  let tree: DataTree;
  try {
    log.exec("BEGIN");
    tree = readTree(folder, log).tree;
  } finally {
    log.close();
  }
  dropDraft(folder);
  const draft = new DatabaseSync(draftFile(folder));
  try {
    draft.exec("PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL");
    markDatabase(draft);
    draft.exec(
      "CREATE TABLE snapshot(seq INTEGER PRIMARY KEY, crc INTEGER NOT NULL, entry BLOB NOT NULL) STRICT; BEGIN",
    );
    const insert = draft.prepare("INSERT INTO snapshot(crc, entry) VALUES (?, ?)");
    for (const entry of tree.snapshot()) {
      const bytes = encodeEntry(entry);
      insert.run(crc32(bytes), bytes);
    }
    draft.exec("COMMIT");
  } finally {
    draft.close();
  }
  renameSync(draftFile(folder), snapshotFile(folder));
  syncFolder(folder);
  return tree.zxid;
}

/** Removes what a snapshot that was not finished has left. */
export function dropDraft(folder: string): void {
  for (const suffix of ["", "-journal"]) rmSync(`${draftFile(folder)}${suffix}`, { force: true });
}

function readSnapshot(folder: string): DataTree {
  if (!existsSync(snapshotFile(folder))) return new DataTree();
  const db = new DatabaseSync(snapshotFile(folder), { readOnly: true });
  try {
    refuseForeign(db, snapshotName);
    return DataTree.restore(entries(db));
  } finally {
    db.close();
  }
}

function* entries(db: DatabaseSync): Generator<SnapshotEntry> {
  for (const row of db.prepare("SELECT seq, crc, entry FROM snapshot ORDER BY seq").iterate()) {
    yield checkedRow(row, { column: "entry", name: `snapshot entry ${row["seq"]}`, decode: decodeEntry });
  }
}

/** A rename is durable when the folder is. */
function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  fsyncSync(descriptor);
  closeSync(descriptor);
}
