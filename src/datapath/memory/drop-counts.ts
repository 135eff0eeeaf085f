import { type DropReason, dropCode } from "../../flow/drop-reason.ts";
import type { DropCount } from "../datapath.ts";

/** Dropped packets and bytes by vport and reason, as the programs' table of drops. */
export class DropCounts {
  readonly #counts = new Map<number, Map<number, { packets: number; bytes: number }>>();

  /** Counts one packet. `reason` may be any number that an action said. */
  count(reason: DropReason | number, what: { readonly vport: number; readonly bytes: number }): void {
    const code = typeof reason === "number" ? reason : dropCode(reason);
    let ofVport = this.#counts.get(what.vport);
    if (ofVport === undefined) {
      ofVport = new Map();
      this.#counts.set(what.vport, ofVport);
    }
    const count = ofVport.get(code);
    if (count === undefined) ofVport.set(code, { packets: 1, bytes: what.bytes });
    else {
      count.packets++;
      count.bytes += what.bytes;
    }
  }

  /** All counters. */
  list(): readonly DropCount[] {
    return [...this.#counts].flatMap(([vport, counts]) =>
      [...counts].map(([reason, count]) => ({ vport, reason, ...count })),
    );
  }
}
