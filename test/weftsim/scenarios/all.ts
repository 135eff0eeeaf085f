import type { FaultWeights, SafetySpec, ScenarioSpec } from "./scenario-spec.ts";

/** Longer than an agent waits before it takes back what an earlier process of its session said, and the slowest session to end. */
const AGREE_MS = 80_000;

const calm: SafetySpec = { turns: 8, edits: 0.5, faults: {}, faultShare: 0, probes: 5, pauseMs: 0 };

const agents: FaultWeights = { "agent-kill": 3, "agent-stop": 2, "agent-upgrade": 2, "flows-lost": 1, "host-crash": 1 };
const sessions: FaultWeights = { "store-cut": 2, "store-applied": 2, "store-lost": 2, "store-isolate": 2 };
const members: FaultWeights = {
  ...{ "member-crash": 2, "member-cut-off": 2, "member-hang": 1, "member-slow": 2, "leader-lost": 3, "quorum-lost": 1 },
};

/** Every scenario. A seed of each is a run of its own. */
export const SCENARIOS: readonly ScenarioSpec[] = [
  {
    name: "churn",
    what: "edits under traffic, then edits and misfortunes of network, sessions and agents",
    cloud: { store: "single" },
    rounds: [
      calm,
      {
        ...{ turns: 8, edits: 0.5, faultShare: 0.5, probes: 5, pauseMs: 500 },
        faults: { weather: 2, partition: 2, "store-cut": 1, "session-expire": 1, ...agents },
      },
    ],
    convergeMs: AGREE_MS,
  },
  {
    name: "ensemble",
    what: "three store servers that lag, crash, hang, lose each other, their leader and their quorum",
    cloud: { store: 3 },
    rounds: [
      {
        ...{ turns: 14, edits: 0.4, faultShare: 0.6, probes: 4, pauseMs: 3_000 },
        faults: { ...members, ...sessions, "agent-kill": 1 },
      },
    ],
    convergeMs: AGREE_MS,
  },
  {
    name: "network",
    what: "loss, delay, duplication and reordering on the underlay, one-way partitions, hosts without a store",
    cloud: { store: "single", hosts: 4 },
    rounds: [
      {
        ...{ turns: 12, edits: 0.4, faultShare: 0.6, probes: 6, pauseMs: 1_500 },
        faults: { weather: 4, partition: 4, "store-isolate": 2, "store-cut": 1 },
      },
    ],
    convergeMs: AGREE_MS,
  },
  {
    name: "clocks",
    what: "wall clocks that are minutes wrong and step, monotonic clocks that drift, agents that stand still or crawl",
    cloud: { store: "single" },
    rounds: [
      {
        ...{ turns: 12, edits: 0.4, faultShare: 0.6, probes: 4, pauseMs: 4_000 },
        faults: { "clock-step": 4, "clock-drift": 2, "agent-pause": 3, "agent-slow": 2, "agent-kill": 1 },
      },
    ],
    convergeMs: AGREE_MS,
  },
  {
    name: "restarts",
    what: "agents killed, stopped, upgraded and rebooted again and again while the topology changes",
    cloud: { store: "single" },
    rounds: [
      {
        ...{ turns: 16, edits: 0.4, faultShare: 0.7, probes: 4, pauseMs: 2_000 },
        faults: { ...agents, "store-applied": 1, "session-expire": 1 },
      },
    ],
    convergeMs: AGREE_MS,
  },
  {
    name: "deaths",
    what: "hosts that go for good, with everything on them",
    cloud: { store: 3, hosts: 4 },
    rounds: [
      {
        ...{ turns: 10, edits: 0.4, faultShare: 0.4, probes: 5, pauseMs: 3_000 },
        faults: { "host-death": 2, "agent-kill": 2, "leader-lost": 1, partition: 1 },
      },
    ],
    convergeMs: AGREE_MS,
  },
  {
    name: "coordination",
    what: "locks, elections, ownership and port leases under pauses longer than the session and an ensemble that fails",
    cloud: { store: 3, hosts: 3, tenants: 1 },
    rounds: [
      {
        ...{ turns: 30, edits: 0, faultShare: 0.5, probes: 0, pauseMs: 4_000, contends: true },
        faults: { ...members, ...sessions, "agent-pause": 5, "clock-drift": 1, "clock-step": 1, "host-crash": 1 },
      },
    ],
    convergeMs: AGREE_MS,
  },
  {
    name: "wire",
    what: "the real ZooKeeper client and the real store server, in bytes over a simulated network",
    cloud: { store: "wire" },
    rounds: [
      {
        ...{ turns: 12, edits: 0.4, faultShare: 0.6, probes: 4, pauseMs: 3_000 },
        faults: {
          "store-cut": 3,
          "store-isolate": 3,
          "session-expire": 1,
          "leader-lost": 2,
          "agent-pause": 2,
          ...agents,
        },
      },
    ],
    convergeMs: AGREE_MS,
  },
  {
    name: "wire-ensemble",
    what: "the real ZooKeeper client, in bytes, before three store servers that lag, crash, hang and lose each other",
    cloud: { store: "wire-ensemble" },
    rounds: [
      {
        ...{ turns: 12, edits: 0.4, faultShare: 0.6, probes: 4, pauseMs: 3_000 },
        faults: { ...members, ...sessions, "session-expire": 1, "agent-pause": 3, ...agents },
      },
    ],
    convergeMs: AGREE_MS,
  },
];

/** A scenario by name. */
export function scenarioOf(name: string): ScenarioSpec | undefined {
  return SCENARIOS.find((scenario) => scenario.name === name);
}
