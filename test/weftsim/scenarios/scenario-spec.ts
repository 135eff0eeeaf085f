import type { Duration } from "../../../src/base/clock.ts";

/** Everything that may befall a simulated cloud. What each does is in `faults.ts`. */
export type FaultName =
  | "weather"
  | "partition"
  | "store-cut"
  | "store-applied"
  | "store-lost"
  | "store-isolate"
  | "session-expire"
  | "agent-kill"
  | "agent-stop"
  | "agent-upgrade"
  | "agent-pause"
  | "agent-slow"
  | "flows-lost"
  | "host-crash"
  | "host-death"
  | "clock-step"
  | "clock-drift"
  | "member-crash"
  | "member-cut-off"
  | "member-hang"
  | "member-slow"
  | "leader-lost"
  | "quorum-lost";

/** How often each fault comes, relative to the others. */
export type FaultWeights = Readonly<Partial<Record<FaultName, number>>>;

/** What clouds a scenario is played on. */
export interface CloudSpec {
  /** Most hosts and tenants; a seed may have fewer. Default: what `randomTopology` draws. */
  readonly hosts?: number;
  readonly tenants?: number;
  /**
   * `single`: one server that never fails by itself. `wire`: the real client and server, in bytes. A number: an ensemble of so many.
   * `wire-ensemble`: three members, before which the real client stands, in bytes.
   */
  readonly store: "single" | "wire" | "wire-ensemble" | number;
}

/** What is done to a cloud while faults are on. */
export interface SafetySpec {
  readonly turns: number;
  /** A turn changes the topology with this probability. */
  readonly edits: number;
  /** A turn brings a fault with this probability. */
  readonly faults: FaultWeights;
  readonly faultShare: number;
  readonly probes: number;
  /** Longest pause after a turn. */
  readonly pauseMs: Duration;
  /** Every host runs a process that contends for a lock, a leadership, an ownership and port leases. */
  readonly contends?: boolean;
}

/** A scenario, as data: a cloud, rounds of a safety phase and a liveness phase. */
export interface ScenarioSpec {
  readonly name: string;
  /** One sentence. */
  readonly what: string;
  readonly cloud: CloudSpec;
  readonly rounds: readonly SafetySpec[];
  /** Virtual time after the last fault within which everything must agree and serve. */
  readonly convergeMs: Duration;
}
