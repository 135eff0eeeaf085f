import type { Figure } from "./figure.ts";

/** What a figure must reach and what it aims at, as a value or as the ratio to its rival. */
export interface Target {
  /** What the figure says, in a few words. */
  readonly what: string;
  readonly of: "value" | "ratio";
  readonly isLess: boolean;
  readonly must: number;
  readonly aim?: number;
}

const atMost = { isLess: true } as const;
const atLeast = { isLess: false } as const;

/** The targets of the published figures, by name, in the order in which they are shown. */
export const TARGETS: Readonly<Record<string, Target>> = {
  sim_walk_us: {
    what: "one simulation: bridge, router, bridge, two filters of 10 rules",
    of: "value",
    ...atMost,
    must: 3,
    aim: 1,
  },
  flow_setup_per_s: {
    what: "new flows a second without loss, table full",
    of: "value",
    ...atLeast,
    must: 100_000,
    aim: 150_000,
  },
  flow_setup_vs_ovs: { what: "new flows a second without loss", of: "ratio", ...atLeast, must: 1.5, aim: 3 },
  tcp_vs_kernel: { what: "one TCP stream", of: "ratio", ...atLeast, must: 0.95, aim: 1.05 },
  rtt_vs_kernel: { what: "round trip of a warm flow", of: "ratio", ...atMost, must: 0.8, aim: 0.7 },
  crr16_vs_kernel: { what: "TCP connect, request, close, 16 at once", of: "ratio", ...atLeast, must: 1.1, aim: 1.25 },
  crr16_l4_vs_kernel: { what: "the same with filters that read ports", of: "ratio", ...atLeast, must: 0.9, aim: 1 },
  first_packet_vs_kernel: {
    what: "round trip of a flow's first packet, processors kept awake on both sides",
    of: "ratio",
    ...atMost,
    must: 3,
    aim: 2,
  },
  agent_idle_mb: { what: "idle agent, one worker, table of 128k flows", of: "value", ...atMost, must: 160 },
  agent_1000_ports_mb: { what: "what 1,000 ports add to it", of: "value", ...atMost, must: 40 },
  api_to_datapath_p99_ms: {
    what: "API's answer to all flows changed, 100k flows",
    of: "value",
    ...atMost,
    must: 50,
    aim: 10,
  },
  map_update_p99_ms: {
    what: "map of 10,000 entries on an ensemble: a change until the last of 10 has it",
    of: "value",
    ...atMost,
    must: 5,
  },
  write_resume_s: { what: "leader killed: the new one until writes are acknowledged", of: "value", ...atMost, must: 2 },
  zk_watch_event_cpu_us: { what: "client CPU of a watch event", of: "value", ...atMost, must: 20 },
  zk_creates_per_s: { what: "pipelined creates, one server", of: "value", ...atLeast, must: 12_000 },
  cold_start_s: {
    what: "agent's start to the first new flow, 1,000 ports, 10,000 objects",
    of: "value",
    ...atMost,
    must: 3,
  },
  restart_lost_packets: { what: "kill -9 of an agent: packets and connections lost", of: "value", ...atMost, must: 0 },
  takeover_lost_packets: { what: "the same at --takeover", of: "value", ...atMost, must: 0 },
  store_ops_per_restart: {
    what: "requests and watch events a restarted agent causes, 1,000 hosts beside 100",
    of: "ratio",
    ...atMost,
    must: 1.05,
  },
  start_to_ping_s: { what: "`npm start` to the first ping", of: "value", ...atMost, must: 15 },
};

/** How a figure stands to its target. */
export type Standing = "aim" | "must" | "missed" | "none";

/** Compares a figure with its target. */
export function standingOf(figure: Figure): Standing {
  const target = TARGETS[figure.name];
  const value = target?.of === "ratio" ? figure.ratio : figure.value;
  if (target === undefined || value === null) return "none";
  const reaches = (bound: number): boolean => (target.isLess ? value <= bound : value >= bound);
  if (target.aim !== undefined && reaches(target.aim)) return "aim";
  return reaches(target.must) ? "must" : "missed";
}

/** The target in words: `≥ 0.95 (aim 1.05)`. */
export function formatTarget(target: Target): string {
  const sign = target.isLess ? "≤" : "≥";
  const number = (value: number): string => value.toLocaleString("en-US");
  const aim = target.aim === undefined ? "" : ` (aim ${number(target.aim)})`;
  return `${sign} ${number(target.must)}${target.of === "ratio" ? " ×" : ""}${aim}`;
}
