import type { Ip } from "../addr/ip.ts";
import type { Mac } from "../addr/mac.ts";
import type { Duration, Instant } from "../base/clock.ts";
import { Counters } from "../base/metrics.ts";
import type { Prng } from "../base/prng.ts";
import { type FlowTag, hashIp, tagNeighbor, tagNeighborAbsent } from "../flow/tag.ts";
import { DeadlineQueue } from "./deadline-queue.ts";
import { IpTable } from "./ip-table.ts";
import { COMMIT_MS, LOOPS_MAX, WRITTEN_MAX } from "./limits.ts";
import { type NeighborSettings, RETRY_FACTOR, RETRY_FACTOR_STEP } from "./neighbor-settings.ts";
import { type NeighborEntry, NeighborTable } from "./neighbor-table.ts";

/** One address in one neighbor table; `table` is the handle of the router. */
export interface NeighborKey {
  readonly table: number;
  readonly ip: Ip;
}

/** What the resolver wants done, in order. */
export type NeighborEffect =
  /** Send an ARP request or neighbor solicitation for `ip` out of router port `port`. */
  | { readonly kind: "request"; readonly table: number; readonly ip: Ip; readonly port: number }
  /** Write our opinion to the router's neighbor table (ephemeral, on the store's side). */
  | { readonly kind: "write"; readonly table: number; readonly ip: Ip; readonly entry: NeighborEntry }
  /** Take our opinion back if it still is exactly `entry`. */
  | { readonly kind: "remove"; readonly table: number; readonly ip: Ip; readonly entry: NeighborEntry }
  /** Flows with this tag answer from what is no longer so. */
  | { readonly kind: "invalidate"; readonly tag: FlowTag }
  /** Packets that wait for this neighbor can run again. */
  | { readonly kind: "resolved"; readonly table: number; readonly ip: Ip }
  /** Nobody answered: packets that wait run again with `SimInput.unresolved`. */
  | { readonly kind: "failed"; readonly table: number; readonly ip: Ip };

/** `get` when there is no valid entry: wait for `resolved` or `failed`. */
export const NEIGHBOR_WAIT = -1;
/** `get` when it will not even be asked for: too many addresses of this table are being asked for already. */
export const NEIGHBOR_REFUSED = -2;

/** Counters of a resolver. */
export const NEIGHBOR_COUNTERS = {
  neighbor_requests: "ARP requests and neighbor solicitations sent by request loops",
  neighbor_writes: "entries written to neighbor tables",
  neighbor_expiries: "own entries removed from neighbor tables because they expired",
  neighbor_failures: "request loops that ended without an answer",
  neighbor_refused: "addresses not asked for because the table has too many request loops",
  neighbor_forgotten: "own entries left to the end of the session because too many were written",
} as const;

interface Loop {
  readonly wrapper: Wrapper;
  readonly ip: Ip;
  readonly port: number;
  readonly timeoutAt: Instant;
  readonly factor: number;
  retries: number;
  dueAt: Instant;
  isAwaited: boolean;
}

/** A write of ours that the table does not show yet. */
interface Pending {
  readonly mac: Mac;
  readonly at: Instant;
}

/** The private wrapper of one neighbor table. */
interface Wrapper {
  readonly handle: number;
  readonly table: NeighborTable;
  readonly loops: IpTable<Loop>;
  readonly pending: IpTable<Pending>;
}

interface Arrival {
  readonly wrapper: Wrapper;
  readonly ip: Ip;
  readonly before: NeighborEntry | undefined;
  readonly after: NeighborEntry | undefined;
}

interface Written {
  readonly wrapper: Wrapper;
  readonly ip: Ip;
  readonly expiresAt: Instant;
}

/**
 * Decides when neighbors are asked for and what is written to neighbor tables, for ARP and neighbor discovery alike. One per
 * simulation worker, confined to it; resolvers of other workers and hosts do the same without talking to this one.
 * What keeps the network quiet is jitter on staleness and on retries, and writing only what is unknown, changed or stale.
 * Only the first question about an address that nobody knows goes out at once.
 *
 * Its one input from outside is `notify`, which appends to a private queue; `process` works the queue off, runs the request
 * loops and removes entries that this resolver wrote when they expire. Call `process` whenever back channels are looked at
 * and whenever `shouldProcess` says so. Nothing here waits or sends: `process` returns effects.
 *
 * `now` is monotonic, so a step of the wall clock disturbs no loop; entries carry wall-clock times, `setWallOffset` joins both.
 */
export class NeighborResolver {
  readonly counters = new Counters(NEIGHBOR_COUNTERS);
  readonly #settings: NeighborSettings;
  readonly #prng: Prng;
  readonly #staleJitterMs: Duration;
  readonly #wrappers = new Map<number, Wrapper>();
  readonly #loops = new DeadlineQueue<Loop>();
  #arrivals: Arrival[] = [];
  #written: Written[] = [];
  #writtenHead = 0;
  #effects: NeighborEffect[] = [];
  #wallOffset: Duration = 0;

  constructor(settings: NeighborSettings, prng: Prng) {
    this.#settings = settings;
    this.#prng = prng;
    this.#staleJitterMs = settings.staleMs * settings.staleJitter * prng.float();
  }

  /** Wall-clock time minus `now`; to be kept current. */
  setWallOffset(wallMinusNow: Duration): void {
    this.#wallOffset = wallMinusNow;
  }

  /** The neighbors of a router as this thread sees them. */
  tableOf(router: number): NeighborTable {
    return this.#wrapperOf(router).table;
  }

  /**
   * For a packet that is to leave by router port `port`: the MAC address, or NEIGHBOR_WAIT, or NEIGHBOR_REFUSED. Asking for
   * an address that is missing or stale starts a request loop with a request at once, unless one runs.
   */
  get(key: NeighborKey, port: number, now: Instant): Mac | typeof NEIGHBOR_WAIT | typeof NEIGHBOR_REFUSED {
    const wrapper = this.#wrapperOf(key.table);
    const entry = wrapper.table.get(key.ip);
    if (entry !== undefined && this.#isFresh(entry, now)) return entry.mac;
    const loop = this.#ask(wrapper, key.ip, { port, now });
    if (entry !== undefined && this.#isValid(entry, now)) return entry.mac;
    if (loop === undefined) return NEIGHBOR_REFUSED;
    loop.isAwaited = true;
    return NEIGHBOR_WAIT;
  }

  /** For a check: the MAC address or NEIGHBOR_WAIT. Starts nothing. */
  peek(key: NeighborKey, now: Instant): Mac | typeof NEIGHBOR_WAIT {
    const entry = this.#wrappers.get(key.table)?.table.get(key.ip);
    return entry !== undefined && this.#isValid(entry, now) ? entry.mac : NEIGHBOR_WAIT;
  }

  /**
   * A neighbor told us its MAC address: written when unknown, changed or stale. True when the table shows this address
   * already; else `resolved` will tell when it does.
   */
  learn(key: NeighborKey, mac: Mac, now: Instant): boolean {
    const wrapper = this.#wrapperOf(key.table);
    const entry = wrapper.table.get(key.ip);
    const isVisible = entry?.mac === mac && this.#isValid(entry, now);
    if (isVisible && this.#isFresh(entry, now)) return true;
    const pending = wrapper.pending.get(key.ip);
    if (pending?.mac === mac && now - pending.at < COMMIT_MS) return isVisible;
    this.#write(wrapper, copyOf(key.ip), { mac, now });
    return isVisible;
  }

  /** The table's winner for this address is `entry` now. Callable at any time: `process` draws the conclusions. */
  notify(key: NeighborKey, entry: NeighborEntry | undefined): void {
    const wrapper = this.#wrapperOf(key.table);
    const ip = copyOf(key.ip);
    const before = wrapper.table.set(ip, entry);
    this.#arrivals.push({ wrapper, ip, before, after: entry });
  }

  /** True when `process` has something to do. */
  shouldProcess(now: Instant): boolean {
    if (this.#arrivals.length > 0 || this.#effects.length > 0 || this.#loops.nextAt < now) return true;
    return this.#nextExpiryAt() <= now + this.#wallOffset;
  }

  /** When `shouldProcess` becomes true if nothing comes; Infinity: never. */
  nextAt(): Instant {
    return Math.min(this.#loops.nextAt, this.#nextExpiryAt() - this.#wallOffset);
  }

  /** Works off arrivals, due request loops and expiries, in this order. Returns what is to be done; the list is the caller's. */
  process(now: Instant): readonly NeighborEffect[] {
    this.#processArrivals();
    this.#processLoops(now);
    this.#processExpiries(now + this.#wallOffset);
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** The router is gone: its wrapper and loops go, packets that wait fail. */
  forget(table: number): void {
    const wrapper = this.#wrappers.get(table);
    if (wrapper === undefined) return;
    this.#wrappers.delete(table);
    for (const [ip, loop] of wrapper.loops.entries()) {
      if (loop.isAwaited) this.#effects.push({ kind: "failed", table, ip });
    }
  }

  #wrapperOf(handle: number): Wrapper {
    let wrapper = this.#wrappers.get(handle);
    if (wrapper === undefined) {
      wrapper = { handle, table: new NeighborTable(), loops: new IpTable(), pending: new IpTable() };
      this.#wrappers.set(handle, wrapper);
    }
    return wrapper;
  }

  #isFresh(entry: NeighborEntry, now: Instant): boolean {
    const wall = now + this.#wallOffset;
    return wall <= entry.staleAt + this.#staleJitterMs && wall < entry.expiresAt;
  }

  #isValid(entry: NeighborEntry, now: Instant): boolean {
    return now + this.#wallOffset < entry.expiresAt;
  }

  #ask(wrapper: Wrapper, address: Ip, from: { readonly port: number; readonly now: Instant }): Loop | undefined {
    const running = wrapper.loops.get(address);
    if (running !== undefined) return running;
    if (wrapper.loops.size >= LOOPS_MAX) {
      this.counters.add("neighbor_refused");
      return undefined;
    }
    const ip = copyOf(address);
    const factor = RETRY_FACTOR.min + (RETRY_FACTOR.max - RETRY_FACTOR.min) * this.#prng.float();
    const timeoutAt = from.now + this.#settings.giveUpMs;
    const loop: Loop = { wrapper, ip, port: from.port, timeoutAt, factor, retries: -1, dueAt: 0, isAwaited: false };
    wrapper.loops.set(ip, loop);
    this.#request(loop, from.now);
    return loop;
  }

  /** Sends a request and sets the time of the next one: each is a tenth of the retry time later than the one before. */
  #request(loop: Loop, now: Instant): void {
    this.#effects.push({ kind: "request", table: loop.wrapper.handle, ip: loop.ip, port: loop.port });
    this.counters.add("neighbor_requests");
    loop.retries++;
    loop.dueAt = now + this.#settings.retryMs * (loop.factor + RETRY_FACTOR_STEP * loop.retries);
    this.#loops.push(loop);
  }

  #write(wrapper: Wrapper, ip: Ip, lesson: { readonly mac: Mac; readonly now: Instant }): void {
    const { mac, now } = lesson;
    const wall = Math.floor(now + this.#wallOffset);
    const entry = { mac, staleAt: wall + this.#settings.staleMs, expiresAt: wall + this.#settings.expiryMs };
    wrapper.pending.set(ip, { mac, at: now });
    if (this.#written.length - this.#writtenHead >= WRITTEN_MAX) {
      this.#dropWritten();
      this.counters.add("neighbor_forgotten");
    }
    this.#written.push({ wrapper, ip, expiresAt: entry.expiresAt });
    this.#effects.push({ kind: "write", table: wrapper.handle, ip, entry });
    this.counters.add("neighbor_writes");
  }

  #processArrivals(): void {
    const arrivals = this.#arrivals;
    if (arrivals.length === 0) return;
    this.#arrivals = [];
    for (const { wrapper, ip, before, after } of arrivals) {
      const table = wrapper.handle;
      if (before !== undefined && before.mac !== after?.mac) {
        this.#effects.push({ kind: "invalidate", tag: tagNeighbor(table, hashIp(ip)) });
      }
      if (after === undefined) continue;
      if (before === undefined) this.#effects.push({ kind: "invalidate", tag: tagNeighborAbsent(table, hashIp(ip)) });
      const isAwaited = wrapper.loops.get(ip)?.isAwaited === true;
      const wasPending = wrapper.pending.set(ip, undefined) !== undefined;
      if (isAwaited || wasPending) this.#resolve(wrapper, ip);
    }
  }

  /** Waiters may go on. The loop goes on too, until it is due and sees the fresh entry. */
  #resolve(wrapper: Wrapper, ip: Ip): void {
    const loop = wrapper.loops.get(ip);
    if (loop !== undefined) loop.isAwaited = false;
    this.#effects.push({ kind: "resolved", table: wrapper.handle, ip });
  }

  #processLoops(now: Instant): void {
    while (this.#loops.nextAt < now) {
      const loop = this.#loops.pop();
      if (loop === undefined || this.#wrappers.get(loop.wrapper.handle) !== loop.wrapper) continue;
      const { wrapper, ip } = loop;
      const entry = wrapper.table.get(ip);
      if (entry !== undefined && this.#isFresh(entry, now)) {
        wrapper.loops.set(ip, undefined);
        if (loop.isAwaited) this.#resolve(wrapper, ip);
      } else if (now >= loop.timeoutAt) {
        wrapper.loops.set(ip, undefined);
        this.counters.add("neighbor_failures");
        if (loop.isAwaited) this.#effects.push({ kind: "failed", table: wrapper.handle, ip });
      } else {
        this.#request(loop, now);
      }
    }
  }

  #processExpiries(wall: Instant): void {
    while (this.#nextExpiryAt() <= wall) {
      const { wrapper, ip, expiresAt } = this.#dropWritten();
      const pending = wrapper.pending.get(ip);
      if (pending !== undefined && pending.at + this.#wallOffset + this.#settings.expiryMs <= expiresAt) {
        wrapper.pending.set(ip, undefined);
      }
      // Somebody may have refreshed it meanwhile, here or elsewhere.
      const entry = wrapper.table.get(ip);
      if (entry === undefined || entry.expiresAt > wall) continue;
      if (this.#wrappers.get(wrapper.handle) !== wrapper) continue;
      this.#effects.push({ kind: "remove", table: wrapper.handle, ip, entry });
      this.counters.add("neighbor_expiries");
    }
  }

  #nextExpiryAt(): Instant {
    return this.#written[this.#writtenHead]?.expiresAt ?? Number.POSITIVE_INFINITY;
  }

  #dropWritten(): Written {
    const written = this.#written[this.#writtenHead++] as Written;
    if (2 * this.#writtenHead >= this.#written.length) {
      this.#written = this.#written.slice(this.#writtenHead);
      this.#writtenHead = 0;
    }
    return written;
  }
}

/** A copy with unsigned words that stays as it is. */
function copyOf(ip: Ip): Ip {
  return { w0: ip.w0 >>> 0, w1: ip.w1 >>> 0, w2: ip.w2 >>> 0, w3: ip.w3 >>> 0 };
}
