import type { Log } from "../base/log.ts";
import { Counters } from "../base/metrics.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Scheduler } from "../base/scheduler.ts";
import type { Id } from "../model/objects.ts";
import type { LocalContent, LocalJournal } from "../store/local.ts";
import type { SessionTicket } from "../store/tree.ts";
import { decodeKept, encodeKept, KEPT_VERSION, Kept, type KeptRecord, type KeptSession } from "./core/kept.ts";
import { JOURNAL_SLACK_RECORDS } from "./limits.ts";

/** What an agent counts about what it keeps on its own disk. */
export const hostMemoryMetrics = {
  weft_agent_journal_syncs: "times that the agent's journal was written and flushed",
  weft_agent_journal_failures: "writes of the agent's journal that the disk refused; tried again with the next change",
  weft_agent_journal_rewrites: "times that the agent's journal was written anew because most of it was superseded",
  weft_agent_snapshots: "snapshots of what the agent knows that were written",
  weft_agent_snapshot_failures: "snapshots that were too large or that the disk refused; the one before stays",
  weft_agent_snapshot_bytes: "size of the last snapshot (gauge)",
} as const;

/** What a host's memory is made of. */
export interface HostMemoryParts {
  readonly hostId: Id;
  readonly journal: LocalJournal;
  /** Holds the last snapshot, see `WorldSnapshot`. */
  readonly snapshots: LocalJournal;
  readonly scheduler: Scheduler;
  readonly log: Log;
  /** Closes the files and lets another process have them. */
  release?(): Promise<void>;
}

/**
 * What an agent must not forget when its process ends, in a journal on its own disk: the session with the store, tunnel keys in use
 * and at rest, the mark of the store's layout. Changes are gathered: while one write is under way the next ones wait and go together.
 * A disk that refuses costs memory of the next restart, never forwarding.
 */
export class HostMemory {
  readonly counters = new Counters(hostMemoryMetrics);
  readonly #parts: HostMemoryParts;
  readonly #kept: Kept;
  #records: number;
  #writing: Promise<void> | undefined;
  #isDirty = false;
  #isFailing = false;

  private constructor(parts: HostMemoryParts, kept: Kept, records: number) {
    this.#parts = parts;
    this.#kept = kept;
    this.#records = records;
  }

  /** Reads what an earlier agent of this host kept. The error is a sentence that says what to do. */
  static async open(parts: HostMemoryParts): Promise<Result<HostMemory, string>> {
    const read = await parts.journal.read();
    if (!read.ok) return err(`the journal of the agent cannot be read (${read.error.code})`);
    return HostMemory.of(parts, read.value);
  }

  /** The same of a journal whose content was read already. */
  static of(parts: HostMemoryParts, { records, damagedBytes }: LocalContent): Result<HostMemory, string> {
    const { hostId, log } = parts;
    if (damagedBytes > 0) log.warn("journal.damaged", { bytes: damagedBytes });
    const kept = records.length === 0 ? ok(new Kept()) : decodeKept(records, hostId);
    if (!kept.ok) return kept;
    const memory = new HostMemory(parts, kept.value, records.length);
    if (records.length === 0) memory.keep({ record: "agent-journal", v: KEPT_VERSION, hostId });
    return ok(memory);
  }

  /** Where snapshots are. */
  get snapshots(): LocalJournal {
    return this.#parts.snapshots;
  }

  /** What is kept now. */
  get kept(): Kept {
    return this.#kept;
  }

  /** The session that an earlier agent left open. */
  get ticket(): SessionTicket | undefined {
    const { session } = this.#kept;
    if (session === undefined) return undefined;
    const password = Uint8Array.from(Buffer.from(session.password, "hex"));
    return { id: BigInt(`0x${session.id}`), password, lastZxid: BigInt(`0x${session.lastZxid}`) };
  }

  /** Takes a record in; it is written soon. */
  keep(record: KeptRecord): void {
    this.#kept.take(record);
    this.#parts.journal.append(encodeKept(record));
    this.#records++;
    this.#isDirty = true;
    this.#writing ??= this.#writeAll();
  }

  /** Keeps the session, or that there is none. */
  keepSession(ticket: SessionTicket | undefined): void {
    const session = ticket === undefined ? null : textOf(ticket);
    if (JSON.stringify(session) !== JSON.stringify(this.#kept.session ?? null))
      this.keep({ record: "session", session });
  }

  /** Resolves when everything that was kept is on the disk, or the disk has refused. */
  async settled(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  /** Ends: what was kept is written, then another process of this host may open it. */
  async close(): Promise<void> {
    await this.settled();
    await this.#parts.release?.();
  }

  async #writeAll(): Promise<void> {
    // What one turn of the event loop brings is written as one.
    await new Promise<void>((resolve) => this.#parts.scheduler.soon(resolve));
    while (this.#isDirty) {
      this.#isDirty = false;
      if (this.#records > 2 * this.#kept.size + JOURNAL_SLACK_RECORDS) await this.#rewrite();
      else this.#note(await this.#parts.journal.sync());
    }
    this.#writing = undefined;
  }

  async #rewrite(): Promise<void> {
    const { hostId, journal, scheduler } = this.#parts;
    const records = this.#kept.records(hostId, scheduler.clock.wall());
    this.#counters("weft_agent_journal_rewrites");
    const written = await journal.replace(records.map(encodeKept));
    if (written.ok) this.#records = records.length;
    this.#note(written);
  }

  #note(written: Result<void, { readonly code: string }>): void {
    this.#counters(written.ok ? "weft_agent_journal_syncs" : "weft_agent_journal_failures");
    if (!written.ok && !this.#isFailing) this.#parts.log.error("journal.failed", { code: written.error.code });
    if (written.ok && this.#isFailing) this.#parts.log.info("journal.restored", {});
    this.#isFailing = !written.ok;
  }

  #counters(name: keyof typeof hostMemoryMetrics): void {
    this.counters.add(name);
  }
}

function textOf({ id, password, lastZxid }: SessionTicket): KeptSession {
  return { id: id.toString(16), password: Buffer.from(password).toString("hex"), lastZxid: lastZxid.toString(16) };
}
