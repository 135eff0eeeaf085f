import type { Clock } from "../base/clock.ts";
import { counterFamilies, type MetricFamily, MetricSamples } from "../base/metric-family.ts";
import type { CounterSource } from "../base/metrics.ts";
import type { ProcessMetrics } from "../base/process-metrics.ts";
import type { DatapathControl } from "../datapath/datapath.ts";
import { PEER_MAX, VPORT_MAX } from "../flow/layout.ts";
import type { Id } from "../model/objects.ts";
import type { MapMetrics } from "../store/recipes/map-metrics.ts";
import type { StoreClientMetrics } from "../store/store-client-metrics.ts";
import { AGENT_METRICS, PLAIN_WORKER_METRICS, REMOVAL_CAUSES } from "./agent-metrics.ts";
import type { AgentState } from "./agent-state.ts";
import { SLICE_OBJECTS_MAX, UPCALL_CREDITS_PER_SHARD } from "./core/limits.ts";
import { type DatapathAudit, datapathAuditMetrics } from "./datapath-audit.ts";
import { keepAliveUse, peerUse, queueUse, type TableUse, tableUse, vportsInUse } from "./datapath-use.ts";
import { type HostMemory, hostMemoryMetrics } from "./host-memory.ts";
import { readInterfaceCounters } from "./interface-counters.ts";
import type { KeepAlives } from "./keep-alives.ts";

/** Where an agent's metrics come from. */
export interface MetricParts {
  readonly clock: Clock;
  readonly process: ProcessMetrics;
  readonly storeClient: StoreClientMetrics;
  /** What the driver of the store counts. */
  readonly storeCounters: CounterSource;
  readonly maps: MapMetrics;
  readonly memory: Pick<HostMemory, "counters">;
  readonly audit: Pick<DatapathAudit, "counters">;
  readonly state: AgentState;
  readonly datapath: DatapathControl;
  readonly keepAlives: Pick<KeepAlives, "states">;
  /** Bytes of a shard's ring. */
  readonly ringBytes: number;
}

/** How much of a limit of this host is in use. */
export interface LimitUse {
  readonly name: string;
  readonly used: number;
  readonly limit: number;
}

/** Every metric of an agent, as of now. Costs some milliseconds: for a scraper, not for a loop. */
export function collectMetrics(parts: MetricParts): readonly MetricFamily[] {
  const { storeCounters } = parts;
  const samples = new MetricSamples({ ...AGENT_METRICS, ...counterFamilies(storeCounters.catalogue) });
  parts.process.collect(samples);
  parts.storeClient.collect(samples);
  samples.addCounters(storeCounters.catalogue, storeCounters.snapshot());
  parts.maps.collect(samples);
  samples.addCounters(hostMemoryMetrics, parts.memory.counters.snapshot());
  samples.addCounters(datapathAuditMetrics, parts.audit.counters.snapshot());
  collectPorts(samples, parts.state);
  collectDatapath(samples, parts);
  collectPeers(samples, parts);
  collectWorkers(samples, parts.state);
  return samples.families();
}

/** The limits of this host that can be near full, flows first. */
export function limitUses(
  { memory }: Pick<DatapathControl, "memory">,
  table: Pick<TableUse, "flows" | "slots">,
  objects: number,
): readonly LimitUse[] {
  const peers = Array.from({ length: PEER_MAX - 1 }, (_, i) => peerUse(memory, i + 1, 0));
  return [
    { name: "flows", used: table.flows, limit: table.slots },
    { name: "vports", used: vportsInUse(memory.vports).length, limit: VPORT_MAX - 1 },
    { name: "topology objects", used: objects, limit: SLICE_OBJECTS_MAX },
    { name: "peers", used: peers.filter(({ mtu }) => mtu > 0).length, limit: PEER_MAX - 1 },
  ];
}

function collectPorts(samples: MetricSamples, state: AgentState): void {
  samples.add("weft_world_version", state.version().version);
  samples.add("weft_world_version_reached", state.version().reached);
  const ports = state.ports();
  const counts = new Map(PORT_STATES.map((name) => [name, 0]));
  const received = readInterfaceCounters();
  for (const port of ports) {
    counts.set(port.state, (counts.get(port.state) ?? 0) + 1);
    const seen = received.get(port.interfaceName);
    if (seen === undefined) continue;
    const labels = { port: port.portId, interface: port.interfaceName };
    samples.add("weft_port_received_packets_total", seen.packets, labels);
    samples.add("weft_port_received_bytes_total", seen.bytes, labels);
  }
  for (const [name, count] of counts) samples.add("weft_ports", count, { state: name });
}

/** States of a bound port that are told even when no port has them. */
const PORT_STATES: readonly string[] = ["wanted", "up", "down", "absent", "refused"];

function collectDatapath(samples: MetricSamples, { datapath, state, ringBytes }: MetricParts): void {
  const { memory } = datapath;
  const table = tableUse(memory);
  samples.add("weft_flows", table.flows);
  samples.add("weft_flow_slots", table.slots);
  samples.add("weft_datapath_packets_total", table.packets);
  samples.add("weft_datapath_bytes_total", table.bytes);
  for (const { reason, portId, packets } of state.drops().drops)
    samples.add("weft_drops_total", packets, { reason, port: portId ?? "" });
  for (const [shard, queue] of queueUse(memory).entries()) {
    samples.add("weft_upcall_queue_packets", queue.packets, { shard: String(shard) });
    samples.add("weft_upcall_queue_bytes", queue.bytes, { shard: String(shard) });
  }
  samples.add("weft_upcall_queue_limit_packets", UPCALL_CREDITS_PER_SHARD);
  samples.add("weft_upcall_ring_bytes", ringBytes);
  for (const { name, used, limit } of limitUses(datapath, table, state.objects)) {
    samples.add("weft_limit_used", used, { limit: name });
    samples.add("weft_limit", limit, { limit: name });
  }
}

function collectPeers(samples: MetricSamples, { datapath, state, clock, keepAlives }: MetricParts): void {
  samples.add("weft_ports_unconfirmed", state.unconfirmedPorts);
  samples.add("weft_entries_unconfirmed", state.unconfirmedEntries.kept);
  samples.add("weft_entries_unconfirmed_refused_total", state.unconfirmedEntries.refused);
  const lives = keepAlives.states();
  for (const [hostId, peer] of state.peers) {
    const { isUp, mtu, seenMs } = peerUse(datapath.memory, peer, clock.now());
    const labels: { readonly peer: Id } = { peer: hostId };
    samples.add("weft_peer_up", isUp ? 1 : 0, labels);
    samples.add("weft_peer_mtu_bytes", mtu, labels);
    const said = keepAliveUse(datapath.memory, peer);
    for (const [outcome, count] of Object.entries(said.counts))
      samples.add("weft_keep_alives_total", count, { ...labels, outcome });
    samples.add("weft_peer_round_trip_seconds", said.tripUs / 1e6, labels);
    const life = lives.get(peer);
    if (life !== undefined) samples.add("weft_peer_state", 1, { peer: hostId, state: life });
    if (seenMs !== undefined) samples.add("weft_peer_last_seen_seconds", seenMs / 1_000, labels);
  }
}

function collectWorkers(samples: MetricSamples, state: AgentState): void {
  const sums = state.workerCounters();
  samples.addCounters(PLAIN_WORKER_METRICS, sums);
  for (const [name, cause] of Object.entries(REMOVAL_CAUSES))
    samples.add("weft_flows_removed_total", sums[name] ?? 0, { cause });
}
