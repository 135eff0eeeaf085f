import type { Ip } from "../addr/ip.ts";
import type { Mac } from "../addr/mac.ts";
import type { Duration, Instant } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import type { FlowTag } from "../flow/tag.ts";
import type { NeighborEntry } from "./neighbor-table.ts";

/** One address in one neighbor table; `table` is the handle of the router. */
export interface NeighborKey {
  readonly table: number;
  readonly ip: Ip;
}

/** Times of the resolver. */
export interface NeighborSettings {
  /** Age at which an entry is asked for again when somebody needs it. */
  readonly staleMs: Duration;
  /** Largest share of `staleMs` that a resolver adds, one draw per resolver. */
  readonly staleJitter: number;
  /** Age at which the writer removes an entry. */
  readonly expiryMs: Duration;
  /** Base of the time between two requests of a loop. */
  readonly retryMs: Duration;
  /** Life of a loop. */
  readonly giveUpMs: Duration;
}

/** What the resolver wants done. In order. */
export type NeighborEffect =
  /** Send an ARP request or neighbor solicitation for `ip` out of router port `port`. */
  | { readonly kind: "request"; readonly table: number; readonly ip: Ip; readonly port: number }
  /** Write our opinion to the router's neighbor table (ephemeral). */
  | { readonly kind: "write"; readonly table: number; readonly ip: Ip; readonly entry: NeighborEntry }
  /** Take our opinion back if it still is exactly `entry`. */
  | { readonly kind: "remove"; readonly table: number; readonly ip: Ip; readonly entry: NeighborEntry }
  /** Flows with this tag answer from what is no longer so. */
  | { readonly kind: "invalidate"; readonly tag: FlowTag }
  /** Packets that wait for this neighbor can run again. */
  | { readonly kind: "resolved"; readonly table: number; readonly ip: Ip }
  /** Nobody answered: packets that wait run again with `SimInput.unresolved`. */
  | { readonly kind: "failed"; readonly table: number; readonly ip: Ip };

/** `get` when there is no usable entry: wait. */
export const NEIGHBOR_WAIT = -1;
/** `get` when it will not even be asked for: too many addresses are being asked for already. */
export const NEIGHBOR_REFUSED = -2;

/** Signatures of the resolver (see the class). `now` is monotonic; entries are wall-clock: `setWallOffset` joins the two. */
export interface NeighborResolverApi {
  setWallOffset(wallMinusNow: Duration): void;
  /** For a packet: the MAC, or NEIGHBOR_WAIT / NEIGHBOR_REFUSED. Starts a request loop when missing or stale. */
  get(key: NeighborKey, port: number, now: Instant): Mac | typeof NEIGHBOR_WAIT | typeof NEIGHBOR_REFUSED;
  /** For a check: the MAC or NEIGHBOR_WAIT. Starts nothing. */
  peek(key: NeighborKey): Mac | typeof NEIGHBOR_WAIT;
  /** A reply or request taught us: write when unknown, changed or stale. True when the table already shows exactly this. */
  learn(key: NeighborKey, mac: Mac, now: Instant): boolean;
  /** From the control thread, any time: the table's winner for this key has changed. Appends to the private queue. */
  notify(key: NeighborKey, entry: NeighborEntry | undefined): void;
  /** True when `process` has something to do. */
  shouldProcess(now: Instant): boolean;
  /** When to ask `shouldProcess` again at the latest; Infinity: only when something comes. */
  nextAt(): Instant;
  /** New entries, request loops, expiries. Call whenever back channels are looked at and whenever `shouldProcess`. */
  process(now: Instant): readonly NeighborEffect[];
  /** The router is gone: its wrapper, loops and waiters go. */
  forget(table: number): void;
}

/** How a resolver is made. */
export type MakeNeighborResolver = (settings: NeighborSettings, prng: Prng) => NeighborResolverApi;
