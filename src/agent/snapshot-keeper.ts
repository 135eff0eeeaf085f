import type { Duration } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Counters } from "../base/metrics.ts";
import type { Scheduler, Timer } from "../base/scheduler.ts";
import type { Id } from "../model/objects.ts";
import type { LocalJournal } from "../store/local.ts";
import { encodeSnapshot, type WorldSnapshot } from "./core/world-snapshot.ts";
import type { hostMemoryMetrics } from "./host-memory.ts";
import { SNAPSHOT_BYTES_MAX, SNAPSHOT_DELAY_MS, SNAPSHOT_SHARE } from "./limits.ts";

/** What a snapshot keeper is made of. */
export interface SnapshotKeeperParts {
  readonly hostId: Id;
  readonly journal: LocalJournal;
  readonly scheduler: Scheduler;
  readonly log: Log;
  readonly counters: Counters<typeof hostMemoryMetrics>;
  /** What is known now; undefined when it is not the moment for a snapshot. */
  take(): WorldSnapshot | undefined;
}

/**
 * Writes what is known to the host's disk, some time after it changed, and never so often that it costs more than a small share of
 * the control thread. Packets are other threads' work.
 */
export class SnapshotKeeper {
  readonly #parts: SnapshotKeeperParts;
  #timer: Timer | undefined;
  #costMs: Duration = 0;
  #isDirty = false;
  #isClosed = false;
  #isTooLarge = false;

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

  /** Writes now what has changed since the last time. */
  async write(): Promise<void> {
    if (!this.#isDirty || this.#isClosed) return;
    const { scheduler, journal, hostId, counters } = this.#parts;
    const startedAt = scheduler.clock.now();
    const snapshot = this.#parts.take();
    if (snapshot === undefined) return this.touch();
    this.#isDirty = false;
    const records = encodeSnapshot(snapshot, hostId);
    const bytes = records.reduce((sum, { length }) => sum + length, 0);
    counters.set("weft_agent_snapshot_bytes", bytes);
    this.#costMs = scheduler.clock.now() - startedAt;
    if (bytes > SNAPSHOT_BYTES_MAX) return this.#tooLarge(bytes);
    this.#isTooLarge = false;
    const written = await journal.replace(records);
    counters.add(written.ok ? "weft_agent_snapshots" : "weft_agent_snapshot_failures");
    if (written.ok) return;
    this.#parts.log.error("snapshot.failed", { why: written.error.code });
    this.touch();
  }

  /** Writes no more. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #tooLarge(bytes: number): void {
    this.#parts.counters.add("weft_agent_snapshot_failures");
    if (!this.#isTooLarge) this.#parts.log.error("snapshot.failed", { why: `${bytes} of ${SNAPSHOT_BYTES_MAX} bytes` });
    this.#isTooLarge = true;
  }
}
