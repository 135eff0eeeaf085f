import type { Instant } from "../../base/clock.ts";
import { ACTION_VPORT, GROUP_HEADER_WORDS, GROUP_OUTPUT_WORDS, GROUP_OUTPUTS } from "../../flow/layout.ts";
import { closedGeneration, isValidGeneration, openedGeneration } from "../../flow/slot-protocol.ts";
import { CONTROL_GROUP_FIRST, GROUP_REST_MS } from "./limits.ts";

const RECORD_WORDS = GROUP_HEADER_WORDS + GROUP_OUTPUTS * GROUP_OUTPUT_WORDS;

/** Outputs of a flood as they stand in a group record: 4 words each, local ones first. */
export interface GroupContent {
  readonly words: Uint32Array;
  readonly count: number;
  readonly hash: number;
}

/**
 * A worker's share of the datapath's flood groups. Equal floods share one group, counted by the flows that use it; a group
 * without flows keeps its content until its place is needed, and for `GROUP_REST_MS` in any case: frames that were sent to it
 * may still be on their way, and must not come out where another flood goes.
 */
export class Groups {
  readonly #records: Uint32Array;
  readonly #first: number;
  readonly #users: Int32Array;
  readonly #hashes: Float64Array;
  /** Until when each group keeps its content, used or not. */
  readonly #restsUntil: Float64Array;
  readonly #bySlot = new Map<number, number>();
  #now: Instant = 0;

  constructor(records: Uint32Array, share: { readonly worker: number; readonly workers: number }) {
    const size = Math.floor((CONTROL_GROUP_FIRST - 1) / share.workers);
    this.#records = records;
    this.#first = 1 + share.worker * size;
    this.#users = new Int32Array(size);
    this.#hashes = new Float64Array(size).fill(-1);
    this.#restsUntil = new Float64Array(size).fill(Number.NEGATIVE_INFINITY);
  }

  /** What time it is for the calls that follow. */
  setNow(now: Instant): void {
    this.#now = now;
  }

  /** The group with this content, written if it is new; 0 when none is free. */
  intern(content: GroupContent): number {
    let free = -1;
    for (let i = 0; i < this.#users.length; i++) {
      if (this.#hashes[i] === content.hash >>> 0 && isSameGroup(this.#records, this.#first + i, content))
        return this.#rest(i);
      if (free < 0 && this.#users[i] === 0 && (this.#restsUntil[i] as number) <= this.#now) free = i;
    }
    if (free < 0) return 0;
    this.#hashes[free] = content.hash >>> 0;
    writeGroup(this.#records, this.#first + free, content);
    return this.#rest(free);
  }

  /**
   * The flow of `slot`, left by an earlier agent, uses `group`: its content stays until the flow is simulated again. False for
   * a group outside this worker's share, which another worker may write at any time.
   */
  adopt(slot: number, group: number): boolean {
    const i = group - this.#first;
    if (i < 0 || i >= this.#users.length) return false;
    this.use(slot, group);
    return true;
  }

  /** The flow of `slot` uses `group` from now on (0: none). */
  use(slot: number, group: number): void {
    if (group === 0 && this.#bySlot.size === 0) return;
    const before = this.#bySlot.get(slot) ?? 0;
    if (before === group) return;
    if (before !== 0) this.#count(before, -1);
    if (group === 0) this.#bySlot.delete(slot);
    else {
      this.#bySlot.set(slot, group);
      this.#count(group, 1);
    }
  }

  #count(group: number, change: number): void {
    const i = group - this.#first;
    this.#users[i] = (this.#users[i] as number) + change;
    this.#rest(i);
  }

  #rest(i: number): number {
    this.#restsUntil[i] = this.#now + GROUP_REST_MS;
    return this.#first + i;
  }
}

/**
 * Writes a group under its seqlock: a flood that is under way sends to the old outputs or to the new ones. A group that says this
 * already is left as it is: floods that come in the middle of a write have to wait.
 */
export function writeGroup(records: Uint32Array, group: number, content: GroupContent): void {
  const at = group * RECORD_WORDS;
  const before = records[at] as number;
  if (isValidGeneration(before) && isSameGroup(records, group, content)) return;
  const opened = openedGeneration(before);
  Atomics.store(records, at, opened);
  records[at + 1] = content.count;
  records.set(content.words.subarray(0, content.count * GROUP_OUTPUT_WORDS), at + GROUP_HEADER_WORDS);
  Atomics.store(records, at, closedGeneration(opened));
}

function isSameGroup(records: Uint32Array, group: number, content: GroupContent): boolean {
  const at = group * RECORD_WORDS;
  if (records[at + 1] !== content.count) return false;
  for (let i = 0; i < content.count * GROUP_OUTPUT_WORDS; i++) {
    if (records[at + GROUP_HEADER_WORDS + i] !== content.words[i]) return false;
  }
  return true;
}

/** The content of a group of local ports. */
export function localGroup(vports: readonly number[]): GroupContent {
  const words = new Uint32Array(vports.length * GROUP_OUTPUT_WORDS);
  for (const [i, vport] of vports.entries()) words.set([ACTION_VPORT, vport], i * GROUP_OUTPUT_WORDS);
  return { words, count: vports.length, hash: 0 };
}
