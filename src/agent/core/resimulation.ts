import type { Instant } from "../../base/clock.ts";
import { KEY_WORDS } from "../../flow/layout.ts";
import type { TagList } from "../../flow/tag-index.ts";
import type { SimResult, WalkFacts } from "../../sim/result.ts";
import type { SimInput } from "../../sim/sim-input.ts";
import type { Simulator } from "../../sim/simulator.ts";
import type { FlowBook } from "./flow-book.ts";
import { ADOPT_EVIDENCE_MS, EXPIRY_CHUNK, FLOW_LIFE_S, RESIMULATION_CHUNK, TEMPORARY_DROP_LIFE_S } from "./limits.ts";
import type { Translator } from "./translate.ts";
import type { WorkerCounts } from "./worker-counts.ts";

/** What re-simulation works on. */
export interface ResimulationParts {
  readonly simulator: Simulator;
  readonly translator: Translator;
  readonly book: FlowBook;
  readonly counts: WorkerCounts;
  /** Takes what a flow of an earlier process stands for: the addresses that its packets have taught. */
  taught(facts: WalkFacts, now: Instant): void;
}

/** Of a flow that depends on nothing. */
export const NO_TAGS: TagList = {
  ...{ tags: new Uint32Array(0), count: 0, references: new Uint32Array(0), referenceCount: 0, hash: 0 },
};

/**
 * Simulates installed flows again, in place, by their masked keys: when something that they depend on has changed, and at
 * their hard time when they are still used. A flow whose new answer needs more of the packet than its key has is removed;
 * the next packet goes up as a miss. Every other flow forwards by the old action until the new one is written.
 * A flow that an earlier process left, and that was used lately, stands for the packets that taught where its source is: it teaches
 * the same again, so that the entry lives on, unless somebody else has said since that the source is elsewhere.
 */
export class Resimulation {
  readonly #parts: ResimulationParts;
  readonly #key = new Uint32Array(KEY_WORDS);
  #result: SimResult | undefined;
  readonly #input: { -readonly [K in keyof SimInput]: SimInput[K] };

  constructor(parts: ResimulationParts) {
    this.#parts = parts;
    this.#input = { mode: "check", key: this.#key, keyOffset: 0, ingress: 0, frame: undefined, unresolved: undefined };
  }

  /** A bounded number of flows that wait for it, and of flows whose time is over. True when anything was done. */
  turn(now: Instant): boolean {
    const { book, counts } = this.#parts;
    let done = 0;
    for (; done < RESIMULATION_CHUNK; done++) {
      const slot = book.nextQueued();
      if (slot < 0) break;
      this.#again(slot, "check", now);
    }
    if (done > 0) counts.metrics.add("weft_worker_flows_resimulated", done);
    for (let i = 0; i < EXPIRY_CHUNK; i++) {
      const slot = book.nextExpired(now);
      if (slot < 0) break;
      this.#expire(slot, now);
    }
    return done > 0;
  }

  #expire(slot: number, now: Instant): void {
    const { book, counts } = this.#parts;
    if (!book.wasUsed(slot)) {
      book.remove(slot);
      return counts.metrics.add("weft_worker_flows_expired");
    }
    counts.metrics.add("weft_worker_flows_renewed");
    this.#again(slot, "renew", now);
  }

  /**
   * What the flow of a slot ought to be: its life, with the action in the translator and the tags in `tags` until the next call; or
   * undefined when it cannot be kept under its mask. Changes nothing.
   */
  check(slot: number, mode: "check" | "renew" | "adopt", now: Instant): number | undefined {
    const { book, simulator } = this.#parts;
    book.keyOf(slot, this.#key);
    this.#input.mode = mode;
    this.#result = simulator.simulate(this.#input, now);
    return this.#translate(this.#result, book.table.classAt(slot));
  }

  /** True when the last flow that was checked would have to wait for an answer. */
  get isWaiting(): boolean {
    return this.#result?.kind === "wait";
  }

  /** Tags of the last flow that was checked. */
  get tags(): TagList {
    return this.#result?.facts.tags ?? NO_TAGS;
  }

  #again(slot: number, mode: "check" | "renew", now: Instant): void {
    const { book, counts } = this.#parts;
    const isLeft = book.isLeft(slot);
    const teaches = isLeft && (((now >>> 0) - book.table.usedAt(slot)) | 0) <= ADOPT_EVIDENCE_MS;
    const lifeS = this.check(slot, teaches ? "adopt" : mode, now);
    if (lifeS === undefined || this.#result === undefined) {
      counts.metrics.add("weft_worker_flows_removed");
      return book.remove(slot);
    }
    const { action, group } = this.#parts.translator;
    const { facts } = this.#result;
    if (isLeft) this.#parts.taught(facts, now);
    book.renew(slot, { action, group, tags: facts.tags, lifeS }, now);
  }

  /** The life of the flow with its new action, or undefined when it cannot be kept under its mask. */
  #translate(result: SimResult, flowClass: number): number | undefined {
    const { translator } = this.#parts;
    if (result.facts.level > flowClass) return undefined;
    if (result.kind === "drop") {
      if (result.isTransient) return undefined;
      translator.drop(result.reason, result.facts.routers);
      return result.isTemporary ? TEMPORARY_DROP_LIFE_S : FLOW_LIFE_S;
    }
    if (result.kind !== "forward" || result.isTransient) return undefined;
    const nowhere = translator.forward(result);
    if (translator.isUngrouped) return undefined;
    return nowhere === undefined ? FLOW_LIFE_S : TEMPORARY_DROP_LIFE_S;
  }
}
