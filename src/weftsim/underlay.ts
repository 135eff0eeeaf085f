import type { Duration, Instant } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import type { Scheduler } from "../base/scheduler.ts";
import type { UnderlayFrame } from "../datapath/memory/memory-datapath.ts";
import { TUNNEL_KIND_KEEPALIVE, TUNNEL_KIND_SHIFT } from "../flow/layout.ts";
import type { EventLog } from "./event-log.ts";

/** How an underlay behaves. Shares are probabilities from 0 to 1. */
export interface UnderlaySettings {
  /** Least one-way delay. */
  readonly delayMs: Duration;
  /** Largest addition to it, uniform. Order between two hosts is kept all the same. */
  readonly jitterMs: Duration;
  /** Share of frames that are lost. */
  readonly loss: number;
  /** Share of frames that arrive twice. */
  readonly duplication: number;
  /** Share of frames that are overtaken by those sent after them: each is late by up to ten times the jitter. */
  readonly reordering: number;
}

/** A network that loses nothing and keeps order. */
export const CALM: UnderlaySettings = { delayMs: 0.2, jitterMs: 0.3, loss: 0, duplication: 0, reordering: 0 };

/** What became of the frames on an underlay: `sent` + `duplicated` = `delivered` + `lost` + `blocked` + `unknown` + in flight. */
export interface UnderlayCounts {
  sent: number;
  delivered: number;
  lost: number;
  duplicated: number;
  reordered: number;
  /** Lost to a partition. */
  blocked: number;
  /** To an address that nobody has. */
  unknown: number;
  inFlight: number;
}

/** What an underlay is made of. */
export interface UnderlayParts {
  readonly scheduler: Scheduler;
  readonly prng: Prng;
  readonly log: EventLog;
}

/** The network under the hosts: addresses, delay, and every misfortune that frames can meet, all from one generator. */
export class Underlay {
  /** Frames of VMs. */
  readonly counts = noFrames();
  /** Keep-alives of hosts, which never end. */
  readonly keepAliveCounts = noFrames();
  settings: UnderlaySettings = CALM;
  readonly #parts: UnderlayParts;
  readonly #receivers = new Map<string, (frame: UnderlayFrame) => void>();
  readonly #blocked = new Set<string>();
  readonly #lastAt = new Map<string, Instant>();

  constructor(parts: UnderlayParts) {
    this.#parts = parts;
  }

  /** A host with this address listens from now on. */
  attach(address: string, receive: (frame: UnderlayFrame) => void): void {
    this.#receivers.set(address, receive);
  }

  /** The host has gone: frames to it are counted as `unknown`. */
  detach(address: string): void {
    this.#receivers.delete(address);
  }

  /** Nothing gets from one address to the other any more; the way back is not touched. */
  block(from: string, to: string): void {
    this.#blocked.add(`${from}>${to}`);
    this.#parts.log.add({ at: "net", event: "block", detail: `${from}>${to}` });
  }

  /** Ends all partitions. */
  heal(): void {
    if (this.#blocked.size > 0) this.#parts.log.add({ at: "net", event: "heal", detail: "" });
    this.#blocked.clear();
  }

  /** Carries a frame, or not. */
  send(frame: UnderlayFrame): void {
    const { settings } = this;
    const counts = this.#countsOf(frame);
    const { prng } = this.#parts;
    counts.sent++;
    this.#note("send", frame);
    if (this.#blocked.has(`${frame.from}>${frame.to}`)) {
      counts.blocked++;
      return this.#note("blocked", frame);
    }
    if (prng.float() < settings.loss) {
      counts.lost++;
      return this.#note("lost", frame);
    }
    this.#carry(frame);
    if (prng.float() >= settings.duplication) return;
    counts.duplicated++;
    this.#carry(frame);
  }

  #carry(frame: UnderlayFrame): void {
    const counts = this.#countsOf(frame);
    const { scheduler, prng } = this.#parts;
    const { delayMs, jitterMs, reordering } = this.settings;
    const pair = `${frame.from}>${frame.to}`;
    const now = scheduler.clock.now();
    let at = now + delayMs + jitterMs * prng.float();
    if (prng.float() < reordering) {
      counts.reordered++;
      at += 10 * jitterMs * prng.float();
    } else {
      at = Math.max(at, this.#lastAt.get(pair) ?? 0);
      this.#lastAt.set(pair, at);
    }
    counts.inFlight++;
    scheduler.after(at - now, () => this.#arrive(frame));
  }

  #arrive(frame: UnderlayFrame): void {
    const counts = this.#countsOf(frame);
    counts.inFlight--;
    const receive = this.#receivers.get(frame.to);
    if (receive === undefined) {
      counts.unknown++;
      return this.#note("unknown", frame);
    }
    counts.delivered++;
    receive({ ...frame, frame: frame.frame.slice() });
  }

  #countsOf(frame: UnderlayFrame): UnderlayCounts {
    return isKeepAlive(frame) ? this.keepAliveCounts : this.counts;
  }

  /** Keep-alives are no events, or nothing would ever be quiet. */
  #note(event: string, frame: UnderlayFrame): void {
    if (isKeepAlive(frame)) return;
    const detail = `${frame.from}>${frame.to} key=0x${frame.tunnelKey.toString(16)} ${frame.frame.length} bytes`;
    this.#parts.log.add({ at: "net", event, detail });
  }
}

function isKeepAlive(frame: UnderlayFrame): boolean {
  return ((frame.tunnelKey >>> TUNNEL_KIND_SHIFT) & 7) === TUNNEL_KIND_KEEPALIVE;
}

function noFrames(): UnderlayCounts {
  return { sent: 0, delivered: 0, lost: 0, duplicated: 0, reordered: 0, blocked: 0, unknown: 0, inFlight: 0 };
}
