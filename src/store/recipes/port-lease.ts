import type { Instant } from "../../base/clock.ts";
import type { Result } from "../../base/result.ts";
import type { StoreError } from "./store-error.ts";

/**
 * Blocks of 64 ports of an address of a device, each leased to one host at a time, so that two hosts never translate two flows
 * to the same address and port. A host takes blocks when it needs ports, hands the ports out by itself, and gives a block back
 * when none of its ports were in use for five minutes.
 *
 * A block that was never leased comes first, one at random; then the one whose last lease ended longest ago.
 *
 * After its session has ended a host takes its blocks again, under new numbers, as long as nobody else had them between: the
 * bindings stay good. Between, and from the moment on at which its session was not proven in time, `isUsable` is false: flows
 * that are translated stay so, no new one starts.
 */
export interface PortLeases {
  /** Leases one more block. Nothing is taken while the session is not proven: it waits, for as long as recipes do. */
  take(wanted: PortBlockRequest): Promise<Result<PortLease, PortLeaseError>>;
  /**
   * Takes a block again that this host had before it was restarted, with what it noted of it then. `block-lost` when somebody else
   * has it or had it between: its bindings may collide now.
   */
  retake(noted: NotedLease): Promise<Result<PortLease, PortLeaseError>>;
  /** Every lease that is held, usable or not. */
  held(): readonly PortLease[];
  /** Gives everything back. */
  close(): Promise<void>;
}

/** What a block is wanted for: ports of the range, both ends included. Blocks that reach beyond it count too. */
export interface PortBlockRequest {
  /** Id of the device (a router) that translates. */
  readonly device: string;
  /** The address, as text. */
  readonly address: string;
  readonly firstPort: number;
  readonly lastPort: number;
}

/** What a host writes down of a lease to have it back after a restart. */
export interface NotedLease {
  readonly device: string;
  readonly address: string;
  /** Number of the block: its first port over 64. */
  readonly block: number;
  /** How many leases the block had seen. */
  readonly turn: number;
}

/** A leased block. */
export interface PortLease extends NotedLease {
  readonly firstPort: number;
  readonly lastPort: number;
  /** Grows from lease to lease of a block; another one after a session has ended. */
  readonly fence: bigint;
  /**
   * Until when new bindings may be made, on the monotonic clock: before the last renewal was sent, plus the time-out, less a
   * margin. Minus infinity when they may not. It moves on by itself: ask each time.
   */
  readonly deadline: Instant;
  /** Whether new bindings may be made now. */
  isUsable(): boolean;
  /** Counts a binding. */
  addBinding(): void;
  /** Counts a binding out. The lease is idle from the last one on. */
  removeBinding(): void;
  /** Gives the block back at once. Not usable from the call on. Idempotent. */
  release(): Promise<void>;
}

/**
 * Why there is no lease. `no-free-block`: every block of the range is leased, to this host or to others. `too-many-leases`: this
 * host holds as many as it may. `block-lost`: see `retake`.
 */
export type PortLeaseError =
  | StoreError
  | { readonly kind: "no-free-block"; readonly device: string; readonly address: string }
  | { readonly kind: "too-many-leases"; readonly limit: number }
  | { readonly kind: "block-lost"; readonly device: string; readonly address: string; readonly block: number };

/** Hears of leases that ended without being given back. Synchronous, must not throw. */
export interface PortLeaseListener {
  /** Somebody else has the block or had it: its bindings may collide, no new ones may be made. */
  onLost(lease: PortLease): void;
}
