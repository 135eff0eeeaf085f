import { assert } from "../base/assert.ts";
import { KeyHash } from "./hash.ts";
import {
  ACTION_DROP,
  ACTION_KIND_MASK,
  ACTION_WORDS,
  BUCKET_COOKIE,
  BUCKET_GENERATION,
  BUCKET_SLOT,
  BUCKET_USED,
  BUCKET_WAYS,
  BUCKET_WORDS,
  CLASS_COUNT,
  CLASS_WORDS,
  CONTROL_BUCKETS,
  CONTROL_ORDER,
  COUNTER_WORDS,
  KEY_WORDS,
  ORDER_NONE,
  SHARD_COUNT,
  SLOT_ACTION,
  SLOT_WORDS,
  W0_CLASS_SHIFT,
} from "./layout.ts";
import { closedGeneration, isValidGeneration, openedGeneration } from "./slot-protocol.ts";

/** The part of the shared memory that a flow table lives in. */
export interface FlowMemory {
  readonly control: Uint32Array;
  readonly buckets: Uint32Array;
  readonly counters: Uint32Array;
}

/** How `place` found the slot: the same key, a free slot, or a live flow that has to go. */
export type Placement = "same" | "free" | "evict";

/** Extra age in ms that a drop flow has when a victim is chosen. */
const DROP_HANDICAP_MS = 1 << 24;
/** Extra age in ms of a flow whose port is above its quota. */
const QUOTA_HANDICAP_MS = 1 << 25;

/**
 * The flows of one host, written with plain stores into memory that the datapath reads at the same time.
 *
 * A slot is named by its number (bucket * 8 + way, buckets of all shards counted through). Writers obey the seqlock:
 * generation odd, content, generation even; a generation is never used twice in a row, and a free slot has tag 0.
 * Each shard has one writing worker; readers are the datapath's programs, and this class for a worker's own shards.
 *
 * Capacity is 3/4 of the slots: above that, two-choice placement starts to throw out live flows (1.3 % at load 0.8).
 */
export class FlowTable {
  readonly slots: number;
  /** What the last `place` met. */
  placement: Placement = "free";
  /** Flows per vport, kept for quotas. */
  readonly flowsOfVport: Int32Array;
  readonly #control: Uint32Array;
  readonly #buckets: Uint32Array;
  readonly #counters: Uint32Array;
  /** Flows per shard and class: classes without flows are left out of the shard's lookup order. */
  readonly #population = new Int32Array(SHARD_COUNT * CLASS_COUNT);
  readonly #bucketsPerShard: number;
  readonly #hash: KeyHash;
  #quota = 0x7fff_ffff;

  constructor(memory: FlowMemory, vportMax: number) {
    this.#control = memory.control;
    this.#buckets = memory.buckets;
    this.#counters = memory.counters;
    this.#bucketsPerShard = memory.control[CONTROL_BUCKETS] as number;
    this.slots = this.#bucketsPerShard * SHARD_COUNT * BUCKET_WAYS;
    this.flowsOfVport = new Int32Array(vportMax);
    this.#hash = new KeyHash(memory.control);
    assert(memory.buckets.length >= (this.slots / BUCKET_WAYS) * BUCKET_WORDS, "flow table larger than its memory");
  }

  /** Flows that one vport may hold before its flows are the first to be evicted. */
  setQuota(flowsPerVport: number): void {
    this.#quota = flowsPerVport;
  }

  /** The slot that holds exactly this key in this class, or -1. */
  find(words: Uint32Array, offset: number, at: { readonly flowClass: number; readonly shard: number }): number {
    this.#hash.compute(words, offset, at.flowClass);
    const base = at.shard * this.#bucketsPerShard;
    const first = this.#scan(base + this.#hash.bucket1, words, { offset, flowClass: at.flowClass });
    return first >= 0 ? first : this.#scan(base + this.#hash.bucket2, words, { offset, flowClass: at.flowClass });
  }

  /**
   * The slot for a key: its own if it is there, a free one of its two buckets, or the one whose flow is the best to lose.
   * `placement` tells which; the caller forgets an evicted flow before `write`. `now` is the coarse monotonic time in ms.
   */
  place(
    words: Uint32Array,
    offset: number,
    at: { readonly flowClass: number; readonly shard: number; readonly now: number },
  ): number {
    const same = this.find(words, offset, at);
    if (same >= 0) {
      this.placement = "same";
      return same;
    }
    const base = at.shard * this.#bucketsPerShard;
    const b1 = base + this.#hash.bucket1;
    const b2 = base + this.#hash.bucket2;
    const free = this.#freer(b1, b2);
    this.placement = free >= 0 ? "free" : "evict";
    return free >= 0 ? free : this.#victim(b1, b2, at.now);
  }

  /** Writes a flow into the slot that `place` returned for this key: nothing may be hashed in between. */
  write(slot: number, flow: FlowContent): void {
    const words = this.#buckets;
    const way = slot % BUCKET_WAYS;
    const bucket = ((slot - way) / BUCKET_WAYS) * BUCKET_WORDS;
    const generation = bucket + BUCKET_GENERATION + way;
    this.#populate(slot, flow.flowClass, 1);
    const opened = this.#open(generation);
    const at = bucket + BUCKET_SLOT + way * SLOT_WORDS;
    const { key, keyOffset, flowClass } = flow;
    const count = CLASS_WORDS[flowClass] as number;
    words[at] = ((key[keyOffset] as number) & 0x0fff_ffff) | (flowClass << W0_CLASS_SHIFT);
    for (let i = 1; i < count; i++) words[at + i] = key[keyOffset + i] as number;
    for (let i = count; i < KEY_WORDS; i++) words[at + i] = 0;
    for (let i = 0; i < ACTION_WORDS; i++) words[at + SLOT_ACTION + i] = flow.action[flow.actionOffset + i] as number;
    const vport = (key[keyOffset] as number) & 0xffff;
    const isDrop = ((flow.action[flow.actionOffset] as number) & ACTION_KIND_MASK) === ACTION_DROP;
    words[bucket + way] = this.#hash.tag;
    words[bucket + BUCKET_USED + way] = flow.now;
    words[bucket + BUCKET_COOKIE + way] = vport | (isDrop ? 0x1_0000 : 0);
    this.flowsOfVport[vport] = (this.flowsOfVport[vport] as number) + 1;
    Atomics.store(words, generation, closedGeneration(opened));
  }

  /** Replaces the action of a live flow in place: packets see the old one or the new one, never a mixture. */
  overwrite(slot: number, action: Uint32Array, actionOffset: number): void {
    const generation = this.#generationOf(slot);
    const opened = this.#open(generation);
    const at = this.keyAt(slot) + SLOT_ACTION;
    const words = this.#buckets;
    for (let i = 0; i < ACTION_WORDS; i++) words[at + i] = action[actionOffset + i] as number;
    Atomics.store(words, generation, closedGeneration(opened));
  }

  /** True when readers find exactly this action: the flow is valid, not revoked, and there is nothing to overwrite. */
  hasAction(slot: number, action: Uint32Array, actionOffset: number): boolean {
    const words = this.#buckets;
    if (!isValidGeneration(words[this.#generationOf(slot)] as number)) return false;
    const at = this.keyAt(slot) + SLOT_ACTION;
    for (let i = 0; i < ACTION_WORDS; i++) if (words[at + i] !== action[actionOffset + i]) return false;
    return true;
  }

  /** Makes readers miss at once (one store) while the flow stays known: used when something may have been forbidden. */
  revoke(slot: number): void {
    const generation = this.#generationOf(slot);
    Atomics.store(this.#buckets, generation, openedGeneration(this.#buckets[generation] as number));
  }

  /** Forgets the flow of a slot. */
  remove(slot: number): void {
    const words = this.#buckets;
    const way = slot % BUCKET_WAYS;
    const bucket = ((slot - way) / BUCKET_WAYS) * BUCKET_WORDS;
    const generation = bucket + BUCKET_GENERATION + way;
    Atomics.store(words, generation, openedGeneration(words[generation] as number));
    if (words[bucket + way] === 0) return;
    words[bucket + way] = 0;
    this.#populate(slot, this.classAt(slot), -1);
    const vport = (words[bucket + BUCKET_COOKIE + way] as number) & 0xffff;
    this.flowsOfVport[vport] = Math.max(0, (this.flowsOfVport[vport] as number) - 1);
  }

  /**
   * Counts the flows that an earlier process left in these shards and returns their slots. A slot that was being written, or
   * whose words make no sense, becomes free.
   */
  takeOver(shards: readonly number[]): readonly number[] {
    const left: number[] = [];
    const perShard = this.#bucketsPerShard * BUCKET_WAYS;
    for (const shard of shards) {
      for (let slot = shard * perShard; slot < (shard + 1) * perShard; slot++)
        if (this.#takeOver(slot)) left.push(slot);
      this.#order(shard);
    }
    return left;
  }

  /** True when the slot holds a flow, revoked or not. */
  isLive(slot: number): boolean {
    const way = slot % BUCKET_WAYS;
    return this.#buckets[((slot - way) / BUCKET_WAYS) * BUCKET_WORDS + way] !== 0;
  }

  /** Index into `words` of the key of a slot; the action follows at SLOT_ACTION. */
  keyAt(slot: number): number {
    const way = slot % BUCKET_WAYS;
    return ((slot - way) / BUCKET_WAYS) * BUCKET_WORDS + BUCKET_SLOT + way * SLOT_WORDS;
  }

  /** Mask class of the flow in a slot. */
  classAt(slot: number): number {
    return (this.#buckets[this.keyAt(slot)] as number) >>> W0_CLASS_SHIFT;
  }

  /** Shard of a slot. */
  shardAt(slot: number): number {
    return Math.floor(slot / (BUCKET_WAYS * this.#bucketsPerShard));
  }

  /** When the flow was last used, coarse monotonic ms (u32). */
  usedAt(slot: number): number {
    const way = slot % BUCKET_WAYS;
    return this.#buckets[((slot - way) / BUCKET_WAYS) * BUCKET_WORDS + BUCKET_USED + way] as number;
  }

  /** The words of the table, for readers of keys and actions. */
  get words(): Uint32Array {
    return this.#buckets;
  }

  /** Packets that the datapath counted in this slot, ever (also for earlier flows of the slot). */
  packetsAt(slot: number): number {
    return this.#counter(slot, 0);
  }

  /** Bytes that the datapath counted in this slot, ever. */
  bytesAt(slot: number): number {
    return this.#counter(slot, 2 * BUCKET_WAYS);
  }

  #counter(slot: number, lane: number): number {
    const way = slot % BUCKET_WAYS;
    const at = ((slot - way) / BUCKET_WAYS) * COUNTER_WORDS + lane + 2 * way;
    const counters = this.#counters;
    for (;;) {
      const high = Atomics.load(counters, at + 1);
      const low = Atomics.load(counters, at);
      if (Atomics.load(counters, at + 1) === high) return high * 0x1_0000_0000 + low;
    }
  }

  #takeOver(slot: number): boolean {
    const words = this.#buckets;
    const way = slot % BUCKET_WAYS;
    const bucket = ((slot - way) / BUCKET_WAYS) * BUCKET_WORDS;
    if (words[bucket + way] === 0) return false;
    const generation = words[bucket + BUCKET_GENERATION + way] as number;
    const vport = (words[bucket + BUCKET_COOKIE + way] as number) & 0xffff;
    const isSound =
      (generation & 1) === 0 &&
      generation !== 0 &&
      this.classAt(slot) < CLASS_COUNT &&
      vport < this.flowsOfVport.length;
    if (!isSound) {
      Atomics.store(words, bucket + BUCKET_GENERATION + way, (generation | 1) >>> 0);
      words[bucket + way] = 0;
      return false;
    }
    const at = this.shardAt(slot) * CLASS_COUNT + this.classAt(slot);
    this.#population[at] = (this.#population[at] as number) + 1;
    this.flowsOfVport[vport] = (this.flowsOfVport[vport] as number) + 1;
    return true;
  }

  #populate(slot: number, flowClass: number, change: number): void {
    const shard = this.shardAt(slot);
    const at = shard * CLASS_COUNT + flowClass;
    const before = this.#population[at] as number;
    this.#population[at] = before + change;
    if (before === 0 || before + change === 0) this.#order(shard);
  }

  /** Finer classes first: most packets of a shard that has them belong to them. */
  #order(shard: number): void {
    let word = 0;
    let nibbles = 0;
    for (let flowClass = CLASS_COUNT - 1; flowClass >= 0; flowClass--) {
      if ((this.#population[shard * CLASS_COUNT + flowClass] as number) > 0) word |= (flowClass + 1) << (4 * nibbles++);
    }
    Atomics.store(this.#control, CONTROL_ORDER + shard, nibbles === 0 ? ORDER_NONE : word);
  }

  #generationOf(slot: number): number {
    const way = slot % BUCKET_WAYS;
    return ((slot - way) / BUCKET_WAYS) * BUCKET_WORDS + BUCKET_GENERATION + way;
  }

  #open(generation: number): number {
    const opened = openedGeneration(this.#buckets[generation] as number);
    Atomics.store(this.#buckets, generation, opened);
    return opened;
  }

  #scan(bucket: number, key: Uint32Array, at: { readonly offset: number; readonly flowClass: number }): number {
    const words = this.#buckets;
    const base = bucket * BUCKET_WORDS;
    const tag = this.#hash.tag;
    for (let way = 0; way < BUCKET_WAYS; way++) {
      if (words[base + way] !== tag) continue;
      if (this.#sameKey(base + BUCKET_SLOT + way * SLOT_WORDS, key, at)) return bucket * BUCKET_WAYS + way;
    }
    return -1;
  }

  #sameKey(at: number, key: Uint32Array, of: { readonly offset: number; readonly flowClass: number }): boolean {
    const words = this.#buckets;
    const first = ((key[of.offset] as number) & 0x0fff_ffff) | (of.flowClass << W0_CLASS_SHIFT);
    if (words[at] !== first >>> 0) return false;
    const count = CLASS_WORDS[of.flowClass] as number;
    for (let i = 1; i < count; i++) if (words[at + i] !== key[of.offset + i]) return false;
    return true;
  }

  /** A free slot of the emptier bucket, or -1. */
  #freer(b1: number, b2: number): number {
    const words = this.#buckets;
    let free1 = -1;
    let free2 = -1;
    let count1 = 0;
    let count2 = 0;
    for (let way = 0; way < BUCKET_WAYS; way++) {
      if (words[b1 * BUCKET_WORDS + way] === 0) {
        free1 = b1 * BUCKET_WAYS + way;
        count1++;
      }
      if (words[b2 * BUCKET_WORDS + way] === 0) {
        free2 = b2 * BUCKET_WAYS + way;
        count2++;
      }
    }
    return count1 >= count2 ? free1 : free2;
  }

  #victim(b1: number, b2: number, now: number): number {
    let worst = -1;
    let worstAge = -1;
    for (let i = 0; i < 2 * BUCKET_WAYS; i++) {
      const way = i & 7;
      const bucket = i < BUCKET_WAYS ? b1 : b2;
      const age = this.#age(bucket * BUCKET_WORDS + way, now);
      if (age > worstAge) {
        worstAge = age;
        worst = bucket * BUCKET_WAYS + way;
      }
    }
    return worst;
  }

  #age(at: number, now: number): number {
    const cookie = this.#buckets[at + BUCKET_COOKIE] as number;
    const idle = (now - (this.#buckets[at + BUCKET_USED] as number)) | 0;
    let age = Math.max(idle, 0);
    if (cookie >= 0x1_0000) age += DROP_HANDICAP_MS;
    if ((this.flowsOfVport[cookie & 0xffff] as number) > this.#quota) age += QUOTA_HANDICAP_MS;
    return age;
  }
}

/** A flow to write. The words are copied. `now` is the coarse monotonic time in ms (u32). */
export interface FlowContent {
  readonly key: Uint32Array;
  readonly keyOffset: number;
  readonly flowClass: number;
  readonly action: Uint32Array;
  readonly actionOffset: number;
  readonly now: number;
}
