import type { Ip } from "../addr/ip.ts";
import type { Mac } from "../addr/mac.ts";
import type { DropReason } from "../flow/drop-reason.ts";
import type { TagList } from "../flow/tag-index.ts";
import type { OutputList } from "./outputs.ts";

/**
 * What a simulation found. A closed union of objects that the simulator owns and reuses: read what you need before the
 * next call of the same simulator. `facts` says what the answer depends on.
 */
export type SimResult = WaitResult | ConsumeResult | DropResult | ForwardResult | NeedsFrameResult;

/** What every result carries. One object per simulator, reused. */
export interface WalkFacts {
  /** The mask class that covers every field that the walk read (`CLASS_PORT` ... `CLASS_FULL` in `flow/layout.ts`). */
  readonly level: number;
  /**
   * Routers whose TTL check the walk came through, wherever it ended: those that sent the packet on, and the last one if what ended
   * the walk comes after its check (RFC 1812 5.2.1.2, 5.3.1; Linux: after the route, before FORWARD filter, MTU and neighbor).
   * See `isTtlUsedUp`. Not in the mask: every packet of a flow may have another TTL, so its action says it.
   */
  readonly routers: number;
  /**
   * Everything that the walk read, absent entries included, and as `references` the FDB entries that the packet taught
   * (numbers of `state/fdb.ts`): the worker calls `FdbLearner.use` for each, whatever the result, and holds them by flow.
   */
  readonly tags: TagList;
  /** Frames that the network itself sends because of this packet, each to be walked by `Simulator.emit`. Only in live mode, of what gets there. */
  readonly frames: readonly EmittedFrame[];
  /** Writes to replicated maps, other than those of the neighbor resolver and the FDB learner. Not in check mode. */
  readonly writes: readonly StateWrite[];
}

/**
 * Is a TTL or hop limit with which a packet came used up on the walk, before it comes to its end? Then the answer to the packet is that
 * of `Simulator.ttlExpired`, whatever the result says: a forward, a wait, a drop for another reason, an answer of the network itself.
 */
export function isTtlUsedUp(result: SimResult, ttl: number): boolean {
  return result.facts.routers > 0 && ttl <= result.facts.routers;
}

/** Nothing can be said yet: park the packet, run it again from scratch when what it waits for has come. */
export interface WaitResult {
  readonly kind: "wait";
  readonly facts: WalkFacts;
  readonly on: WaitOn;
}

/**
 * What a packet waits for. `topology`: objects that this thread does not have; send each as an object or as absent.
 * `neighbor`: the resolver's effect `resolved` or `failed` for this router and address; on `failed` (or when parking gives
 * up) run again with `SimInput.unresolved`, which ends the wait with an answer.
 */
export type WaitOn =
  | { readonly kind: "topology"; readonly ids: readonly string[] }
  | { readonly kind: "neighbor"; readonly router: number; readonly ip: Ip };

/** The network answered itself, or swallowed the packet: no flow. `facts.frames` has the answer. */
export interface ConsumeResult {
  readonly kind: "consume";
  readonly facts: WalkFacts;
}

/**
 * Dropped. A permanent drop may be a flow with the ordinary hard time. `isTemporary`: the reason may pass without any
 * change that a tag tells of (an answer was sent that should be sent again, a neighbor that did not answer): a short time.
 */
export interface DropResult {
  readonly kind: "drop";
  readonly facts: WalkFacts;
  readonly reason: DropReason;
  readonly isTemporary: boolean;
  /** Decided by more than the key (payload was read): install no flow. */
  readonly isTransient: boolean;
}

/**
 * Forwarded. `action` is an ACTION of `flow/layout.ts` that lacks only what hosts and tunnels decide: the kind, words 1
 * and 2; its largest L3 packet is the walk's, to be lowered to the peer's path. With one output its VLAN operation is in
 * `action`; with several, each has its own in `outputs` and `action` has none.
 */
export interface ForwardResult {
  readonly kind: "forward";
  readonly facts: WalkFacts;
  readonly action: Uint32Array;
  readonly outputs: OutputList;
  /** The answer holds for this packet only (payload was read, or the next one must be seen too): install no flow. */
  readonly isTransient: boolean;
  /**
   * Whether this very frame may be executed with `action`. If not, install the flow all the same and call
   * `Simulator.ttlExpired` or `Simulator.tooBig` with the frame. Always `fits` in check mode. The path to the egress host is
   * not looked at: compare `networkLength` with the limit of the action that is executed.
   */
  readonly fit: "fits" | "ttl-expired" | "too-big";
  /** Length of the frame's IP packet, of one segment of an offloaded frame; 0: no IP packet, or check mode. */
  readonly networkLength: number;
  /** Only from `Simulator.tooBig`: execute these in place of the frame. Empty otherwise. */
  readonly fragments: readonly Uint8Array[];
}

/** Check mode only: the answer depends on the frame (or the packet would have taught something): delete the flow. */
export interface NeedsFrameResult {
  readonly kind: "needs-frame";
  readonly facts: WalkFacts;
}

/** A frame that leaves its device by a vport: `Simulator.emit` finds its way from there. The bytes are the receiver's. */
export interface EmittedFrame {
  readonly port: number;
  readonly bytes: Uint8Array;
}

/** An opinion to write to a replicated map, by handle: `World.idOf` names the object. */
export type StateWrite = {
  /** A gratuitous ARP or unsolicited neighbor advertisement: replaces whatever the bridge's address table says. */
  readonly kind: "bridge-neighbor";
  readonly bridge: number;
  readonly ip: Ip;
  readonly mac: Mac;
};
