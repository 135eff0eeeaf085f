import { readFileSync } from "node:fs";
import { assert } from "../base/assert.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Scheduler } from "../base/scheduler.ts";
import type {
  DatapathControl,
  DatapathError,
  DatapathMemory,
  DropCount,
  LinkEvent,
  PortOutcome,
  Underlay,
  WantedPeer,
  WantedPort,
  WantedTunnelKey,
  WorkerSettings,
} from "../datapath/datapath.ts";
import { clearPeer, mendPeer, writePeer, writeUnderlay } from "../datapath/records.ts";
import {
  ACTION_TUNNEL,
  ACTION_WORDS,
  CONTROL_INJECT,
  CONTROL_TUNNEL,
  EXEC_WRITERS,
  PEER_EPOCH,
  PEER_MAX,
  PEER_WORDS,
} from "../flow/layout.ts";
import type { LinuxError } from "../linux/errno.ts";
import type { Link } from "../linux/netlink/route/link.ts";
import type { LinkEvent as KernelLinkEvent } from "../linux/netlink/route/link-monitor.ts";
import type { Netns } from "../linux/netns.ts";
import { ensureInject, ensureTunnel, removeDevices } from "./devices.ts";
import { datapathError } from "./errors.ts";
import { HostNetwork } from "./host-network.ts";
import { Injector } from "./injector.ts";
import { type KernelMemory, openKernelMemory } from "./kernel-memory.ts";
import { Kicks } from "./kicks.ts";
import { BUCKETS_PER_SHARD, RING_BYTES } from "./limits.ts";
import { datapathObject } from "./object.ts";
import { type DatapathName, PinDirectory } from "./pins.ts";
import { isUsable, macOf, PortTable, u32Bytes } from "./port-table.ts";
import { readDrops, WantedTable, workerDrops, writePeerAddresses, writeTunnelKeys } from "./tables.ts";
import { chooseTunnelGro } from "./tunnel-gro.ts";
import { settingsOf } from "./worker-settings.ts";

/** How to open the eBPF datapath of a host. */
export interface EbpfSettings extends DatapathName {
  readonly scheduler: Scheduler;
  /** The host's network namespace, when it is not that of the calling thread (tests with two hosts in one process). */
  readonly netns?: Netns;
  /** Path of the compiled programs; default: the one that `npm run build:bpf` made. */
  readonly objectPath?: string;
  /** Size of the flow table (default BUCKETS_PER_SHARD). */
  readonly bucketsPerShard?: number;
  /** Bytes of each shard's ring, a power of two and whole pages (default RING_BYTES). */
  readonly ringBytes?: number;
}

/** The control thread as a writer of the execution table, behind the workers. */
const CONTROL_WRITER = EXEC_WRITERS - 1;
/** Frames of the agent's own that are sent at once, and their length: a keep-alive as long as a jumbo path is wide. */
const OWN_ROOM = [1, 9_216] as const;
const PLAIN = { ingressVport: 0, gsoSize: 0, isChecksumPartial: false } as const;

/** Word of the control map with the UDP port of the tunnel device. */
const CONTROL_UDP_PORT = 11;

/**
 * The control face of the eBPF datapath: loads programs and maps or takes over those of an earlier process, attaches programs to
 * interfaces through rtnetlink, and keeps the records of ports, peers and keys. Main thread only.
 */
export class EbpfDatapath implements DatapathControl {
  readonly memory: DatapathMemory;
  /** True when flows of an earlier process were found and kept. */
  readonly isReopened: boolean;
  readonly #pins: PinDirectory;
  readonly #kernel: KernelMemory;
  readonly #host: HostNetwork;
  readonly #ports: PortTable;
  readonly #peerAddresses: WantedTable;
  readonly #tunnelKeys: WantedTable;
  readonly #listeners: ((event: LinkEvent) => void)[] = [];
  readonly #cpus = possibleCpus();
  readonly #injector: Injector;
  readonly #kicks: Kicks;
  readonly #sendAction = new Uint32Array(ACTION_WORDS);
  #peers: readonly number[] = [];
  #wantedPeers: readonly WantedPeer[] = [];
  /** Work on ports runs one after another: link events must not overtake `setPorts`. */
  #work: Promise<unknown> = Promise.resolve();
  #isOpen = true;

  private constructor(parts: {
    readonly pins: PinDirectory;
    readonly kernel: KernelMemory;
    readonly host: HostNetwork;
    readonly injector: Injector;
    readonly kicks: Kicks;
  }) {
    const { pins, kernel, host, injector } = parts;
    this.#injector = injector;
    this.#kicks = parts.kicks;
    this.#pins = pins;
    this.#kernel = kernel;
    this.#host = host;
    this.memory = kernel.memory;
    this.isReopened = kernel.isReopened;
    this.#peers = livePeers(kernel.memory.peers);
    this.#peerAddresses = new WantedTable(kernel.tables.peer_addresses);
    this.#tunnelKeys = new WantedTable(kernel.tables.tunnel_keys);
    this.#ports = new PortTable({
      host,
      vports: kernel.memory.vports,
      interfaces: kernel.tables.interfaces,
      ingressFd: programOf(kernel, "vport_ingress"),
      egressFd: programOf(kernel, "host_egress"),
    });
  }

  /** Opens it: lock, programs, memory, inject device, link events. On failure nothing of this call is left behind. */
  static async open(settings: EbpfSettings): Promise<Result<EbpfDatapath, DatapathError>> {
    const path = settings.objectPath === undefined ? datapathObject() : ok(settings.objectPath);
    if (!path.ok) return path;
    const pins = PinDirectory.open(settings);
    if (!pins.ok) return pins;
    const { bucketsPerShard = BUCKETS_PER_SHARD, ringBytes = RING_BYTES, netns, scheduler } = settings;
    const kernel = openKernelMemory(path.value, pins.value, { bucketsPerShard, ringBytes });
    if (!kernel.ok) {
      pins.value.close({ keep: false });
      return kernel;
    }
    let opened: EbpfDatapath | undefined;
    const host = HostNetwork.open({ scheduler, netns, onEvent: (event) => opened?.onKernelLink(event) });
    if (!host.ok) return abandon(kernel.value, pins.value, host.error);
    const inject = await ensureInject(host.value, programOf(kernel.value, "inject_egress"));
    if (!inject.ok) {
      host.value.close();
      return abandon(kernel.value, pins.value, inject.error);
    }
    const { memory } = kernel.value;
    memory.control[CONTROL_INJECT] = inject.value;
    const injector = Injector.open({ memory, injectIfindex: inject.value }, CONTROL_WRITER, { netns, room: OWN_ROOM });
    if (!injector.ok) {
      host.value.close();
      return abandon(kernel.value, pins.value, injector.error);
    }
    const kicks = Kicks.open();
    if (!kicks.ok) {
      injector.value.close();
      host.value.close();
      return abandon(kernel.value, pins.value, kicks.error);
    }
    opened = new EbpfDatapath({
      pins: pins.value,
      kernel: kernel.value,
      host: host.value,
      injector: injector.value,
      kicks: kicks.value,
    });
    return ok(opened);
  }

  setPorts(ports: readonly WantedPort[]): Promise<readonly PortOutcome[]> {
    return this.#inOrder(() => this.#ports.set(ports));
  }

  async setUnderlay(underlay: Underlay): Promise<Result<void, DatapathError>> {
    const { control } = this.memory;
    const udpPort = { wanted: underlay.udpPort, present: control[CONTROL_UDP_PORT] as number };
    const program = programOf(this.#kernel, "tunnel_ingress");
    const device = await this.#inOrder(() => ensureTunnel(this.#host, program, udpPort));
    if (!device.ok) return err(datapathError("device-refused", device.error));
    // Only a matter of speed: what the kernel refuses stays as it is.
    await chooseTunnelGro(this.#host, underlay.address);
    writeUnderlay(control, underlay.address);
    control[CONTROL_UDP_PORT] = underlay.udpPort;
    Atomics.store(control, CONTROL_TUNNEL, device.value);
    return ok(undefined);
  }

  setPeers(peers: readonly WantedPeer[]): Promise<Result<void, DatapathError>> {
    const wanted = new Set(peers.map((peer) => peer.peer));
    for (const peer of this.#peers) if (!wanted.has(peer)) clearPeer(this.memory, peer);
    for (const peer of peers) writePeer(this.memory.peers, peer);
    this.#peers = [...wanted];
    this.#wantedPeers = peers;
    return Promise.resolve(writePeerAddresses(this.#peerAddresses, peers));
  }

  setTunnelKeys(keys: readonly WantedTunnelKey[]): Promise<Result<void, DatapathError>> {
    return Promise.resolve(writeTunnelKeys(this.#tunnelKeys, keys));
  }

  sendToPeer(peer: number, tunnelKey: number, frame: Uint8Array): boolean {
    const action = this.#sendAction;
    action.set([ACTION_TUNNEL, peer, tunnelKey]);
    const whole = { bytes: frame, offset: 0, length: frame.length, ...PLAIN };
    if (!this.#injector.add(whole, action, 0)) return false;
    this.#injector.flush();
    return true;
  }

  onLink(listener: (event: LinkEvent) => void): void {
    this.#listeners.push(listener);
    for (const link of this.#host.links()) listener(presentEvent(link));
  }

  drops(): readonly DropCount[] {
    return [...readDrops(this.#kernel.tables.drops, this.#cpus), ...workerDrops(this.memory.control)];
  }

  audit(): Promise<readonly string[]> {
    return this.#inOrder(() => {
      const peers = this.#wantedPeers.filter((peer) => mendPeer(this.memory.peers, peer));
      return Promise.resolve([
        ...this.#ports.audit().map((vport) => `vport ${vport}`),
        ...peers.map(({ peer }) => `peer ${peer}`),
        ...this.#peerAddresses.audit().map((address) => `peer address ${address}`),
        ...this.#tunnelKeys.audit().map((key) => `tunnel key ${key}`),
      ]);
    });
  }

  workerSettings(): WorkerSettings {
    return settingsOf(this.#kernel, this.#kicks.fds);
  }

  wakeWorker(worker: number): void {
    this.#kicks.kick(worker);
  }

  async close({ keep }: { readonly keep: boolean }): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#work;
    if (!keep) {
      await this.#ports.clear();
      await removeDevices(this.#host);
    }
    this.#injector.close();
    this.#kicks.close();
    this.#host.close();
    this.#kernel.close();
    this.#pins.close({ keep });
  }

  /** A loaded program, for tests that run it on frames of their own (BPF_PROG_RUN). */
  programFd(name: string): number {
    return programOf(this.#kernel, name);
  }

  /** Says that frames of an interface belong to a vport without attaching anything to it; for tests that run programs. */
  nameInterface(ifindex: number, vport: number): void {
    const told = this.#kernel.tables.interfaces.update(u32Bytes(ifindex), u32Bytes(vport));
    assert(told.ok, "the table of interfaces is full");
  }

  /** What the kernel says of the links, in order. Called by the watcher of the host's network. */
  onKernelLink(event: KernelLinkEvent): void {
    const { link } = event;
    void this.#inOrder(async () => {
      if (event.kind === "gone") this.#ports.onGone(link);
      else await this.#ports.onLink(link);
      if (event.kind === "changed" && event.before.name !== link.name)
        this.#tell({ kind: "gone", name: event.before.name });
      this.#tell(event.kind === "gone" ? { kind: "gone", name: link.name } : presentEvent(link));
    });
  }

  #tell(event: LinkEvent): void {
    if (this.#isOpen) for (const listener of this.#listeners) listener(event);
  }

  #inOrder<T>(step: () => Promise<T>): Promise<T> {
    const done = this.#work.then(step);
    this.#work = done.catch(() => undefined);
    return done;
  }
}

function programOf(kernel: KernelMemory, name: string): number {
  const fd = kernel.object.programFd(name);
  assert(fd !== undefined, "the object lacks a program", { name });
  return fd;
}

function abandon(kernel: KernelMemory, pins: PinDirectory, error: LinuxError): Result<never, DatapathError> {
  kernel.close();
  pins.close({ keep: kernel.isReopened });
  return err(datapathError("device-refused", error));
}

function presentEvent(link: Link): LinkEvent {
  return {
    kind: "present",
    name: link.name,
    ifindex: link.ifindex,
    isUp: isUsable(link),
    mac: macOf(link),
    mtu: link.mtu,
  };
}

/** CPUs that the kernel may ever have: the values of a per-CPU map. */
function possibleCpus(): number {
  const last = readFileSync("/sys/devices/system/cpu/possible", "utf8").trim().split(/[-,]/).at(-1);
  return Number(last) + 1;
}

/** The peers that an earlier process left: those that nobody wants any more must be cleared, or leftover flows tunnel to them. */
function livePeers(peers: Uint32Array): readonly number[] {
  const all = Array.from({ length: PEER_MAX - 1 }, (_, i) => i + 1);
  return all.filter((peer) => peers[peer * PEER_WORDS + PEER_EPOCH] !== 0);
}
