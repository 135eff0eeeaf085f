import type { Instant } from "../../base/clock.ts";
import { Prng } from "../../base/prng.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { sleep, type Timer } from "../../base/scheduler.ts";
import { childOf } from "../data-tree-path.ts";
import {
  leaseAttemptsMax,
  leaseIdleMs,
  leaseSweepMs,
  leasesPerHostMax,
  portsPerBlock,
  reconnectWaitMs,
  retryWaitMs,
} from "../limits.ts";
import type { StoreConnection } from "./connection.ts";
import { Layout } from "./layout.ts";
import { type OwnBlock, PortBlocks } from "./port-blocks.ts";
import type {
  NotedLease,
  PortBlockRequest,
  PortLease,
  PortLeaseError,
  PortLeaseListener,
  PortLeases,
} from "./port-lease.ts";
import { each, unavailable } from "./steadily.ts";
import { Tenure } from "./tenure.ts";

/** What port leases of a host are made of. */
export interface PortLeasesOptions {
  readonly connection: StoreConnection;
  /** Says who leased a block, to people who look into the store: the host's id. */
  readonly label: string;
  readonly listener: PortLeaseListener;
  /** Seed of the choice among blocks that never were leased: hosts should not share it. */
  readonly seed: number;
  readonly layout?: Layout;
}

/** Port leases over a tree, of any driver. One instance per host. */
export class TreePortLeases implements PortLeases {
  readonly #options: PortLeasesOptions;
  readonly #layout: Layout;
  readonly #tenure: Tenure;
  readonly #blocks: PortBlocks;
  readonly #stopListening: () => void;
  readonly #leases = new Map<string, Lease>();
  /** Blocks that are being taken or given back. */
  readonly #reserved = new Set<string>();
  #sweepTimer: Timer | undefined;
  #isRestoring = false;
  #isClosed = false;

  constructor(options: PortLeasesOptions) {
    const { connection } = options;
    this.#options = options;
    this.#layout = options.layout ?? new Layout();
    this.#tenure = Tenure.of(connection);
    this.#blocks = new PortBlocks(connection, new Prng(options.seed));
    const stops = [
      connection.onRenewed(() => void this.#restoreAll()),
      connection.onState((state) => {
        if (state === "closed") this.#sweepTimer?.cancel();
      }),
    ];
    this.#stopListening = () => {
      for (const stop of stops) stop();
    };
  }

  async take(wanted: PortBlockRequest): Promise<Result<PortLease, PortLeaseError>> {
    const { device, address } = wanted;
    const folder = this.#layout.portBlocks(device, address);
    for (let attempt = 0; attempt < leaseAttemptsMax; attempt++) {
      const refusal = this.#refusal();
      if (refusal !== undefined) return err(refusal);
      const isOwn = (block: number): boolean => this.#isOwn(childOf(folder, String(block)));
      const choice = await this.#blocks.choose(folder, wanted, isOwn);
      if (!choice.ok) return choice;
      if (choice.value === undefined) return err({ kind: "no-free-block", device, address });
      // Another call of this host may have chosen the same while we read.
      const { block, turn } = choice.value;
      if (isOwn(block)) continue;
      const taken = await this.#occupy({ device, address, block }, { turn, mayBeOurs: false });
      if (!taken.ok) return taken;
      if (taken.value !== undefined) return ok(taken.value);
    }
    return err({ kind: "busy", attempts: leaseAttemptsMax });
  }

  async retake(noted: NotedLease): Promise<Result<PortLease, PortLeaseError>> {
    const { device, address, block, turn } = noted;
    const known = this.#leases.get(this.#pathOf(noted));
    if (known !== undefined) return ok(known);
    const refusal = this.#refusal();
    if (refusal !== undefined) return err(refusal);
    const taken = await this.#occupy({ device, address, block }, { turn, mayBeOurs: true });
    if (!taken.ok) return taken;
    return taken.value === undefined ? err({ kind: "block-lost", device, address, block }) : ok(taken.value);
  }

  held(): readonly PortLease[] {
    return [...this.#leases.values()];
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopListening();
    this.#sweepTimer?.cancel();
    await each([...this.#leases.values()], (lease) => lease.release());
  }

  #refusal(): PortLeaseError | undefined {
    if (this.#isClosed) return unavailable("the port leases were closed");
    const isFull = this.#leases.size + this.#reserved.size >= leasesPerHostMax;
    return isFull ? { kind: "too-many-leases", limit: leasesPerHostMax } : undefined;
  }

  #isOwn(path: string): boolean {
    return this.#leases.has(path) || this.#reserved.has(path);
  }

  #pathOf({ device, address, block }: Omit<NotedLease, "turn">): string {
    return childOf(this.#layout.portBlocks(device, address), String(block));
  }

  /** Takes a block and makes it a lease; undefined when it cannot be had. */
  async #occupy(
    spec: Omit<NotedLease, "turn">,
    how: { readonly turn: number | undefined; readonly mayBeOurs: boolean },
  ): Promise<Result<PortLease | undefined, PortLeaseError>> {
    const path = this.#pathOf(spec);
    const stopNeeding = this.#tenure.need();
    this.#reserved.add(path);
    const taken = await this.#occupyProven(spec, how);
    this.#reserved.delete(path);
    if (!taken.ok || taken.value === undefined) {
      stopNeeding();
      return taken.ok ? ok(undefined) : taken;
    }
    const { connection } = this.#options;
    const release = (lease: Lease): Promise<void> => this.#release(path, lease);
    const lease = new Lease(taken.value, { connection, tenure: this.#tenure, spec, stopNeeding, release });
    this.#leases.set(path, lease);
    this.#armSweep();
    return ok(lease);
  }

  /** Takes a block by a session that is proven then. */
  async #occupyProven(
    spec: Omit<NotedLease, "turn">,
    how: { readonly turn: number | undefined; readonly mayBeOurs: boolean },
  ): Promise<Result<OwnBlock | undefined, PortLeaseError>> {
    const { connection, label } = this.#options;
    const folder = this.#layout.portBlocks(spec.device, spec.address);
    let { turn, mayBeOurs } = how;
    for (;;) {
      const taken = await this.#blocks.occupy({ folder, block: spec.block, label, turn, mayBeOurs });
      if (!taken.ok || taken.value === undefined) return taken;
      const own = taken.value;
      const isProven = await this.#tenure.untilProven(own.tree, reconnectWaitMs);
      if (isProven && !this.#isClosed) return taken;
      if (own.tree === connection.tree || this.#isClosed) {
        await this.#blocks.vacate(own.tree, this.#pathOf(spec));
        return err(unavailable(this.#isClosed ? "the port leases were closed" : "the session is not proven"));
      }
      turn = own.turn;
      mayBeOurs = true;
    }
  }

  async #release(path: string, lease: Lease): Promise<void> {
    this.#leases.delete(path);
    this.#reserved.add(path);
    await lease.restored;
    if (lease.own !== undefined) await this.#blocks.vacate(lease.own.tree, path);
    this.#reserved.delete(path);
  }

  /** After a session has ended: has every block again that nobody else had meanwhile. */
  async #restoreAll(): Promise<void> {
    if (this.#isRestoring) return;
    this.#isRestoring = true;
    const { connection } = this.#options;
    for (;;) {
      const ended = [...this.#leases].filter(([, lease]) => lease.own?.tree !== connection.tree);
      if (ended.length === 0 || this.#isClosed || connection.isClosed) break;
      await each(ended, async ([path, lease]) => {
        if (this.#leases.get(path) !== lease) return;
        lease.restored = this.#restore(path, lease);
        await lease.restored;
      });
    }
    this.#isRestoring = false;
  }

  async #restore(path: string, lease: Lease): Promise<void> {
    const { connection, label, listener } = this.#options;
    const { device, address, block, turn } = lease;
    const folder = this.#layout.portBlocks(device, address);
    lease.own = undefined;
    const taken = await this.#blocks.occupy({ folder, block, turn, label, mayBeOurs: true });
    if (!taken.ok) return sleep(connection.scheduler, retryWaitMs);
    if (taken.value !== undefined) {
      lease.restore(taken.value);
      return;
    }
    if (this.#leases.get(path) !== lease) return;
    this.#leases.delete(path);
    lease.end();
    listener.onLost(lease);
  }

  #armSweep(): void {
    if (this.#sweepTimer !== undefined || this.#isClosed || this.#options.connection.isClosed) return;
    this.#sweepTimer = this.#options.connection.scheduler.after(leaseSweepMs, () => {
      this.#sweepTimer = undefined;
      const now = this.#options.connection.scheduler.clock.now();
      for (const lease of [...this.#leases.values()]) if (lease.idleMs(now) >= leaseIdleMs) void lease.release();
      if (this.#leases.size > 0) this.#armSweep();
    });
  }
}

interface LeaseOptions {
  readonly connection: StoreConnection;
  readonly tenure: Tenure;
  readonly spec: Omit<NotedLease, "turn">;
  stopNeeding(): void;
  release(lease: Lease): Promise<void>;
}

class Lease implements PortLease {
  readonly device: string;
  readonly address: string;
  readonly block: number;
  /** What the store says is ours; undefined while it is being taken again. */
  own: OwnBlock | undefined;
  /** Settled when the lease is not being taken again. */
  restored: Promise<void> = Promise.resolve();
  turn: number;
  fence: bigint;
  readonly #options: LeaseOptions;
  #bindings = 0;
  #idleSince: Instant;
  #isOver = false;
  #released: Promise<void> | undefined;

  constructor(own: OwnBlock, options: LeaseOptions) {
    this.device = options.spec.device;
    this.address = options.spec.address;
    this.block = options.spec.block;
    this.#options = options;
    this.own = own;
    this.turn = own.turn;
    this.fence = own.fence;
    this.#idleSince = this.#now();
  }

  get firstPort(): number {
    return this.block * portsPerBlock;
  }

  get lastPort(): number {
    return this.firstPort + portsPerBlock - 1;
  }

  get deadline(): Instant {
    const { connection, tenure } = this.#options;
    const isOurs = !this.#isOver && this.own !== undefined && this.own.tree === connection.tree;
    return isOurs ? tenure.deadline : Number.NEGATIVE_INFINITY;
  }

  isUsable(): boolean {
    return this.#now() < this.deadline;
  }

  addBinding(): void {
    this.#bindings += 1;
  }

  removeBinding(): void {
    this.#bindings = Math.max(0, this.#bindings - 1);
    if (this.#bindings === 0) this.#idleSince = this.#now();
  }

  release(): Promise<void> {
    this.#isOver = true;
    this.#released ??= this.#options.release(this).then(this.#options.stopNeeding);
    return this.#released;
  }

  /** Ours again, by another session. */
  restore(own: OwnBlock): void {
    this.own = own;
    this.turn = own.turn;
    this.fence = own.fence;
  }

  /** Lost. */
  end(): void {
    this.#isOver = true;
    this.own = undefined;
    this.#released ??= Promise.resolve();
    this.#options.stopNeeding();
  }

  /** How long there has been no binding, in milliseconds; 0 while there is one. */
  idleMs(now: Instant): number {
    return this.#bindings > 0 ? 0 : now - this.#idleSince;
  }

  #now(): Instant {
    return this.#options.connection.scheduler.clock.now();
  }
}
