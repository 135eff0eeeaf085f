import { JsonHttp } from "../api-client/http-json.ts";
import { AGENT_PATHS } from "../api-schema/agent-api.ts";
import type { Duration } from "../base/clock.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type Scheduler, sleep } from "../base/scheduler.ts";
import { ENDED_POLL_MS, TAKEOVER_MS } from "./limits.ts";

/** The process that holds the datapath of this host, as its lock says. */
export interface DatapathOwner {
  readonly pid: number;
  isAlive(): boolean;
  /** kill -9: what it has installed goes on forwarding. */
  kill(): void;
}

/** How to take over from the agent that runs on this host. */
export interface TakeoverOptions {
  readonly scheduler: Scheduler;
  /** Path of its API socket, which is ours too. */
  readonly socket: string;
  /** Ends the old agent when it does not answer. */
  readonly mayKill: boolean;
  /** Who holds the datapath now; undefined: nobody. */
  owner(): DatapathOwner | undefined;
  /** How long it may take to hand over (default TAKEOVER_MS). */
  readonly withinMs?: Duration;
}

/** What came of it: the old agent has handed over and ends, there was none, or it was killed. */
export type Takeover = "handed-over" | "nobody" | "killed";

/**
 * Asks the agent that runs on this host to leave datapath and session to us. When this resolves with a value, its lock is free and
 * everything that it had to write is written. An agent that does not answer is left alone, or killed if that is allowed. The error is
 * a sentence that says what to do.
 */
export async function takeOver(options: TakeoverOptions): Promise<Result<Takeover, string>> {
  const { owner, socket, mayKill, withinMs = TAKEOVER_MS } = options;
  const old = owner();
  if (old === undefined) return ok("nobody");
  const http = new JsonHttp({ kind: "unix", path: socket });
  // One that has been stopped meanwhile must not hand over to nobody when it goes on: the clock is the same for both.
  const before = Math.floor(options.scheduler.clock.now() + withinMs);
  const answer = await http.send({ method: "POST", path: `${AGENT_PATHS.handOver}?before=${before}`, withinMs });
  http.close();
  const why = !answer.ok ? answer.error.why : answer.value.status === 200 ? undefined : `status ${answer.value.status}`;
  if (why === undefined && (await isGone(options, () => owner()?.pid !== old.pid))) return ok("handed-over");
  if (!old.isAlive()) return ok("nobody");
  const refusal = `the agent of this host, process ${old.pid}, does not hand over (${why ?? "it keeps the datapath"})`;
  if (!mayKill) return err(`${refusal}: stop it, or give --takeover=force, which kills it and keeps its flows`);
  old.kill();
  if (await isGone(options, () => !old.isAlive())) return ok("killed");
  return err(`${refusal}, and does not die: it hangs in the kernel`);
}

async function isGone({ scheduler }: TakeoverOptions, gone: () => boolean): Promise<boolean> {
  const until = scheduler.clock.now() + TAKEOVER_MS;
  while (!gone()) {
    if (scheduler.clock.now() >= until) return false;
    await sleep(scheduler, ENDED_POLL_MS);
  }
  return true;
}
