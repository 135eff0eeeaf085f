import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { nodeOptions } from "../../src/base/entry.ts";
import { systemScheduler } from "../../src/base/scheduler.ts";
import { until } from "../../src/lab/until.ts";
import { needs } from "../needs.ts";
import { contenders } from "../property/contenders.ts";
import { leaderOf } from "./apache-roles.ts";
import { type ApacheEnsemble, startApache } from "./apache-zookeeper.ts";
import type { ClaimLine, ContenderAnswer } from "./contender.main.ts";
import { freshStore, type RealStore } from "./real-process.ts";

/** A process of its own that contends. It can be asked one thing at a time. */
class ContenderProcess {
  readonly #child: ChildProcess;
  readonly #answers: ((answer: ContenderAnswer) => void)[] = [];

  constructor(number: number, { servers, chroot }: RealStore) {
    const file = join(import.meta.dirname, "contender.main.ts");
    const args = [...nodeOptions, file, String(number), chroot, ...servers];
    this.#child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    lines.on("line", (line) => this.#answers.shift()?.(JSON.parse(line) as ContenderAnswer));
  }

  ask(question: string): Promise<readonly ClaimLine[]> {
    this.#child.stdin?.write(`${question}\n`);
    return new Promise((resolve) => this.#answers.push(({ claims }) => resolve(claims)));
  }

  /** Wants one of each kind until what it has is enough. */
  async obtain(isEnough: (has: readonly ClaimLine[], kind: string) => boolean): Promise<readonly ClaimLine[]> {
    const options = { scheduler: systemScheduler, withinMs: 40_000, everyMs: 250 };
    const claims = await until(options, async () => {
      const has = await this.ask("claims");
      const missing = Object.keys(contenders).filter((kind) => !isEnough(has, kind));
      for (const kind of missing) await this.ask(`want ${kind}`);
      return missing.length === 0 ? has : undefined;
    });
    assert.ok(claims !== undefined, "it did not get everything");
    return claims;
  }

  signal(signal: "SIGSTOP" | "SIGCONT" | "SIGKILL"): void {
    this.#child.kill(signal);
  }
}

/** What is written to under a fencing number: a number below one that was seen is refused. */
class FencedResource {
  readonly #highest = new Map<string, bigint>();

  /** Whether anything was ever written. */
  knows({ kind, what }: ClaimLine): boolean {
    return this.#highest.has(`${kind} ${what}`);
  }

  /** Whether a write is taken. */
  write({ kind, what, fence }: ClaimLine): boolean {
    const id = `${kind} ${what}`;
    if (BigInt(fence) < (this.#highest.get(id) ?? -1n)) return false;
    this.#highest.set(id, BigInt(fence));
    return true;
  }
}

describe("processes that stand still for longer than their session", {
  timeout: 120_000,
  skip: needs("java", "mvn"),
}, () => {
  let ensemble: ApacheEnsemble;
  const processes: ContenderProcess[] = [];
  before(async () => {
    ensemble = await startApache(3);
    await leaderOf(ensemble.servers);
  });
  after(async () => {
    for (const process of processes) process.signal("SIGKILL");
    await ensemble.stop();
  });

  test("lock, leadership, ownership and lease go to another; the late write is refused by its number, and it knows at once", async () => {
    const store = await freshStore(ensemble.addresses, "pauses");
    const start = (number: number): ContenderProcess => {
      const started = new ContenderProcess(number, store);
      processes.push(started);
      return started;
    };
    const first = start(1);
    // Both objects of the service, and both blocks of ports: nothing is left for the second but what the first has.
    const most: Readonly<Record<string, number>> = { ownership: 2, lease: 2 };
    await first.obtain((has, kind) => has.filter((one) => one.kind === kind).length >= (most[kind] ?? 1));
    const second = start(2);
    for (const kind of Object.keys(contenders)) assert.deepEqual(await second.ask(`want ${kind}`), []);
    await first.ask("decide");
    first.signal("SIGSTOP");
    const resource = new FencedResource();
    for (const claim of await second.obtain((has, kind) => has.some((one) => one.kind === kind))) {
      assert.ok(resource.write(claim));
    }
    const written = first.ask("write");
    const present = first.ask("claims");
    first.signal("SIGCONT");
    const late = (await written).filter((claim) => resource.knows(claim));
    assert.deepEqual(new Set(late.map(({ kind }) => kind)), new Set(Object.keys(contenders)));
    for (const claim of late) assert.ok(!resource.write(claim), `${claim.kind} ${claim.fence} was written late`);
    assert.deepEqual(await present, [], "it believes to have something still");
  });
});
