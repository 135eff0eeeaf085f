import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { err, ok, type Result } from "../base/result.ts";
import { DataTree } from "../store/data-tree.ts";
import type { SnapshotEntry, TransactionRecord } from "../store/data-tree-record.ts";
import type { JuteError } from "../zookeeper/jute.ts";
import type { Journal, JournalFault } from "./journal.ts";
import { storeServerLimits } from "./limits.ts";
import { decodeEntry, decodeRecord, encodeEntry, encodeRecord, recordFormat } from "./record-codec.ts";

/** Primary result codes of SQLite that we tell apart. */
const sqliteFull = 13;
const sqliteBusy = 5;

/** Another layout, to be told from damage: "weft". */
const applicationId = 0x77656674;

/**
 * A journal in one SQLite file: a snapshot of the tree and the records since, each with a checksum. WAL with synchronous=FULL:
 * a commit is on the disk when it returns. A second file holds the lock that keeps a second server out.
 */
export class SqliteJournal implements Journal {
  readonly #db: DatabaseSync;
  readonly #lock: DatabaseSync;
  readonly #insert: StatementSync;
  #records = 0;
  #trimUpTo = 0;

  private constructor(db: DatabaseSync, lock: DatabaseSync) {
    this.#db = db;
    this.#lock = lock;
    this.#insert = db.prepare("INSERT INTO log(zxid, crc, record) VALUES (?, ?, ?)");
  }

  /** Opens or makes the journal of a folder, which is made with mode 0700. */
  static open(folder: string): Result<SqliteJournal, JournalFault> {
    let lock: DatabaseSync | undefined;
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      lock = new DatabaseSync(join(folder, "lock.sqlite"));
      lock.exec("PRAGMA journal_mode=MEMORY; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE");
    } catch (error) {
      lock?.close();
      if (codeOf(error) !== sqliteBusy) return err(faultOf(error));
      return err({ kind: "foreign", why: `another server uses ${folder}` });
    }
    try {
      const db = new DatabaseSync(join(folder, "store.sqlite"));
      const fault = prepare(db);
      if (fault === undefined) return ok(new SqliteJournal(db, lock));
      db.close();
      lock.close();
      return err(fault);
    } catch (error) {
      lock.close();
      return err(faultOf(error));
    }
  }

  load(): Result<DataTree, JournalFault> {
    try {
      const tree = DataTree.restore(this.#snapshot());
      this.#records = 0;
      for (const row of this.#db
        .prepare("SELECT zxid, crc, record FROM log WHERE zxid > ? ORDER BY zxid")
        .iterate(tree.zxid)) {
        tree.apply(checked(row, "record", decodeRecord));
        this.#records += 1;
      }
      return ok(tree);
    } catch (error) {
      return err(faultOf(error));
    }
  }

  append(records: readonly TransactionRecord[]): Result<void, JournalFault> {
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      for (const record of records) {
        const bytes = encodeRecord(record);
        this.#insert.run(record.zxid, crc32(bytes), bytes);
      }
      this.#db.exec("COMMIT");
    } catch (error) {
      this.#rollBack();
      return err(faultOf(error));
    }
    this.#records += records.length;
    return ok(undefined);
  }

  hasRoom(): boolean {
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      this.#db.prepare("REPLACE INTO meta(key, value) VALUES ('probe', zeroblob(?))").run(storeServerLimits.probeBytes);
      this.#db.exec("COMMIT");
      this.#db.exec("DELETE FROM meta WHERE key = 'probe'");
      return true;
    } catch {
      this.#rollBack();
      return false;
    }
  }

  maintain(tree: DataTree): boolean {
    if (this.#trimUpTo > 0) this.#trim();
    const { snapshotMinRecords, snapshotPerNode } = storeServerLimits;
    if (this.#records < snapshotMinRecords || this.#records < tree.nodes * snapshotPerNode) return false;
    return this.snapshot(tree);
  }

  /** Writes the tree as the snapshot that later loads begin with. False when the disk is full: the log stays. */
  snapshot(tree: DataTree): boolean {
    try {
      this.#db.exec("BEGIN IMMEDIATE; DELETE FROM snapshot");
      const insert = this.#db.prepare("INSERT INTO snapshot(crc, entry) VALUES (?, ?)");
      for (const entry of tree.snapshot()) {
        const bytes = encodeEntry(entry);
        insert.run(crc32(bytes), bytes);
      }
      this.#db.exec("COMMIT");
    } catch {
      this.#rollBack();
      return false;
    }
    this.#records = 0;
    this.#trimUpTo = tree.zxid;
    return true;
  }

  /** For tests: no page more than these may be used, as if the disk were full. */
  limitPages(pages: number): void {
    this.#db.exec(`PRAGMA max_page_count = ${Math.floor(pages)}`);
  }

  /** Pages in use. */
  get pages(): number {
    return Number(this.#db.prepare("PRAGMA page_count").get()?.["page_count"] ?? 0);
  }

  close(): void {
    this.#db.close();
    this.#lock.close();
  }

  *#snapshot(): Generator<SnapshotEntry> {
    for (const row of this.#db.prepare("SELECT seq, crc, entry FROM snapshot ORDER BY seq").iterate()) {
      yield checked(row, "entry", decodeEntry);
    }
  }

  #trim(): void {
    try {
      const first = this.#db.prepare("SELECT min(zxid) AS first FROM log").get()?.["first"];
      const upTo = Math.min(this.#trimUpTo, Number(first ?? 0) + storeServerLimits.trimRecords);
      this.#db.prepare("DELETE FROM log WHERE zxid <= ?").run(upTo);
      if (first === null || upTo >= this.#trimUpTo) this.#trimUpTo = 0;
    } catch {
      // A full disk: records that a snapshot covers do no harm, the next round tries again.
      this.#rollBack();
    }
  }

  #rollBack(): void {
    if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
  }
}

function prepare(db: DatabaseSync): JournalFault | undefined {
  const pragma = (name: string): number => Number(db.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
  const isNew = pragma("page_count") === 0;
  if (!isNew && pragma("application_id") !== applicationId)
    return { kind: "foreign", why: "store.sqlite is not a weft store" };
  if (!isNew && pragma("user_version") !== recordFormat) {
    return {
      kind: "foreign",
      why: `store.sqlite has format ${pragma("user_version")}, this server reads ${recordFormat}`,
    };
  }
  db.exec(`
    PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-16000;
    PRAGMA application_id=${applicationId}; PRAGMA user_version=${recordFormat};
    CREATE TABLE IF NOT EXISTS log(zxid INTEGER PRIMARY KEY, crc INTEGER NOT NULL, record BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS snapshot(seq INTEGER PRIMARY KEY, crc INTEGER NOT NULL, entry BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
  `);
  return undefined;
}

/** Content that was not what we wrote: thrown inside `load`, told as a fault. */
class Damage extends Error {}

function checked<T>(
  row: Record<string, unknown>,
  column: "record" | "entry",
  decode: (bytes: Uint8Array) => Result<T, JuteError>,
): T {
  const name = column === "record" ? `log record ${row["zxid"]}` : `snapshot entry ${row["seq"]}`;
  const bytes = row[column] as Uint8Array;
  if (crc32(bytes) !== row["crc"]) throw new Damage(`${name}: wrong checksum`);
  const read = decode(bytes);
  if (!read.ok) throw new Damage(`${name}: ${read.error.field}: ${read.error.why}`);
  return read.value;
}

function codeOf(error: unknown): number | undefined {
  const code = (error as { readonly errcode?: unknown } | undefined)?.errcode;
  return typeof code === "number" ? code & 0xff : undefined;
}

function faultOf(error: unknown): JournalFault {
  const why = error instanceof Error ? error.message : String(error);
  const isFull = codeOf(error) === sqliteFull || (error as { readonly code?: unknown }).code === "ENOSPC";
  return { kind: isFull ? "full" : "broken", why };
}
