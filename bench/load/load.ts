import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { hasCommand } from "../../src/lab/command.ts";
import type { Space } from "../../src/lab/namespaces.ts";
import type { BenchSite, Tool } from "../site.ts";

const source = join(import.meta.dirname, "load.c");
const program = join(import.meta.dirname, "..", "..", "build", "bench", "load");

/** Port of the load tool's server; the sink of streams is `SINK_PORT`. */
export const SERVER_PORT = 1000;
/** Port that takes streams. */
export const SINK_PORT = SERVER_PORT + 16;
/** Longest life of a server or a watcher: benches end before. */
const LIFE_S = "1200";

/** Percentiles of round trips, in microseconds; absent when nothing came back. */
export interface Times {
  readonly count: number;
  readonly lost: number;
  readonly p50?: number;
  readonly p90?: number;
  readonly p99?: number;
}

/** Frames of new flows to be sent. */
export interface FlowLoad {
  readonly iface: string;
  /** Frames a second; 0 is as fast as it goes. */
  readonly rate: number;
  readonly seconds: number;
  readonly count?: number;
  /** Number of the first flow, and of how many flows each is sent again. */
  readonly from: number;
  readonly period?: number;
  /** How many consecutive addresses the flows go to in turn, the MAC that they are sent to, and the first address. */
  readonly targets?: number;
  readonly mac: string;
  readonly address: string;
}

/** What the load tool sent. */
export interface FlowLoadSent {
  readonly sent: number;
  readonly refused: number;
  readonly seconds: number;
}

/** Most frames that one call sends. */
const COUNT_MAX = 100_000_000;

/** Compiles the load tool when its source is newer. */
export function buildLoad(): void {
  if (existsSync(program) && statSync(program).mtimeMs > statSync(source).mtimeMs) return;
  const compiler = ["cc", "gcc", "clang"].find(hasCommand);
  if (compiler === undefined) throw new Error("no C compiler for the load tool: apt-get install gcc libc6-dev");
  mkdirSync(dirname(program), { recursive: true });
  const made = spawnSync(compiler, ["-O2", "-Wall", "-o", program, source], { encoding: "utf8" });
  if (made.status !== 0) throw new Error(`the load tool does not compile: ${made.stderr}`);
}

/** The load tool in one namespace. */
export class Load {
  readonly #site: BenchSite;
  readonly #space: Space;

  constructor(site: BenchSite, space: Space) {
    this.#site = site;
    this.#space = space;
  }

  /** Starts the server for all other loads, for the life of the site. */
  async serve(): Promise<void> {
    await this.#start(["serve", SERVER_PORT, LIFE_S]).started;
  }

  /** Round trips of one warm flow. */
  async rtt(address: string, count: number): Promise<Times> {
    return (await this.#run<{ rtt: Times }>(["rtt", address, count, 30])).rtt;
  }

  /** First and second round trips of flows that are new, the `from`th and on, one every `gapMs`. */
  async first(
    address: string,
    { count, from, gapMs }: { readonly count: number; readonly from: number; readonly gapMs: number },
  ): Promise<{ readonly first: Times; readonly second: Times }> {
    return this.#run(["first", address, SERVER_PORT, count, gapMs * 1_000, from]);
  }

  /** Bits a second of one TCP stream. */
  async stream(address: string, seconds: number): Promise<number> {
    const { bytes, seconds: span } = await this.#run<{ bytes: number; seconds: number }>([
      ...["stream", address, SINK_PORT, seconds],
    ]);
    return (bytes * 8) / span;
  }

  /** Connections a second, `parallel` at a time, the `from`th and on; each has a source port of its own. */
  async connect(address: string, { seconds, parallel, from }: ConnectLoad): Promise<Connected> {
    return this.#run(["connect", address, SERVER_PORT, seconds, parallel, from]);
  }

  /** Sends frames of new flows. */
  async flows(load: FlowLoad): Promise<FlowLoadSent> {
    return this.#run(flowWords(load));
  }

  /** The same beside us. */
  startFlows(load: FlowLoad): Tool {
    return this.#start(flowWords(load));
  }

  /** Notes when frames of `flows` come in by an interface. */
  async watch(iface: string, name: string): Promise<Watcher> {
    const file = this.#site.of(name);
    await this.#start(["watch", iface, file, LIFE_S]).started;
    return new Watcher(file);
  }

  async #run<T>(words: readonly (string | number)[]): Promise<T> {
    const output = await this.#site.run([program, ...words.map(String)], this.#space, 90_000);
    return JSON.parse(output) as T;
  }

  #start(words: readonly (string | number)[]): Tool {
    return this.#site.startTool([program, ...words.map(String)], this.#space);
  }
}

/** How connections are made. */
export interface ConnectLoad {
  readonly seconds: number;
  readonly parallel: number;
  readonly from: number;
}

/** What became of connections. `next` is the number of the next one that is new. */
export interface Connected {
  readonly done: number;
  readonly failed: number;
  readonly seconds: number;
  readonly next: number;
  readonly connection: Times;
}

/** When frames last came. Times are milliseconds of the monotonic clock that `performance.timeOrigin` is not on: see `monotonicMs`. */
export class Watcher {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** What was seen until now. */
  read(): { readonly frames: number; readonly lastMs: number; readonly lastGapMs: number; readonly missing: number } {
    const words = new BigUint64Array(new Uint8Array(readFileSync(this.#file)).buffer);
    const [frames = 0n, last = 0n, gap = 0n, missing = 0n] = words;
    return {
      frames: Number(frames),
      lastMs: Number(last) / 1e6,
      lastGapMs: Number(gap) / 1e6,
      missing: Number(missing),
    };
  }
}

/** CLOCK_MONOTONIC in milliseconds, as the load tool reads it. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function flowWords(load: FlowLoad): readonly (string | number)[] {
  const { iface, rate, seconds, count = COUNT_MAX, from, period = COUNT_MAX, targets = 1, mac, address } = load;
  return ["flows", iface, count, rate, seconds, from, period, targets, mac, address];
}
