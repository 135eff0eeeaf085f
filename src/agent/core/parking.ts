import type { Instant } from "../../base/clock.ts";
import { PARKED_BYTES_MAX, PARKED_MAX, PARKED_PER_PORT_MAX } from "./limits.ts";

/** A packet that waits, with its own copy of the frame. */
export interface ParkedPacket {
  readonly origin: ParkedOrigin;
  readonly frame: Uint8Array;
  /** Whose share of the parking it takes; 0: of frames of the network itself. */
  readonly vport: number;
  readonly until: Instant;
}

/** Where a parked packet comes from: an upcall, with its own copy of the record; or the network itself, by the port with this handle. */
export type ParkedOrigin =
  | { readonly kind: "upcall"; readonly words: Uint32Array }
  | { readonly kind: "emitted"; readonly port: number };

/**
 * Packets that wait for topology or for a neighbor, in order of arrival for each thing waited for. Bounded in packets, bytes
 * and packets of one port. A packet that waits for several things runs again when the first comes, and may wait again.
 */
export class Parking {
  readonly #waiting = new Map<string, ParkedPacket[]>();
  readonly #perPort = new Map<number, number>();
  #count = 0;
  #bytes = 0;

  /** Packets that wait now. */
  get count(): number {
    return this.#count;
  }

  /** Takes a packet in; false: a limit is reached and it must be dropped. */
  park(on: string, packet: ParkedPacket): boolean {
    const ofPort = this.#perPort.get(packet.vport) ?? 0;
    const isFull = this.#count >= PARKED_MAX || this.#bytes + packet.frame.length > PARKED_BYTES_MAX;
    if (isFull || ofPort >= PARKED_PER_PORT_MAX) return false;
    const list = this.#waiting.get(on);
    if (list === undefined) this.#waiting.set(on, [packet]);
    else list.push(packet);
    this.#perPort.set(packet.vport, ofPort + 1);
    this.#count++;
    this.#bytes += packet.frame.length;
    return true;
  }

  /** Takes everything out that waits for `on`, oldest first. */
  release(on: string): readonly ParkedPacket[] {
    const list = this.#waiting.get(on) ?? [];
    this.#waiting.delete(on);
    for (const packet of list) this.#left(packet);
    return list;
  }

  /** Takes out what has waited too long. Cheap when nothing waits. */
  expire(now: Instant): readonly { readonly on: string; readonly packet: ParkedPacket }[] {
    const expired: { on: string; packet: ParkedPacket }[] = [];
    for (const [on, list] of this.#waiting) {
      while (list.length > 0 && (list[0] as ParkedPacket).until <= now) {
        const packet = list.shift() as ParkedPacket;
        this.#left(packet);
        expired.push({ on, packet });
      }
      if (list.length === 0) this.#waiting.delete(on);
    }
    return expired;
  }

  #left(packet: ParkedPacket): void {
    this.#count--;
    this.#bytes -= packet.frame.length;
    const ofPort = (this.#perPort.get(packet.vport) ?? 1) - 1;
    if (ofPort === 0) this.#perPort.delete(packet.vport);
    else this.#perPort.set(packet.vport, ofPort);
  }
}
