import type { Instant } from "../base/clock.ts";
import type { MemoryLog } from "../base/log.ts";
import type { Prng } from "../base/prng.ts";
import type { Scheduler } from "../base/scheduler.ts";
import { MemoryDatapath } from "../datapath/memory/memory-datapath.ts";
import type { Id } from "../model/objects.ts";
import { NEIGHBOR_DEFAULTS, type NeighborSettings } from "../state/neighbor-settings.ts";
import type { NextRequestFate } from "../store/memory/memory-link.ts";
import { MemoryLocalJournal } from "../store/memory/memory-local-journal.ts";
import { SimAgent } from "./agent.ts";
import type { EventLog } from "./event-log.ts";
import { HostClock } from "./host-clock.ts";
import { BUCKETS_PER_SHARD } from "./limits.ts";
import type { SimStore } from "./store.ts";
import type { Underlay } from "./underlay.ts";
import type { SimVm } from "./vm.ts";
import type { Witness } from "./witness.ts";

/** A host of a simulated cloud. */
export interface HostSpec {
  readonly id: Id;
  readonly name: string;
  /** Address on the underlay. */
  readonly address: string;
  readonly workers: number;
  readonly neighbor?: NeighborSettings;
  /** Whether its agents watch their peers; default true. Runs of many hosts over hours can do without. */
  readonly hasKeepAlives?: boolean;
  /** Buckets of eight flows in each shard of its flow table; default BUCKETS_PER_SHARD. */
  readonly bucketsPerShard?: number;
}

/** What all hosts of a cloud share. */
export interface HostSurroundings {
  readonly scheduler: Scheduler;
  readonly prng: Prng;
  readonly events: EventLog;
  readonly log: MemoryLog;
  readonly store: SimStore;
  readonly witness: Witness;
  readonly underlay: Underlay;
}

/**
 * A simulated machine: a kernel (the memory datapath) that outlives agents, the interfaces of its VMs, and at most one agent
 * at a time.
 */
export class SimHost {
  readonly spec: HostSpec;
  datapath: MemoryDatapath;
  /** On its disk. */
  readonly journal = new MemoryLocalJournal();
  readonly snapshots = new MemoryLocalJournal();
  agent: SimAgent | undefined;
  readonly clock: HostClock;
  /** By how much messages between the agent's threads take longer than usual; 1 is usual. */
  slowness = 1;
  /** True once the machine has gone for good. */
  isDead = false;
  readonly #around: HostSurroundings;
  readonly #prng: Prng;
  readonly #vms = new Map<string, SimVm>();
  readonly #down = new Set<string>();
  #store: SimStore;

  constructor(spec: HostSpec, around: HostSurroundings) {
    this.spec = spec;
    this.#around = around;
    this.#store = around.store;
    this.#prng = around.prng.fork();
    this.clock = new HostClock(around.scheduler.clock, originOf(this.#prng));
    this.datapath = this.#boot();
  }

  /** VMs that are here. */
  get vms(): readonly SimVm[] {
    return [...this.#vms.values()];
  }

  /** The agent, which must run. */
  get running(): SimAgent {
    if (this.agent?.isRunning !== true)
      throw new Error(`no agent runs on ${this.spec.name}: ${this.agent?.failure ?? "not yet"}`);
    return this.agent;
  }

  /** Agents that start from now on use this store. Faults of the store that this host knows are those of the cloud's own one. */
  useStore(store: SimStore): void {
    this.#store = store;
  }

  /** Starts an agent; resolves when it serves or has failed. */
  async start(): Promise<void> {
    const { scheduler, events, log, witness } = this.#around;
    const { id, name, workers, neighbor = NEIGHBOR_DEFAULTS } = this.spec;
    const agent = new SimAgent({
      ...{ hostId: id, hostName: name, workers, neighbor, datapath: this.datapath },
      ...{ scheduler, prng: this.#prng.fork(), events, log: log.with({ host: name }), store: this.#store, witness },
      ...{ hostClock: this.clock, slowness: () => this.slowness, journal: this.journal },
      hasKeepAlives: this.spec.hasKeepAlives ?? true,
      snapshots: this.snapshots,
    });
    this.agent = agent;
    await agent.start();
  }

  /** Stops the agent in order; the datapath goes on forwarding. */
  async stop(): Promise<void> {
    this.#note("stop");
    const { agent } = this;
    await agent?.stop();
    // Meanwhile it may have been killed, and another one started.
    if (this.agent === agent) this.agent = undefined;
  }

  /** Ends the agent for the next one, as an upgrade does; the datapath goes on forwarding. */
  async handOver(): Promise<void> {
    this.#note("upgrade");
    const { agent } = this;
    await agent?.handOver();
    if (this.agent === agent) this.agent = undefined;
  }

  /** Kills the agent; the datapath goes on forwarding. */
  kill(): void {
    this.#note("kill");
    this.#endAgent();
  }

  /** Power off and on again: agent and kernel lose everything, the VMs' interfaces are there again. */
  crash(): void {
    this.#note("crash");
    this.#endAgent();
    this.#down.clear();
    this.#reboot();
  }

  /** Programs and flows go while no agent is there: it was stopped without keeping them, or killed and they were unloaded. */
  unload(): void {
    this.#note("unload");
    this.#endAgent();
    this.#reboot();
  }

  /** The machine is gone for good, with its VMs. */
  die(): void {
    this.#note("die");
    this.#endAgent();
    this.isDead = true;
    this.#around.underlay.detach(this.spec.address);
    for (const { spec } of this.vms) this.datapath.removeInterface(spec.name);
  }

  /** The agent stands still until `wake`; the datapath goes on. */
  pause(): void {
    this.#note("pause");
    this.agent?.pause();
  }

  /** Ends a pause. */
  wake(): void {
    if (this.agent?.isPaused !== true) return;
    this.#note("wake");
    this.agent.wake();
  }

  /** A VM comes here: its interface, named as the VM is, appears. */
  plug(vm: SimVm): void {
    this.#vms.set(vm.spec.name, vm);
    this.#addInterface(vm);
  }

  /** A VM goes: its interface vanishes. */
  unplug(name: string): void {
    this.#vms.delete(name);
    this.#down.delete(name);
    this.datapath.removeInterface(name);
  }

  /** True for a VM that is here. */
  has(name: string): boolean {
    return this.#vms.has(name);
  }

  /** Sets the interface of a VM up or down. */
  setLink(name: string, isUp: boolean): void {
    this.#around.events.add({ at: name, event: "link", detail: isUp ? "up" : "down" });
    if (isUp) this.#down.delete(name);
    else this.#down.add(name);
    this.datapath.setInterfaceUp(name, isUp);
  }

  /** Whether the interface of a VM is up. */
  isLinkUp(name: string): boolean {
    return this.#vms.has(name) && !this.#down.has(name);
  }

  /** Breaks the host's connections to the store; they are dialled again. With `fate` at the next request. */
  disconnectStore(fate?: NextRequestFate): void {
    this.#note(fate === undefined ? "cut" : `cut-${fate}`);
    this.#around.store.cut(this.spec.name, fate);
  }

  /** The store cannot be reached from here until `rejoinStore`. */
  isolateStore(): void {
    this.#note("isolate");
    this.#around.store.isolate(this.spec.name);
  }

  /** Ends an isolation. */
  rejoinStore(): void {
    this.#note("rejoin");
    this.#around.store.rejoin(this.spec.name);
  }

  /** Ends the host's sessions as if their time were over. */
  expireSession(): void {
    this.#note("expire");
    this.#around.store.expire(this.spec.name);
  }

  #reboot(): void {
    this.datapath = this.#boot();
    for (const vm of this.#vms.values()) {
      this.#addInterface(vm);
      if (this.#down.has(vm.spec.name)) this.datapath.setInterfaceUp(vm.spec.name, false);
    }
  }

  #boot(): MemoryDatapath {
    const { underlay } = this.#around;
    const datapath = new MemoryDatapath({
      clock: this.clock,
      prng: this.#prng.fork(),
      bucketsPerShard: this.spec.bucketsPerShard ?? BUCKETS_PER_SHARD,
      send: (frame) => underlay.send(frame),
    });
    underlay.attach(this.spec.address, (frame) => datapath.receiveUnderlay(frame));
    return datapath;
  }

  #addInterface(vm: SimVm): void {
    const { name, mac, mtu } = vm.spec;
    this.datapath.addInterface(name, { mac, mtu, deliver: (frame) => vm.receive(frame.slice()) });
  }

  /** The agent dies; what it had not made sure to be on the disk is there in part. */
  #endAgent(): void {
    this.agent?.kill();
    this.agent = undefined;
    this.journal.losePower(this.#prng.below(this.journal.unsyncedBytes + 1));
  }

  #note(event: string): void {
    this.#around.events.add({ at: this.spec.name, event, detail: "" });
  }
}

/** Machines were switched on at different times; now and then so that 32 bits of milliseconds run over soon. */
function originOf(prng: Prng): Instant {
  return prng.below(4) === 0 ? 2 ** 32 - 20_000 - prng.below(100_000) : 1_000 + prng.below(2 ** 31);
}
