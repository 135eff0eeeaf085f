import { randomUUID } from "node:crypto";
import type { SupportPart } from "../api-schema/doctor-resource.ts";
import type { Duration } from "../base/clock.ts";
import type { ListenAddress } from "../base/listen-address.ts";
import type { Log } from "../base/log.ts";
import type { CounterSource } from "../base/metrics.ts";
import { openScraper } from "../base/metrics-server.ts";
import { ProcessMetrics } from "../base/process-metrics.ts";
import { releaseOf } from "../base/release.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Scheduler } from "../base/scheduler.ts";
import { StoreConnection } from "../store/recipes/connection.ts";
import { Layout } from "../store/recipes/layout.ts";
import { SeenLayout } from "../store/recipes/seen-layout.ts";
import { TreeStateKeys } from "../store/recipes/tree-state-keys.ts";
import { TreeTopologyStore } from "../store/recipes/tree-topology-store.ts";
import { StoreClientMetrics } from "../store/store-client-metrics.ts";
import type { Tree } from "../store/tree.ts";
import { Recycler } from "../store/upkeep/recycler.ts";
import { HttpAgents } from "./agents.ts";
import { ApiMetrics } from "./api-metrics.ts";
import { DeviceTables } from "./device-tables.ts";
import type { StoreServerAnswer } from "./doctor/store-checks.ts";
import { Facts } from "./facts.ts";
import { STORE_WAIT_MS } from "./limits.ts";
import { listenOn } from "./listen.ts";
import { createApiServer } from "./server.ts";

/** What a running API needs. */
export interface StartOptions {
  readonly listen: readonly ListenAddress[];
  readonly token: string;
  /** Where a scraper finds the metrics without a token. */
  readonly metricsListen: string | undefined;
  readonly agentDeadlineMs: Duration;
  readonly scheduler: Scheduler;
  readonly log: Log;
  /** What the driver of the store counts. */
  readonly storeCounters: CounterSource;
  /** Asks every server of the store by itself, for the doctor. */
  askServers(): Promise<readonly StoreServerAnswer[]>;
  /** Configuration and last log lines, for a bundle. */
  support(): Pick<SupportPart, "config" | "log">;
  /** Lines of log so far by level. */
  logLines(): Readonly<Record<string, number>>;
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
  const storeClient = new StoreClientMetrics(scheduler.clock);
  const connect = (): Tree => storeClient.measure(options.connect());
  const connection = new StoreConnection({ scheduler, connect, patienceMs: STORE_WAIT_MS, log });
  const guard = new SeenLayout({ connection, layout: new Layout(), log });
  const facts = new Facts(new TreeStateKeys(connection));
  const release = releaseOf();
  const metrics = new ApiMetrics({
    ...{ clock: scheduler.clock, storeClient, storeCounters: options.storeCounters },
    process: new ProcessMetrics(scheduler, { ...options, process: "api", release }),
    aliveHosts: () => facts.aliveHosts().length,
    recycler: () => recycler.counters.snapshot(),
  });
  const recycler = new Recycler({ connection, layout: new Layout(), log, label: `api ${release}` });
  const agents = new HttpAgents({ facts, token, deadlineMs: options.agentDeadlineMs });
  const server = await createApiServer({
    topology: new TreeTopologyStore(connection),
    tables: new DeviceTables(connection),
    ...{ facts, agents, scheduler, log, token, metrics, release },
    store: { tree: () => connection.tree, layout: new Layout(), storeClient, askServers: () => options.askServers() },
    support: () => ({ process: "api", release, node: process.versions.node, ...options.support() }),
    clock: scheduler.clock,
    newId: () => randomUUID(),
  });
  await server.http.ready();
  const free = async (): Promise<void> => {
    metrics.close();
    await server.close();
    agents.close();
    facts.close();
    guard.close();
    // Ends with the session; waiting for the store would keep a process up that has lost it.
    void recycler.close();
    await connection.close();
  };
  const listening = await listenOn(options.listen, (request, response) => server.http.routing(request, response));
  const scraper = listening.ok ? await openScraper(options.metricsListen, () => metrics.text()) : listening;
  if (!listening.ok || !scraper.ok) {
    for (const one of listening.ok ? listening.value : []) await one.close();
    await free();
    return scraper.ok ? err("nothing listens") : scraper;
  }
  if (scraper.value !== undefined) log.info("metrics.listening", { address: scraper.value.address });
  const stop = async (): Promise<void> => {
    scraper.value?.close();
    for (const one of listening.value) await one.close();
    await free();
  };
  return ok({ addresses: listening.value.map(({ address }) => address), stop });
}
