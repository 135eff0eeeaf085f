import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { type Counts, EventLines, type TestEvent } from "./events.ts";
import type { Tier } from "./tiers.ts";

/** How a tier went. `faults` are what is wrong with the run as a whole; a test that failed is in `counts`. */
export interface TierOutcome {
  readonly counts: Counts;
  readonly seconds: number;
  readonly faults: readonly string[];
  /** Skipped tests with their reasons. */
  readonly skips: readonly string[];
}

/** What to run: a tier's files, or of these only the tests whose name matches. */
export interface TierRun {
  readonly tier: Tier;
  readonly root: string;
  readonly files: readonly string[];
  readonly namePattern: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly print: (line: string) => void;
}

const noCounts: Counts = { tests: 0, passed: 0, failed: 0, cancelled: 0, skipped: 0, todo: 0 };
const checkMs = 500;

/** Runs a tier to its end or until its time is over. Never rejects: what went wrong is in the outcome. */
export function runTier(run: TierRun): Promise<TierOutcome> {
  const child = start(run);
  const progress = new Progress(run);
  const events = new EventLines((event) => progress.take(event));
  child.stdio[3]?.on("data", (chunk: Buffer) => events.push(chunk.toString()));
  const watch = setInterval(() => {
    const overdue = progress.overdue();
    if (overdue === undefined) return;
    progress.faults.push(overdue.reason);
    // A file that hangs in a process of its own costs itself; the others still run.
    if (overdue.isFile && killChildren(child)) return progress.restartStall();
    clearInterval(watch);
    killGroup(child, "SIGKILL");
  }, checkMs);
  const stop = (signal: NodeJS.Signals): void => killGroup(child, signal);
  process.on("SIGINT", stop).on("SIGTERM", stop).on("SIGHUP", stop);
  return new Promise((resolve) => {
    child.on("error", (error) => progress.faults.push(`cannot start: ${error.message}`));
    child.on("close", (code) => {
      clearInterval(watch);
      process.off("SIGINT", stop).off("SIGTERM", stop).off("SIGHUP", stop);
      // What a test left behind dies with its tier: it would disturb the next one.
      killGroup(child, "SIGKILL");
      resolve(progress.outcome(code));
    });
  });
}

function start({ tier, root, files, namePattern, env }: TierRun): ChildProcess {
  const options = [
    "--disable-warning=ExperimentalWarning",
    "--test",
    `--test-isolation=${tier.isolation}`,
    "--test-reporter=./tools/test/reporter.mjs",
    "--test-reporter-destination=stdout",
  ];
  if (tier.isolation === "process") options.push(`--test-concurrency=${tier.concurrency}`);
  else options.push("--import=./test/seed.ts");
  if (namePattern !== undefined) options.push(`--test-name-pattern=${namePattern}`);
  // A group of its own: a limit that has passed kills the files' processes too, by the group's id.
  return spawn(process.execPath, [...options, ...files], {
    cwd: root,
    env,
    detached: true,
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // Nobody is left in the group.
  }
}

/** Kills the processes that a runner has for its files, by their ids. False when none is known. */
function killChildren(child: ChildProcess): boolean {
  try {
    const ids = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim();
    for (const id of ids.split(" ")) process.kill(Number.parseInt(id, 10), "SIGKILL");
    return true;
  } catch {
    return false;
  }
}

class Progress {
  readonly faults: string[] = [];
  readonly #run: TierRun;
  readonly #skips: string[] = [];
  readonly #prints = new Map<string, string>();
  readonly #startedAt = performance.now();
  #lastEventAt = performance.now();
  #running = "";
  #totals: Counts | undefined;
  /** What has ended so far, for a run whose totals never come. */
  #passed = 0;
  #failed = 0;

  constructor(run: TierRun) {
    this.#run = run;
  }

  take(event: TestEvent): void {
    this.#lastEventAt = performance.now();
    const file = event.file === undefined ? "" : relative(this.#run.root, event.file);
    switch (event.kind) {
      case "start":
        this.#running = `${file}: ${event.name}`;
        return;
      case "pass":
        if (event.skip === undefined) this.#passed++;
        if (event.skip !== undefined) this.#skips.push(`${file}: ${event.name}: ${event.skip}`);
        return;
      case "fail":
        if (event.error !== "") this.#failed++;
        if (event.error !== "") this.#printFailure(`${file}:${event.line ?? 0}`, event.name, event.error);
        return;
      case "print":
        this.#prints.set(file, (this.#prints.get(file) ?? "") + event.text);
        return;
      case "summary":
        this.#summary(file, event.counts, event.ms);
    }
  }

  /** Why the run, or only the file that runs now, must be ended; undefined while it may go on. */
  overdue(): { readonly reason: string; readonly isFile: boolean } | undefined {
    const { limitMs, stallMs, isolation } = this.#run.tier;
    const now = performance.now();
    if (now - this.#startedAt > limitMs) {
      return { reason: `time limit of ${limitMs / 1000} s passed in ${this.#running}`, isFile: false };
    }
    if (now - this.#lastEventAt <= stallMs) return undefined;
    if (this.#totals !== undefined) {
      return { reason: "did not end after its last test: a test left a handle open", isFile: false };
    }
    const reason = `nothing happened for ${stallMs / 1000} s in ${this.#running}: killed`;
    return { reason, isFile: isolation === "process" };
  }

  /** Gives what comes after a killed file its own time. */
  restartStall(): void {
    this.#lastEventAt = performance.now();
  }

  outcome(code: number | null): TierOutcome {
    const soFar = { ...noCounts, tests: this.#passed + this.#failed, passed: this.#passed, failed: this.#failed };
    const counts = this.#totals ?? soFar;
    if (this.#totals === undefined)
      this.faults.push(
        `no totals: the run ended early, ${this.#running === "" ? "before any test ended" : `last seen in ${this.#running}`}`,
      );
    else if (code !== 0 && counts.failed + counts.cancelled === 0) this.faults.push(`ended with code ${code}`);
    const seconds = (performance.now() - this.#startedAt) / 1000;
    return { counts, seconds, faults: this.faults, skips: this.#skips };
  }

  #summary(file: string, counts: Counts, ms: number): void {
    if (file === "") {
      this.#totals = counts;
      return;
    }
    const mark = counts.failed + counts.cancelled === 0 ? "ok  " : "FAIL";
    this.#run.print(`    ${mark} ${file}  ${counts.passed}/${counts.tests}  ${(ms / 1000).toFixed(1)} s`);
  }

  #printFailure(where: string, name: string, error: string): void {
    const file = where.slice(0, where.lastIndexOf(":"));
    this.#run.print(`\n  FAIL ${name}\n       ${where}\n${indent(error)}`);
    const printed = this.#prints.get(file);
    if (printed !== undefined) this.#run.print(`       it printed:\n${indent(printed.slice(-4000))}`);
    this.#prints.delete(file);
  }
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => `       ${line}`)
    .join("\n");
}
