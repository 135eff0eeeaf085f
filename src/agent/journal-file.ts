import { constants } from "node:fs";
import { type FileHandle, open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { err, ok, type Result } from "../base/result.ts";
import type { LocalContent, LocalError, LocalJournal } from "../store/local.ts";
import { decodeRecords, encodeRecord } from "../store/local-records.ts";

/** Read and written by its owner only: it holds the password of a session. */
const MODE = 0o600;
/** Bytes that `replace` frames and writes in one go: less than a millisecond. */
const WRITE_PIECE_BYTES = 65_536;

/**
 * A local journal in a file. Records are gathered in memory and written by `sync` in one piece, then flushed to the disk; `replace`
 * writes another file, flushes it, renames it and flushes the folder. Everything happens in the order of the calls. After a failed
 * write the file ends where it ended before, and what was not written is tried again with the next `sync`.
 */
export class FileJournal implements LocalJournal {
  readonly #path: string;
  /** Framed records that are not known to be on the disk, oldest first. */
  #pending: Uint8Array[] = [];
  #file: FileHandle | undefined;
  /** Where the last whole record ends; undefined before the file was looked at. */
  #end: number | undefined;
  #work: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  append(record: Uint8Array): void {
    this.#pending.push(encodeRecord(record));
  }

  sync(): Promise<Result<void, LocalError>> {
    return this.#inTurn("sync", () => this.#write());
  }

  read(): Promise<Result<LocalContent, LocalError>> {
    return this.#inTurn("read", async () => {
      const { records, damagedBytes } = await this.#readFile();
      return { records: [...records, ...decodeRecords(joined(this.#pending)).records], damagedBytes };
    });
  }

  replace(records: readonly Uint8Array[]): Promise<Result<void, LocalError>> {
    const replaced = new Set(this.#pending);
    return this.#inTurn("write", async () => {
      await this.#writeAnew(records);
      this.#pending = this.#pending.filter((record) => !replaced.has(record));
    });
  }

  /** Closes the file after what was asked before. What was appended and not synced is lost. */
  async close(): Promise<void> {
    await this.#inTurn("write", () => this.#closeFile());
  }

  async #write(): Promise<void> {
    const records = [...this.#pending];
    const end = await this.#wholeEnd();
    if (records.length === 0) return;
    const file = await this.#opened();
    const bytes = joined(records);
    try {
      await writeAll(file, bytes, end);
      await file.datasync();
    } catch (error) {
      // What was written of it must not stand in front of what is written next.
      this.#end = undefined;
      await file.truncate(end).catch(() => undefined);
      throw error;
    }
    this.#end = end + bytes.length;
    this.#pending.splice(0, records.length);
  }

  async #writeAnew(records: readonly Uint8Array[]): Promise<void> {
    const path = `${this.#path}.new`;
    const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC, MODE);
    let end = 0;
    try {
      for (const piece of pieces(records)) {
        await writeAll(file, piece, end);
        end += piece.length;
      }
      await file.datasync();
      await rename(path, this.#path);
      await syncFolder(dirname(this.#path));
    } catch (error) {
      await file.close();
      throw error;
    }
    await this.#closeFile();
    this.#file = file;
    this.#end = end;
  }

  /** Where the next record goes. A tail that a loss of power left behind is cut off first. */
  async #wholeEnd(): Promise<number> {
    if (this.#end !== undefined) return this.#end;
    const { damagedBytes } = await this.#readFile();
    const file = await this.#opened();
    const { size } = await file.stat();
    const end = size - damagedBytes;
    if (damagedBytes > 0) await file.truncate(end);
    this.#end = end;
    return end;
  }

  async #readFile(): Promise<LocalContent> {
    const file = await this.#opened();
    const { size } = await file.stat();
    const bytes = new Uint8Array(size);
    let length = 0;
    while (length < size) {
      const { bytesRead } = await file.read(bytes, length, size - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return decodeRecords(bytes.subarray(0, length));
  }

  async #opened(): Promise<FileHandle> {
    if (this.#file === undefined) {
      this.#file = await open(this.#path, constants.O_RDWR | constants.O_CREAT, MODE);
      // Else a loss of power could take the name of a file away whose content was flushed.
      await syncFolder(dirname(this.#path));
    }
    return this.#file;
  }

  async #closeFile(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    this.#end = undefined;
  }

  #inTurn<T>(what: LocalError["what"], run: () => Promise<T>): Promise<Result<T, LocalError>> {
    const done = this.#work.then(async (): Promise<Result<T, LocalError>> => {
      try {
        return ok(await run());
      } catch (error) {
        return err({ code: codeOf(error), what });
      }
    });
    this.#work = done;
    return done;
  }
}

/** Framed records, some of them at a time: checksums of a large snapshot would else hold up the thread. */
function* pieces(records: readonly Uint8Array[]): Generator<Uint8Array> {
  let piece: Uint8Array[] = [];
  let bytes = 0;
  for (const record of records) {
    piece.push(encodeRecord(record));
    bytes += record.length;
    if (bytes < WRITE_PIECE_BYTES) continue;
    yield joined(piece);
    piece = [];
    bytes = 0;
  }
  if (piece.length > 0) yield joined(piece);
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  await folder.sync().finally(() => folder.close());
}

function codeOf(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  throw error;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
