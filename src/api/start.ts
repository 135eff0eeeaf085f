import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Duration } from "../base/clock.ts";
import { fileOf } from "../base/entry.ts";
import type { Log } from "../base/log.ts";
import { ok, type Result } from "../base/result.ts";
import type { Scheduler } from "../base/scheduler.ts";
import { StoreConnection } from "../store/recipes/connection.ts";
import { TreeStateKeys } from "../store/recipes/tree-state-keys.ts";
import { TreeTopologyStore } from "../store/recipes/tree-topology-store.ts";
import type { Tree } from "../store/tree.ts";
import { HttpAgents } from "./agents.ts";
import type { ListenAddress } from "./config.ts";
import { DeviceTables } from "./device-tables.ts";
import { Facts } from "./facts.ts";
import { listenOn } from "./listen.ts";
import { createApiServer } from "./server.ts";

/** What a running API needs. */
export interface StartOptions {
  readonly listen: readonly ListenAddress[];
  readonly token: string;
  readonly agentDeadlineMs: Duration;
  readonly scheduler: Scheduler;
  readonly log: Log;
  /** Opens a session with the store. */
  connect(): Tree;
}

/** An API that answers. */
export interface RunningApi {
  readonly addresses: readonly string[];
  stop(): Promise<void>;
}

/** Puts the API together over a store and listens. It answers at once; until the store is reached, by `store-unavailable`. */
export async function startApi(options: StartOptions): Promise<Result<RunningApi, string>> {
  const { scheduler, log, token } = options;
  const connection = new StoreConnection({ scheduler, connect: () => options.connect() });
  const facts = new Facts(new TreeStateKeys(connection));
  const agents = new HttpAgents({ facts, token, deadlineMs: options.agentDeadlineMs });
  const server = await createApiServer({
    topology: new TreeTopologyStore(connection),
    tables: new DeviceTables(connection),
    ...{ facts, agents, scheduler, log, token },
    clock: scheduler.clock,
    release: releaseOf(),
    newId: () => randomUUID(),
  });
  await server.http.ready();
  const release = async (): Promise<void> => {
    await server.close();
    agents.close();
    facts.close();
    await connection.close();
  };
  const listening = await listenOn(options.listen, (request, response) => server.http.routing(request, response));
  if (!listening.ok) {
    await release();
    return listening;
  }
  const stop = async (): Promise<void> => {
    for (const one of listening.value) await one.close();
    await release();
  };
  return ok({ addresses: listening.value.map(({ address }) => address), stop });
}

/** The version in package.json, which sources and releases both have. */
function releaseOf(): string {
  const { version } = JSON.parse(readFileSync(fileOf("package.json"), "utf8")) as { readonly version: string };
  return version;
}
