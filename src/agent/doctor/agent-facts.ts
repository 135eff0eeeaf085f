import type { DropLine } from "../../api-schema/agent-api.ts";
import type { Duration } from "../../base/clock.ts";
import type { Id } from "../../model/objects.ts";
import type { LimitUse } from "../collect-metrics.ts";
import type { PortState } from "../core/bindings.ts";
import type { LifeState } from "../core/liveness.ts";

/** What a running agent knows of itself, judged by `agent-checks.ts`. */
export interface AgentFacts {
  readonly store: {
    readonly state: string;
    readonly disconnectedMs: Duration;
    readonly sessionAgeMs: Duration | undefined;
    /** How old the snapshot is from which the host forwards; undefined: what it knows is the store's. */
    readonly snapshotAgeMs?: Duration | undefined;
    readonly isEmptied?: boolean;
  };
  /** Whether every worker answered in time. */
  readonly doWorkersAnswer: boolean;
  readonly version: { readonly version: number; readonly reached: number };
  readonly ports: readonly PortState[];
  /** Our address on the underlay; undefined: no tunnel zone names this host. */
  readonly underlay: string | undefined;
  readonly peers: readonly PeerFact[];
  readonly limits: readonly LimitUse[];
  /** Packets that wait in the fullest shard, and how many may. */
  readonly queue: { readonly packets: number; readonly limit: number };
  /** What was dropped in the last `dropsMs`. */
  readonly drops: readonly DropLine[];
  readonly dropsMs: Duration;
  /** The largest lag of the control thread within the last minute. */
  readonly lagMs: Duration;
}

/** Another host of our tunnel zones. */
export interface PeerFact {
  readonly hostId: Id;
  readonly address: string;
  readonly isUp: boolean;
  /** What keep-alives say of its datapath; undefined: nobody watches it. */
  readonly life: LifeState | undefined;
  /** Since the last frame from there; undefined: none came yet. */
  readonly seenMs: Duration | undefined;
  /** Largest packet on the underlay that the tunnel zone promises. */
  readonly outerMtu: number;
  /** Whether a packet of that size was answered; undefined: it was not tried. */
  readonly isWide: boolean | undefined;
  /** Since a keep-alive of it was refused; undefined: none was. */
  readonly refusedMs?: Duration | undefined;
}
