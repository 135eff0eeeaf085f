import type { Instant } from "../../base/clock.ts";
import type { DatapathMemory } from "../../datapath/datapath.ts";
import { ExpiryWheel } from "../../flow/expiry-wheel.ts";
import { type FlowContent, FlowTable } from "../../flow/flow-table.ts";
import {
  ACTION_GROUP,
  ACTION_KIND_MASK,
  ACTION_WORDS,
  KEY_WORDS,
  SHARD_COUNT,
  SLOT_ACTION,
  VPORT_MAX,
} from "../../flow/layout.ts";
import { NOTE_ARMED_AT, NOTE_STATE, noteOf, SlotNotes } from "../../flow/slot-notes.ts";
import { type ReferenceListener, TagIndex, type TagList } from "../../flow/tag-index.ts";
import type { Groups } from "./groups.ts";
import { ADOPT_FIRST_MS, FLOW_LIFE_S, IDLE_TAG_SETS_MAX, PORT_FLOW_SHARE } from "./limits.ts";
import type { WorkerCounts } from "./worker-counts.ts";

/** A flow younger than this that is thrown out is a sign of hash flooding. */
const COLLISION_MS = 100;

/** What is to be installed. Words are copied. One object is reused by the caller. */
export interface NewFlow {
  key: Uint32Array;
  keyOffset: number;
  flowClass: number;
  shard: number;
  action: Uint32Array;
  group: number;
  tags: TagList;
  lifeS: number;
}

/**
 * Everything a worker knows of its installed flows: the table itself, what each flow depends on, when it ends, which group
 * it uses, and which flows wait to be simulated again.
 */
export class FlowBook {
  readonly table: FlowTable;
  readonly #tags: TagIndex;
  readonly #wheel: ExpiryWheel;
  readonly #groups: Groups;
  readonly #counts: WorkerCounts;
  readonly #notes: Int32Array;
  /** Flows that an earlier process left, until the world is complete. */
  #left: readonly number[];
  /** Flows that are worked off now, in the order of the table, and from where on; those that came since. */
  #queue = new Int32Array(0);
  #queueAt = 0;
  #arrived: number[] = [];
  readonly #place = { flowClass: 0, shard: 0, now: 0 };
  readonly #content: { -readonly [K in keyof FlowContent]: FlowContent[K] };
  /** The flow that was written and is not filed yet, and its slot; -1: none. */
  #unfiled = -1;
  #unfiledFlow: NewFlow | undefined;
  /** Queued flows that forward by what was true before. */
  #outdated = 0;
  readonly #visitInPlace = (slot: number): void => this.#enqueue(slot, QUEUED);
  readonly #visitRevoked = (slot: number): void => {
    this.table.revoke(slot);
    const { values } = this.#counts.metrics;
    values[this.#revoked] = (values[this.#revoked] as number) + 1;
    this.#enqueue(slot, REVOKED);
  };
  readonly #installed: number;
  readonly #evicted: number;
  readonly #revoked: number;

  constructor(
    memory: DatapathMemory,
    parts: {
      readonly groups: Groups;
      readonly counts: WorkerCounts;
      readonly references: ReferenceListener;
      readonly shards: readonly number[];
      readonly now: Instant;
    },
  ) {
    this.table = new FlowTable(memory, VPORT_MAX);
    const notes = new SlotNotes(this.table.slots);
    this.#notes = notes.words;
    this.#tags = new TagIndex(notes, parts.references, IDLE_TAG_SETS_MAX);
    this.#wheel = new ExpiryWheel(notes, seconds(parts.now));
    this.#groups = parts.groups;
    this.#counts = parts.counts;
    this.#left = this.table.takeOver(parts.shards);
    for (const slot of this.#left) this.#keepGroup(slot);
    this.table.setQuota(Math.floor((this.table.slots * parts.shards.length * PORT_FLOW_SHARE) / SHARD_COUNT));
    const none = new Uint32Array(0);
    this.#content = { key: none, keyOffset: 0, flowClass: 0, action: none, actionOffset: 0, now: 0 };
    this.#installed = parts.counts.metrics.index("weft_worker_flows_installed");
    this.#evicted = parts.counts.metrics.index("weft_worker_flows_evicted");
    this.#revoked = parts.counts.metrics.index("weft_worker_flows_revoked");
  }

  /**
   * Takes over the flows that an earlier process left in this worker's shards: they go on forwarding, are simulated again one
   * after another (which earns their tags anew), and end like all others. Half-written ones go. Those in use come first: it is them
   * that forward by what was true before.
   */
  adopt(now: Instant): void {
    const left = this.#left.filter((slot) => this.table.isLive(slot) && !this.#tags.has(slot));
    this.#left = [];
    for (const slot of left) this.#arm(slot, FLOW_LIFE_S, now >>> 0);
    const isInUse = (slot: number): boolean => (((now >>> 0) - this.table.usedAt(slot)) | 0) <= ADOPT_FIRST_MS;
    for (const slot of left) if (isInUse(slot)) this.#enqueue(slot, QUEUED);
    if (this.#queueAt >= this.#queue.length) this.#takeArrived();
    for (const slot of left) if (!isInUse(slot)) this.#enqueue(slot, QUEUED);
  }

  /** Flows that wait to be simulated again. */
  get backlog(): number {
    return this.#queue.length - this.#queueAt + this.#arrived.length;
  }

  /**
   * Flows among them that still forward by what was true before. Those that were revoked do not: their packets go up and are answered
   * by what is true now, until the flow is simulated again.
   */
  get outdated(): number {
    return this.#outdated;
  }

  /**
   * Writes a flow, in place of one with the same key and class if there is one. What it depends on and when it ends wait for `file`, so
   * that its own packet can go first; that must come before the next call of this book and before the flow's tags change, which are
   * the simulator's: before each walk.
   */
  install(flow: NewFlow, now: Instant): void {
    const at = this.#place;
    at.flowClass = flow.flowClass;
    at.shard = flow.shard;
    at.now = now >>> 0;
    const slot = this.table.place(flow.key, flow.keyOffset, at);
    if (this.table.placement === "same") {
      this.table.overwrite(slot, flow.action, 0);
    } else {
      if (this.table.placement === "evict") this.#evict(slot, at.now);
      this.#write(slot, flow, at.now);
    }
    this.#unfiled = slot;
    this.#unfiledFlow = flow;
  }

  /** Files the flow that was installed last; nothing happens when it is filed. */
  file(): void {
    const slot = this.#unfiled;
    const flow = this.#unfiledFlow;
    if (slot < 0 || flow === undefined) return;
    this.#unfiled = -1;
    this.#tags.add(slot, flow.tags);
    this.#groups.use(slot, flow.group);
    this.#arm(slot, flow.lifeS, this.#place.now);
    const { values } = this.#counts.metrics;
    values[this.#installed] = (values[this.#installed] as number) + 1;
  }

  /**
   * Replaces action and tags of a live flow after it was simulated again. Its end stays if it has one that is not too late: most
   * flows get the answer that they had, and what need not be written is memory that need not be fetched.
   */
  renew(
    slot: number,
    flow: { readonly action: Uint32Array; readonly group: number; readonly tags: TagList; readonly lifeS: number },
    now: Instant,
  ): void {
    if (!this.table.hasAction(slot, flow.action, 0)) this.table.overwrite(slot, flow.action, 0);
    this.#tags.add(slot, flow.tags);
    this.#groups.use(slot, flow.group);
    if (!this.#wheel.expiresWithin(slot, flow.lifeS)) this.#arm(slot, flow.lifeS, now >>> 0);
  }

  /** Forgets a flow. */
  remove(slot: number): void {
    this.table.remove(slot);
    this.#tags.remove(slot);
    this.#groups.use(slot, 0);
    this.#wheel.disarm(slot);
  }

  /** Queues the flows of a tag to be simulated again; with `revoke`, they miss from now on. */
  invalidate(tag: number, revoke: boolean): void {
    this.#tags.forEach(tag, revoke ? this.#visitRevoked : this.#visitInPlace);
  }

  /** True while the flow of a slot waits to be simulated again. */
  isQueued(slot: number): boolean {
    return this.#notes[noteOf(slot) + NOTE_STATE] !== 0;
  }

  /** True for a flow of an earlier process that this one has not simulated yet. */
  isLeft(slot: number): boolean {
    return !this.#tags.has(slot);
  }

  /** The next flow to simulate again, or -1. In the order of the table, so that neighbors in it are fetched once. */
  nextQueued(): number {
    for (;;) {
      while (this.#queueAt < this.#queue.length) {
        const slot = this.#queue[this.#queueAt++] as number;
        const at = noteOf(slot) + NOTE_STATE;
        if (this.#notes[at] === QUEUED) this.#outdated--;
        this.#notes[at] = 0;
        if (this.table.isLive(slot)) return slot;
      }
      if (this.#arrived.length === 0) return -1;
      this.#takeArrived();
    }
  }

  /** What has arrived is worked off next, in the order of the table. */
  #takeArrived(): void {
    this.#queue = Int32Array.from(this.#arrived).sort();
    this.#queueAt = 0;
    this.#arrived = [];
  }

  /** The next flow whose time is over, or -1. */
  nextExpired(now: Instant): number {
    return this.#wheel.next(seconds(now));
  }

  /** True when the datapath used the flow since it was installed or renewed. */
  wasUsed(slot: number): boolean {
    return ((this.table.usedAt(slot) - (this.#notes[noteOf(slot) + NOTE_ARMED_AT] as number)) | 0) > 0;
  }

  /** Copies the key of a flow, class bits cleared. */
  keyOf(slot: number, into: Uint32Array): void {
    const at = this.table.keyAt(slot);
    const { words } = this.table;
    for (let i = 0; i < KEY_WORDS; i++) into[i] = words[at + i] as number;
    into[0] = (into[0] as number) & 0x0fff_ffff;
  }

  /** A copy of the action of a flow. */
  actionOf(slot: number): Uint32Array {
    const at = this.table.keyAt(slot) + SLOT_ACTION;
    return this.table.words.slice(at, at + ACTION_WORDS);
  }

  /** Tags of a flow. */
  tagsOf(slot: number): readonly number[] {
    return this.#tags.tagsOf(slot);
  }

  /** Until it is simulated again, a flow that was left must flood to whom it did: its group is not free for another flood. */
  #keepGroup(slot: number): void {
    const at = this.table.keyAt(slot) + SLOT_ACTION;
    const { words } = this.table;
    if (((words[at] as number) & ACTION_KIND_MASK) !== ACTION_GROUP) return;
    if (!this.#groups.adopt(slot, words[at + 1] as number)) this.table.revoke(slot);
  }

  #write(slot: number, flow: NewFlow, now: number): void {
    const content = this.#content;
    content.key = flow.key;
    content.keyOffset = flow.keyOffset;
    content.flowClass = flow.flowClass;
    content.action = flow.action;
    content.now = now;
    this.table.write(slot, content);
  }

  #evict(slot: number, now: number): void {
    const { values } = this.#counts.metrics;
    values[this.#evicted] = (values[this.#evicted] as number) + 1;
    if (((now - (this.#notes[noteOf(slot) + NOTE_ARMED_AT] as number)) | 0) < COLLISION_MS)
      this.#counts.metrics.add("weft_worker_collisions");
    this.remove(slot);
  }

  #arm(slot: number, lifeS: number, now: number): void {
    this.#notes[noteOf(slot) + NOTE_ARMED_AT] = now;
    this.#wheel.arm(slot, lifeS);
  }

  /** A flow that was revoked may have been installed anew since: a later change in place finds it forwarding. */
  #enqueue(slot: number, state: typeof QUEUED | typeof REVOKED): void {
    const at = noteOf(slot) + NOTE_STATE;
    const before = this.#notes[at] as number;
    this.#notes[at] = state;
    if (state === QUEUED && before !== QUEUED) this.#outdated++;
    if (state === REVOKED && before === QUEUED) this.#outdated--;
    if (before === 0) this.#arrived.push(slot);
  }
}

/** A flow that waits to be simulated again and forwards meanwhile (`NOTE_STATE`). */
const QUEUED = 1;
/** A flow that waits to be simulated again and misses meanwhile. */
const REVOKED = 2;

function seconds(now: Instant): number {
  return Math.floor(now / 1000);
}
