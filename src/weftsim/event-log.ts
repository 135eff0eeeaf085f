import type { Clock } from "../base/clock.ts";
import { fmix32 } from "../flow/hash.ts";
import { EVENT_LINES_MAX } from "./limits.ts";

/** What an event of a simulated cloud says besides its time. */
export interface SimEvent {
  /** Host, VM, `net` or `store`: whom it happened to. */
  readonly at: string;
  /** One word. */
  readonly event: string;
  readonly detail: string;
}

/**
 * What happened in a simulated cloud, one line of fixed columns an event, and a hash over all lines: two runs of one seed
 * that differ anywhere differ in the hash.
 *
 *           tick at    event    detail
 *        1042.31 h2    upcall   2 taken, 1 parked
 *        1042.87 net   send     192.0.2.1>192.0.2.2 key=0x2c 98 bytes
 */
export class EventLog {
  readonly lines: string[] = [];
  readonly #clock: Clock;
  #count = 0;
  #a = 0x9e37_79b9;
  #b = 0x85eb_ca6b;
  #origin: number;

  /** Times in the lines count from now. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.#origin = clock.now();
  }

  /** Number of events so far. */
  get count(): number {
    return this.#count;
  }

  /** The hash of all lines so far, 16 hexadecimal digits. */
  get hash(): string {
    return [this.#a, this.#b].map((lane) => (fmix32(lane) >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /** Writes an event down. */
  add({ at, event, detail }: SimEvent): void {
    const tick = (this.#clock.now() - this.#origin).toFixed(3).padStart(12);
    const line = `${tick} ${at.padEnd(5)} ${event.padEnd(8)} ${detail}`;
    this.#count++;
    this.#mix(line);
    if (this.lines.length < EVENT_LINES_MAX) this.lines.push(line);
  }

  #mix(line: string): void {
    let a = this.#a;
    let b = this.#b;
    for (let i = 0; i < line.length; i++) {
      const code = line.charCodeAt(i);
      a = Math.imul(a ^ code, 0x0100_0193);
      b = Math.imul(b + code, 0xc2b2_ae35) ^ (b >>> 15);
    }
    this.#a = a;
    this.#b = b;
  }
}
