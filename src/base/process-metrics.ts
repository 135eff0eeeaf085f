import { readdirSync } from "node:fs";
import type { Duration, Instant } from "./clock.ts";
import { LOOP_SECONDS } from "./limits.ts";
import { Histogram, type MetricSamples, type MetricSpecs } from "./metric-family.ts";
import type { Scheduler, Timer } from "./scheduler.ts";

/** What every process of weft tells of itself. The names of the first five are those that all exporters use. */
export const PROCESS_METRICS = {
  process_resident_memory_bytes: { type: "gauge", help: "memory in use that is resident" },
  process_cpu_seconds_total: { type: "counter", help: "processor time used, user and system, all threads" },
  process_start_time_seconds: { type: "gauge", help: "start of the process, in seconds since 1970" },
  process_open_fds: { type: "gauge", help: "open file descriptors" },
  nodejs_eventloop_lag_seconds: { type: "gauge", help: "how late the last timer was on the main thread" },
  weft_event_loop_lag_seconds: {
    type: "histogram",
    help: "how late timers of the main thread are, one every 100 ms: the share above a bound is that of waits above it",
  },
  weft_event_loop_lag_max_seconds: { type: "gauge", help: "the largest such lag within the last minute" },
  weft_log_lines_total: {
    type: "counter",
    help: "events logged by level, lines that were left out included",
    labels: ["level"],
  },
  weft_build_info: { type: "gauge", help: "always 1", labels: ["process", "version", "node"] },
} as const satisfies MetricSpecs;

/**
 * Time between two looks at the event loop. Each wakes the process, which costs up to 0.13 ms: a thousandth of a
 * processor, and half a percent if one looked every 20 ms. A shorter stall is found as often as a message would meet it.
 */
const LOOK_MS: Duration = 100;
/** Looks of which only the largest lag is kept for the last minute: about a second of them. */
const LOOKS = 10;
/** Upper bounds of the histogram, in seconds. */
const LAGS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5] as const;

/** What a process tells of itself, and how it is called. */
export interface ProcessName {
  readonly process: string;
  readonly release: string;
  /** Lines of log so far by level. */
  logLines?(): Readonly<Record<string, number>>;
}

/** Watches the process that it runs in. `close` it, or its timer keeps the process alive. */
export class ProcessMetrics {
  readonly #scheduler: Scheduler;
  readonly #name: ProcessName;
  readonly #startedAt: Instant;
  readonly #histogram = new Histogram(LAGS);
  /** The largest lag of each of the last seconds, and of the present one. */
  readonly #lags: Duration[] = [];
  #largest: Duration = 0;
  #last: Duration = 0;
  #looks = 0;
  #timer: Timer;
  #dueAt: Instant;

  constructor(scheduler: Scheduler, name: ProcessName) {
    this.#scheduler = scheduler;
    this.#name = name;
    this.#startedAt = scheduler.clock.wall();
    this.#dueAt = scheduler.clock.now() + LOOK_MS;
    this.#timer = scheduler.after(LOOK_MS, () => this.#look());
  }

  /** The largest lag of the event loop within the last minute, in milliseconds. */
  get lagMs(): Duration {
    return Math.max(this.#largest, ...this.#lags);
  }

  /** Adds the present values. */
  collect(samples: MetricSamples): void {
    const { user, system } = process.cpuUsage();
    samples.add("process_resident_memory_bytes", process.memoryUsage.rss());
    samples.add("process_cpu_seconds_total", (user + system) / 1e6);
    samples.add("process_start_time_seconds", this.#startedAt / 1_000);
    const open = openDescriptors();
    if (open !== undefined) samples.add("process_open_fds", open);
    samples.add("nodejs_eventloop_lag_seconds", this.#last / 1_000);
    samples.addHistogram("weft_event_loop_lag_seconds", this.#histogram);
    samples.add("weft_event_loop_lag_max_seconds", this.lagMs / 1_000);
    for (const [level, lines] of Object.entries(this.#name.logLines?.() ?? {}))
      samples.add("weft_log_lines_total", lines, { level });
    const { process: name, release } = this.#name;
    samples.add("weft_build_info", 1, { process: name, version: release, node: process.versions.node });
  }

  /** Ends the watch. */
  close(): void {
    this.#timer.cancel();
  }

  #look(): void {
    const now = this.#scheduler.clock.now();
    this.#last = Math.max(0, now - this.#dueAt);
    this.#histogram.observe(this.#last / 1_000);
    this.#largest = Math.max(this.#largest, this.#last);
    this.#looks++;
    if (this.#looks === LOOKS) this.#endSecond();
    this.#dueAt = now + LOOK_MS;
    this.#timer = this.#scheduler.after(LOOK_MS, () => this.#look());
  }

  #endSecond(): void {
    this.#lags.push(this.#largest);
    if (this.#lags.length > LOOP_SECONDS) this.#lags.shift();
    this.#largest = 0;
    this.#looks = 0;
  }
}

function openDescriptors(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return undefined;
  }
}
