import { err, ok, type Result } from "../base/result.ts";
import { DataTree } from "../store/data-tree.ts";
import type { TransactionRecord } from "../store/data-tree-record.ts";
import type { Journal, JournalFault } from "./journal.ts";

/** A journal in memory that fails when it is told to: for weftsim and tests. It outlives the server that it is given to. */
export class MemoryJournal implements Journal {
  /** Everything acknowledged so far. */
  readonly records: TransactionRecord[] = [];
  /** What the next appends say instead of succeeding. */
  fault: JournalFault | undefined;

  load(): Result<DataTree, JournalFault> {
    const tree = new DataTree();
    for (const record of this.records) tree.apply(record);
    return ok(tree);
  }

  append(records: readonly TransactionRecord[]): Result<void, JournalFault> {
    if (this.fault !== undefined) return err(this.fault);
    this.records.push(...records);
    return ok(undefined);
  }

  hasRoom(): boolean {
    return this.fault === undefined;
  }

  maintain(): boolean {
    return false;
  }

  close(): void {}
}
