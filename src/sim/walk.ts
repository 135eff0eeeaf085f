import { formatIp, type Ip } from "../addr/ip.ts";
import { formatMac, type Mac, macFrom } from "../addr/mac.ts";
import type { Instant } from "../base/clock.ts";
import type { DropReason } from "../flow/drop-reason.ts";
import { type FlowTag, hashIp, tagBridgeNeighbor, tagFdbWords, tagObject } from "../flow/tag.ts";
import type { Id } from "../model/objects.ts";
import type { NeighborKey } from "../state/neighbor-resolver.ts";
import { EnteredChains } from "./entered-chains.ts";
import { DEVICES_MAX, DEVICES_TOTAL_MAX, EMITTED_MAX } from "./limits.ts";
import { OutputList } from "./outputs.ts";
import { Packet } from "./packet.ts";
import type { EmittedFrame, StateWrite, WaitOn } from "./result.ts";
import type { SimBridge } from "./sim-bridge.ts";
import type { SimChain } from "./sim-chain.ts";
import type { FrameBytes, SimInput } from "./sim-input.ts";
import type { SimPort } from "./sim-port.ts";
import type { SimRouter } from "./sim-router.ts";
import { STEP, type Step } from "./step.ts";
import { TagCollector } from "./tag-collector.ts";
import type { TraceSink } from "./trace.ts";
import type { World } from "./world.ts";
import type { Placement } from "./world-change.ts";

/** A router on the way, with what an ICMP error from it needs. Reused. */
export interface Hop {
  /** Port by which the packet came. */
  port: SimPort | undefined;
  /** The source MAC address with which it came: where errors go. */
  macHigh: number;
  macLow: number;
  /** TTL that routers before this one took. */
  ttlDecrement: number;
  /** Largest packet of the port by which it left; 0: it has not. */
  mtu: number;
}

/**
 * One packet on its way and everything the devices may touch: the packet, the world (every read earns its tag), outputs,
 * and what is to be emitted and written. Devices hold no reference to the world, so they cannot read without the tag.
 * Reused for every walk.
 */
export class Walk {
  readonly packet = new Packet();
  readonly tags = new TagCollector();
  readonly outputs = new OutputList();
  readonly chains = new EnteredChains();
  readonly hops: readonly Hop[];
  now: Instant = 0;
  /** Frame that is walked; undefined in check mode. */
  frame: FrameBytes | undefined;
  /** The walk may teach and send. */
  isLive = false;
  /** Check, renew and adopt mode. */
  isCheck = false;
  /** A stale neighbor may be asked for. */
  mayAsk = false;
  /** Frame's TTL when the walk shall find where it ends; -1: not looked at. */
  exactTtl = -1;
  unresolved: NeighborKey | undefined;
  /** Port by which the packet entered the topology; undefined before, and when the network itself made it. */
  firstPort: SimPort | undefined;

  /** Port by which the packet entered the present device; undefined when the device itself made it. */
  inPort: SimPort | undefined;
  /** Port by which it is about to leave; undefined while not decided. */
  outPort: SimPort | undefined;
  /** For `STEP.egress`: handle of the port. */
  next = 0;
  /** For `STEP.flood`. */
  floodBridge: SimBridge | undefined;
  floodVlan = 0;
  hopCount = 0;
  depth = 0;
  devices = 0;
  /** Depth of the trace's text. */
  indent = 0;
  /** A router took the packet as addressed to its MAC address: no flood goes on beside it. */
  isAccepted = false;
  /** Some branch swallowed the packet. */
  isConsumed = false;
  /** The TTL of the frame was used up at a router on the way. */
  isSpent = false;
  isTransient = false;
  isTemporary = false;
  reason: DropReason = "unsupported";
  wait: WaitOn = { kind: "topology", ids: [] };
  frames: EmittedFrame[] = [];
  writes: StateWrite[] = [];
  sink: TraceSink | undefined;

  readonly #world: World;
  readonly #neighborKey = { table: 0, ip: undefined as unknown as Ip };
  #isAdopting = false;
  readonly #source = { bridge: 0, vlan: 0, macHigh: 0, macLow: 0, port: 0 };

  constructor(world: World) {
    this.#world = world;
    this.hops = Array.from({ length: DEVICES_MAX + 1 }, () => ({
      port: undefined,
      macHigh: 0,
      macLow: 0,
      ttlDecrement: 0,
      mtu: 0,
    }));
  }

  /** Starts a new walk. */
  begin(input: SimInput, now: Instant): void {
    this.packet.load(input.key, input.keyOffset);
    this.tags.clear();
    this.outputs.clear();
    this.now = now;
    this.isCheck = input.mode === "check" || input.mode === "renew" || input.mode === "adopt";
    this.#isAdopting = input.mode === "adopt";
    this.isLive = input.mode === "live";
    this.mayAsk = input.mode === "live" || input.mode === "renew";
    this.frame = this.isCheck ? undefined : input.frame;
    this.unresolved = input.unresolved;
    this.exactTtl = -1;
    this.firstPort = undefined;
    this.inPort = undefined;
    this.outPort = undefined;
    this.hopCount = 0;
    this.depth = 0;
    this.devices = 0;
    this.indent = 0;
    this.isAccepted = false;
    this.isConsumed = false;
    this.isSpent = false;
    this.isTransient = false;
    this.isTemporary = false;
    if (this.frames.length > 0) this.frames = [];
    if (this.writes.length > 0) this.writes = [];
  }

  /** Reads a port; undefined: see `lack`. */
  port(handle: number): SimPort | undefined {
    const port = this.#world.port(handle);
    const tag = port === undefined ? tagObject(handle) : port.tag;
    this.tags.add(tag);
    if (this.sink !== undefined) this.sink.reads?.(tag, `port ${this.labelOf(handle)}`);
    return port;
  }

  /** Reads a bridge; undefined: see `lack`. */
  bridge(handle: number): SimBridge | undefined {
    const bridge = this.#world.bridge(handle);
    const tag = bridge === undefined ? tagObject(handle) : bridge.tag;
    this.tags.add(tag);
    if (this.sink !== undefined) this.sink.reads?.(tag, `bridge ${bridge?.label ?? this.labelOf(handle)}`);
    return bridge;
  }

  /** Reads a router; undefined: see `lack`. */
  router(handle: number): SimRouter | undefined {
    const router = this.#world.router(handle);
    const tag = router === undefined ? tagObject(handle) : router.tag;
    this.tags.add(tag);
    if (this.sink !== undefined) this.sink.reads?.(tag, `router ${router?.label ?? this.labelOf(handle)}`);
    return router;
  }

  /** Reads a chain; undefined: see `lack`. */
  chain(handle: number): SimChain | undefined {
    const chain = this.#world.chain(handle);
    const tag = chain === undefined ? tagObject(handle) : chain.tag;
    this.tags.add(tag);
    if (this.sink !== undefined) this.sink.reads?.(tag, `chain ${chain?.label ?? this.labelOf(handle)}`);
    return chain;
  }

  /** Reads whether an address is that of a host on the underlay. */
  isUnderlay(ip: Ip): boolean {
    const { underlay } = this.#world;
    this.tags.add(underlay.tag);
    if (this.sink !== undefined) this.sink.reads?.(underlay.tag, "underlay");
    return underlay.has(ip);
  }

  /** Reads where a bound port is. */
  placement(port: SimPort): Placement | undefined {
    this.tags.add(port.placementTag);
    if (this.sink !== undefined) this.sink.reads?.(port.placementTag, `placement ${port.label}`);
    return this.#world.placementOf(port.handle);
  }

  /** Reads which members a bridge floods to; covers the members and their placements. */
  members(bridge: SimBridge): readonly SimPort[] {
    this.tags.add(bridge.floodTag);
    if (this.sink !== undefined) this.sink.reads?.(bridge.floodTag, `members ${bridge.label}`);
    return bridge.members;
  }

  /** Where a bound member is, for a flood: `members` has earned the tag. */
  memberPlacement(port: SimPort): Placement | undefined {
    return this.#world.placementOf(port.handle);
  }

  /** Reads a bridge's FDB, linked routers first: the port behind which a MAC address is, or 0. */
  portOfMac(bridge: SimBridge, vlanAndHigh: number, low: number): number {
    const tag = tagFdbWords(bridge.handle, vlanAndHigh, low);
    this.tags.add(tag);
    if (this.sink !== undefined) this.#tellFdb(tag, bridge, { vlanAndHigh, low });
    return bridge.routerMacs.find(vlanAndHigh, low) || bridge.tables.fdb.find(vlanAndHigh, low);
  }

  /** Reads a bridge's address table: earns the tag, the caller then looks into `routerIps` and `tables`. */
  readAddress(bridge: SimBridge, ip: Ip): void {
    const tag = tagBridgeNeighbor(bridge.handle, hashIp(ip));
    this.tags.add(tag);
    if (this.sink !== undefined) this.sink.reads?.(tag, `address ${bridge.label} ${formatIp(ip)}`);
  }

  #tellFdb(tag: FlowTag, bridge: SimBridge, key: { readonly vlanAndHigh: number; readonly low: number }): void {
    const vlan = key.vlanAndHigh >>> 16;
    const mac = this.macText(key.vlanAndHigh & 0xffff, key.low);
    this.sink?.reads?.(tag, `fdb ${bridge.label}${vlan === 0 ? "" : ` vlan ${vlan}`} ${mac}`);
  }

  /** The key of a neighbor, reused: valid until the next call. */
  neighborKey(router: number, ip: Ip): NeighborKey {
    this.#neighborKey.table = router;
    this.#neighborKey.ip = ip;
    return this.#neighborKey;
  }

  /** The resolver. */
  get neighbors(): World["neighbors"] {
    return this.#world.neighbors;
  }

  /**
   * Teaches a bridge where the packet's source is; of linked routers it knows already. False: in check mode, the bridge does not know it
   * there, and it is not on its way there; the frame must come again. An adopted flow teaches what nobody has said anything else of.
   */
  learn(bridge: SimBridge, vlan: number, port: SimPort): boolean {
    const { srcMacHigh, srcMacLow } = this.packet;
    const vlanAndHigh = (vlan << 16) | srcMacHigh;
    const known = this.portOfMac(bridge, vlanAndHigh, srcMacLow);
    if (known !== 0 && bridge.routerMacs.find(vlanAndHigh, srcMacLow) !== 0) return true;
    const source = this.#source;
    source.bridge = bridge.handle;
    source.vlan = vlan;
    source.macHigh = srcMacHigh;
    source.macLow = srcMacLow;
    source.port = port.handle;
    const mayTeach = !this.isCheck || known === port.handle || (this.#isAdopting && known === 0);
    if (!mayTeach && !this.#world.fdb.claims(source)) return false;
    const reference = this.#world.fdb.reference(source, this.now);
    if (reference !== 0) this.tags.addReference(reference);
    return true;
  }

  /** An object that the walk needs is not here: waits for it, or drops when it does not exist. */
  lack(handle: number): Step {
    if (this.#world.isAbsent(handle)) return this.drop("topology-missing", "object does not exist");
    return this.waitFor([this.#world.idOf(handle)]);
  }

  /** True for an object that is known not to exist. Its tag has been earned by reading it. */
  isAbsent(handle: number): boolean {
    return this.#world.isAbsent(handle);
  }

  /** Waits for objects. */
  waitFor(ids: readonly Id[]): Step {
    this.wait = { kind: "topology", ids };
    if (this.sink !== undefined) this.note(`wait for topology ${ids.join(" ")}`);
    return STEP.wait;
  }

  /** Waits for a neighbor. */
  waitForNeighbor(router: number, ip: Ip): Step {
    this.wait = {
      kind: "neighbor",
      router,
      ip: { w0: ip.w0 >>> 0, w1: ip.w1 >>> 0, w2: ip.w2 >>> 0, w3: ip.w3 >>> 0 },
    };
    if (this.sink !== undefined) this.note(`wait for neighbor ${formatIp(this.wait.ip)}`);
    return STEP.wait;
  }

  /** True when the worker has said that this neighbor does not answer. */
  isUnresolved(router: number, ip: Ip): boolean {
    const key = this.unresolved;
    if (key === undefined || key.table !== router) return false;
    return ((key.ip.w0 ^ ip.w0) | (key.ip.w1 ^ ip.w1) | (key.ip.w2 ^ ip.w2) | (key.ip.w3 ^ ip.w3)) === 0;
  }

  /** Ends the walk, or a branch of it. `why` adds to the trace only. */
  drop(reason: DropReason, why = ""): Step {
    this.reason = reason;
    if (this.sink !== undefined) this.note(why === "" ? `drop ${reason}` : `drop ${reason}: ${why}`);
    return STEP.drop;
  }

  /** A drop that may pass without any change that a tag tells of. */
  dropForNow(reason: DropReason, why = ""): Step {
    this.isTemporary = true;
    return this.drop(reason, why);
  }

  /** A drop that was decided by more than key and world: no flow. */
  dropOnce(reason: DropReason, why = ""): Step {
    this.isTransient = true;
    return this.drop(reason, why);
  }

  /** Check mode has come to what only a frame can decide. */
  needFrame(): Step {
    if (this.sink !== undefined) this.note("needs the frame");
    return STEP.needsFrame;
  }

  /** The network keeps the packet. */
  consume(): Step {
    this.isConsumed = true;
    this.isTransient = true;
    return STEP.consume;
  }

  /** Goes on through a port. */
  leaveBy(port: number): Step {
    this.next = port;
    return STEP.egress;
  }

  /** Goes on to all members of a bridge that are in a VLAN. */
  floodIn(bridge: SimBridge, vlan: number): Step {
    this.floodBridge = bridge;
    this.floodVlan = vlan;
    return STEP.flood;
  }

  /** A device is entered: false when the way is too long. */
  enter(): boolean {
    this.depth++;
    this.devices++;
    return this.depth <= DEVICES_MAX && this.devices <= DEVICES_TOTAL_MAX;
  }

  /** The frame's TTL is used up here: its answer is another walk's. The rest of this one is for the flow: it asks and tells nobody. */
  endFrame(): void {
    this.isSpent = true;
    this.isLive = false;
    this.mayAsk = false;
  }

  /** A frame that the network sends itself, out of `port`. Not in check and trace mode. */
  emit(port: SimPort, bytes: Uint8Array): void {
    if (this.isLive && this.frames.length < EMITTED_MAX) this.frames.push({ port: port.handle, bytes });
  }

  /** A write to a replicated map. Only in live mode. */
  write(write: StateWrite): void {
    if (this.isLive) this.writes.push(write);
  }

  /** A line of the trace. Call only when `sink` is set, so that no text is made for nothing. */
  note(text: string): void {
    this.sink?.line(this.indent, text);
  }

  /** Text of a MAC address in words. */
  macText(high: number, low: number): string {
    return formatMac(macFrom(high, low));
  }

  /** The port of a handle, for the trace: earns nothing. */
  labelOf(port: number): string {
    return this.#world.port(port)?.label ?? this.#world.idOf(port);
  }

  /** A MAC address as two words, in an object that is reused. */
  macWords(mac: Mac): { macHigh: number; macLow: number } {
    const words = this.#macWords;
    words.macHigh = Math.floor(mac / 0x1_0000_0000);
    words.macLow = mac | 0;
    return words;
  }
  readonly #macWords = { macHigh: 0, macLow: 0 };
}
