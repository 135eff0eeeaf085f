import { type Duration, type Instant, isoTime } from "../../base/clock.ts";
import { err, type Result } from "../../base/result.ts";
import { sleep } from "../../base/scheduler.ts";
import { parallelReadsMax, retryWaitMs } from "../limits.ts";
import type { Tree, TreeError } from "../tree.ts";
import type { StoreConnection } from "./connection.ts";
import type { StoreError } from "./store-error.ts";

/** What a recipe still has to judge when lost connections and ended sessions are dealt with. */
export type LastingError = Exclude<TreeError, { readonly kind: "connection-loss" | "session-expired" | "closed" }>;

/**
 * Does something that may be done twice (a read, a watch) until it has an outcome, over lost connections and ended sessions.
 * Gives up with `store-unavailable` when there was no outcome for as long as the connection has patience.
 */
export async function steadily<T>(
  connection: StoreConnection,
  run: (tree: Tree) => Promise<Result<T, TreeError>>,
): Promise<Result<T, LastingError | Unavailable>> {
  const { clock } = connection.scheduler;
  const end: Instant = clock.now() + connection.patience;
  // A call that is made without a connection waits for a whole session time-out; in a session that has ended it is answered at once.
  const { state } = connection.tree.session;
  const mustWait = connection.isImpatient && state !== "connected" && state !== "closed";
  if (mustWait && !(await connection.untilConnected(connection.patience))) return err(noConnection(connection));
  for (;;) {
    const result = await run(connection.tree);
    if (result.ok) return result;
    const { error } = result;
    if (error.kind === "closed") return err(unavailable("the store connection was closed"));
    if (error.kind !== "connection-loss" && error.kind !== "session-expired") return err(error);
    if (!(await connected(connection, end - clock.now()))) return err(noConnection(connection));
  }
}

/** The store gives no service. */
export type Unavailable = Extract<StoreError, { readonly kind: "store-unavailable" }>;

/** An error of kind `store-unavailable`. */
export function unavailable(why: string): Unavailable {
  return { kind: "store-unavailable", why };
}

/** That there is no connection, and since when. */
export function noConnection({ awayMs, isClosed, scheduler }: StoreConnection): Unavailable {
  if (isClosed) return unavailable("the store connection was closed");
  if (awayMs === undefined) return unavailable("the connection to the store breaks again and again");
  return unavailable(`no connection to the store since ${isoTime(scheduler.clock.wall() - awayMs)}`);
}

/** An error of the tree that a recipe has no better word for. */
export function storeError(error: LastingError | Unavailable): StoreError {
  if (error.kind === "store-unavailable") return error;
  if (error.kind === "too-large") {
    return { kind: "too-large", what: "bytes", size: error.bytes, limit: error.limit };
  }
  if (error.kind === "no-auth") return { kind: "no-auth", path: error.path };
  const why = error.kind === "bad-arguments" ? `: ${error.why}` : "";
  return unavailable(`${error.kind} at ${error.path}${why}`);
}

/** Whether a running process should wait for better times: no service, or rights that whoever took them may give back. */
export function mayPass({ kind }: StoreError): boolean {
  return kind === "store-unavailable" || kind === "no-auth";
}

/** Waits for a connection, after a pause that keeps a failing store from being asked at full speed. */
async function connected(connection: StoreConnection, wait: Duration): Promise<boolean> {
  if (wait <= 0) return false;
  if (connection.tree.session.state === "connected") {
    await sleep(connection.scheduler, Math.min(retryWaitMs, wait));
    return true;
  }
  return connection.untilConnected(wait);
}

/** Runs `run` for every item, at most `parallelReadsMax` at a time; results in the order of the items. */
export async function each<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += parallelReadsMax) {
    results.push(...(await Promise.all(items.slice(start, start + parallelReadsMax).map(run))));
  }
  return results;
}
