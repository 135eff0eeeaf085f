import type { Duration, Instant } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Counters } from "../base/metrics.ts";
import type { Scheduler, Timer } from "../base/scheduler.ts";
import type { Id } from "../model/objects.ts";
import type { LocalJournal } from "../store/local.ts";
import { encodeSnapshot, type KnownWorld } from "./core/world-snapshot.ts";
import type { hostMemoryMetrics } from "./host-memory.ts";
import { SNAPSHOT_BYTES_MAX, SNAPSHOT_DELAY_MS, SNAPSHOT_PIECE_BYTES, SNAPSHOT_SHARE } from "./limits.ts";

/** What a snapshot keeper is made of. */
export interface SnapshotKeeperParts {
  readonly hostId: Id;
  readonly journal: LocalJournal;
  readonly scheduler: Scheduler;
  readonly log: Log;
  readonly counters: Counters<typeof hostMemoryMetrics>;
  /** What is known now; undefined when it is not the moment for a snapshot. */
  take(): KnownWorld | undefined;
}

/**
 * Writes what is known to the host's disk, some time after it changed, and never so often that it costs more than a small share of
 * the control thread; in pieces, between which that thread does what else there is. Packets are other threads' work.
 */
export class SnapshotKeeper {
  readonly #parts: SnapshotKeeperParts;
  #timer: Timer | undefined;
  #costMs: Duration = 0;
  #isDirty = false;
  #isClosed = false;
  #isTooLarge = false;
  #work: Promise<void> = Promise.resolve();

  constructor(parts: SnapshotKeeperParts) {
    this.#parts = parts;
  }

  /** Something has changed. */
  touch(): void {
    this.#isDirty = true;
    if (this.#timer !== undefined || this.#isClosed) return;
    const wait = Math.max(SNAPSHOT_DELAY_MS, this.#costMs / SNAPSHOT_SHARE);
    this.#timer = this.#parts.scheduler.after(wait, () => {
      this.#timer = undefined;
      void this.write();
    });
  }

  /** Writes now what has changed since the last time, after what is being written. */
  write(): Promise<void> {
    this.#work = this.#work.then(() => this.#write());
    return this.#work;
  }

  async #write(): Promise<void> {
    if (!this.#isDirty || this.#isClosed) return;
    const startedAt = this.#parts.scheduler.clock.now();
    const known = this.#parts.take();
    if (known === undefined) return this.touch();
    this.#isDirty = false;
    const records = await this.#encode(known, startedAt);
    if (records === undefined) return;
    // The store has gone meanwhile, or was emptied: what was read of it last may be what it lost.
    if (this.#parts.take() === undefined) return this.touch();
    const written = await this.#parts.journal.replace(records);
    this.#parts.counters.add(written.ok ? "weft_agent_snapshots" : "weft_agent_snapshot_failures");
    if (written.ok) return;
    this.#parts.log.error("snapshot.failed", { why: written.error.code });
    this.touch();
  }

  /** Writes no more; what is not on its way to the disk is given up. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  /** The records, made piece by piece; undefined when they are too many, or nobody wants them any more. */
  async #encode(known: KnownWorld, from: Instant): Promise<readonly Uint8Array[] | undefined> {
    const { scheduler, hostId, counters } = this.#parts;
    const records: Uint8Array[] = [];
    let [bytes, pieceEnd, startedAt, costMs] = [0, SNAPSHOT_PIECE_BYTES, from, 0];
    for (const record of encodeSnapshot(known, hostId)) {
      records.push(record);
      bytes += record.length;
      if (bytes < pieceEnd) continue;
      costMs += scheduler.clock.now() - startedAt;
      await new Promise<void>((resolve) => scheduler.soon(resolve));
      if (this.#isClosed) return undefined;
      startedAt = scheduler.clock.now();
      pieceEnd = bytes + SNAPSHOT_PIECE_BYTES;
    }
    this.#costMs = costMs + scheduler.clock.now() - startedAt;
    counters.set("weft_agent_snapshot_bytes", bytes);
    if (bytes > SNAPSHOT_BYTES_MAX) {
      this.#tooLarge(bytes);
      return undefined;
    }
    this.#isTooLarge = false;
    return records;
  }

  #tooLarge(bytes: number): void {
    this.#parts.counters.add("weft_agent_snapshot_failures");
    if (!this.#isTooLarge) this.#parts.log.error("snapshot.failed", { why: `${bytes} of ${SNAPSHOT_BYTES_MAX} bytes` });
    this.#isTooLarge = true;
  }
}
