import type { Result } from "../base/result.ts";

/**
 * A journal on the machine's own disk: what an agent must know before the store answers (its slice, bindings, generations).
 * Records are opaque bytes, kept in order. One process writes it at a time.
 *
 * - `append` only remembers; what was appended before a `sync` that resolved with success survives a loss of power.
 * - What was appended after it may survive, wholly or in part, from the front. A record is never read half.
 */
export interface LocalJournal {
  /** Adds a record at the end, in memory first. The caller must not change the array afterwards. */
  append(record: Uint8Array): void;
  /** Writes everything appended so far and waits until the disk has it. Calls may overlap. */
  sync(): Promise<Result<void, LocalError>>;
  /** All records, oldest first, and how much at the end could not be read: the trace of a loss of power. */
  read(): Promise<Result<LocalContent, LocalError>>;
  /** Puts these records in the place of all others, at once or not at all: a snapshot. Durable when it resolves. */
  replace(records: readonly Uint8Array[]): Promise<Result<void, LocalError>>;
}

/** What a journal holds. */
export interface LocalContent {
  readonly records: readonly Uint8Array[];
  /** Bytes after the last whole record; dropped by the next `append`. */
  readonly damagedBytes: number;
}

/** Why the disk did not do it: a full disk, a missing folder, another process. `code` is the system's name (ENOSPC). */
export interface LocalError {
  readonly code: string;
  readonly what: "write" | "sync" | "read";
}
