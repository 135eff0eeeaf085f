import type { Duration } from "../base/clock.ts";
import { MemoryLog } from "../base/log.ts";
import { Prng } from "../base/prng.ts";
import { type Scheduler, systemScheduler, VirtualScheduler } from "../base/scheduler.ts";
import type { Kind, TopologyObject } from "../model/objects.ts";
import { MODEL_REGISTRY } from "../model/registry.ts";
import { Channel } from "../store/memory/channel.ts";
import { MemoryTreeServer } from "../store/memory/memory-tree-server.ts";
import { StoreConnection } from "../store/recipes/connection.ts";
import { Layout } from "../store/recipes/layout.ts";
import type { TopologyChange, TransactionResult } from "../store/recipes/topology-store.ts";
import { TreeTopologyStore } from "../store/recipes/tree-topology-store.ts";
import { EventLog } from "./event-log.ts";
import { type HostSpec, SimHost } from "./host.ts";
import { Lifetime } from "./lifetime.ts";
import { QUIET_MS, STORE_MS } from "./limits.ts";
import { MemoryStore, type SimStore } from "./store.ts";
import { Underlay } from "./underlay.ts";
import { SimVm, type VmSpec } from "./vm.ts";
import { Witness } from "./witness.ts";

/** What a simulated cloud is made from. */
export interface CloudOptions {
  readonly seed: number;
  /** Reading of the clock at the start; default one second. */
  readonly startMs?: number;
  /** Makes the store; default: one server that never fails by itself. */
  readonly store?: MakeStore;
}

/** What a store is made of. */
export interface StoreParts {
  readonly scheduler: Scheduler;
  readonly prng: Prng;
  readonly log: EventLog;
}

/** Makes the store of a cloud. */
export type MakeStore = (parts: StoreParts) => SimStore;

/** How long to let a cloud run. */
export interface SettleOptions {
  /** Time in which nothing must have happened. */
  readonly quietMs?: Duration;
  /** Virtual time after which it is a failure that something still happens. */
  readonly limitMs?: Duration;
}

/** Longest time that a frame takes between a VM and its host. */
const WIRE_MS: Duration = 0.02;

/** One server, as in the lab: the messages of each session keep their order, those of different ones do not. */
function singleStore({ scheduler, prng }: StoreParts): SimStore {
  const delay = (): Duration => STORE_MS * prng.float();
  return new MemoryStore(new MemoryTreeServer({ scheduler, delay, seed: prng.u32(), redialMs: 50 }));
}

/**
 * A whole cloud in one process: a store, hosts with their agents, VMs, an underlay, all in virtual time and from one seed.
 * Time moves only in `run`, `settle` and `until`: the next event is fired, everything that it set off by promises runs to its
 * end, then the event after it. The same seed and the same calls give the same `events.hash`.
 */
export class SimCloud {
  readonly scheduler = new VirtualScheduler();
  readonly events: EventLog;
  readonly log = new MemoryLog();
  readonly underlay: Underlay;
  readonly store: SimStore;
  readonly hosts = new Map<string, SimHost>();
  /** For choices that belong to the run, not to a part of it. */
  readonly prng: Prng;
  /** Sees what agents say and are told. */
  readonly witness = new Witness();
  /** Called after every event, for whoever watches claims. */
  observe: (() => void) | undefined;
  /** Events fired so far. */
  steps = 0;
  readonly #operator: StoreConnection;
  readonly #topology: TreeTopologyStore;

  constructor(options: CloudOptions) {
    const { scheduler } = this;
    scheduler.advanceTo(options.startMs ?? 1_000);
    this.prng = new Prng(options.seed);
    this.events = new EventLog(scheduler.clock);
    this.underlay = new Underlay({ scheduler, prng: this.prng.fork(), log: this.events });
    const makeStore = options.store ?? singleStore;
    this.store = makeStore({ scheduler, prng: this.prng.fork(), log: this.events });
    const process = new Lifetime(scheduler);
    this.#operator = new StoreConnection({
      scheduler,
      connect: () => this.store.connect({ timeoutMs: 30_000, process, place: "operator" }),
    });
    this.#topology = new TreeTopologyStore(this.#operator, new Layout());
  }

  /** The session by which the operator changes the topology. */
  get operatorSession(): bigint {
    return this.#operator.tree.session.id;
  }

  /** Adds a host, without an agent. */
  addHost(spec: HostSpec): SimHost {
    const { scheduler, prng, events, log, store, witness, underlay } = this;
    const host = new SimHost(spec, { scheduler, prng, events, log, store, witness, underlay });
    this.hosts.set(spec.name, host);
    return host;
  }

  /** A host by name; there must be one. */
  host(name: string): SimHost {
    const host = this.hosts.get(name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host;
  }

  /** Makes a VM on a host. */
  addVm(hostName: string, spec: VmSpec): SimVm {
    const { scheduler, events } = this;
    const prng = this.prng.fork();
    const { name } = spec;
    const wire = new Channel<Uint8Array>({
      scheduler,
      delay: () => WIRE_MS * prng.float(),
      deliver: (frame) => this.hostOf(name)?.datapath.receive(name, frame),
    });
    const vm = new SimVm(spec, { scheduler, prng, log: events, transmit: (frame) => wire.push(frame) });
    this.host(hostName).plug(vm);
    return vm;
  }

  /** Takes a VM from its host to another, as it is. */
  moveVm(name: string, hostName: string): void {
    const vm = this.vm(name);
    this.hostOf(name)?.unplug(name);
    this.host(hostName).plug(vm);
    this.events.add({ at: name, event: "move", detail: hostName });
  }

  /** A VM by name; there must be one. */
  vm(name: string): SimVm {
    for (const host of this.hosts.values()) for (const vm of host.vms) if (vm.spec.name === name) return vm;
    throw new Error(`no VM ${name}`);
  }

  /** The host where a VM is. */
  hostOf(vmName: string): SimHost | undefined {
    for (const host of this.hosts.values()) if (host.has(vmName)) return host;
    return undefined;
  }

  /** All VMs. */
  get vms(): readonly SimVm[] {
    return [...this.hosts.values()].flatMap((host) => host.vms);
  }

  /** Starts the agents of all hosts and waits until they serve. */
  async start(): Promise<void> {
    await this.until(Promise.all([...this.hosts.values()].map((host) => host.start())));
    for (const host of this.hosts.values()) if (host.agent?.failure !== undefined) throw new Error(host.agent.failure);
    // The operator's server may be behind that of the hosts, which have just written themselves into the store.
    await this.until(this.#operator.tree.sync("/"));
  }

  /** Changes the topology, as an operator does. A refusal is an error. */
  async change(changes: readonly TopologyChange[]): Promise<TransactionResult> {
    const result = await this.until(this.#topology.transact(changes));
    if (!result.ok) throw new Error(`the topology was not changed: ${JSON.stringify(result.error)}`);
    this.events.add({ at: "store", event: "change", detail: changes.map(formatChange).join(", ") });
    return result.value;
  }

  /** Every object of the topology, as the store has it. */
  async objects(): Promise<readonly TopologyObject[]> {
    const kinds = Object.keys(MODEL_REGISTRY) as Kind[];
    const lists = await this.until(Promise.all(kinds.map((kind) => this.#topology.list(kind))));
    return lists.flatMap((list): TopologyObject[] => {
      if (!list.ok) throw new Error(`the topology cannot be read: ${JSON.stringify(list.error)}`);
      if (list.value.damaged.length > 0) throw new Error("the topology is damaged");
      return list.value.objects.map(({ object }) => object);
    });
  }

  /** Lets `span` pass. */
  async run(span: Duration): Promise<void> {
    const { scheduler } = this;
    const end = scheduler.clock.now() + span;
    await settled();
    for (let at = scheduler.nextAt(); at !== undefined && at <= end; at = scheduler.nextAt()) await this.#step();
    scheduler.advanceTo(end);
  }

  /** Runs until nothing has happened for a while. */
  async settle(options: SettleOptions = {}): Promise<void> {
    const { quietMs = QUIET_MS, limitMs = 120_000 } = options;
    const { clock } = this.scheduler;
    const end = clock.now() + limitMs;
    let { count } = this.events;
    for (let quietAt = clock.now() + quietMs; clock.now() < quietAt || this.underlay.counts.inFlight > 0; ) {
      await this.run(Math.min(50, quietMs));
      if (this.events.count !== count) quietAt = clock.now() + quietMs;
      count = this.events.count;
      if (clock.now() > end)
        throw new Error(`not quiet after ${limitMs} ms: ${this.events.lines.slice(-5).join(" / ")}`);
    }
  }

  /** Runs until a promise has settled, and gives what it gave. */
  async until<T>(promise: Promise<T>, limitMs: Duration = 120_000): Promise<T> {
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    promise.then(over, over);
    const end = this.scheduler.clock.now() + limitMs;
    await settled();
    while (!isOver) {
      const at = this.scheduler.nextAt();
      if (at === undefined || at > end) throw new Error("what is waited for does not come");
      await this.#step();
    }
    return promise;
  }

  /** Ends everything. */
  async close(): Promise<void> {
    for (const host of this.hosts.values()) host.kill();
    this.store.stop();
    await settled();
  }

  async #step(): Promise<void> {
    this.steps++;
    this.scheduler.step();
    await settled();
    this.observe?.();
  }
}

/** Resolves when everything that can run without time passing has run: all promises settle within one turn of the event loop. */
function settled(): Promise<void> {
  return new Promise((resolve) => systemScheduler.soon(resolve));
}

function formatChange(change: TopologyChange): string {
  const { kind, id } = "object" in change ? change.object : change;
  return `${change.op} ${kind} ${id.slice(0, 8)}`;
}
