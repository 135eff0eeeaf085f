import type { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { Result } from "../base/result.ts";
import type { JuteError } from "../zookeeper/jute.ts";
import type { JournalFault } from "./journal.ts";
import { recordFormat } from "./record-codec.ts";

/** Primary result codes of SQLite that we tell apart. */
export const sqliteCode = { busy: 5, full: 13 } as const;

/** Tells our files from those of others: "weft". */
const applicationId = 0x77656674;

/** What is wrong with a file: thrown while it is read, told as a fault. */
export class FileFault extends Error {
  readonly kind: JournalFault["kind"];

  constructor(kind: JournalFault["kind"], why: string) {
    super(why);
    this.kind = kind;
  }
}

/** Makes a new file ours. */
export function markDatabase(db: DatabaseSync): void {
  db.exec(`PRAGMA application_id=${applicationId}; PRAGMA user_version=${recordFormat}`);
}

/** Throws unless the file is ours and of a format that we read. */
export function refuseForeign(db: DatabaseSync, name: string): void {
  if (pragma(db, "application_id") !== applicationId) throw new FileFault("foreign", `${name} is not a weft store`);
  const version = pragma(db, "user_version");
  if (version === recordFormat) return;
  throw new FileFault("foreign", `${name} has format ${version}, this server reads ${recordFormat}`);
}

/** Value of a pragma that is a number. */
export function pragma(db: DatabaseSync, name: string): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
}

/** How to read a row: which column, what to call it when it is damaged, and what its bytes mean. */
export interface RowReader<T> {
  readonly column: string;
  readonly name: string;
  decode(bytes: Uint8Array): Result<T, JuteError>;
}

/** The content of a row whose checksum is right. Throws a fault that names the row. */
export function checkedRow<T>(row: Record<string, unknown>, { column, name, decode }: RowReader<T>): T {
  const bytes = row[column] as Uint8Array;
  if (crc32(bytes) !== row["crc"]) throw new FileFault("broken", `${name}: wrong checksum`);
  const read = decode(bytes);
  if (!read.ok) throw new FileFault("broken", `${name}: ${read.error.field}: ${read.error.why}`);
  return read.value;
}

/** SQLite's primary result code of an error, when it is one. */
export function codeOf(error: unknown): number | undefined {
  const code = (error as { readonly errcode?: unknown } | undefined)?.errcode;
  return typeof code === "number" ? code & 0xff : undefined;
}

/** An error of SQLite, of the file system or of ours as a fault. */
export function faultOf(error: unknown): JournalFault {
  const why = error instanceof Error ? error.message : String(error);
  if (error instanceof FileFault) return { kind: error.kind, why };
  const isFull = codeOf(error) === sqliteCode.full || (error as { readonly code?: unknown }).code === "ENOSPC";
  return { kind: isFull ? "full" : "broken", why };
}
