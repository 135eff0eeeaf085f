import { type DropReason, dropCode } from "../../flow/drop-reason.ts";
import { extractKey } from "../../flow/key.ts";
import { FlowTable } from "../../flow/flow-table.ts";
import { shardOf } from "../../flow/hash.ts";
import {
  ACTION_DEC_TTL,
  ACTION_DROP,
  ACTION_GROUP,
  ACTION_KIND_MASK,
  ACTION_POP_SHIFT,
  ACTION_PUSH_SHIFT,
  ACTION_TUNNEL,
  ACTION_VPORT,
  BUCKET_GENERATION,
  BUCKET_SLOT,
  BUCKET_USED,
  BUCKET_WAYS,
  BUCKET_WORDS,
  CLASS_COUNT,
  COUNTER_WORDS,
  CREDIT_WORDS,
  FRAME_IP4,
  FRAME_IP6,
  GROUP_HEADER_WORDS,
  GROUP_OUTPUT_WORDS,
  GROUP_OUTPUTS,
  KEY_WORDS,
  PARSE_BAD,
  PARSE_SHORT,
  PEER_UP,
  PEER_WORDS,
  SHARD_COUNT,
  SLOT_ACTION,
  SLOT_WORDS,
  TUNNEL_KIND_GROUP,
  TUNNEL_KIND_SHIFT,
  TUNNEL_KIND_VPORT,
  UPCALL_HEADER_WORDS,
  UPCALL_KEY,
  UPCALL_MISS,
  UPCALL_TOO_BIG,
  UPCALL_TTL_EXPIRED,
  VPORT_MAX,
  VPORT_UP,
  VPORT_WORDS,
  W0_FRAME_SHIFT,
  W0_PARSE_SHIFT,
} from "../../flow/layout.ts";
import type { DatapathMemory, DropCount } from "../datapath.ts";
import { RING_RECORDS_MAX } from "../limits.ts";
import { type FrameShape, networkOffset, retag, rewrite, shapeOf, ttlOf } from "./rewrite.ts";

/** Frames that leave the memory datapath: to the interface of a vport, or into the underlay. */
export interface MemoryOutputs {
  toPort(vport: number, frame: Uint8Array): void;
  toPeer(peer: number, tunnelKey: number, frame: Uint8Array): void;
}

/** One waiting upcall. */
export interface MemoryUpcall {
  readonly words: Uint32Array;
  readonly frame: Uint8Array;
}

/**
 * What the eBPF programs do, in TypeScript, over the same memory words: the reference that they are held to. One frame at a
 * time, synchronous. Frames have complete checksums and no segmentation offload.
 */
export class MemoryKernel {
  /** Waiting upcalls by shard. */
  readonly rings: MemoryUpcall[][] = Array.from({ length: SHARD_COUNT }, () => []);
  /** What a tunnel key (without kind bits) names here. */
  readonly vportKeys = new Map<number, number>();
  readonly groupKeys = new Map<number, number>();
  /** Called after a record was put into a ring. */
  onUpcall: (shard: number) => void = () => undefined;
  readonly #memory: DatapathMemory;
  readonly #outputs: MemoryOutputs;
  readonly #now: () => number;
  readonly #flows: FlowTable;
  readonly #drops = new Map<number, { packets: number; bytes: number }>();
  readonly #key = new Uint32Array(KEY_WORDS);
  readonly #lookup = new Uint32Array(KEY_WORDS);

  constructor(memory: DatapathMemory, outputs: MemoryOutputs, now: () => number) {
    this.#memory = memory;
    this.#outputs = outputs;
    this.#now = now;
    this.#flows = new FlowTable(memory, VPORT_MAX);
  }

  /** A frame came in by the interface of a vport. */
  ingress(vport: number, frame: Uint8Array): void {
    const key = this.#key;
    if (frame.length < 14) return this.#drop("malformed", { vport, bytes: frame.length });
    extractKey(frame, { vportIndex: vport }, key);
    const parse = ((key[0] as number) >>> W0_PARSE_SHIFT) & 7;
    if (parse === PARSE_SHORT || parse === PARSE_BAD) return this.#drop("malformed", { vport, bytes: frame.length });
    const shard = shardOf(key, 0, this.#memory.control);
    const slot = this.#find(shard);
    if (slot < 0) return this.#upcall({ kind: UPCALL_MISS, vport, shard, frame, limit: 0, decrement: 0 });
    this.#count(slot, frame.length);
    const action = this.#memory.buckets.slice(this.#actionAt(slot), this.#actionAt(slot) + 24);
    this.#checkAndExecute({ vport, shard, frame, action });
  }

  /** A frame came out of the tunnel. `peer` is the index of its source address, 0 for an address that is no peer. */
  tunnelIngress(peer: number, tunnelKey: number, frame: Uint8Array): void {
    if (peer === 0) return this.#drop("unknown-peer", { vport: 0, bytes: frame.length });
    this.#memory.peerSeen[peer] = this.#now() >>> 0;
    const kind = (tunnelKey >>> TUNNEL_KIND_SHIFT) & 7;
    const key = tunnelKey & 0xf_ffff;
    if (kind > 3) return this.#drop("reserved-tunnel-kind", { vport: 0, bytes: frame.length });
    const vport = kind === TUNNEL_KIND_VPORT ? this.vportKeys.get(key) : undefined;
    if (vport !== undefined) return this.#toPort(vport, frame);
    const group = kind === TUNNEL_KIND_GROUP ? this.groupKeys.get(key) : undefined;
    if (group !== undefined) return this.#toGroup(group, { ingressVport: 0, frame, localOnly: true });
    this.#drop("unknown-tunnel-key", { vport: 0, bytes: frame.length });
  }

  /** Executes an action on a frame that the agent sends. */
  execute(frame: Uint8Array, ingressVport: number, action: Uint32Array): void {
    const key = new Uint32Array(KEY_WORDS);
    extractKey(frame, { vportIndex: ingressVport }, key);
    this.#output(frame, shapeOf(frame, key[0] as number), { action, ingressVport });
  }

  /** Drop counters. */
  drops(): readonly DropCount[] {
    return [...this.#drops].map(([id, count]) => ({ vport: id >>> 8, reason: id & 0xff, ...count }));
  }

  #find(shard: number): number {
    const lookup = this.#lookup;
    lookup.set(this.#key);
    for (let flowClass = 0; flowClass < CLASS_COUNT; flowClass++) {
      const slot = this.#flows.find(lookup, 0, { flowClass, shard });
      if (slot < 0) continue;
      const generation = this.#memory.buckets[bucketOf(slot) + BUCKET_GENERATION + (slot % BUCKET_WAYS)] as number;
      if (generation !== 0 && (generation & 1) === 0) return slot;
    }
    return -1;
  }

  #actionAt(slot: number): number {
    return bucketOf(slot) + BUCKET_SLOT + (slot % BUCKET_WAYS) * SLOT_WORDS + SLOT_ACTION;
  }

  #count(slot: number, bytes: number): void {
    const way = slot % BUCKET_WAYS;
    this.#memory.buckets[bucketOf(slot) + BUCKET_USED + way] = this.#now() >>> 0;
    const at = ((slot - way) / BUCKET_WAYS) * COUNTER_WORDS + 2 * way;
    add64(this.#memory.counters, at, 1);
    add64(this.#memory.counters, at + 2 * BUCKET_WAYS, bytes);
  }

  #checkAndExecute(packet: { vport: number; shard: number; frame: Uint8Array; action: Uint32Array }): void {
    const { vport, shard, frame, action } = packet;
    const shape = shapeOf(frame, this.#key[0] as number);
    const limits = action[3] as number;
    const limit = limits & 0xffff;
    const isIp = shape.frameClass === FRAME_IP4 || shape.frameClass === FRAME_IP6;
    if (isIp && limit !== 0 && frame.length - shape.l3 > limit) {
      return this.#upcall({ kind: UPCALL_TOO_BIG, vport, shard, frame, limit, decrement: 0 });
    }
    const decrement = ((action[0] as number) & ACTION_DEC_TTL) === 0 ? 0 : (limits >>> 16) & 0xff;
    if (decrement > 0 && (ttlOf(frame, shape) ?? 255) <= decrement) {
      return this.#upcall({ kind: UPCALL_TTL_EXPIRED, vport, shard, frame, limit: 0, decrement });
    }
    this.#output(frame, shape, { action, ingressVport: vport });
  }

  #output(frame: Uint8Array, shape: FrameShape, program: { readonly action: Uint32Array; readonly ingressVport: number }): void {
    const { action, ingressVport } = program;
    const kind = (action[0] as number) & ACTION_KIND_MASK;
    const target = action[1] as number;
    if (kind === ACTION_DROP) return this.#dropCode(target, { vport: ingressVport, bytes: frame.length });
    const out = rewrite(frame, shape, { action, offset: 0 });
    if (kind === ACTION_VPORT) return this.#toPort(target, out);
    if (kind === ACTION_TUNNEL) return this.#toPeer(target, action[2] as number, out);
    if (kind === ACTION_GROUP) this.#toGroup(target, { ingressVport, frame: out, localOnly: false });
  }

  #toPort(vport: number, frame: Uint8Array): void {
    const isUp = ((this.#memory.vports[vport * VPORT_WORDS + 3] as number) & VPORT_UP) !== 0;
    if (isUp) this.#outputs.toPort(vport, frame);
    else this.#drop("vport-down", { vport, bytes: frame.length });
  }

  #toPeer(peer: number, tunnelKey: number, frame: Uint8Array): void {
    const record = peer * PEER_WORDS;
    if (((this.#memory.peers[record + 7] as number) & PEER_UP) === 0) return this.#drop("peer-down", { vport: 0, bytes: frame.length });
    const mtu = this.#memory.peers[record + 6] as number;
    if (mtu !== 0 && frame.length - networkOffset(frame) > mtu) return this.#drop("too-big", { vport: 0, bytes: frame.length });
    this.#outputs.toPeer(peer, tunnelKey, frame);
  }

  #toGroup(group: number, send: { ingressVport: number; frame: Uint8Array; localOnly: boolean }): void {
    const { groups } = this.#memory;
    const record = group * (GROUP_HEADER_WORDS + GROUP_OUTPUTS * GROUP_OUTPUT_WORDS);
    const count = Math.min(groups[record + 1] as number, GROUP_OUTPUTS);
    for (let i = 0; i < count; i++) {
      const at = record + GROUP_HEADER_WORDS + i * GROUP_OUTPUT_WORDS;
      const word = groups[at] as number;
      const target = groups[at + 1] as number;
      const isPort = (word & ACTION_KIND_MASK) === ACTION_VPORT;
      if (isPort ? target === send.ingressVport : send.localOnly) continue;
      const vlan = { pop: (word >>> ACTION_POP_SHIFT) & 3, push: (word >>> ACTION_PUSH_SHIFT) & 3, tcis: groups[at + 3] as number };
      const frame = retag(send.frame.slice(), vlan);
      if (isPort) this.#toPort(target, frame);
      else this.#toPeer(target, groups[at + 2] as number, frame);
    }
  }

  #upcall(miss: { kind: number; vport: number; shard: number; frame: Uint8Array; limit: number; decrement: number }): void {
    const { vport, shard, frame } = miss;
    const { credits, vports } = this.#memory;
    const at = (vport * SHARD_COUNT + shard) * CREDIT_WORDS;
    const record = vport * VPORT_WORDS;
    const waiting = ((credits[at] as number) - (credits[at + 2] as number)) >>> 0;
    const bytes = ((credits[at + 1] as number) - (credits[at + 3] as number)) >>> 0;
    if (waiting >= (vports[record + 5] as number) || bytes >= (vports[record + 6] as number)) {
      return this.#drop("upcall-budget", { vport, bytes: frame.length });
    }
    const ring = this.rings[shard] as MemoryUpcall[];
    if (ring.length >= RING_RECORDS_MAX) return this.#drop("upcall-ring-full", { vport, bytes: frame.length });
    credits[at] = (credits[at] as number) + 1;
    credits[at + 1] = (credits[at + 1] as number) + frame.length;
    const words = new Uint32Array(UPCALL_HEADER_WORDS);
    words.set([miss.kind, frame.length, frame.length, vport, 0, 0, 0, shard]);
    const nanoseconds = this.#now() * 1e6;
    words[8] = nanoseconds % 0x1_0000_0000;
    words[9] = Math.floor(nanoseconds / 0x1_0000_0000);
    words[11] = miss.limit;
    words[12] = miss.decrement;
    words.set(this.#key, UPCALL_KEY);
    ring.push({ words, frame: frame.slice() });
    this.onUpcall(shard);
  }

  #drop(reason: DropReason, what: { readonly vport: number; readonly bytes: number }): void {
    this.#dropCode(dropCode(reason), what);
  }

  #dropCode(code: number, what: { readonly vport: number; readonly bytes: number }): void {
    const id = (what.vport << 8) | code;
    const count = this.#drops.get(id);
    if (count === undefined) this.#drops.set(id, { packets: 1, bytes: what.bytes });
    else {
      count.packets++;
      count.bytes += what.bytes;
    }
  }
}

function bucketOf(slot: number): number {
  return ((slot - (slot % BUCKET_WAYS)) / BUCKET_WAYS) * BUCKET_WORDS;
}

function add64(words: Uint32Array, at: number, amount: number): void {
  const low = (words[at] as number) + amount;
  words[at] = low;
  if (low > 0xffff_ffff) words[at + 1] = (words[at + 1] as number) + 1;
}
