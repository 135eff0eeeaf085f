import type { Mac } from "../addr/mac.ts";
import type { Instant } from "../base/clock.ts";

/**
 * What a neighbor table says of one IP address, as stored and shared. Times are wall-clock (Unix ms), because entries are
 * read on other hosts. From `staleAt` on (plus the reader's jitter) the entry is still used, but asked for again;
 * at `expiresAt` its writer removes it.
 */
export interface NeighborEntry {
  readonly mac: Mac;
  readonly staleAt: Instant;
  readonly expiresAt: Instant;
}
