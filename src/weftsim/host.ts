import type { MemoryLog } from "../base/log.ts";
import type { Prng } from "../base/prng.ts";
import type { Scheduler } from "../base/scheduler.ts";
import { MemoryDatapath } from "../datapath/memory/memory-datapath.ts";
import type { Id } from "../model/objects.ts";
import { NEIGHBOR_DEFAULTS, type NeighborSettings } from "../state/neighbor-settings.ts";
import type { MemoryTreeServer } from "../store/memory/memory-tree-server.ts";
import { SimAgent } from "./agent.ts";
import type { EventLog } from "./event-log.ts";
import { BUCKETS_PER_SHARD } from "./limits.ts";
import type { Underlay } from "./underlay.ts";
import type { SimVm } from "./vm.ts";

/** A host of a simulated cloud. */
export interface HostSpec {
  readonly id: Id;
  readonly name: string;
  /** Address on the underlay. */
  readonly address: string;
  readonly workers: number;
  readonly neighbor?: NeighborSettings;
}

/** What all hosts of a cloud share. */
export interface HostSurroundings {
  readonly scheduler: Scheduler;
  readonly prng: Prng;
  readonly events: EventLog;
  readonly log: MemoryLog;
  readonly server: MemoryTreeServer;
  readonly underlay: Underlay;
}

/**
 * A simulated machine: a kernel (the memory datapath) that outlives agents, the interfaces of its VMs, and at most one agent
 * at a time.
 */
export class SimHost {
  readonly spec: HostSpec;
  datapath: MemoryDatapath;
  agent: SimAgent | undefined;
  readonly #around: HostSurroundings;
  readonly #prng: Prng;
  readonly #vms = new Map<string, SimVm>();
  readonly #down = new Set<string>();

  constructor(spec: HostSpec, around: HostSurroundings) {
    this.spec = spec;
    this.#around = around;
    this.#prng = around.prng.fork();
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

  /** Starts an agent; resolves when it serves or has failed. */
  async start(): Promise<void> {
    const { scheduler, events, log, server } = this.#around;
    const { id, name, workers, neighbor = NEIGHBOR_DEFAULTS } = this.spec;
    const agent = new SimAgent({
      ...{ hostId: id, hostName: name, workers, neighbor, datapath: this.datapath },
      ...{ scheduler, prng: this.#prng.fork(), events, log: log.with({ host: name }), server },
    });
    this.agent = agent;
    await agent.start();
  }

  /** Stops the agent in order; the datapath goes on forwarding. */
  async stop(): Promise<void> {
    this.#note("stop");
    await this.agent?.stop();
    this.agent = undefined;
  }

  /** Kills the agent; the datapath goes on forwarding. */
  kill(): void {
    this.#note("kill");
    this.agent?.kill();
    this.agent = undefined;
  }

  /** Power off and on again: agent and kernel lose everything, the VMs' interfaces are there again. */
  crash(): void {
    this.#note("crash");
    this.agent?.kill();
    this.agent = undefined;
    this.datapath = this.#boot();
    this.#down.clear();
    for (const vm of this.#vms.values()) this.#addInterface(vm);
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

  /** Breaks the agent's connection to the store; it dials again. */
  disconnectStore(): void {
    this.#note("cut");
    this.agent?.disconnectStore();
  }

  /** Ends the agent's session as if its time were over. */
  expireSession(): void {
    this.#note("expire");
    this.agent?.expireSession();
  }

  #boot(): MemoryDatapath {
    const { scheduler, underlay } = this.#around;
    const datapath = new MemoryDatapath({
      clock: scheduler.clock,
      prng: this.#prng.fork(),
      bucketsPerShard: BUCKETS_PER_SHARD,
      send: (frame) => underlay.send(frame),
    });
    underlay.attach(this.spec.address, (frame) => datapath.receiveUnderlay(frame));
    return datapath;
  }

  #addInterface(vm: SimVm): void {
    const { name, mac, mtu } = vm.spec;
    this.datapath.addInterface(name, { mac, mtu, deliver: (frame) => vm.receive(frame.slice()) });
  }

  #note(event: string): void {
    this.#around.events.add({ at: this.spec.name, event, detail: "" });
  }
}
