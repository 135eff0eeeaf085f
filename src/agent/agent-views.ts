import type { Server } from "node:http";
import type { SupportPart } from "../api-schema/doctor-resource.ts";
import { formatExposition } from "../base/exposition.ts";
import type { Log } from "../base/log.ts";
import type { CounterSource } from "../base/metrics.ts";
import { openScraper } from "../base/metrics-server.ts";
import { ProcessMetrics } from "../base/process-metrics.ts";
import { ok, type Result } from "../base/result.ts";
import type { Scheduler } from "../base/scheduler.ts";
import type { DatapathControl } from "../datapath/datapath.ts";
import type { Id } from "../model/objects.ts";
import type { MapMetrics } from "../store/recipes/map-metrics.ts";
import type { StoreClientMetrics } from "../store/store-client-metrics.ts";
import { type AgentViews, answeringOthers, listenAgent } from "./agent-server.ts";
import type { AgentState } from "./agent-state.ts";
import { collectMetrics } from "./collect-metrics.ts";
import type { AgentValues } from "./config.ts";
import type { DatapathAudit } from "./datapath-audit.ts";
import type { HostFacts } from "./doctor/host-facts.ts";
import { DropHistory } from "./drop-history.ts";
import type { HostMemory } from "./host-memory.ts";
import type { KeepAlives } from "./keep-alives.ts";
import { listenManagement, type Management } from "./management.ts";

/** What can be looked at from outside. */
export interface AgentViewParts {
  readonly values: AgentValues;
  readonly release: string;
  readonly scheduler: Scheduler;
  readonly log: Log;
  readonly state: AgentState;
  /** Where other machines may ask; undefined: nowhere. */
  readonly management: Management | undefined;
  readonly datapath: DatapathControl;
  readonly storeClient: StoreClientMetrics;
  readonly storeCounters: CounterSource;
  /** Lines of log so far by level. */
  logLines(): Readonly<Record<string, number>>;
  readonly maps: MapMetrics;
  readonly keepAlives: KeepAlives;
  readonly hostId: Id;
  /** Reads what can be seen of the host, for the doctor. */
  readHost(addresses: readonly string[]): Promise<HostFacts>;
  /** Configuration and last log lines, for a bundle. */
  support(): Pick<SupportPart, "config" | "log">;
  /** See `AgentViews`. */
  handOver(): Promise<void>;
  onHandedOver(): void;
  readonly memory: HostMemory;
  readonly audit: DatapathAudit;
}

/** Opens the agent's API and, when configured, the listener for a scraper. The error is one sentence. */
export async function openViews(parts: AgentViewParts): Promise<Result<{ close(): void }, string>> {
  const { values, scheduler, state } = parts;
  const measured = new ProcessMetrics(scheduler, { ...parts, process: "agent" });
  const sources = { ...parts, process: measured, clock: scheduler.clock, ringBytes: values["ring-bytes"] };
  const metrics = (): string => formatExposition(collectMetrics(sources));
  const drops = new DropHistory(scheduler, () => state.drops().drops);
  const doctorParts = { ...parts, process: measured, drops, pinFolder: values["pin-folder"] };
  const node = process.versions.node;
  const views: AgentViews = {
    metrics,
    // Seldom asked: its modules are memory that flows do not get.
    doctor: async () => (await import("./doctor/doctor.ts")).examine(doctorParts),
    support: () => ({ process: "agent", release: parts.release, node, ...parts.support() }),
    async handOver(before) {
      if (scheduler.clock.now() > before) return false;
      await parts.handOver();
      return true;
    },
    onHandedOver: () => parts.onHandedOver(),
  };
  const server = await listenAgent(values["api-socket"], state, views);
  const others = server.ok ? await openManagement(parts, views) : server;
  const scraper = others.ok ? await openScraper(values["metrics-listen"], metrics) : others;
  if (scraper.ok && scraper.value !== undefined)
    parts.log.info("metrics.listening", { address: scraper.value.address });
  const close = (): void => {
    measured.close();
    drops.close();
    for (const opened of [server, others]) if (opened.ok && opened.value !== undefined) closeServer(opened.value);
    if (scraper.ok) scraper.value?.close();
  };
  if (scraper.ok) return ok({ close });
  close();
  return scraper;
}

function openManagement(parts: AgentViewParts, views: AgentViews): Promise<Result<Server | undefined, string>> {
  const { management, state } = parts;
  if (management === undefined) return Promise.resolve(ok(undefined));
  return listenManagement(management, answeringOthers(state, views));
}

function closeServer(server: Server): void {
  server.close();
  server.closeIdleConnections();
}
