import type { FlowTag } from "../flow/tag.ts";
import type { TagList } from "../flow/tag-index.ts";
import { REFERENCES_MAX, TAGS_MAX } from "./limits.ts";

const SEEN_SLOTS = 256;

/**
 * Tags and references in the order in which a walk earned them. Most repeats are left out (a small table of recent tags);
 * one that slips through is harmless. Reused for every walk.
 */
export class TagCollector implements TagList {
  readonly tags = new Uint32Array(TAGS_MAX);
  readonly references = new Uint32Array(REFERENCES_MAX);
  count = 0;
  referenceCount = 0;
  hash = 0;
  /** More was earned than fits: the walk must not become a flow. */
  isOverLimit = false;
  readonly #seen = new Uint32Array(SEEN_SLOTS);

  /** Forgets everything. */
  clear(): void {
    for (let i = 0; i < this.count; i++) this.#seen[(this.tags[i] as number) & (SEEN_SLOTS - 1)] = 0;
    this.count = 0;
    this.referenceCount = 0;
    this.hash = 0;
    this.isOverLimit = false;
  }

  /** Adds a tag. */
  add(tag: FlowTag): void {
    const slot = tag & (SEEN_SLOTS - 1);
    if (this.#seen[slot] === tag) return;
    this.#seen[slot] = tag;
    const i = this.count;
    if (i === TAGS_MAX) {
      this.isOverLimit = true;
      return;
    }
    this.tags[i] = tag;
    this.count = i + 1;
    this.hash = (Math.imul(this.hash ^ tag, 0x9e37_79b1) + 1) | 0;
  }

  /** Adds a reference. */
  addReference(reference: number): void {
    const i = this.referenceCount;
    if (i === REFERENCES_MAX) {
      this.isOverLimit = true;
      return;
    }
    this.references[i] = reference;
    this.referenceCount = i + 1;
    this.hash = (Math.imul(this.hash ^ reference, 0x85eb_ca6b) + 1) | 0;
  }
}
