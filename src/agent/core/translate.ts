import { type DropReason, dropCode } from "../../flow/drop-reason.ts";
import {
  ACTION_DEC_TTL,
  ACTION_DROP,
  ACTION_GROUP,
  ACTION_TUNNEL,
  ACTION_VPORT,
  ACTION_WORDS,
  GROUP_OUTPUT_WORDS,
  GROUP_OUTPUTS,
  TUNNEL_KIND_GROUP,
  TUNNEL_KIND_SHIFT,
} from "../../flow/layout.ts";
import type { Id } from "../../model/objects.ts";
import type { OutputList } from "../../sim/outputs.ts";
import type { ForwardResult } from "../../sim/result.ts";
import type { World } from "../../sim/world.ts";
import type { Groups } from "./groups.ts";
import type { WorkerMetric } from "./worker-counts.ts";

/** A peer as a worker knows it. */
export interface PeerRecord {
  readonly peer: number;
  readonly mtu: number;
}

const LIMIT_MASK = 0xffff;

/**
 * From vports to what this host's datapath can do: a local port, a tunnel to the port's host under the key that it chose, or
 * a group. The result stands in `action`, `group` until the next call.
 */
export class Translator {
  /** The action, complete. */
  readonly action = new Uint32Array(ACTION_WORDS);
  /** The group that the action uses; 0: none. */
  group = 0;
  /**
   * Whether the frame of the last `forward` may go out with the action: what the walk found, or `too-big` when only the path
   * to another host is too narrow. The datapath, which asks the same of every later packet, does not ask it of the first.
   */
  fit: ForwardResult["fit"] = "fits";
  /** True when the flood found no free group: send output by output with `outputAction`, install nothing. */
  isUngrouped = false;
  /** Keys for floods, by handle of the bridge and id of the host. */
  readonly #floodKeys = new Map<number, Map<Id, number>>();
  readonly #peers = new Map<Id, PeerRecord>();
  /** The peer that was looked for last: flows come in series. */
  #lastHost: Id | undefined;
  #lastPeer: PeerRecord | undefined;
  readonly #world: World;
  readonly #groups: Groups;
  readonly #count: (metric: WorkerMetric) => void;
  readonly #outputs = new Uint32Array(2 * GROUP_OUTPUTS * GROUP_OUTPUT_WORDS);
  #outputCount = 0;
  #mtu = 0;

  constructor(world: World, groups: Groups, count: (metric: WorkerMetric) => void) {
    this.#world = world;
    this.#groups = groups;
    this.#count = count;
  }

  /** The action of a drop flow: what has TTL for no more than `routers`, those on the way to the drop, goes up instead. */
  drop(reason: DropReason, routers: number): void {
    this.group = 0;
    this.isUngrouped = false;
    for (let i = 0; i < ACTION_WORDS; i++) this.action[i] = 0;
    this.action[0] = ACTION_DROP | (routers > 0 ? ACTION_DEC_TTL : 0);
    this.action[1] = dropCode(reason);
    this.action[3] = routers << 16;
  }

  /** The action of a forwarding result; a drop action when there is nowhere to go. The reason, then, or undefined. */
  forward(result: ForwardResult): DropReason | undefined {
    this.group = 0;
    this.isUngrouped = false;
    this.fit = result.fit;
    const { outputs } = result;
    if (outputs.isOverLimit) return this.#dropFor("group-limit", result);
    this.#collect(outputs);
    if (this.#outputCount === 0) return this.#dropFor(outputs.count === 1 ? "port-inactive" : "no-recipient", result);
    const { action } = this;
    for (let i = 0; i < ACTION_WORDS; i++) action[i] = result.action[i] as number;
    action[3] = lowerLimit(action[3] as number, this.#mtu);
    const { limit } = this;
    const isLong = limit !== 0 && result.networkLength > limit;
    if (isLong && result.fit === "fits" && result.fragments.length === 0) this.fit = "too-big";
    if (outputs.count === 1) {
      this.#setTarget(action, 0);
      return undefined;
    }
    if (this.#outputCount > GROUP_OUTPUTS) return this.#dropFor("group-limit", result);
    this.group = this.#groups.intern({ words: this.#outputs, count: this.#outputCount, hash: this.#hash() });
    this.isUngrouped = this.group === 0;
    if (this.isUngrouped) this.#count("weft_worker_groups_exhausted");
    action[0] = (action[0] as number) | ACTION_GROUP;
    action[1] = this.group;
    return undefined;
  }

  /** Largest IP packet that the action lets pass; 0: any. */
  get limit(): number {
    return (this.action[3] as number) & LIMIT_MASK;
  }

  /** Takes what is known of a host; undefined: it is no peer any more. */
  setPeer(hostId: Id, peer: PeerRecord | undefined): void {
    this.#lastHost = undefined;
    if (peer === undefined) this.#peers.delete(hostId);
    else this.#peers.set(hostId, peer);
  }

  /** Takes the key under which a host takes floods of a bridge. */
  setFloodKey(told: { readonly bridgeId: Id; readonly hostId: Id; readonly key: number | undefined }): void {
    const bridge = this.#world.handleOf(told.bridgeId);
    const keys = this.#floodKeys.get(bridge) ?? new Map<Id, number>();
    this.#floodKeys.set(bridge, keys);
    if (told.key === undefined) keys.delete(told.hostId);
    else keys.set(told.hostId, told.key);
  }

  /** Forgets the keys of a bridge that is gone: when it comes back, its hosts say anew which they have. */
  forgetFloodKeys(bridgeId: Id): void {
    this.#floodKeys.delete(this.#world.handleOf(bridgeId));
  }

  /** Number of outputs of the last `forward`. */
  get outputCount(): number {
    return this.#outputCount;
  }

  /** The action of output `i` of the last `forward` alone, written to `into`. */
  outputAction(i: number, into: Uint32Array, base: Uint32Array): void {
    into.set(base);
    into[3] = lowerLimit(into[3] as number, this.#mtu);
    this.#setTarget(into, i);
    const word = this.#outputs[i * GROUP_OUTPUT_WORDS] as number;
    into[0] = (into[0] as number) | (word & ~0xf);
    into[7] = this.#outputs[i * GROUP_OUTPUT_WORDS + 3] as number;
  }

  /** The vport index of output `i` when it is local, else 0. */
  localVport(i: number): number {
    const at = i * GROUP_OUTPUT_WORDS;
    return ((this.#outputs[at] as number) & 0xf) === ACTION_VPORT ? (this.#outputs[at + 1] as number) : 0;
  }

  #setTarget(action: Uint32Array, i: number): void {
    const at = i * GROUP_OUTPUT_WORDS;
    action[0] = ((action[0] as number) & ~0xf) | ((this.#outputs[at] as number) & 0xf);
    action[1] = this.#outputs[at + 1] as number;
    action[2] = this.#outputs[at + 2] as number;
  }

  #dropFor(reason: DropReason, { facts }: ForwardResult): DropReason {
    this.drop(reason, facts.routers);
    return reason;
  }

  /** Local outputs first: clones made after a tunnel key was set would carry it. */
  #collect(outputs: OutputList): void {
    this.#outputCount = 0;
    this.#mtu = 0;
    for (let i = 0; i < outputs.count; i++) this.#addLocal(outputs, i);
    for (let i = 0; i < outputs.count; i++) this.#addRemote(outputs, i);
  }

  #addLocal(outputs: OutputList, i: number): void {
    const placement = this.#world.placementOf(outputs.ports[i] as number);
    if (placement?.at !== "local" || !placement.isActive) return;
    this.#push(outputs, i, { kind: ACTION_VPORT, target: placement.vport, key: 0 });
  }

  #addRemote(outputs: OutputList, i: number): void {
    const placement = this.#world.placementOf(outputs.ports[i] as number);
    if (placement?.at !== "remote" || !placement.isActive) return;
    const peer = this.#peerOf(placement.hostId);
    if (peer === undefined) return;
    if (this.#mtu === 0 || peer.mtu < this.#mtu) this.#mtu = peer.mtu;
    const flood = outputs.count === 1 ? undefined : this.#floodKeyOf(outputs.ports[i] as number, placement.hostId);
    if (flood !== undefined) return this.#pushFlood(outputs, i, { peer: peer.peer, key: flood });
    this.#push(outputs, i, { kind: ACTION_TUNNEL, target: peer.peer, key: placement.tunnelKey });
  }

  #peerOf(hostId: Id): PeerRecord | undefined {
    if (hostId === this.#lastHost) return this.#lastPeer;
    this.#lastHost = hostId;
    this.#lastPeer = this.#peers.get(hostId);
    return this.#lastPeer;
  }

  /** The key that serves a port among the others of its bridge and host; undefined: the port must be named itself. */
  #floodKeyOf(portHandle: number, hostId: Id): number | undefined {
    const port = this.#world.port(portHandle);
    if (port === undefined || port.outFilter !== 0 || port.isExternal) return undefined;
    const key = this.#floodKeys.get(port.device)?.get(hostId);
    if (key === undefined) return undefined;
    const bridge = this.#world.bridge(port.device);
    return bridge === undefined || bridge.outFilter !== 0 || bridge.isVlanAware ? undefined : key;
  }

  /** One copy for all: the first port of the bridge on that host brings it, the others find it there. */
  #pushFlood(outputs: OutputList, i: number, to: { readonly peer: number; readonly key: number }): void {
    const key = (TUNNEL_KIND_GROUP << TUNNEL_KIND_SHIFT) | to.key;
    for (let at = 0; at < this.#outputCount * GROUP_OUTPUT_WORDS; at += GROUP_OUTPUT_WORDS) {
      const isSame = this.#outputs[at + 1] === to.peer && this.#outputs[at + 2] === key;
      if (isSame && ((this.#outputs[at] as number) & 0xf) === ACTION_TUNNEL) return;
    }
    this.#push(outputs, i, { kind: ACTION_TUNNEL, target: to.peer, key });
  }

  #push(
    outputs: OutputList,
    i: number,
    to: { readonly kind: number; readonly target: number; readonly key: number },
  ): void {
    if (this.#outputCount >= 2 * GROUP_OUTPUTS) return;
    const at = this.#outputCount++ * GROUP_OUTPUT_WORDS;
    const words = this.#outputs;
    words[at] = to.kind | (outputs.count === 1 ? 0 : (outputs.vlanOps[i] as number));
    words[at + 1] = to.target;
    words[at + 2] = to.key;
    words[at + 3] = outputs.count === 1 ? 0 : (outputs.vlanTags[i] as number);
  }

  #hash(): number {
    let hash = this.#outputCount;
    for (let i = 0; i < this.#outputCount * GROUP_OUTPUT_WORDS; i++) {
      hash = Math.imul(hash ^ (this.#outputs[i] as number), 0x85eb_ca6b);
      hash ^= hash >>> 15;
    }
    return hash >>> 0;
  }
}

function lowerLimit(word: number, mtu: number): number {
  const limit = word & LIMIT_MASK;
  if (mtu === 0 || (limit !== 0 && limit <= mtu)) return word;
  return ((word & ~LIMIT_MASK) | mtu) >>> 0;
}
