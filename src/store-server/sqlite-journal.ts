import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { Worker } from "node:worker_threads";
import { crc32 } from "node:zlib";
import { moduleOf } from "../base/entry.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { DataTree } from "../store/data-tree.ts";
import type { TransactionRecord } from "../store/data-tree-record.ts";
import type { Journal, JournalFault } from "./journal.ts";
import { storeServerLimits } from "./limits.ts";
import { encodeRecord } from "./record-codec.ts";
import { dropDraft, logFile, readTree } from "./snapshot-file.ts";
import { codeOf, faultOf, markDatabase, pragma, refuseForeign, sqliteCode } from "./sqlite-file.ts";

/** When a snapshot is due: after so many records, and so many times the number of nodes. The defaults are in limits.ts. */
export interface SnapshotPolicy {
  readonly snapshotMinRecords: number;
  readonly snapshotPerNode: number;
}

/**
 * A journal in a folder: `store.sqlite` with a record a row, each with a checksum, and `snapshot.sqlite` with the tree as of
 * some record. WAL with synchronous=FULL: a commit is on the disk when it returns. Snapshots are written by a thread that reads
 * the same files, so that no client waits for them. `lock.sqlite` keeps a second server out for as long as this one lives.
 */
export class SqliteJournal implements Journal {
  readonly #folder: string;
  readonly #db: DatabaseSync;
  readonly #lock: DatabaseSync;
  readonly #policy: SnapshotPolicy;
  readonly #insert: StatementSync;
  #records = 0;
  #trimUpTo = 0;
  #worker: Worker | undefined;
  #hasNewSnapshot = false;

  private constructor(folder: string, { db, lock, policy }: JournalParts) {
    this.#folder = folder;
    this.#db = db;
    this.#lock = lock;
    this.#policy = policy;
    this.#insert = db.prepare("INSERT INTO log(zxid, crc, record) VALUES (?, ?, ?)");
  }

  /** Opens or makes the journal of a folder, which is made with mode 0700. */
  static open(folder: string, policy: SnapshotPolicy = storeServerLimits): Result<SqliteJournal, JournalFault> {
    let lock: DatabaseSync | undefined;
    let db: DatabaseSync | undefined;
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      lock = new DatabaseSync(join(folder, "lock.sqlite"));
      lock.exec("PRAGMA journal_mode=MEMORY; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE");
      dropDraft(folder);
      db = new DatabaseSync(logFile(folder));
      prepare(db);
      return ok(new SqliteJournal(folder, { db, lock, policy }));
    } catch (error) {
      const isLocked = db === undefined && codeOf(error) === sqliteCode.busy;
      db?.close();
      lock?.close();
      return err(isLocked ? { kind: "foreign", why: `another server uses ${folder}` } : faultOf(error));
    }
  }

  /** Pages of the log's file. */
  get pages(): number {
    return pragma(this.#db, "page_count");
  }

  load(): Result<DataTree, JournalFault> {
    try {
      const { tree, records } = readTree(this.#folder, this.#db);
      this.#records = records;
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
    const { snapshotMinRecords, snapshotPerNode } = this.#policy;
    const isDue = this.#records >= snapshotMinRecords && this.#records >= tree.nodes * snapshotPerNode;
    if (isDue && this.#worker === undefined) this.#startSnapshot();
    const hadNew = this.#hasNewSnapshot;
    this.#hasNewSnapshot = false;
    return hadNew;
  }

  /** For tests: no page more than these may be used, as if the disk were full. */
  limitPages(pages: number): void {
    this.#db.exec(`PRAGMA max_page_count = ${Math.floor(pages)}`);
  }

  close(): void {
    void this.#worker?.terminate();
    this.#worker = undefined;
    this.#db.close();
    this.#lock.close();
  }

  #startSnapshot(): void {
    const worker = new Worker(moduleOf("store-server/worker.main"), { workerData: { folder: this.#folder } });
    this.#worker = worker;
    // Counted from here: what is written meanwhile is not in the snapshot. A failed one is tried again after as much again.
    this.#records = 0;
    worker.once("message", (zxid: number) => {
      this.#trimUpTo = zxid;
      this.#hasNewSnapshot = true;
    });
    // A full disk, most likely: the log stays, and with it everything.
    worker.on("error", () => undefined);
    worker.once("exit", () => {
      if (this.#worker === worker) this.#worker = undefined;
    });
    worker.unref();
  }

  /** Removes some of the records that the snapshot covers. */
  #trim(): void {
    try {
      const first = this.#db.prepare("SELECT min(zxid) AS first FROM log").get()?.["first"];
      const upTo = Math.min(this.#trimUpTo, Number(first ?? 0) + storeServerLimits.trimRecords);
      this.#db.prepare("DELETE FROM log WHERE zxid <= ?").run(upTo);
      if (first === null || upTo >= this.#trimUpTo) this.#trimUpTo = 0;
    } catch {
      // A full disk: records that a snapshot covers do no harm, the next turn tries again.
      this.#rollBack();
    }
  }

  #rollBack(): void {
    if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
  }
}

interface JournalParts {
  readonly db: DatabaseSync;
  readonly lock: DatabaseSync;
  readonly policy: SnapshotPolicy;
}

function prepare(db: DatabaseSync): void {
  if (pragma(db, "page_count") === 0) markDatabase(db);
  refuseForeign(db, "store.sqlite");
  db.exec(`
    PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-16000;
    CREATE TABLE IF NOT EXISTS log(zxid INTEGER PRIMARY KEY, crc INTEGER NOT NULL, record BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
  `);
}
