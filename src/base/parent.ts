import type { EventEmitter } from "node:events";
import { fstatSync } from "node:fs";
import { Socket } from "node:net";
import type { Clock, Instant } from "./clock.ts";

/** Names the descriptor that closes when the process which started this one dies. */
const variable = "WEFT_PARENT_FD";
const fd = 3;
/** A terminal's Ctrl-C reaches a process once from the terminal and once from its parent: within this time it is one. */
const sameStopMs = 1_000;

/**
 * What `spawn` needs so that the child notices our death, also by kill -9: a pipe as descriptor 3 that nobody writes to.
 * The child calls `onParentGone`. Spread it: `spawn(node, args, { ...childLink(env), detached: false })`.
 */
export function childLink(env: NodeJS.ProcessEnv): {
  readonly stdio: ["ignore" | "inherit", "inherit", "inherit", "pipe"];
  readonly env: NodeJS.ProcessEnv;
} {
  return { stdio: ["ignore", "inherit", "inherit", "pipe"], env: { ...env, [variable]: String(fd) } };
}

/**
 * Calls back once when the process that started this one has died. Without a link (started by hand, by systemd) it does
 * nothing and returns false. The link does not keep the process alive, and is not passed on to its children.
 */
export function onParentGone(callback: () => void, env: NodeJS.ProcessEnv = process.env): boolean {
  const named = parentLink(env);
  delete env[variable];
  if (named === undefined) return false;
  const link = new Socket({ fd: named, readable: true, writable: false });
  link.on("error", () => undefined);
  link.once("close", callback);
  link.resume();
  link.unref();
  return true;
}

/** The descriptor of the link, for a process that executes itself anew before it calls `onParentGone`. */
export function parentLink(env: NodeJS.ProcessEnv = process.env): number | undefined {
  const named = Number(env[variable]);
  return Number.isInteger(named) && named >= 3 && isPipe(named) ? named : undefined;
}

function isPipe(descriptor: number): boolean {
  try {
    const stat = fstatSync(descriptor);
    return stat.isSocket() || stat.isFIFO();
  } catch {
    return false;
  }
}

/** Why a process is asked to stop. */
export type StopReason = "SIGINT" | "SIGTERM" | "SIGHUP" | "parent-gone";

/**
 * Calls back when this process is asked to stop: INT, TERM, HUP, or the death of its parent. What arrives within a second
 * of the first counts as the same request; a later one calls back again, with `isRepeated`, so that an impatient user gets
 * a faster stop. `source` emits the signals. Returns a function that stops listening to them.
 */
export function onStop(
  clock: Clock,
  callback: (reason: StopReason, isRepeated: boolean) => void,
  source: EventEmitter = process,
): () => void {
  let firstAt: Instant | undefined;
  const ask = (reason: StopReason): void => {
    const now = clock.now();
    if (firstAt !== undefined && now - firstAt < sameStopMs) return;
    const isRepeated = firstAt !== undefined;
    firstAt ??= now;
    callback(reason, isRepeated);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) source.on(signal, ask);
  onParentGone(() => ask("parent-gone"));
  return () => {
    for (const signal of signals) source.off(signal, ask);
  };
}
