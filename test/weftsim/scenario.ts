import { Prng } from "../../src/base/prng.ts";
import { SimCloud } from "../../src/weftsim/cloud.ts";
import { counterProblems } from "./checkers/counters.ts";
import { deliveryProblems, leakProblems, receivedCounts, strayProblems } from "./checkers/delivery.ts";
import { checkFlows } from "./checkers/flows.ts";
import { tableProblems } from "./checkers/tables.ts";
import { randomEdit } from "./edits.ts";
import { heal, randomFault } from "./faults.ts";
import { type RandomTopology, randomTopology } from "./topologies.ts";
import { type Probe, Traffic } from "./traffic.ts";

/** Longer than a neighbor is asked for in vain. */
const SETTLE_MS = 75_000;
/** Longer than the life of a flow that drops for a reason that passes by itself. */
const TEMPORARY_MS = 7_000;

/** What a run of a seed came to. */
export interface RunResult {
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
  readonly lines: readonly string[];
}

/** One seed: a random cloud, traffic, changes under traffic and faults, traffic again. Every phase ends with the checkers. */
export class Scenario {
  readonly cloud: SimCloud;
  readonly topology: RandomTopology;
  readonly problems: string[] = [];
  readonly seed: number;
  readonly #prng: Prng;
  readonly #traffic: Traffic;
  #flowsChecked = 0;

  constructor(seed: number) {
    this.seed = seed;
    this.#prng = new Prng(seed);
    this.cloud = new SimCloud({ seed: this.#prng.u32(), startMs: startOf(this.#prng) });
    this.topology = randomTopology(this.#prng.fork());
    this.#traffic = new Traffic({ cloud: this.cloud, vms: this.topology.vms, prng: this.#prng.fork() });
  }

  /** Runs all phases. */
  async run(): Promise<RunResult> {
    const { cloud } = this;
    const startedAt = cloud.scheduler.clock.now();
    await this.build();
    await this.exchange("first", 40);
    await this.change("edits", 0);
    await this.exchange("second", 40);
    await this.change("faults", 4);
    await this.exchange("third", 40);
    await cloud.close();
    const { events, steps } = cloud;
    const { seed, problems } = this;
    return {
      ...{ seed, problems, steps, hash: events.hash, events: events.count, lines: events.lines },
      virtualMs: cloud.scheduler.clock.now() - startedAt,
      probes: this.#traffic.probes.size,
      arrived: cloud.vms.reduce((sum, vm) => sum + vm.received.length, 0),
      flowsChecked: this.#flowsChecked,
    };
  }

  /** Hosts, agents, the topology, VMs. */
  async build(): Promise<void> {
    const { cloud, topology } = this;
    for (const host of topology.hosts) cloud.addHost(host);
    await cloud.start();
    await cloud.change(topology.objects.map((object) => ({ op: "create", object })));
    for (const { hostName, spec } of topology.vms) cloud.addVm(hostName, spec);
    await cloud.settle();
  }

  /** Traffic while nothing changes: all that may arrive arrives, nothing else does. */
  async exchange(phase: string, count: number): Promise<readonly Probe[]> {
    const { cloud, topology } = this;
    const objects = await cloud.objects();
    const before = receivedCounts(cloud);
    const probes = await this.#traffic.send(count);
    await cloud.settle({ quietMs: 1_200 });
    const vms = topology.vms;
    this.#found(phase, strayProblems({ cloud, vms, before, all: this.#traffic.probes }));
    if (topology.hasOwnMacs) this.#found(phase, leakProblems(cloud, vms));
    this.#found(phase, deliveryProblems({ cloud, vms, objects, probes, before }));
    await this.#inspect(phase);
    return probes;
  }

  /** Edits under traffic, and `faults` misfortunes; then all is healed. Nothing may reach whom it is not for. */
  async change(phase: string, faults: number): Promise<void> {
    const { cloud, topology } = this;
    const prng = this.#prng;
    const before = receivedCounts(cloud);
    const turns = 8;
    for (let i = 0; i < turns; i++) {
      if (i % 2 === 0) await randomEdit({ cloud, vms: topology.vms, prng });
      else if (i < 2 * faults) await randomFault(cloud, prng);
      await this.#traffic.send(5);
    }
    if (faults > 0) await heal(cloud);
    await cloud.settle();
    // Soon, while the flows that met the changes still live.
    await this.#inspect(phase);
    await cloud.run(SETTLE_MS);
    this.#found(phase, strayProblems({ cloud, vms: topology.vms, before, all: this.#traffic.probes }));
    if (topology.hasOwnMacs) this.#found(phase, leakProblems(cloud, topology.vms));
  }

  /** What must hold in any quiet cloud, whatever came before. */
  async #inspect(phase: string): Promise<void> {
    const { cloud } = this;
    await cloud.run(TEMPORARY_MS);
    this.#found(phase, tableProblems(cloud));
    const flows = checkFlows(cloud);
    this.#flowsChecked += flows.checked;
    this.#found(phase, flows.problems);
    this.#found(phase, counterProblems(cloud));
  }

  #found(phase: string, problems: readonly string[]): void {
    this.problems.push(...problems.map((problem) => `${phase}: ${problem}`));
  }
}

/** Clocks start anywhere; now and then so that 32 bits of milliseconds run over soon. */
function startOf(prng: Prng): number {
  return prng.below(4) === 0 ? 2 ** 32 - 20_000 : 1_000 + prng.below(2 ** 31);
}
