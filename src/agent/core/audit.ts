import type { Instant } from "../../base/clock.ts";
import { formatAction } from "../../flow/format-action.ts";
import { formatKey } from "../../flow/key.ts";
import { ACTION_DROP, ACTION_KIND_MASK, ACTION_WORDS, SHARD_COUNT, SLOT_ACTION } from "../../flow/layout.ts";
import type { FlowBook } from "./flow-book.ts";
import { AUDIT_FLOWS, AUDIT_SLOTS, AUDIT_TURN_MS } from "./limits.ts";
import type { FromWorker } from "./messages.ts";
import type { Resimulation } from "./resimulation.ts";
import type { Translator } from "./translate.ts";
import type { WorkerCounts } from "./worker-counts.ts";

/** What an audit works on. */
export interface FlowAuditParts {
  readonly book: FlowBook;
  readonly resimulation: Resimulation;
  readonly translator: Translator;
  readonly counts: WorkerCounts;
  /** Shards of this worker. */
  readonly shards: readonly number[];
  /** Any number: where among its slots the worker begins. */
  readonly from: number;
  send(message: FromWorker): void;
}

/**
 * Holds installed flows against what a simulation says today, a few each second, round and round, while the worker has nothing else to do.
 * Every change of the world reaches its flows by their tags; this finds what went wrong all the same: a word of the shared memory that
 * somebody changed, a flow without its tags. What differs is put right, counted and told.
 */
export class FlowAudit {
  readonly #parts: FlowAuditParts;
  readonly #slotsOfShard: number;
  #next: number;
  #dueAt: Instant = Number.POSITIVE_INFINITY;

  constructor(parts: FlowAuditParts) {
    this.#parts = parts;
    this.#slotsOfShard = parts.book.table.slots / SHARD_COUNT;
    this.#next = parts.from % (this.#slotsOfShard * parts.shards.length);
  }

  /** The world is complete: before, a simulation would find too little. */
  begin(now: Instant): void {
    this.#dueAt = now + AUDIT_TURN_MS;
  }

  /** Looks at a few flows when it is time. Called by a worker that is idle. */
  turn(now: Instant): void {
    if (now < this.#dueAt) return;
    this.#dueAt = now + AUDIT_TURN_MS;
    const { book, counts } = this.#parts;
    let looked = 0;
    const slots = Math.min(AUDIT_SLOTS, this.#slotsOfShard * this.#parts.shards.length);
    for (let i = 0; i < slots && looked < AUDIT_FLOWS; i++) {
      const slot = this.#take();
      // What waits to be simulated again is known to differ.
      if (!book.table.isLive(slot) || book.isQueued(slot)) continue;
      looked++;
      this.#look(slot, now);
    }
    if (looked > 0) counts.metrics.add("weft_worker_audit_flows", looked);
  }

  #take(): number {
    const { shards } = this.#parts;
    const at = this.#next;
    this.#next = at + 1 < this.#slotsOfShard * shards.length ? at + 1 : 0;
    const shard = shards[Math.floor(at / this.#slotsOfShard)] as number;
    return shard * this.#slotsOfShard + (at % this.#slotsOfShard);
  }

  #look(slot: number, now: Instant): void {
    const { book, resimulation, translator } = this.#parts;
    const lifeS = resimulation.check(slot, "check", now);
    const at = book.table.keyAt(slot) + SLOT_ACTION;
    if (lifeS === undefined) {
      // What waits, waits for a neighbor that is too old by now: such a flow ends at its hard time, as was meant. And drops for want
      // of an answer end soon by themselves; only a packet can say more.
      if (resimulation.isWaiting) return;
      if (((book.table.words[at] as number) & ACTION_KIND_MASK) === ACTION_DROP) return;
      this.#tell(slot, "none");
      return book.remove(slot);
    }
    const { action, group } = translator;
    if (this.#isSame(at, action) && this.#hasTags(slot)) return;
    this.#tell(slot, formatAction(action, 0));
    book.renew(slot, { action, group, tags: resimulation.tags, lifeS }, now);
  }

  #isSame(at: number, action: Uint32Array): boolean {
    const { words } = this.#parts.book.table;
    for (let i = 0; i < ACTION_WORDS; i++) if (words[at + i] !== action[i]) return false;
    return true;
  }

  /** Whether the flow has every tag that it would earn now. */
  #hasTags(slot: number): boolean {
    const { tags, count } = this.#parts.resimulation.tags;
    const held = new Set(this.#parts.book.tagsOf(slot));
    for (let i = 0; i < count; i++) if (!held.has(tags[i] as number)) return false;
    return true;
  }

  #tell(slot: number, wanted: string): void {
    const { book, counts, send } = this.#parts;
    counts.metrics.add("weft_worker_audit_differences");
    const key = formatKey(book.table.words, book.table.keyAt(slot));
    send({ kind: "audit", key, installed: formatAction(book.actionOf(slot), 0), wanted });
  }
}
