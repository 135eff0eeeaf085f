import { Worker } from "node:worker_threads";
import { unwrap } from "../../src/base/result.ts";
import { sleep, systemScheduler } from "../../src/base/scheduler.ts";
import { StoreConnection } from "../../src/store/recipes/connection.ts";
import { TreeReplicatedMap } from "../../src/store/recipes/tree-replicated-map.ts";
import { openZooKeeper } from "../../src/zookeeper/connect.ts";
import { quantile } from "../figure.ts";
import { monotonicMs } from "../load/load.ts";
import { benchMapKind } from "./map-kind.ts";
import type { SubscriberPlan } from "./subscriber.worker.ts";

/** What is measured. */
export interface MapUpdatePlan {
  readonly servers: readonly string[];
  readonly rounds: number;
  /** Changes in a round, each followed by a bare create. */
  readonly changes: number;
}

/** For each round the 50th and the 99th percentile in milliseconds: of a change until the last has it, of a bare create. */
export interface MapUpdates {
  readonly p50: readonly number[];
  readonly p99: readonly number[];
  readonly commitP50: readonly number[];
  readonly commitP99: readonly number[];
}

const entries = 10_000;
const subscribers = 10;
const fillBatch = 500;
/**
 * Changes before the first that counts: servers and agents run for days, and what young ones do is compile. Of what V8 compiled in
 * 2,400 changes three quarters were compiled until the end of the first 400, a fifth in the next 500.
 */
const warmUp = 2_000;
/** Between two writes, so that what one leaves behind is not in the way of the next. */
const pauseMs = 3;
const path = "/weft/maps/bridges/bench/mac";
const noData = new Uint8Array(0);
const keyOf = (i: number): string => `02:00:00:00:${i >> 8}:${i & 255}`;

/**
 * How long a change of a replicated map of 10,000 entries takes until the last of 10 subscribers has it. Each subscriber is a
 * thread with a session of its own; the writer has one too. In between a node is created and nobody told: the ensemble's commit.
 */
export async function measureMapUpdates({ servers, rounds, changes }: MapUpdatePlan): Promise<MapUpdates> {
  const connection = new StoreConnection({
    scheduler: systemScheduler,
    connect: () => unwrap(openZooKeeper({ servers })),
  });
  const map = new TreeReplicatedMap({ connection, kind: benchMapKind, path });
  await map.ready;
  await fill(map);
  const audience = await Audience.gather(servers);
  const measured = { p50: [] as number[], p99: [] as number[], commitP50: [] as number[], commitP99: [] as number[] };
  for (let round = -1; round < rounds; round++) {
    const [updates, commits]: [number[], number[]] = [[], []];
    for (let i = 0; i < (round < 0 ? warmUp : changes); i++) {
      updates.push(await audience.time(() => map.put(keyOf((i * 37) % entries), `${round} ${i}`)));
      await sleep(systemScheduler, pauseMs);
      commits.push(await timeCommit(connection));
      await sleep(systemScheduler, pauseMs);
    }
    if (round < 0) continue;
    measured.p50.push(quantile(updates, 0.5));
    measured.p99.push(quantile(updates, 0.99));
    measured.commitP50.push(quantile(commits, 0.5));
    measured.commitP99.push(quantile(commits, 0.99));
  }
  await audience.leave();
  await map.close();
  await connection.close();
  return measured;
}

async function fill(map: TreeReplicatedMap<string, string>): Promise<void> {
  for (let from = 0; from < entries; from += fillBatch) {
    const batch = Array.from({ length: fillBatch }, (_, i) => map.put(keyOf(from + i), "port"));
    for (const put of await Promise.all(batch)) if (!put.ok) throw new Error(put.error.kind);
  }
}

async function timeCommit({ tree }: StoreConnection): Promise<number> {
  const start = monotonicMs();
  unwrap(await tree.create("/weft/commit-", noData, { mode: "ephemeral-sequential" }));
  return monotonicMs() - start;
}

/** The subscribers. */
class Audience {
  readonly #workers: readonly Worker[];
  readonly #heard: Int32Array;
  readonly #heardAt: Float64Array;

  private constructor(servers: readonly string[]) {
    const [heard, heardAt] = [new SharedArrayBuffer(4), new SharedArrayBuffer(8 * subscribers)];
    this.#heard = new Int32Array(heard);
    this.#heardAt = new Float64Array(heardAt);
    const file = new URL("./subscriber.worker.ts", import.meta.url);
    this.#workers = Array.from({ length: subscribers }, (_, index) => {
      const plan: SubscriberPlan = { servers, path, index, wakeAt: subscribers, heard, heardAt };
      return new Worker(file, { workerData: plan });
    });
  }

  /** Starts them and waits until each has the whole map. */
  static async gather(servers: readonly string[]): Promise<Audience> {
    const audience = new Audience(servers);
    const sizes = await Promise.all(
      audience.#workers.map(
        (worker) =>
          new Promise<number>((resolve, reject) => {
            worker.once("message", resolve);
            worker.once("error", reject);
          }),
      ),
    );
    for (const size of sizes) if (size !== entries) throw new Error(`a subscriber has ${size} entries`);
    return audience;
  }

  /** Milliseconds from the call of a change until the last one has it. */
  async time(change: () => Promise<unknown>): Promise<number> {
    Atomics.store(this.#heard, 0, 0);
    const start = monotonicMs();
    const done = change();
    for (let heard = 0; heard < subscribers; heard = Atomics.load(this.#heard, 0)) {
      const wait = Atomics.waitAsync(this.#heard, 0, heard);
      if (wait.async) await wait.value;
    }
    const last = Math.max(...this.#heardAt);
    await done;
    return last - start;
  }

  async leave(): Promise<void> {
    const ended = this.#workers.map((worker) => new Promise((resolve) => worker.once("exit", resolve)));
    for (const worker of this.#workers) worker.postMessage("leave");
    await Promise.all(ended);
  }
}
