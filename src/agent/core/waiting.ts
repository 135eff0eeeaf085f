import type { Instant } from "../../base/clock.ts";
import type { DropReason } from "../../flow/drop-reason.ts";
import { UPCALL_HEADER_WORDS } from "../../flow/layout.ts";
import type { Id } from "../../model/objects.ts";
import type { EmittedFrame, WaitOn } from "../../sim/result.ts";
import type { FrameBytes } from "../../sim/sim-input.ts";
import { PARKED_MS, PARKED_NEIGHBOR_MS, WANTED_MAX } from "./limits.ts";
import { type ParkedPacket, Parking } from "./parking.ts";
import { isNeighborWait, waitKey } from "./wait-key.ts";
import type { WorkerCounts } from "./worker-counts.ts";

/** An upcall that has to wait: its record at `offset` of `words`, and its frame. */
export interface WaitingUpcall {
  readonly words: Uint32Array;
  readonly offset: number;
  readonly frame: FrameBytes;
}

/** Packets that wait for topology or neighbors, and the objects that were asked for because of them. */
export class Waiting {
  readonly #parking = new Parking();
  readonly #wanted = new Set<Id>();
  readonly #counts: WorkerCounts;
  readonly #ask: (id: Id) => void;

  constructor(counts: WorkerCounts, ask: (id: Id) => void) {
    this.#counts = counts;
    this.#ask = ask;
  }

  /** Packets that wait now. */
  get parked(): number {
    return this.#parking.count;
  }

  /** Objects that were asked for and have not come. */
  get wanted(): number {
    return this.#wanted.size;
  }

  /** Parks a packet, or drops it when a limit is reached. */
  park(on: WaitOn, upcall: WaitingUpcall, now: Instant): void {
    const { words, offset, frame } = upcall;
    const vport = words[offset + 3] as number;
    if (on.kind === "topology") this.want(on.ids);
    this.#park(on, {
      origin: { kind: "upcall", words: words.slice(offset, offset + UPCALL_HEADER_WORDS) },
      frame: frame.bytes.slice(frame.offset, frame.offset + frame.length),
      vport,
      until: until(on, now),
    });
  }

  /** Parks a frame of the network itself, which nobody else holds. */
  parkEmitted(on: WaitOn, { port, bytes }: EmittedFrame, now: Instant): void {
    if (on.kind === "topology") this.want(on.ids);
    this.#park(on, { origin: { kind: "emitted", port }, frame: bytes, vport: 0, until: until(on, now) });
  }

  #park(on: WaitOn, packet: ParkedPacket): void {
    this.#counts.metrics.add("weft_worker_parked");
    if (this.#parking.park(waitKey(on), packet)) return;
    this.#counts.metrics.add("weft_worker_parking_full");
    this.#counts.drop(packet.vport, "parking-full");
  }

  /** Asks for objects, each once. */
  want(ids: readonly Id[]): void {
    for (const id of ids) {
      if (this.#wanted.has(id)) continue;
      if (this.#wanted.size >= WANTED_MAX) return this.#counts.metrics.add("weft_worker_wants_limited");
      this.#wanted.add(id);
      this.#ask(id);
    }
  }

  /** Something that packets wait for has come, or is known not to: they are handed out, oldest first. */
  release(on: string): readonly ParkedPacket[] {
    this.#wanted.delete(on);
    return this.#parking.release(on);
  }

  /** Drops what has waited too long. */
  expire(now: Instant): void {
    if (this.#parking.count === 0) return;
    for (const { on, packet } of this.#parking.expire(now)) {
      const reason: DropReason = isNeighborWait(on) ? "neighbor-failed" : "topology-missing";
      this.#wanted.delete(on);
      this.#counts.drop(packet.vport, reason);
    }
  }
}

function until(on: WaitOn, now: Instant): Instant {
  return now + (on.kind === "topology" ? PARKED_MS : PARKED_NEIGHBOR_MS);
}
