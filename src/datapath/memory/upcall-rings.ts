import type { DropReason } from "../../flow/drop-reason.ts";
import { CREDIT_WORDS, SHARD_COUNT, UPCALL_HEADER_WORDS, UPCALL_KEY, VPORT_WORDS } from "../../flow/layout.ts";
import type { DatapathMemory } from "../datapath.ts";
import { RING_RECORDS_MAX } from "../limits.ts";
import { lengthOf, type MemoryPacket, TAG_BYTES, tagWordOf } from "./packet.ts";

/** One waiting upcall: the words of an UPCALL RECORD, and the captured frame with its tag in the bytes. */
export interface MemoryUpcall {
  readonly words: Uint32Array;
  readonly frame: Uint8Array;
}

/** What goes up, and why. */
export interface UpcallCause {
  readonly kind: number;
  readonly shard: number;
  /** Largest L3 packet of the flow (TOO_BIG). */
  readonly limit?: number;
  /** TTL decrement of the flow (TTL_EXPIRED). */
  readonly decrement?: number;
  /** Key by which the frame came (TRACE). */
  readonly tunnelKey?: number;
}

const CAPTURE_LIMIT = 12;
const PAUSED = 14;

/** The rings of all shards with the credits that guard them: the twin of bpf/upcall.h. */
export class UpcallRings {
  readonly rings: readonly MemoryUpcall[][] = Array.from({ length: SHARD_COUNT }, () => []);
  readonly #memory: DatapathMemory;
  readonly #now: () => number;
  readonly #listeners = new Set<(shard: number) => void>();

  constructor(memory: DatapathMemory, now: () => number) {
    this.#memory = memory;
    this.#now = now;
  }

  /** Calls `listener` after a record was put into a ring, until the returned function is called. */
  onRecord(listener: (shard: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Puts a copy of the frame into the ring of its shard. Returns why not, if not. */
  send(packet: MemoryPacket, cause: UpcallCause): DropReason | undefined {
    const { credits, vports, control } = this.#memory;
    const { vport } = packet;
    const at = (vport * SHARD_COUNT + cause.shard) * CREDIT_WORDS;
    const record = vport * VPORT_WORDS;
    // Signed: after a restart more may be done than was issued.
    const waiting = ((credits[at] as number) - (credits[at + 2] as number)) | 0;
    const waitingBytes = ((credits[at + 1] as number) - (credits[at + 3] as number)) | 0;
    const isOverBudget = waiting >= (vports[record + 5] as number) || waitingBytes >= (vports[record + 6] as number);
    if (control[PAUSED] !== 0 || isOverBudget) return "upcall-budget";
    const ring = this.rings[cause.shard] as MemoryUpcall[];
    if (ring.length >= RING_RECORDS_MAX) return "upcall-ring-full";
    const captured = Math.min(lengthOf(packet), (control[CAPTURE_LIMIT] as number) || Number.MAX_SAFE_INTEGER);
    credits[at] = (credits[at] as number) + 1;
    credits[at + 1] = (credits[at + 1] as number) + captured;
    const frame = packet.bytes.slice(0, captured + (packet.isTagBeside ? TAG_BYTES : 0));
    ring.push({ words: this.#describe(packet, cause, captured), frame });
    for (const listener of this.#listeners) listener(cause.shard);
    return undefined;
  }

  #describe(packet: MemoryPacket, cause: UpcallCause, captured: number): Uint32Array {
    const words = new Uint32Array(UPCALL_HEADER_WORDS);
    const tag = packet.isTagBeside ? tagWordOf(packet.bytes) : 0;
    const nanoseconds = this.#now() * 1e6;
    words.set([cause.kind, lengthOf(packet), captured, packet.vport, tag, 0, 0, cause.shard]);
    words[8] = nanoseconds % 0x1_0000_0000;
    words[9] = Math.floor(nanoseconds / 0x1_0000_0000);
    words[11] = cause.limit ?? 0;
    words[12] = cause.decrement ?? 0;
    words[13] = cause.tunnelKey ?? 0;
    words.set(packet.key, UPCALL_KEY);
    return words;
  }
}
