import { err, ok, type Result } from "../../base/result.ts";
import type { LocalContent, LocalError, LocalJournal } from "../local.ts";
import { decodeRecords, encodeRecord } from "../local-records.ts";

/** A journal that forgets what a disk would forget: the fake of agents' crash tests. Survives its users, as a disk does. */
export class MemoryLocalJournal implements LocalJournal {
  /** On the disk for sure. */
  #durable: Uint8Array = new Uint8Array(0);
  /** Written since, may be lost. */
  #volatile: Uint8Array[] = [];
  #mayBeDamaged = false;
  #failure: LocalError | undefined;

  append(record: Uint8Array): void {
    if (this.#mayBeDamaged) this.#dropDamage();
    this.#volatile.push(encodeRecord(record));
  }

  async sync(): Promise<Result<void, LocalError>> {
    if (this.#failure !== undefined) return err(this.#failure);
    this.#durable = joined([this.#durable, ...this.#volatile]);
    this.#volatile = [];
    return ok(undefined);
  }

  async read(): Promise<Result<LocalContent, LocalError>> {
    if (this.#failure?.what === "read") return err(this.#failure);
    return ok(this.content);
  }

  async replace(records: readonly Uint8Array[]): Promise<Result<void, LocalError>> {
    if (this.#failure !== undefined) return err(this.#failure);
    this.#durable = joined(records.map(encodeRecord));
    this.#volatile = [];
    this.#mayBeDamaged = false;
    return ok(undefined);
  }

  /** Power is lost: of what was not synced, only the first `survivingBytes` are found again. */
  losePower(survivingBytes = 0): void {
    this.#durable = joined([this.#durable, joined(this.#volatile).subarray(0, survivingBytes)]);
    this.#volatile = [];
    this.#mayBeDamaged = true;
  }

  /** What is in it. */
  get content(): LocalContent {
    return decodeRecords(joined([this.#durable, ...this.#volatile]));
  }

  /** How many bytes a loss of power would put at risk. */
  get unsyncedBytes(): number {
    return this.#volatile.reduce((sum, { length }) => sum + length, 0);
  }

  /** Lets every write, or every access, fail like this until called with undefined. */
  failWith(failure: LocalError | undefined): void {
    this.#failure = failure;
  }

  #dropDamage(): void {
    const { damagedBytes } = decodeRecords(this.#durable);
    this.#durable = this.#durable.slice(0, this.#durable.length - damagedBytes);
    this.#mayBeDamaged = false;
  }
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
