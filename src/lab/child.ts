import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { mainOf, nodeOptionsOf, type ProcessName } from "../base/entry.ts";
import { childLink } from "../base/parent.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type Scheduler, sleep } from "../base/scheduler.ts";
import type { Netns } from "../linux/netns.ts";
import { giveToUser } from "./lab-file.ts";
import { READY_WITHIN_MS, STOP_WITHIN_MS } from "./limits.ts";
import type { User } from "./serving-user.ts";

/** A process of weft to be started. */
export interface ChildPlan {
  /** Name in messages: `agent h1`. */
  readonly name: string;
  readonly main: ProcessName;
  /** Its main file, when not the one beside ours: of the built form. */
  readonly path?: string;
  readonly args: readonly string[];
  /** File for its standard error. */
  readonly logPath: string;
  /** Namespace to start it in; the root one when absent. */
  readonly netns?: Netns;
  /** Whom it runs as; ourselves when absent. */
  readonly user?: User;
}

/** A process of weft that the lab started. It dies with the lab, however the lab dies. */
export class LabChild {
  readonly name: string;
  readonly logPath: string;
  readonly pid: number;
  /** Resolves when it has ended, with a clause that says how. */
  readonly ended: Promise<string>;
  readonly #process: ChildProcess;
  readonly #ready: Promise<boolean>;
  #isStopping = false;
  #hasEnded = false;

  private constructor(plan: ChildPlan, started: ChildProcess) {
    this.name = plan.name;
    this.logPath = plan.logPath;
    this.pid = started.pid ?? 0;
    this.#process = started;
    this.ended = new Promise((resolve) => {
      started.once("error", (error) => resolve(`could not be started: ${error.message}`));
      started.once("exit", (code, signal) => {
        this.#hasEnded = true;
        resolve(signal === null ? `ended with ${code}` : `was ended by ${signal}`);
      });
    });
    this.#ready = new Promise((resolve) => {
      let printed = "";
      started.stdout?.on("data", (chunk: Buffer) => {
        printed = (printed + chunk.toString()).slice(-4_096);
        if (/^(listening|serving) /m.test(printed)) resolve(true);
      });
      void this.ended.then(() => resolve(false));
    });
  }

  /** Starts it. Signals of the terminal do not reach it: the lab stops its processes in order. */
  static start(plan: ChildPlan): LabChild {
    const log = openSync(plan.logPath, "a", 0o600);
    giveToUser(plan.logPath);
    const { env, stdio } = childLink(environment());
    const start = (): ChildProcess =>
      spawn(process.execPath, [...nodeOptionsOf(plan.main), plan.path ?? mainOf(plan.main), ...plan.args], {
        detached: true,
        env,
        stdio: ["ignore", "pipe", log, stdio[3]],
        ...plan.user,
      });
    try {
      if (plan.netns === undefined) return new LabChild(plan, start());
      const started = plan.netns.run(start);
      if (started.ok) return new LabChild(plan, started.value);
      throw new Error(`cannot enter the namespace of ${plan.name}: ${started.error.text}`);
    } finally {
      closeSync(log);
    }
  }

  /** True once `stop` was called: its end is no surprise then. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Waits until it says that it serves. The error says what happened instead, and where to read on. */
  async ready(scheduler: Scheduler): Promise<Result<undefined, string>> {
    const timeout = new AbortController();
    const late = sleep(scheduler, READY_WITHIN_MS, timeout.signal).then(
      () => "late" as const,
      () => "late" as const,
    );
    const outcome = await Promise.race([this.#ready, late]);
    timeout.abort();
    if (outcome === true) return ok(undefined);
    const how = outcome === "late" ? `did not serve within ${READY_WITHIN_MS / 1_000} s` : await this.ended;
    return err(`${this.name} ${how}${lastSentence(this.logPath)}; log: ${this.logPath}`);
  }

  /** Asks it to end, and kills it when it does not in time or `isUrgent`. */
  async stop(scheduler: Scheduler, isUrgent = false): Promise<void> {
    this.#isStopping = true;
    if (this.#hasEnded) return;
    this.#process.kill(isUrgent ? "SIGKILL" : "SIGTERM");
    const timeout = new AbortController();
    const late = sleep(scheduler, STOP_WITHIN_MS, timeout.signal).then(
      () => this.#process.kill("SIGKILL"),
      () => undefined,
    );
    await this.ended;
    timeout.abort();
    await late;
  }
}

/** Our environment without what would configure the child in place of its arguments. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("WEFT_")));
}

/** The last sentence of a log: log lines are JSON, what a process says to people before it gives up is not. */
function lastSentence(path: string): string {
  const sentences = readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("{"));
  const last = sentences.at(-1);
  return last === undefined ? "" : `: ${last.trim()}`;
}
