import { Prng } from "../../base/prng.ts";
import { VirtualScheduler } from "../../base/scheduler.ts";
import type { MemoryTree } from "../memory/memory-tree.ts";
import { MemoryTreeServer } from "../memory/memory-tree-server.ts";
import { StoreConnection } from "../recipes/connection.ts";
import type { Tree } from "../tree.ts";
import { PausableProcess } from "./paused.ts";
import { drain } from "./virtual-time.ts";

/** What may befall a process: its network, its session, and itself. */
export type Fault = "disconnect" | "applied" | "lost" | "isolate" | "rejoin" | "pause" | "wake" | "expire";

/** Session time-out of every process in a faulty world, in milliseconds. */
export const worldSessionMs = 4_000;

/** A process with a connection to the store, and what may befall it. */
export class FaultyProcess {
  readonly process: PausableProcess;
  readonly connection: StoreConnection;
  readonly #server: MemoryTreeServer;
  #trees: readonly [] | readonly [MemoryTree] = [];

  constructor(server: MemoryTreeServer) {
    this.#server = server;
    this.process = new PausableProcess(server.scheduler);
    this.connection = new StoreConnection({ scheduler: this.process.scheduler, connect: () => this.#connect() });
  }

  /** Lets something happen. A paused process is cut off too, so that its session runs out; `wake` and `rejoin` end both. */
  befall(fault: Fault): void {
    const [tree] = this.#trees;
    if (tree === undefined) return;
    if (fault === "disconnect") this.#server.disconnect(tree);
    else if (fault === "applied" || fault === "lost") this.#server.disconnect(tree, fault);
    else if (fault === "expire") this.#server.expire(tree);
    else if (fault === "isolate") this.#server.isolate(tree);
    else if (fault === "pause") {
      this.process.pause();
      this.#server.isolate(tree);
    } else {
      this.#server.rejoin(tree);
      this.process.wake();
    }
  }

  #connect(): Tree {
    const tree = this.#server.connect({ timeoutMs: worldSessionMs });
    this.#trees = [tree];
    return this.process.over(tree);
  }
}

/** Processes around one memory server, with late messages and faults, in virtual time: a seed gives the same run. */
export class FaultyWorld {
  readonly scheduler = new VirtualScheduler();
  readonly server: MemoryTreeServer;
  readonly processes: readonly FaultyProcess[];
  /** Called whenever something has happened: checks and records. */
  observe: () => void = () => undefined;
  #stamps = 0;

  constructor(seed: number, processes: number) {
    const prng = new Prng(seed);
    this.server = new MemoryTreeServer({ scheduler: this.scheduler, delay: () => prng.below(25), seed, redialMs: 100 });
    this.processes = Array.from({ length: processes }, () => new FaultyProcess(this.server));
  }

  /** A time for a history: virtual time, and within one instant the order of the calls. */
  stamp(): number {
    this.#stamps += 1;
    return this.scheduler.clock.now() + this.#stamps * 1e-7;
  }

  /** Lets time pass, event by event. */
  async pass(span: number): Promise<void> {
    const { scheduler } = this;
    const end = scheduler.clock.now() + span;
    await drain();
    this.observe();
    for (let at = scheduler.nextAt(); at !== undefined && at <= end; at = scheduler.nextAt()) {
      scheduler.step();
      await drain();
      this.observe();
    }
    scheduler.advanceTo(end);
    this.observe();
  }

  /** Ends every fault and lets everybody come to rest. */
  async settle(span: number): Promise<void> {
    for (const process of this.processes) process.befall("wake");
    await this.pass(span);
  }

  /** Ends the world. */
  stop(): void {
    this.server.stop();
  }
}
