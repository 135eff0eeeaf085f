import { readdirSync } from "node:fs";
import type { Duration, Instant } from "./clock.ts";
import { LOOP_LOOKS } from "./limits.ts";
import type { MetricSamples, MetricSpecs } from "./metric-family.ts";
import type { Scheduler, Timer } from "./scheduler.ts";

/** What every process of weft tells of itself. The names of the first five are those that all exporters use. */
export const PROCESS_METRICS = {
  process_resident_memory_bytes: { type: "gauge", help: "memory in use that is resident" },
  process_cpu_seconds_total: { type: "counter", help: "processor time used, user and system, all threads" },
  process_start_time_seconds: { type: "gauge", help: "start of the process, in seconds since 1970" },
  process_open_fds: { type: "gauge", help: "open file descriptors" },
  nodejs_eventloop_lag_seconds: { type: "gauge", help: "how late the last timer of a second was on the main thread" },
  weft_event_loop_lag_max_seconds: { type: "gauge", help: "the largest such lag within the last minute" },
  weft_log_lines_total: {
    type: "counter",
    help: "events logged by level, lines that were left out included",
    labels: ["level"],
  },
  weft_build_info: { type: "gauge", help: "always 1", labels: ["process", "version", "node"] },
} as const satisfies MetricSpecs;

/** Time between two looks at the event loop: once a second costs nothing, and finds every stall of note. */
const LOOK_MS: Duration = 1_000;

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
  readonly #lags: Duration[] = [];
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
    return Math.max(0, ...this.#lags);
  }

  /** Adds the present values. */
  collect(samples: MetricSamples): void {
    const { user, system } = process.cpuUsage();
    samples.add("process_resident_memory_bytes", process.memoryUsage.rss());
    samples.add("process_cpu_seconds_total", (user + system) / 1e6);
    samples.add("process_start_time_seconds", this.#startedAt / 1_000);
    const open = openDescriptors();
    if (open !== undefined) samples.add("process_open_fds", open);
    samples.add("nodejs_eventloop_lag_seconds", (this.#lags.at(-1) ?? 0) / 1_000);
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
    this.#lags.push(Math.max(0, now - this.#dueAt));
    if (this.#lags.length > LOOP_LOOKS) this.#lags.shift();
    this.#dueAt = now + LOOK_MS;
    this.#timer = this.#scheduler.after(LOOK_MS, () => this.#look());
  }
}

function openDescriptors(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return undefined;
  }
}
