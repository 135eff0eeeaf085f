import type { DropReason } from "../../flow/drop-reason.ts";
import { FlowTable } from "../../flow/flow-table.ts";
import { shardOf } from "../../flow/hash.ts";
import {
  ACTION_DEC_TTL,
  ACTION_DROP,
  ACTION_GROUP,
  ACTION_KIND_MASK,
  ACTION_MISS,
  ACTION_POP_SHIFT,
  ACTION_PUSH_SHIFT,
  ACTION_TUNNEL,
  ACTION_VPORT,
  ACTION_WORDS,
  BUCKET_GENERATION,
  BUCKET_USED,
  BUCKET_WAYS,
  BUCKET_WORDS,
  CLASS_COUNT,
  CONTROL_ORDER,
  CONTROL_UNDERLAY,
  COUNTER_WORDS,
  FRAME_IP4,
  FRAME_IP6,
  GROUP_HEADER_WORDS,
  GROUP_MAX,
  GROUP_OUTPUT_WORDS,
  GROUP_OUTPUTS,
  PARSE_BAD,
  PARSE_SHORT,
  PEER_FAMILY,
  PEER_FLAGS,
  PEER_MAX,
  PEER_SENT,
  PEER_SENT_MS,
  PEER_UP,
  PEER_WORDS,
  SLOT_ACTION,
  TUNNEL_KIND_KEEPALIVE,
  TUNNEL_KIND_SHIFT,
  TUNNEL_KIND_VPORT,
  TUNNEL_TRACE,
  UPCALL_MISS,
  UPCALL_TOO_BIG,
  UPCALL_TRACE,
  UPCALL_TTL_EXPIRED,
  VPORT_HINT,
  VPORT_MAX,
  VPORT_UP,
  VPORT_WORDS,
} from "../../flow/layout.ts";
import { isValidGeneration } from "../../flow/slot-protocol.ts";
import type { DatapathMemory } from "../datapath.ts";
import { DropCounts } from "./drop-counts.ts";
import { takeKeepAlive } from "./keep-alive.ts";
import {
  frameClassOf,
  isTagged,
  lengthOf,
  type MemoryPacket,
  networkLengthOf,
  packetOf,
  parseStateOf,
  popTags,
  pushTags,
  tagsOf,
  ttlOf,
} from "./packet.ts";
import { rewrite } from "./rewrite.ts";
import { type UpcallCause, UpcallRings } from "./upcall-rings.ts";

/** Frames that leave the memory datapath: to the interface of a vport, or into the underlay. The bytes are the receiver's. */
export interface MemoryOutputs {
  toPort(vport: number, frame: Uint8Array): void;
  toPeer(peer: number, tunnelKey: number, frame: Uint8Array): void;
}

/** What a tunnel key names here: kind as in the tunnel key, and the vport or group. */
export interface TunnelTarget {
  readonly kind: number;
  readonly index: number;
}

interface GroupOutput {
  readonly kind: number;
  readonly target: number;
  readonly tunnelKey: number;
}

/** Order of the classes of a shard that was never written: all, from the finest. */
const ORDER_ALL = 0x123456;

/**
 * What the eBPF programs do, in TypeScript, over the same memory words: the reference that they are held to. One frame at a
 * time, synchronous. Frames have complete checksums and no segmentation offload.
 */
export class MemoryKernel {
  /** Waiting upcalls. */
  readonly upcalls: UpcallRings;
  readonly drops = new DropCounts();
  /** What a tunnel key (without kind bits) names here. */
  readonly tunnelKeys = new Map<number, TunnelTarget>();
  readonly #memory: DatapathMemory;
  readonly #outputs: MemoryOutputs;
  readonly #now: () => number;
  readonly #flows: FlowTable;

  constructor(memory: DatapathMemory, outputs: MemoryOutputs, now: () => number) {
    this.#memory = memory;
    this.#outputs = outputs;
    this.#now = now;
    this.#flows = new FlowTable(memory, VPORT_MAX);
    this.upcalls = new UpcallRings(memory, now);
  }

  /** A frame came in by the interface of a vport. */
  ingress(vport: number, frame: Uint8Array): void {
    const packet = packetOf(frame, { vport, isReceived: true });
    const state = parseStateOf(packet);
    if (state === PARSE_SHORT || state === PARSE_BAD) return this.#drop("malformed", packet);
    const shard = shardOf(packet.key, 0, this.#memory.control);
    const found = this.#find(packet.key, shard, vport);
    if (found.slot < 0) return this.#upcall(packet, { kind: UPCALL_MISS, shard }, found.isRetry);
    this.#count(found.slot, lengthOf(packet));
    const actionAt = this.#flows.keyAt(found.slot) + SLOT_ACTION;
    const action = this.#memory.buckets.slice(actionAt, actionAt + ACTION_WORDS);
    const cause = exceptionOf(packet, action, shard);
    if (cause === undefined) this.#execute(packet, action);
    else this.#upcall(packet, cause, found.isRetry);
  }

  /** A frame came out of the tunnel. `peer` is the index of its source address, 0 for an address that is no peer. */
  tunnelIngress(peer: number, tunnelKey: number, frame: Uint8Array): void {
    const packet = packetOf(frame, { vport: 0, isReceived: true });
    if (peer === 0) return this.#drop("unknown-peer", packet);
    const kind = tunnelKindOf(tunnelKey);
    if (kind === TUNNEL_KIND_KEEPALIVE) return this.#keepAlive(peer, packet);
    this.#memory.peerSeen[peer] = this.#now() >>> 0;
    if (kind > TUNNEL_KIND_KEEPALIVE) return this.#drop("reserved-tunnel-kind", packet);
    const target = this.tunnelKeys.get(tunnelKey & 0xf_ffff);
    if (target === undefined || target.kind !== kind) return this.#drop("unknown-tunnel-key", packet);
    const isToVport = kind === TUNNEL_KIND_VPORT;
    if ((tunnelKey & TUNNEL_TRACE) !== 0) this.#trace(isToVport ? target.index : 0, tunnelKey, frame);
    if (isToVport) this.#toPort(target.index, packet);
    else this.#toGroup(target.index, packet, true);
  }

  /** A tunnelled frame that is not addressed to our end of the tunnels. */
  strayFromUnderlay(frame: Uint8Array): void {
    this.#drop("underlay-guard", packetOf(frame, { vport: 0, isReceived: true }));
  }

  /** A frame of the agent's own goes to a peer. */
  sendToPeer(peer: number, tunnelKey: number, frame: Uint8Array): void {
    this.#toPeer(peer, tunnelKey, packetOf(frame, { vport: 0, isReceived: false }));
  }

  /** Executes an action on a frame that the agent sends. */
  execute(frame: Uint8Array, ingressVport: number, action: Uint32Array): void {
    this.#execute(packetOf(frame, { vport: ingressVport, isReceived: false }), action);
  }

  /** The host's own stack sends through the interface of a vport, which it may not. */
  hostEgress(vport: number, frame: Uint8Array): void {
    this.drops.count("host-originated", { vport, bytes: frame.length });
  }

  /**
   * The slot of the flow in the first class that has one, or -1; the class of the vport's last frame goes first. Of a flow in the
   * middle of a write: -1, and so it is told.
   */
  #find(key: Uint32Array, shard: number, vport: number): { readonly slot: number; readonly isRetry: boolean } {
    const { vports, buckets, control } = this.#memory;
    const hintAt = vport * VPORT_WORDS + VPORT_HINT;
    let isRetry = false;
    const order = (control[CONTROL_ORDER + shard] as number) || ORDER_ALL;
    for (const flowClass of classesIn(order, vports[hintAt] as number)) {
      const slot = this.#flows.find(key, 0, { flowClass, shard });
      if (slot < 0) continue;
      const generation = buckets[bucketOf(slot) + BUCKET_GENERATION + (slot % BUCKET_WAYS)] as number;
      if (isValidGeneration(generation)) {
        vports[hintAt] = flowClass + 1;
        return { slot, isRetry };
      }
      isRetry = true;
    }
    return { slot: -1, isRetry };
  }

  #count(slot: number, bytes: number): void {
    const way = slot % BUCKET_WAYS;
    this.#memory.buckets[bucketOf(slot) + BUCKET_USED + way] = this.#now() >>> 0;
    const at = ((slot - way) / BUCKET_WAYS) * COUNTER_WORDS + 2 * way;
    add64(this.#memory.counters, at, 1);
    add64(this.#memory.counters, at + 2 * BUCKET_WAYS, bytes);
  }

  #execute(packet: MemoryPacket, action: Uint32Array): void {
    const kind = (action[0] as number) & ACTION_KIND_MASK;
    const target = action[1] as number;
    if (kind === ACTION_DROP) return this.drops.count(target, { vport: packet.vport, bytes: lengthOf(packet) });
    if (!rewrite(packet, action)) return this.#drop("rewrite-failed", packet);
    if (kind === ACTION_VPORT) return this.#toPort(target, packet);
    if (kind === ACTION_TUNNEL) return this.#toPeer(target, action[2] as number, packet);
    if (kind === ACTION_GROUP) return this.#toGroup(target, packet, false);
    this.#drop("unsupported", packet);
  }

  #toPort(vport: number, packet: MemoryPacket): void {
    if (this.#isPortUp(vport)) this.#outputs.toPort(vport, packet.bytes);
    else this.drops.count("vport-down", { vport, bytes: lengthOf(packet) });
  }

  #toPeer(peer: number, tunnelKey: number, packet: MemoryPacket): void {
    const reason = this.#whyNotToPeer(peer, tunnelKey, networkLengthOf(packet));
    if (reason === undefined) this.#outputs.toPeer(peer, tunnelKey & 0xff_ffff, packet.bytes);
    else this.#drop(reason, packet);
  }

  #keepAlive(peer: number, packet: MemoryPacket): void {
    const outcome = takeKeepAlive(this.#memory, { peer, frame: packet.bytes, now: this.#now() });
    if (outcome.kind === "refused") return this.#drop("keep-alive-refused", packet);
    if (outcome.isNews) this.#memory.peerSeen[peer] = this.#now() >>> 0;
    if (outcome.kind === "request") this.sendToPeer(peer, TUNNEL_KIND_KEEPALIVE << TUNNEL_KIND_SHIFT, outcome.reply);
  }

  /** `isLocalOnly`: the frame came by a tunnel, and is never sent into another. */
  #toGroup(group: number, packet: MemoryPacket, isLocalOnly: boolean): void {
    const { groups } = this.#memory;
    const record = group * (GROUP_HEADER_WORDS + GROUP_OUTPUTS * GROUP_OUTPUT_WORDS);
    if (group >= GROUP_MAX) return this.#drop("group-limit", packet);
    if (!isWhole(groups, record)) return this.#drop("slot-retry", packet);
    const count = groups[record + 1] as number;
    if (count > GROUP_OUTPUTS) return this.#drop("group-limit", packet);
    for (let i = 0; i < count; i++) {
      const at = record + GROUP_HEADER_WORDS + i * GROUP_OUTPUT_WORDS;
      const target = groups[at + 1] as number;
      const kind = (groups[at] as number) & ACTION_KIND_MASK;
      const isLeftOut = kind === ACTION_VPORT ? target === packet.vport : kind !== ACTION_TUNNEL || isLocalOnly;
      const tunnelKey = (groups[at + 2] as number) & 0xff_ffff;
      if (isLeftOut || !this.#mayLeave({ kind, target, tunnelKey }, packet)) continue;
      const copy = this.#retagged(packet, at);
      // The programs re-tag the one frame that they have: when that fails, the rest of the group is lost too.
      if (copy === undefined) return this.#drop("rewrite-failed", packet);
      if (kind === ACTION_VPORT) this.#outputs.toPort(target, copy);
      else this.#outputs.toPeer(target, tunnelKey, copy);
    }
  }

  /** Whether a member of a group can be sent to; if not, it is counted, with the frame as it was before the member's tags. */
  #mayLeave(output: GroupOutput, packet: MemoryPacket): boolean {
    const { kind, target, tunnelKey } = output;
    if (kind === ACTION_VPORT) {
      if (this.#isPortUp(target)) return true;
      this.drops.count("vport-down", { vport: target, bytes: lengthOf(packet) });
      return false;
    }
    const reason = this.#whyNotToPeer(target, tunnelKey, networkLengthOf(packet));
    if (reason === undefined) return true;
    this.#drop(reason, packet);
    return false;
  }

  /** The bytes of a copy with the operation of the group's output at word `at`. */
  #retagged(packet: MemoryPacket, at: number): Uint8Array | undefined {
    const { groups } = this.#memory;
    const word = groups[at] as number;
    // Counted anew: of a frame with more tags than the parser counts, the third may be the second by now.
    const tags = tagsOf(packet.bytes);
    const copy = { ...packet, bytes: packet.bytes.slice(), tags };
    const pop = (word >>> ACTION_POP_SHIFT) & 3;
    const push = (word >>> ACTION_PUSH_SHIFT) & 3;
    if (!popTags(copy, pop)) return undefined;
    pushTags(copy, push, groups[at + 3] as number);
    // Undoing an operation leaves the outer tag beside the bytes.
    if (push > 0 || Math.min(pop, tags) > 0) packet.isTagBeside = isTagged(packet.bytes);
    return copy.bytes;
  }

  #isPortUp(vport: number): boolean {
    const record = vport * VPORT_WORDS;
    const { vports } = this.#memory;
    return vport < VPORT_MAX && isWhole(vports, record) && ((vports[record + 3] as number) & VPORT_UP) !== 0;
  }

  /** Why a frame may not go to a peer; if it may, the peer's record says that one went. */
  #whyNotToPeer(peer: number, tunnelKey: number, networkLength: number): DropReason | undefined {
    const record = peer * PEER_WORDS;
    const { peers, control } = this.#memory;
    if (peer >= PEER_MAX || !isWhole(peers, record)) return "peer-down";
    const isKeepAlive = tunnelKindOf(tunnelKey) === TUNNEL_KIND_KEEPALIVE;
    const isUp = ((peers[record + PEER_FLAGS] as number) & PEER_UP) !== 0;
    const hasFamily = peers[record + PEER_FAMILY] !== 0 && peers[record + PEER_FAMILY] === control[CONTROL_UNDERLAY];
    if (!(isUp || isKeepAlive) || !hasFamily) return "peer-down";
    const now = this.#now() >>> 0;
    if (!isKeepAlive && (now - (peers[record + PEER_SENT] as number)) >>> 0 >= PEER_SENT_MS)
      peers[record + PEER_SENT] = now;
    const mtu = peers[record + 6] as number;
    return mtu !== 0 && networkLength > mtu ? "too-big" : undefined;
  }

  /** A copy of a traced frame goes up under the vport that it goes to; without budget for it there is no trace. */
  #trace(vport: number, tunnelKey: number, frame: Uint8Array): void {
    const packet = packetOf(frame, { vport, isReceived: true });
    const shard = shardOf(packet.key, 0, this.#memory.control);
    this.upcalls.send(packet, { kind: UPCALL_TRACE, shard, tunnelKey });
  }

  #upcall(packet: MemoryPacket, cause: UpcallCause, isRetry: boolean): void {
    const reason = this.upcalls.send(packet, cause);
    if (reason === undefined) return;
    this.#drop(reason === "upcall-ring-full" && isRetry ? "slot-retry" : reason, packet);
  }

  #drop(reason: DropReason, packet: MemoryPacket): void {
    this.drops.count(reason, { vport: packet.vport, bytes: lengthOf(packet) });
  }
}

/** Mask classes in the order in which they are looked through: first that of `hint`, a class + 1, if `order` has it. */
function classesIn(order: number, hint: number): readonly number[] {
  const classes: number[] = [];
  for (let rest = order, i = 0; i < CLASS_COUNT; i++, rest >>>= 4) {
    const flowClass = (rest & 15) - 1;
    if (flowClass < 0 || flowClass >= CLASS_COUNT) break;
    if (flowClass + 1 === hint) classes.unshift(flowClass);
    else classes.push(flowClass);
  }
  return classes;
}

/** What sends a packet up although it has a flow: no action known, too long for the flow, at the end of its life. */
function exceptionOf(packet: MemoryPacket, action: Uint32Array, shard: number): UpcallCause | undefined {
  if (((action[0] as number) & ACTION_KIND_MASK) === ACTION_MISS) return { kind: UPCALL_MISS, shard };
  const frameClass = frameClassOf(packet);
  if (frameClass !== FRAME_IP4 && frameClass !== FRAME_IP6) return undefined;
  const limits = action[3] as number;
  const limit = limits & 0xffff;
  if (limit !== 0 && networkLengthOf(packet) > limit) return { kind: UPCALL_TOO_BIG, shard, limit };
  const decrement = (limits >>> 16) & 0xff;
  const isDecremented = ((action[0] as number) & ACTION_DEC_TTL) !== 0;
  if (isDecremented && (ttlOf(packet) as number) <= decrement) return { kind: UPCALL_TTL_EXPIRED, shard, decrement };
  return undefined;
}

function tunnelKindOf(tunnelKey: number): number {
  return (tunnelKey >>> TUNNEL_KIND_SHIFT) & 7;
}

/** Whether a record is not in the middle of a write. */
function isWhole(words: Uint32Array, record: number): boolean {
  return ((words[record] as number) & 1) === 0;
}

function bucketOf(slot: number): number {
  return ((slot - (slot % BUCKET_WAYS)) / BUCKET_WAYS) * BUCKET_WORDS;
}

function add64(words: Uint32Array, at: number, amount: number): void {
  const low = (words[at] as number) + amount;
  words[at] = low;
  if (low > 0xffff_ffff) words[at + 1] = (words[at + 1] as number) + 1;
}
