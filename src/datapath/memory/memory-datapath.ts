import { formatIp } from "../../addr/ip.ts";
import type { Mac } from "../../addr/mac.ts";
import type { Clock } from "../../base/clock.ts";
import type { Prng } from "../../base/prng.ts";
import { ok, type Result } from "../../base/result.ts";
import {
  BUCKET_WORDS,
  CONTROL_BUCKETS,
  CONTROL_MAGIC,
  CONTROL_SECRETS,
  CONTROL_WORDS,
  COUNTER_WORDS,
  CREDIT_WORDS,
  EXEC_ENTRIES,
  EXEC_WORDS,
  EXEC_WRITERS,
  GROUP_HEADER_WORDS,
  GROUP_MAX,
  GROUP_OUTPUT_WORDS,
  GROUP_OUTPUTS,
  KEEPALIVE_WORDS,
  LAYOUT_VERSION,
  PEER_MAX,
  PEER_WORDS,
  SHARD_COUNT,
  TUNNEL_KIND_GROUP,
  TUNNEL_KIND_VPORT,
  VPORT_MAX,
  VPORT_WORDS,
} from "../../flow/layout.ts";
import type {
  DatapathControl,
  DatapathError,
  DatapathMemory,
  DatapathWorker,
  DropCount,
  LinkEvent,
  PortOutcome,
  Underlay,
  WantedPeer,
  WantedPort,
  WantedTunnelKey,
  WorkerSettings,
} from "../datapath.ts";
import { CREDIT_BYTES_DEFAULT, CREDIT_PACKETS_DEFAULT } from "../limits.ts";
import { ABSENT_VPORT, clearPeer, type VportRecord, writePeer, writeUnderlay, writeVport } from "../records.ts";
import { MemoryKernel } from "./memory-kernel.ts";
import { MemoryWorker } from "./memory-worker.ts";

/** A frame on the simulated underlay: outer addresses as text, the tunnel key, the inner frame. */
export interface UnderlayFrame {
  readonly from: string;
  readonly to: string;
  readonly tunnelKey: number;
  readonly frame: Uint8Array;
}

/** Settings of a memory datapath. `send` carries frames to other hosts. */
export interface MemoryDatapathOptions {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly bucketsPerShard: number;
  send(frame: UnderlayFrame): void;
}

/** Kind of a vport record whose interface is neither veth nor TAP. */
const KIND_OTHER = 3;
const CREDITS = [CREDIT_PACKETS_DEFAULT, CREDIT_BYTES_DEFAULT] as const;

interface MemoryInterface {
  readonly name: string;
  readonly ifindex: number;
  readonly mac: Mac;
  readonly mtu: number;
  isUp: boolean;
  deliver(frame: Uint8Array): void;
}

/**
 * The reference datapath: the same memory words as the kernel's, with the programs in TypeScript and interfaces that are
 * functions. weftsim, the lab without root and most tests run on it.
 */
export class MemoryDatapath implements DatapathControl {
  readonly memory: DatapathMemory;
  readonly #options: MemoryDatapathOptions;
  readonly #kernel: MemoryKernel;
  readonly #interfaces = new Map<string, MemoryInterface>();
  readonly #ports = new Map<number, WantedPort>();
  readonly #vportOfName = new Map<string, number>();
  readonly #peerOfAddress = new Map<string, number>();
  readonly #addressOfPeer = new Map<number, string>();
  #listeners: ((event: LinkEvent) => void)[] = [];
  #nextIfindex = 2;
  #underlay: Underlay | undefined;

  constructor(options: MemoryDatapathOptions) {
    this.#options = options;
    this.memory = allocate(options);
    const outputs = {
      toPort: (vport: number, frame: Uint8Array) => this.#deliver(vport, frame),
      toPeer: (peer: number, tunnelKey: number, frame: Uint8Array) => this.#tunnel(peer, tunnelKey, frame),
    };
    this.#kernel = new MemoryKernel(this.memory, outputs, () => options.clock.now());
  }

  /** Adds an interface to this host; frames for it go to `deliver`. A port that waits for one of this name is attached. */
  addInterface(
    name: string,
    options: { readonly mac: Mac; readonly mtu: number; deliver(frame: Uint8Array): void },
  ): void {
    const added: MemoryInterface = { name, ifindex: this.#nextIfindex++, isUp: true, ...options };
    this.#interfaces.set(name, added);
    const vport = this.#vportOfName.get(name);
    if (vport !== undefined) this.#writePort(vport, added);
    this.#tellLink(added);
  }

  /** Takes an interface away, as if its VM had gone. */
  removeInterface(name: string): void {
    if (!this.#interfaces.delete(name)) return;
    const vport = this.#vportOfName.get(name);
    if (vport !== undefined) this.#writePort(vport, undefined);
    for (const listener of this.#listeners) listener({ kind: "gone", name });
  }

  /** Sets an interface up or down. */
  setInterfaceUp(name: string, isUp: boolean): void {
    const found = this.#interfaces.get(name);
    if (found === undefined) return;
    found.isUp = isUp;
    const vport = this.#vportOfName.get(name);
    if (vport !== undefined) this.#writePort(vport, found);
    this.#tellLink(found);
  }

  /** A frame comes in by an interface. Frames of interfaces that are not bound are lost, as the host has no other use for them. */
  receive(name: string, frame: Uint8Array): void {
    const vport = this.#vportOfName.get(name);
    if (vport !== undefined && this.#interfaces.get(name)?.isUp === true) this.#kernel.ingress(vport, frame);
  }

  /** The host's own stack sends a frame through an interface: refused on those that are bound. */
  sendFromHost(name: string, frame: Uint8Array): void {
    const vport = this.#vportOfName.get(name);
    if (vport !== undefined) this.#kernel.hostEgress(vport, frame);
  }

  /** A frame comes out of the underlay. */
  receiveUnderlay(frame: UnderlayFrame): void {
    const isForUs = this.#underlay !== undefined && frame.to === formatIp(this.#underlay.address);
    if (!isForUs) return this.#kernel.strayFromUnderlay(frame.frame);
    this.#kernel.tunnelIngress(this.#peerOfAddress.get(frame.from) ?? 0, frame.tunnelKey, frame.frame);
  }

  /** Opens the face of a worker that owns `shards`. */
  openWorker(_worker: number, shards: readonly number[]): DatapathWorker {
    return new MemoryWorker(this.memory, this.#kernel, shards);
  }

  setPorts(ports: readonly WantedPort[]): Promise<readonly PortOutcome[]> {
    const wanted = new Map(ports.map((port) => [port.vport, port]));
    for (const [vport, port] of this.#ports) {
      if (wanted.get(vport)?.interfaceName === port.interfaceName) continue;
      this.#vportOfName.delete(port.interfaceName);
      this.#ports.delete(vport);
      this.#writePort(vport, undefined);
    }
    for (const port of ports) {
      this.#ports.set(port.vport, port);
      this.#vportOfName.set(port.interfaceName, port.vport);
    }
    return Promise.resolve(ports.map((port) => this.#attach(port)));
  }

  setUnderlay(underlay: Underlay): Promise<Result<void, DatapathError>> {
    this.#underlay = underlay;
    writeUnderlay(this.memory.control, underlay.address);
    return Promise.resolve(ok(undefined));
  }

  setPeers(peers: readonly WantedPeer[]): Promise<Result<void, DatapathError>> {
    const wanted = new Set(peers.map((peer) => peer.peer));
    for (const peer of this.#addressOfPeer.keys()) if (!wanted.has(peer)) clearPeer(this.memory, peer);
    this.#peerOfAddress.clear();
    this.#addressOfPeer.clear();
    for (const peer of peers) {
      const address = formatIp(peer.address);
      this.#peerOfAddress.set(address, peer.peer);
      this.#addressOfPeer.set(peer.peer, address);
      writePeer(this.memory.peers, peer);
    }
    return Promise.resolve(ok(undefined));
  }

  setTunnelKeys(keys: readonly WantedTunnelKey[]): Promise<Result<void, DatapathError>> {
    const { tunnelKeys } = this.#kernel;
    tunnelKeys.clear();
    for (const { key, target } of keys) {
      const isVport = target.kind === "vport";
      const kind = isVport ? TUNNEL_KIND_VPORT : TUNNEL_KIND_GROUP;
      tunnelKeys.set(key, { kind, index: isVport ? target.vport : target.group });
    }
    return Promise.resolve(ok(undefined));
  }

  sendToPeer(peer: number, tunnelKey: number, frame: Uint8Array): boolean {
    this.#kernel.sendToPeer(peer, tunnelKey, frame);
    return true;
  }

  onLink(listener: (event: LinkEvent) => void): void {
    this.#listeners.push(listener);
    for (const present of this.#interfaces.values()) listener(presentEvent(present));
  }

  drops(): readonly DropCount[] {
    return this.#kernel.drops.list();
  }

  /** Its records are in no other process's reach. */
  audit(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  workerSettings(): WorkerSettings {
    return { driver: "memory" };
  }

  wakeWorker(): void {
    // Nobody waits in this driver: its workers run in the event loop.
  }

  close(): Promise<void> {
    this.#listeners = [];
    this.#ports.clear();
    this.#vportOfName.clear();
    return Promise.resolve();
  }

  #attach(port: WantedPort): PortOutcome {
    const found = this.#interfaces.get(port.interfaceName);
    this.#writePort(port.vport, found);
    if (found === undefined) return { vport: port.vport, state: "absent" };
    return { vport: port.vport, state: "attached", isUp: found.isUp, mac: found.mac, mtu: found.mtu };
  }

  #writePort(vport: number, found: MemoryInterface | undefined): void {
    const epoch = this.#ports.get(vport)?.epoch ?? 0;
    const present: VportRecord = {
      ifindex: found?.ifindex ?? 0,
      kind: KIND_OTHER,
      isUp: found?.isUp === true,
      mayRedirectPeer: false,
      epoch,
    };
    const record = found === undefined ? { ...ABSENT_VPORT, epoch } : present;
    writeVport(this.memory.vports, vport, { record, credits: CREDITS });
  }

  #deliver(vport: number, frame: Uint8Array): void {
    const port = this.#ports.get(vport);
    if (port !== undefined) this.#interfaces.get(port.interfaceName)?.deliver(frame);
  }

  #tunnel(peer: number, tunnelKey: number, frame: Uint8Array): void {
    const to = this.#addressOfPeer.get(peer);
    if (to === undefined || this.#underlay === undefined) return;
    this.#options.send({ from: formatIp(this.#underlay.address), to, tunnelKey, frame });
  }

  #tellLink(present: MemoryInterface): void {
    for (const listener of this.#listeners) listener(presentEvent(present));
  }
}

function presentEvent(present: MemoryInterface): LinkEvent {
  const { name, ifindex, isUp, mac, mtu } = present;
  return { kind: "present", name, ifindex, isUp, mac, mtu };
}

function allocate(options: MemoryDatapathOptions): DatapathMemory {
  const buckets = SHARD_COUNT * options.bucketsPerShard;
  const control = new Uint32Array(CONTROL_WORDS);
  control.set([CONTROL_MAGIC, LAYOUT_VERSION, 1, SHARD_COUNT]);
  control[CONTROL_BUCKETS] = options.bucketsPerShard;
  for (let i = 0; i < 4; i++) control[CONTROL_SECRETS + i] = (options.prng.u32() | (i >= 2 ? 1 : 0)) >>> 0;
  const vports = new Uint32Array(VPORT_MAX * VPORT_WORDS);
  // Traced frames of groups go up under vport 0.
  vports.set(CREDITS, 5);
  return {
    control,
    buckets: new Uint32Array(buckets * BUCKET_WORDS),
    counters: new Uint32Array(buckets * COUNTER_WORDS),
    vports,
    peers: new Uint32Array(PEER_MAX * PEER_WORDS),
    peerSeen: new Uint32Array(PEER_MAX),
    keepAlives: new Uint32Array(PEER_MAX * KEEPALIVE_WORDS),
    groups: new Uint32Array(GROUP_MAX * (GROUP_HEADER_WORDS + GROUP_OUTPUTS * GROUP_OUTPUT_WORDS)),
    credits: new Uint32Array(VPORT_MAX * SHARD_COUNT * CREDIT_WORDS),
    exec: new Uint32Array(EXEC_WRITERS * EXEC_ENTRIES * EXEC_WORDS),
  };
}
