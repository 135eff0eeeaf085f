import { counterFamilies, type MetricSpecs } from "../base/metric-family.ts";
import { PROCESS_METRICS } from "../base/process-metrics.ts";
import { MAP_METRICS } from "../store/recipes/map-metrics.ts";
import { replicatedMapMetrics } from "../store/recipes/tree-replicated-map.ts";
import { STORE_CLIENT_METRICS } from "../store/store-client-metrics.ts";
import { WORKER_METRICS } from "./core/worker-metrics.ts";
import { datapathAuditMetrics } from "./datapath-audit.ts";
import { hostMemoryMetrics } from "./host-memory.ts";

/** What an agent tells of its host's part of the network. */
export const HOST_METRICS = {
  weft_world_version: { type: "gauge", help: "version of the world that the control thread knows" },
  weft_world_version_reached: {
    type: "gauge",
    help: "newest version that no flow forwards by an older one than; equal when all is done",
  },
  weft_ports: { type: "gauge", help: "ports bound to this host, by state", labels: ["state"] },
  weft_port_received_packets_total: {
    type: "counter",
    help: "packets that entered by the interface of a port, as the kernel counts them",
    labels: ["port", "interface"],
  },
  weft_port_received_bytes_total: {
    type: "counter",
    help: "bytes that entered by the interface of a port, as the kernel counts them",
    labels: ["port", "interface"],
  },
  weft_datapath_packets_total: { type: "counter", help: "packets that met an installed flow" },
  weft_datapath_bytes_total: { type: "counter", help: "bytes of packets that met an installed flow" },
  weft_drops_total: {
    type: "counter",
    help: "packets dropped, by reason (see drop-reasons.md) and by the port by which they entered (empty: none)",
    labels: ["reason", "port"],
  },
  weft_flows: { type: "gauge", help: "flows installed" },
  weft_flow_slots: { type: "gauge", help: "slots of the flow table; from three quarters on live flows are thrown out" },
  weft_flows_removed_total: { type: "counter", help: "flows removed, by cause", labels: ["cause"] },
  weft_upcall_queue_packets: { type: "gauge", help: "packets that wait for a worker, by shard", labels: ["shard"] },
  weft_upcall_queue_bytes: {
    type: "gauge",
    help: "captured bytes that wait for a worker, by shard",
    labels: ["shard"],
  },
  weft_upcall_queue_limit_packets: { type: "gauge", help: "packets of all ports that may wait in one shard" },
  weft_upcall_ring_bytes: { type: "gauge", help: "size of one shard's ring" },
  weft_limit_used: { type: "gauge", help: "how much of a limit of this host is in use", labels: ["limit"] },
  weft_limit: { type: "gauge", help: "the limits of this host", labels: ["limit"] },
  weft_peer_up: { type: "gauge", help: "1 when frames are sent to this host", labels: ["peer"] },
  weft_peer_last_seen_seconds: { type: "gauge", help: "time since the last frame from this host", labels: ["peer"] },
  weft_peer_state: {
    type: "gauge",
    help: "1 for what is known of the host's datapath: unknown, alive, suspect, dead",
    labels: ["peer", "state"],
  },
  weft_peer_round_trip_seconds: {
    type: "gauge",
    help: "round trip of the last keep-alive that this host answered; 0: none yet",
    labels: ["peer"],
  },
  weft_keep_alives_total: {
    type: "counter",
    help: "keep-alives from this host, by what became of them: request answered, reply taken, refused",
    labels: ["peer", "outcome"],
  },
  weft_ports_unconfirmed: {
    type: "gauge",
    help: "ports elsewhere that are sent to although their host has lost its session",
  },
  weft_entries_unconfirmed: {
    type: "gauge",
    help: "learned MAC and neighbor entries that went with a session, while their host is sent to or not known yet",
  },
  weft_entries_unconfirmed_refused_total: {
    type: "counter",
    help: "such entries that went at once, because there were too many",
  },
  weft_peer_mtu_bytes: { type: "gauge", help: "largest inner L3 packet towards this host", labels: ["peer"] },
} as const satisfies MetricSpecs;

/** Counters of workers that are told as one family, by cause. */
export const REMOVAL_CAUSES = {
  weft_worker_flows_evicted: "evicted",
  weft_worker_flows_expired: "expired",
  weft_worker_flows_removed: "changed",
} as const satisfies Partial<Record<keyof typeof WORKER_METRICS, string>>;

/** The counters of workers that are told one by one. */
export const PLAIN_WORKER_METRICS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(WORKER_METRICS).filter(([name]) => !(name in REMOVAL_CAUSES)),
);

/** Everything that an agent tells, but what its driver of the store counts. */
export const AGENT_METRICS: MetricSpecs = {
  ...PROCESS_METRICS,
  ...STORE_CLIENT_METRICS,
  ...MAP_METRICS,
  ...counterFamilies(replicatedMapMetrics),
  ...counterFamilies(hostMemoryMetrics),
  ...counterFamilies(datapathAuditMetrics),
  ...HOST_METRICS,
  ...counterFamilies(PLAIN_WORKER_METRICS),
};
