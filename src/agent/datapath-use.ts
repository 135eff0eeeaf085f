import { type Ip, ipFromV4, ipFromWords } from "../addr/ip.ts";
import type { DatapathMemory } from "../datapath/datapath.ts";
import {
  BUCKET_GENERATION,
  BUCKET_WAYS,
  BUCKET_WORDS,
  CONTROL_UNDERLAY,
  COUNTER_WORDS,
  CREDIT_WORDS,
  KEEPALIVE_REFUSED,
  KEEPALIVE_REPLIES,
  KEEPALIVE_REQUESTS,
  KEEPALIVE_TRIP,
  KEEPALIVE_WORDS,
  PEER_FLAGS,
  PEER_MAX,
  PEER_UP,
  PEER_WORDS,
  SHARD_COUNT,
  VPORT_EPOCH,
  VPORT_MAX,
  VPORT_WORDS,
} from "../flow/layout.ts";

/** What stands in the flow table. */
export interface TableUse {
  readonly flows: number;
  readonly slots: number;
  /** Packets and bytes that met a flow, since the table was made; never smaller than before. */
  readonly packets: number;
  readonly bytes: number;
}

/** What waits for the workers of one shard. */
export interface QueueUse {
  readonly packets: number;
  readonly bytes: number;
}

/** A peer as the datapath has it. */
export interface PeerUse {
  readonly isUp: boolean;
  /** Largest inner L3 packet. */
  readonly mtu: number;
  /** Milliseconds since a frame came from there; undefined: none came yet. */
  readonly seenMs: number | undefined;
}

/**
 * Counts the flow table by looking at every slot: about a millisecond for 176,128 of them. Only for who asks, never in a loop.
 * A flow that is being written at this moment does not count.
 */
export function tableUse({ buckets, counters }: Pick<DatapathMemory, "buckets" | "counters">): TableUse {
  const count = Math.floor(buckets.length / BUCKET_WORDS);
  let [flows, packets, bytes] = [0, 0, 0];
  for (let bucket = 0; bucket < count; bucket++) {
    const at = bucket * BUCKET_WORDS + BUCKET_GENERATION;
    const lane = bucket * COUNTER_WORDS;
    for (let way = 0; way < BUCKET_WAYS; way++) {
      const generation = buckets[at + way] as number;
      if (generation === 0) continue;
      if ((generation & 1) === 0) flows++;
      packets += wide(counters, lane + 2 * way);
      bytes += wide(counters, lane + 2 * (BUCKET_WAYS + way));
    }
  }
  return { flows, slots: count * BUCKET_WAYS, packets, bytes };
}

/** What waits in each shard's ring, of the ports that are in use. */
export function queueUse({ vports, credits }: Pick<DatapathMemory, "vports" | "credits">): readonly QueueUse[] {
  const used = vportsInUse(vports);
  return Array.from({ length: SHARD_COUNT }, (_, shard) => {
    let [packets, bytes] = [0, 0];
    for (const vport of [0, ...used]) {
      const at = (vport * SHARD_COUNT + shard) * CREDIT_WORDS;
      packets += waiting(credits, at);
      bytes += waiting(credits, at + 1);
    }
    return { packets, bytes };
  });
}

/** Numbers of the vports that have an epoch: those of bound ports. */
export function vportsInUse(vports: Uint32Array): readonly number[] {
  const used: number[] = [];
  for (let vport = 1; vport < VPORT_MAX; vport++)
    if ((vports[vport * VPORT_WORDS + VPORT_EPOCH] as number) !== 0) used.push(vport);
  return used;
}

/** A peer's record. `now` is monotonic, in milliseconds. */
export function peerUse(
  { peers, peerSeen }: Pick<DatapathMemory, "peers" | "peerSeen">,
  peer: number,
  now: number,
): PeerUse {
  const at = peer * PEER_WORDS;
  const seen = peer < PEER_MAX ? (peerSeen[peer] as number) : 0;
  return {
    isUp: ((peers[at + PEER_FLAGS] as number) & PEER_UP) !== 0,
    mtu: peers[at + 6] as number,
    seenMs: seen === 0 ? undefined : Math.max(0, ((now >>> 0) - seen) | 0),
  };
}

/** What was heard of a peer in keep-alives: how many by outcome, and the last round trip in microseconds (0: none). */
export function keepAliveUse(
  { keepAlives }: Pick<DatapathMemory, "keepAlives">,
  peer: number,
): { readonly counts: Readonly<Record<"answered" | "taken" | "refused", number>>; readonly tripUs: number } {
  const word = (at: number): number => keepAlives[peer * KEEPALIVE_WORDS + at] ?? 0;
  const answered = word(KEEPALIVE_REQUESTS);
  const counts = { answered, taken: word(KEEPALIVE_REPLIES), refused: word(KEEPALIVE_REFUSED) };
  return { counts, tripUs: word(KEEPALIVE_TRIP) };
}

function waiting(credits: Uint32Array, at: number): number {
  return Math.max(0, ((credits[at] as number) - (credits[at + 2] as number)) | 0);
}

function wide(words: Uint32Array, at: number): number {
  return (words[at + 1] as number) * 0x1_0000_0000 + (words[at] as number);
}

/** The underlay address of a peer's record; undefined: the record is empty. */
export function peerAddress({ peers }: Pick<DatapathMemory, "peers">, peer: number): Ip | undefined {
  return addressAt(peers, peer * PEER_WORDS + 1);
}

/** Our own address on the underlay; undefined: no tunnel zone names us. */
export function underlayAddress({ control }: Pick<DatapathMemory, "control">): Ip | undefined {
  return addressAt(control, CONTROL_UNDERLAY);
}

/** Family and four words, as `addressWords` of datapath/records writes them. */
function addressAt(words: Uint32Array, at: number): Ip | undefined {
  const family = words[at] as number;
  const word = (i: number): number => words[at + 1 + i] as number;
  if (family === 4) return ipFromV4(word(0));
  if (family !== 6) return undefined;
  return ipFromWords(swap32(word(0)), swap32(word(1)), [swap32(word(2)), swap32(word(3))]);
}

function swap32(word: number): number {
  return (((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}
