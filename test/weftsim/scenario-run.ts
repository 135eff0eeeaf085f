import type { Duration } from "../../src/base/clock.ts";
import { Prng } from "../../src/base/prng.ts";
import { type MakeStore, SimCloud } from "../../src/weftsim/cloud.ts";
import { SimEnsemble } from "../../src/weftsim/ensemble.ts";
import { MemoryStore } from "../../src/weftsim/store.ts";
import { WireEnsemble } from "../../src/weftsim/wire-ensemble.ts";
import { WireStore } from "../../src/weftsim/wire-store.ts";
import { counterProblems } from "./checkers/counters.ts";
import { deliveryProblems, leakProblems, receivedCounts, strayProblems } from "./checkers/delivery.ts";
import { checkFlows, checkQuietHosts } from "./checkers/flows.ts";
import { storeProblems } from "./checkers/store.ts";
import { tableProblems } from "./checkers/tables.ts";
import { ServicePrograms } from "./coordination.ts";
import { randomEdit } from "./edits.ts";
import { Faults } from "./faults.ts";
import type { CloudSpec, SafetySpec, ScenarioSpec } from "./scenarios/scenario-spec.ts";
import { type RandomTopology, randomTopology } from "./topologies.ts";
import { Traffic } from "./traffic.ts";

/** Longer than a neighbor is asked for in vain. */
const SETTLE_MS: Duration = 75_000;
/** Longer than the life of a flow that drops for a reason that passes by itself. */
const TEMPORARY_MS: Duration = 7_000;
/** Time between two looks whether everything agrees. */
const LOOK_MS: Duration = 250;

/** Looks at a quiet cloud before something that does not agree is a failure. */
const LOOKS_MAX = 8;

/** What of a scenario is played; a smaller play of a seed makes the same choices where it makes any. */
export interface PlayOptions {
  /** Most hosts and tenants. */
  readonly hosts?: number;
  readonly tenants?: number;
  /** Turns whose fault, or edit, does not take place: `12f`, `3e`. */
  readonly skip?: ReadonlySet<string>;
}

/** What a run of a seed came to. */
export interface RunResult {
  readonly scenario: string;
  readonly seed: number;
  readonly hash: string;
  readonly problems: readonly string[];
  readonly events: number;
  readonly steps: number;
  readonly virtualMs: number;
  readonly probes: number;
  /** Probes and replies that reached somebody. */
  readonly arrived: number;
  /** Flows that were compared with a new simulation. */
  readonly flowsChecked: number;
  /** Faults and edits that took place, as `skip` names them. */
  readonly deeds: readonly string[];
  /** How often a lock, leadership, ownership or lease was taken. */
  readonly takes: number;
  /** Virtual time from the end of the faults until everything agreed, the longest of all rounds. */
  readonly convergedMs: Duration;
  readonly lines: readonly string[];
}

/** One seed of a scenario: a random cloud, rounds of a safety phase and a liveness phase, traffic that is judged after each. */
export class ScenarioRun {
  readonly cloud: SimCloud;
  readonly topology: RandomTopology;
  readonly problems: string[] = [];
  readonly #spec: ScenarioSpec;
  readonly #seed: number;
  readonly #skip: ReadonlySet<string>;
  readonly #traffic: Traffic;
  readonly #faults: Faults;
  readonly #deeds: string[] = [];
  #ensemble: SimEnsemble | undefined;
  #wire: WireStore | undefined;
  #services: ServicePrograms | undefined;
  #flowsChecked = 0;
  #turn = 0;
  #convergedMs = 0;

  constructor(spec: ScenarioSpec, seed: number, options: PlayOptions = {}) {
    this.#spec = spec;
    this.#seed = seed;
    this.#skip = options.skip ?? new Set();
    const prng = new Prng(seed);
    const store = this.#storeOf(spec.cloud);
    this.cloud = new SimCloud({ seed: prng.u32(), startMs: startOf(prng), ...(store === undefined ? {} : { store }) });
    this.topology = randomTopology(prng.fork(), sizeOf(spec.cloud, options));
    this.#traffic = new Traffic({ cloud: this.cloud, vms: this.topology.vms, prng: prng.fork() });
    this.#faults = new Faults({
      ...{ cloud: this.cloud, restartStore: () => this.#wire?.restart() },
      services: () => this.#services,
      ensemble: () => this.#ensemble,
    });
  }

  /** Runs all rounds. An exception is a problem of its own. */
  async run(): Promise<RunResult> {
    const { cloud } = this;
    const startedAt = cloud.scheduler.clock.now();
    try {
      await this.#play();
    } catch (error) {
      this.#found("exception", [error instanceof Error ? (error.stack ?? error.message) : String(error)]);
    }
    await cloud.close();
    const { events, steps } = cloud;
    return {
      ...{ scenario: this.#spec.name, seed: this.#seed, problems: this.problems, steps, hash: events.hash },
      ...{ events: events.count, lines: events.lines, deeds: this.#deeds, flowsChecked: this.#flowsChecked },
      ...{ convergedMs: this.#convergedMs, takes: this.#services?.takes() ?? 0 },
      virtualMs: cloud.scheduler.clock.now() - startedAt,
      probes: this.#traffic.probes.size,
      arrived: cloud.vms.reduce((sum, vm) => sum + vm.received.length, 0),
    };
  }

  async #play(): Promise<void> {
    await this.#build();
    await this.#exchange("start", 40);
    for (const [i, round] of this.#spec.rounds.entries()) {
      if (this.problems.length > 0) return;
      const name = `round ${i + 1}`;
      await this.#safety(name, round);
      if (this.problems.length > 0) return;
      await this.#liveness(name);
      await this.#exchange(name, 40);
    }
  }

  /** Hosts, agents, the topology, VMs. */
  async #build(): Promise<void> {
    const { cloud, topology } = this;
    for (const host of topology.hosts) cloud.addHost(host);
    await cloud.start();
    await cloud.change(topology.objects.map((object) => ({ op: "create", object })));
    for (const { hostName, spec } of topology.vms) cloud.addVm(hostName, spec);
    await cloud.settle();
  }

  /** Edits, faults and traffic. Nothing wrong may happen at any time; much may be lost. */
  async #safety(phase: string, spec: SafetySpec): Promise<void> {
    const { cloud } = this;
    if (spec.contends === true) this.#services ??= new ServicePrograms(cloud);
    for (let i = 0; i < spec.turns; i++) {
      const before = receivedCounts(cloud);
      const turn = this.#turn++;
      const prng = new Prng(Math.imul(this.#seed, 0x9e37_79b1) ^ Math.imul(turn + 1, 0x85eb_ca77));
      const [editPrng, faultPrng] = [prng.fork(), prng.fork()];
      const isEdit = prng.float() < spec.edits && this.#isOn(`${turn}e`);
      const fault = prng.float() < spec.faultShare ? Faults.draw(spec.faults, faultPrng) : undefined;
      if (fault !== undefined && this.#isOn(`${turn}f`)) this.#faults.strike(fault, faultPrng);
      if (isEdit) await this.#edit(editPrng);
      this.#services?.act(prng);
      await this.#traffic.send(spec.probes);
      if (spec.pauseMs > 0) await cloud.run(prng.below(spec.pauseMs));
      this.#found(`${phase} turn ${turn}`, this.#wrong(before));
      if (this.problems.length > 0) return;
    }
  }

  /** An edit that the store cannot take in time is given up. */
  async #edit(prng: Prng): Promise<void> {
    const { cloud, topology } = this;
    try {
      await randomEdit({ cloud, vms: topology.vms, prng });
    } catch (error) {
      // Nobody knows whether it took place: what counts is what the store has when all is healed.
      if (!/store-unavailable|outcome-unknown/.test(String(error))) throw error;
      cloud.events.add({ at: "store", event: "refused", detail: "" });
    }
  }

  #isOn(deed: string): boolean {
    if (this.#skip.has(deed)) return false;
    this.#deeds.push(deed);
    return true;
  }

  /** What must never be. */
  #wrong(before: ReadonlyMap<string, number>): readonly string[] {
    const { cloud, topology } = this;
    const flows = checkQuietHosts(cloud);
    this.#flowsChecked += flows.checked;
    return [
      ...strayProblems({ cloud, vms: topology.vms, before, all: this.#traffic.probes }),
      ...(topology.hasOwnMacs ? leakProblems(cloud, topology.vms) : []),
      ...cloud.witness.violations.splice(0),
      ...flows.problems,
    ];
  }

  /** All faults end: within a named time everything agrees, and nothing is left of what has gone. */
  async #liveness(phase: string): Promise<void> {
    const { cloud } = this;
    const before = receivedCounts(cloud);
    const healedAt = cloud.scheduler.clock.now();
    this.#faults.heal();
    let open = this.#disagreements();
    while (open.length > 0 && cloud.scheduler.clock.now() - healedAt < this.#spec.convergeMs) {
      await cloud.run(LOOK_MS);
      open = this.#disagreements();
    }
    this.#convergedMs = Math.max(this.#convergedMs, cloud.scheduler.clock.now() - healedAt);
    this.#found(`${phase} ${this.#spec.convergeMs} ms after the faults`, open);
    if (this.problems.length > 0) return;
    await cloud.settle();
    await this.#inspect(phase);
    await cloud.run(SETTLE_MS);
    this.#found(phase, this.#wrong(before));
    if (this.#services === undefined) return;
    this.#found(phase, await this.#services.stuck());
    this.#found(phase, this.#services.problems());
  }

  #disagreements(): readonly string[] {
    const { cloud } = this;
    const hosts = [...cloud.hosts.values()].filter(({ isDead }) => !isDead);
    const idle = hosts.filter(({ agent }) => agent?.isRunning !== true);
    if (idle.length > 0) return idle.map(({ spec, agent }) => `no agent serves ${spec.name}: ${agent?.failure ?? ""}`);
    return [...tableProblems(cloud), ...storeProblems({ cloud, ensemble: this.#ensemble, services: this.#services })];
  }

  /** Traffic while nothing changes: all that may arrive arrives, nothing else does. */
  async #exchange(phase: string, count: number): Promise<void> {
    if (this.problems.length > 0) return;
    const { cloud, topology } = this;
    const objects = await cloud.objects();
    const before = receivedCounts(cloud);
    const probes = await this.#traffic.send(count);
    await cloud.settle({ quietMs: 1_200 });
    const vms = topology.vms;
    this.#found(phase, this.#wrong(before));
    this.#found(phase, deliveryProblems({ cloud, vms, objects, probes, before }));
    await this.#inspect(phase);
  }

  /** What must hold in any quiet cloud, whatever came before. */
  async #inspect(phase: string): Promise<void> {
    const { cloud } = this;
    await cloud.run(TEMPORARY_MS);
    // A sweep or an entry that grew old may be written at this moment.
    for (let looks = 0; looks < LOOKS_MAX && this.#disagreements().length > 0; looks++) await cloud.run(LOOK_MS);
    this.#found(phase, this.#disagreements());
    const flows = checkFlows(cloud);
    this.#flowsChecked += flows.checked;
    this.#found(phase, flows.problems);
    this.#found(phase, counterProblems(cloud));
  }

  #found(phase: string, problems: readonly string[]): void {
    this.problems.push(...problems.map((problem) => `${phase}: ${problem}`));
  }

  #storeOf({ store }: CloudSpec): MakeStore | undefined {
    if (store === "single") return undefined;
    return (parts) => {
      if (store === "wire") {
        this.#wire = new WireStore(parts);
        return this.#wire;
      }
      const ensemble = new SimEnsemble({ members: store === "wire-ensemble" ? 3 : store, ...parts });
      this.#ensemble = ensemble;
      return store === "wire-ensemble" ? new WireEnsemble({ ensemble, ...parts }) : new MemoryStore(ensemble);
    };
  }
}

function sizeOf(spec: CloudSpec, options: PlayOptions): { readonly hosts: number; readonly tenants: number } {
  const least = (a: number | undefined, b: number | undefined): number =>
    Math.min(a ?? Number.POSITIVE_INFINITY, b ?? Number.POSITIVE_INFINITY);
  return { hosts: least(spec.hosts, options.hosts), tenants: least(spec.tenants, options.tenants) };
}

/** Clocks start anywhere; now and then so that 32 bits of milliseconds run over soon. */
function startOf(prng: Prng): number {
  return prng.below(4) === 0 ? 2 ** 32 - 20_000 : 1_000 + prng.below(2 ** 31);
}
