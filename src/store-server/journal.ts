import type { Result } from "../base/result.ts";
import type { DataTree } from "../store/data-tree.ts";
import type { TransactionRecord } from "../store/data-tree-record.ts";

/**
 * Where a store server keeps what it has acknowledged.
 * `append` is all or nothing and durable when it returns; what it refused is not there, also after a crash.
 */
export interface Journal {
  /** The tree as of the last append. Reads everything; used at the start and after a failed append. */
  load(): Result<DataTree, JournalFault>;
  append(records: readonly TransactionRecord[]): Result<void, JournalFault>;
  /** Whether an append of some size would work now; asked while the disk is full. */
  hasRoom(): boolean;
  /** Called between turns: has a snapshot written when one is due. Answers whether one was finished since the last call. */
  maintain(tree: DataTree): boolean;
  close(): void;
}

/** `full`: no room, nothing lost. `broken`: the medium cannot be trusted; the process must end. `foreign`: not our file. */
export type JournalFault = { readonly kind: "full" | "broken" | "foreign"; readonly why: string };
