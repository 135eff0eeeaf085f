import { earlierVports } from "../agent/core/bindings.ts";
import type { FromWorker, ToWorker } from "../agent/core/messages.ts";
import type { WorkerCore } from "../agent/core/worker.ts";
import { makeWorker } from "../agent/make-worker.ts";
import { WorkerLoop } from "../agent/worker-loop.ts";
import { shardsOf } from "../agent/worker-settings.ts";
import type { Duration } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import type { MemoryDatapath } from "../datapath/memory/memory-datapath.ts";
import { SHARD_COUNT } from "../flow/layout.ts";
import type { NeighborSettings } from "../state/neighbor-settings.ts";
import { Channel } from "../store/memory/channel.ts";
import type { EventLog } from "./event-log.ts";
import { LateWorker } from "./late-worker.ts";
import type { Lifetime } from "./lifetime.ts";

/** What a simulated worker thread is made of. */
export interface SimWorkerParts {
  readonly worker: number;
  readonly workers: number;
  readonly neighbor: NeighborSettings;
  readonly datapath: MemoryDatapath;
  readonly scheduler: Lifetime;
  readonly prng: Prng;
  readonly events: EventLog;
  /** Name of the host. */
  readonly name: string;
  /** By how much everything between threads takes longer than usual. */
  slowness(): number;
  toControl(message: FromWorker): void;
}

/** Longest time that a message between threads takes. */
const MESSAGE_MS: Duration = 0.2;
/** Longest time between an upcall and the worker's waking. */
const WAKE_MS: Duration = 0.05;

/** A worker thread without a thread: the real core in the real loop, behind two channels that keep order and take time. */
export class SimWorker {
  readonly core: WorkerCore;
  /** Version of the world that all its flows follow. */
  reached = 0;
  readonly #parts: SimWorkerParts;
  readonly #loop: WorkerLoop;
  readonly #inbox: Channel<readonly ToWorker[]>;
  readonly #outbox: Channel<FromWorker>;
  #polled = 0;
  #counts: Readonly<Record<string, number>> = {};
  #mustReport = false;
  #sent: Counts | undefined;

  constructor(parts: SimWorkerParts) {
    this.#parts = parts;
    const { scheduler, prng, worker, workers } = parts;
    const delay = (): Duration => MESSAGE_MS * prng.float() * parts.slowness();
    this.#inbox = new Channel({ scheduler, delay, deliver: (messages) => this.#receive(messages) });
    this.#outbox = new Channel({ scheduler, delay, deliver: (message) => this.#deliver(message) });
    const shards = shardsOf(worker, workers, SHARD_COUNT);
    const datapath = new LateWorker({
      face: parts.datapath.openWorker(worker, shards),
      scheduler,
      delay: () => WAKE_MS * prng.float() * parts.slowness(),
      onPolled: (count) => this.#onPolled(count),
      onSleep: () => this.#report(),
    });
    const send = (message: FromWorker): void => {
      if (message.kind !== "counts") this.#outbox.push(structuredClone(message));
      else this.#sendCounts(message);
    };
    const isTakingOver = earlierVports(parts.datapath.memory.vports).size > 0;
    const start = {
      ...{ worker, workers, shards, seed: prng.u32(), neighbor: parts.neighbor, datapath: {}, maySpin: false },
      isTakingOver,
    };
    this.core = makeWorker(start, { datapath, clock: scheduler.clock, send });
    this.#loop = new WorkerLoop({ core: this.core, datapath, scheduler, takeMessages: () => [], send, maySpin: false });
  }

  /** No message is on its way to or from the thread. */
  get isQuiet(): boolean {
    return this.#inbox.isEmpty && this.#outbox.isEmpty;
  }

  /** Takes its first turn. */
  start(): void {
    this.#loop.kick();
  }

  /** Sends messages to the thread. */
  tell(messages: readonly ToWorker[]): void {
    this.#inbox.push(structuredClone(messages));
  }

  /** Ends the thread; what is on its way is lost. */
  close(): void {
    this.#loop.close();
    this.#inbox.cut();
    this.#outbox.cut();
  }

  /** Counts that say what the last ones said are not worth an event: an idle cloud of a thousand hosts would be made of them. */
  #sendCounts(counts: Counts): void {
    if (this.#sent !== undefined && isEqual(counts, this.#sent)) return;
    this.#sent = counts;
    this.#outbox.push(counts);
  }

  #receive(messages: readonly ToWorker[]): void {
    this.#mustReport = true;
    this.#loop.receive(messages);
  }

  #deliver(message: FromWorker): void {
    if (message.kind === "reached") this.reached = message.version;
    if (message.kind !== "counts") {
      const what = "opinion" in message ? ` ${JSON.stringify(message.opinion)}` : "";
      this.#note("from", `${message.kind}${what}`);
    }
    this.#parts.toControl(message);
  }

  #onPolled(count: number): void {
    this.#polled += count;
    this.#mustReport = true;
  }

  /** One line for all that a burst of turns did. */
  #report(): void {
    if (!this.#mustReport) return;
    this.#mustReport = false;
    const counts = this.core.counts.metrics.snapshot();
    const changes = Object.entries(counts).flatMap(([name, value]) => {
      const change = value - (this.#counts[name] ?? 0);
      return change === 0 ? [] : [`${name.replace("weft_worker_", "")}+${change}`];
    });
    this.#counts = counts;
    if (changes.length > 0) this.#note("turn", changes.join(" "));
  }

  #note(event: string, detail: string): void {
    const { events, name, worker } = this.#parts;
    events.add({ at: `${name}.${worker}`, event, detail });
  }
}

type Counts = FromWorker & { readonly kind: "counts" };

function isEqual(a: Counts, b: Counts): boolean {
  for (const name in a.metrics) if (a.metrics[name] !== b.metrics[name]) return false;
  return a.drops.length === b.drops.length && a.drops.every((drop, i) => drop.packets === b.drops[i]?.packets);
}
