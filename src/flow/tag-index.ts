import { assert } from "../base/assert.ts";
import {
  NOTE_NONE,
  NOTE_TAG_NEXT,
  NOTE_TAG_PREVIOUS,
  NOTE_TAG_SET,
  NOTE_WORDS,
  noteOf,
  type SlotNotes,
} from "./slot-notes.ts";

/** Sets found without a look-up by hash; a power of two. */
const RECENT_SETS = 64;

/** What is told when the first flow of a tag set comes and when its last one goes: the references that the set holds. */
export interface ReferenceListener {
  held(reference: number): void;
  released(reference: number): void;
}

/**
 * Which flows depend on what. Flows that take the same way carry the same tags, so tags are kept once per *tag set* and a
 * flow is one link in the list of its set: indexing a flow costs one hash look-up, however many tags it has.
 * A set may also hold references (learned FDB entries that live while a flow uses them).
 *
 * Sets without flows are kept for the next flow of the same way and swept when there are more than `idleSetsMax`.
 */
export class TagIndex {
  readonly #notes: Int32Array;
  /** From 1: `NOTE_NONE` is no set. */
  readonly #sets: (TagSet | undefined)[] = [undefined];
  readonly #freeSets: number[] = [];
  readonly #byHash = new Map<number, number[]>();
  /** Sets that were looked for lately, by the lower bits of their hash: mostly the one that is wanted. */
  readonly #recent = new Int32Array(RECENT_SETS);
  readonly #byTag = new Map<number, Set<number>>();
  readonly #references: ReferenceListener;
  readonly #idleSetsMax: number;
  #idle = 0;

  constructor(notes: SlotNotes, references: ReferenceListener, idleSetsMax: number) {
    this.#notes = notes.words;
    this.#references = references;
    this.#idleSetsMax = idleSetsMax;
  }

  /** Number of tag sets, idle ones included. */
  get setCount(): number {
    return this.#sets.length - 1 - this.#freeSets.length;
  }

  /** Puts the flow of `slot` under `tags`; an earlier entry of the slot is replaced. The words are copied when the set is new. */
  add(slot: number, tags: TagList): void {
    const notes = this.#notes;
    const at = noteOf(slot);
    const present = notes[at + NOTE_TAG_SET] as number;
    if (present !== NOTE_NONE) {
      if (sameSet(this.#sets[present] as TagSet, tags)) return;
      this.remove(slot);
    }
    const id = this.#intern(tags);
    const set = this.#sets[id] as TagSet;
    const { head } = set;
    if (head === NOTE_NONE) {
      this.#idle--;
      for (const reference of set.references) this.#references.held(reference);
    } else {
      notes[head * NOTE_WORDS + NOTE_TAG_PREVIOUS] = slot + 1;
    }
    notes[at + NOTE_TAG_NEXT] = head;
    notes[at + NOTE_TAG_PREVIOUS] = NOTE_NONE;
    set.head = slot + 1;
    notes[at + NOTE_TAG_SET] = id;
  }

  /** Takes the flow of `slot` out; nothing happens when it is not in. */
  remove(slot: number): void {
    const notes = this.#notes;
    const at = noteOf(slot);
    const id = notes[at + NOTE_TAG_SET] as number;
    if (id === NOTE_NONE) return;
    const set = this.#sets[id] as TagSet;
    const next = notes[at + NOTE_TAG_NEXT] as number;
    const previous = notes[at + NOTE_TAG_PREVIOUS] as number;
    if (previous === NOTE_NONE) set.head = next;
    else notes[previous * NOTE_WORDS + NOTE_TAG_NEXT] = next;
    if (next !== NOTE_NONE) notes[next * NOTE_WORDS + NOTE_TAG_PREVIOUS] = previous;
    notes[at + NOTE_TAG_SET] = NOTE_NONE;
    if (set.head !== NOTE_NONE) return;
    for (const reference of set.references) this.#references.released(reference);
    this.#idle++;
    if (this.#idle > this.#idleSetsMax) this.#sweep();
  }

  /** True when the flow of `slot` is in. */
  has(slot: number): boolean {
    return this.#notes[noteOf(slot) + NOTE_TAG_SET] !== NOTE_NONE;
  }

  /** Calls `visit` with every slot whose flow carries the tag. `visit` must not change the index. */
  forEach(tag: number, visit: (slot: number) => void): void {
    for (const id of this.#byTag.get(tag >>> 0) ?? []) {
      let note = (this.#sets[id] as TagSet).head;
      for (; note !== NOTE_NONE; note = this.#notes[note * NOTE_WORDS + NOTE_TAG_NEXT] as number) visit(note - 1);
    }
  }

  /** The tags of a flow, for people. */
  tagsOf(slot: number): readonly number[] {
    const id = this.#notes[noteOf(slot) + NOTE_TAG_SET] as number;
    return id === NOTE_NONE ? [] : [...(this.#sets[id] as TagSet).tags];
  }

  #intern(list: TagList): number {
    const place = list.hash & (RECENT_SETS - 1);
    const recent = this.#recent[place] as number;
    const set = this.#sets[recent];
    if (set !== undefined && sameSet(set, list)) return recent;
    const id = this.#find(list);
    this.#recent[place] = id;
    return id;
  }

  #find(list: TagList): number {
    const candidates = this.#byHash.get(list.hash);
    if (candidates !== undefined) {
      for (const id of candidates) if (sameSet(this.#sets[id] as TagSet, list)) return id;
    }
    return this.#create(list, candidates);
  }

  #create(list: TagList, candidates: number[] | undefined): number {
    const set: TagSet = {
      hash: list.hash,
      tags: list.tags.slice(0, list.count),
      references: list.references.slice(0, list.referenceCount),
      head: NOTE_NONE,
    };
    const id = this.#freeSets.pop() ?? this.#sets.length;
    this.#sets[id] = set;
    if (candidates === undefined) this.#byHash.set(list.hash, [id]);
    else candidates.push(id);
    for (const tag of set.tags) {
      const ids = this.#byTag.get(tag);
      if (ids === undefined) this.#byTag.set(tag, new Set([id]));
      else ids.add(id);
    }
    this.#idle++;
    return id;
  }

  #sweep(): void {
    for (const [id, set] of this.#sets.entries())
      if (set !== undefined && set.head === NOTE_NONE) this.#forget(id, set);
    this.#idle = 0;
  }

  #forget(id: number, set: TagSet): void {
    for (const tag of set.tags) {
      const ids = this.#byTag.get(tag);
      ids?.delete(id);
      if (ids?.size === 0) this.#byTag.delete(tag);
    }
    const peers = this.#byHash.get(set.hash)?.filter((other) => other !== id) ?? [];
    if (peers.length === 0) this.#byHash.delete(set.hash);
    else this.#byHash.set(set.hash, peers);
    assert(this.#sets[id] === set, "a tag set is forgotten once", { id });
    this.#sets[id] = undefined;
    this.#freeSets.push(id);
  }
}

/**
 * Tags and references that a simulation collected, as views that the caller reuses. `hash` covers both and decides nothing
 * by itself: equal sets in equal order have equal hashes.
 */
export interface TagList {
  readonly tags: Uint32Array;
  readonly count: number;
  readonly references: Uint32Array;
  readonly referenceCount: number;
  readonly hash: number;
}

interface TagSet {
  readonly hash: number;
  readonly tags: Uint32Array;
  readonly references: Uint32Array;
  /** Record of its first flow. */
  head: number;
}

function sameSet(set: TagSet, list: TagList): boolean {
  if (set.hash !== list.hash || set.tags.length !== list.count || set.references.length !== list.referenceCount)
    return false;
  for (let i = 0; i < list.count; i++) if (set.tags[i] !== list.tags[i]) return false;
  for (let i = 0; i < list.referenceCount; i++) if (set.references[i] !== list.references[i]) return false;
  return true;
}
