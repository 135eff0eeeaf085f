import type { Result } from "../../base/result.ts";
import type { LinuxError } from "../errno.ts";
import type { Poll } from "../poll.ts";

/** What `receive` found: bytes at the start of `buffer`, nothing, or that the kernel dropped something (ENOBUFS). */
export type Received =
  | { readonly kind: "datagram"; readonly length: number }
  | { readonly kind: "empty" }
  | { readonly kind: "overrun" };

/** Messages to be sent as one datagram: the first `count` entries say where each stands in `memory`. */
export interface ChunkBatch {
  readonly memory: Uint8Array;
  readonly starts: Int32Array;
  readonly lengths: Int32Array;
  readonly count: number;
}

/** What a broker needs of a netlink socket: never waits. Tests put a pretended kernel behind it. */
export interface NetlinkPort {
  /** Where `receive` puts a datagram; overwritten by the next one. */
  readonly buffer: Uint8Array;
  /**
   * Sends messages as one datagram; the kernel has worked through them when this returns. EAGAIN = nothing was sent.
   */
  sendChunks(batch: ChunkBatch): Result<number, LinuxError>;
  /** Takes one datagram. */
  receive(): Result<Received, LinuxError>;
  /** Calls back while there is something to receive, until the poll is closed. */
  watch(onReadable: () => void): Poll;
  /** Ends the port; nothing may be called after it. */
  close(): void;
}
