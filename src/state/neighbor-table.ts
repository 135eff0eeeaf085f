import type { Ip } from "../addr/ip.ts";
import type { Mac } from "../addr/mac.ts";
import type { Instant } from "../base/clock.ts";
import { IpTable } from "./ip-table.ts";

/**
 * What a neighbor table says of one IP address, as stored and shared. Times are wall-clock (Unix ms), because entries are
 * read on other hosts. From `staleAt` on (plus the reader's jitter) the entry is still used, but asked for again;
 * at `expiresAt` it is not valid any more and its writer removes it.
 */
export interface NeighborEntry {
  readonly mac: Mac;
  readonly staleAt: Instant;
  readonly expiresAt: Instant;
}

/** One router's neighbors as this thread sees them: the winners of the replicated map. */
export class NeighborTable {
  readonly #entries = new IpTable<NeighborEntry>();

  /** Number of entries, stale and expired ones included. */
  get size(): number {
    return this.#entries.size;
  }

  /** The entry of an address, valid or not. */
  get(ip: Ip): NeighborEntry | undefined {
    return this.#entries.get(ip);
  }

  /** The entry as the replicated map has it now; undefined: none. Returns the entry before. */
  set(ip: Ip, entry: NeighborEntry | undefined): NeighborEntry | undefined {
    return this.#entries.set(ip, entry);
  }

  /** All entries, for people. */
  entries(): Iterable<readonly [Ip, NeighborEntry]> {
    return this.#entries.entries();
  }
}

/** Equality by value. */
export function sameEntry(a: NeighborEntry, b: NeighborEntry): boolean {
  return a.mac === b.mac && a.staleAt === b.staleAt && a.expiresAt === b.expiresAt;
}
