import type { Instant } from "../base/clock.ts";
import { HOLD_AFTER_WAKES, HOLD_MS } from "./limits.ts";

/** What an idle hold asks for: that processors stay awake, or nothing. */
export interface HoldRequest {
  begin(): void;
  end(): void;
  close(): void;
}

/**
 * Keeps processors from idling deeply while new flows come one by one: each of their packets wakes a worker, which costs more than all
 * that the worker does when the processor has to be woken, too. It begins when several wake-ups came in a row within `HOLD_MS`, and ends
 * when none came for as long: single packets far apart are not worth the power.
 */
export class IdleHold {
  readonly #request: HoldRequest;
  readonly #onBegin: () => void;
  #isHeld = false;
  #wakes = 0;
  #wokenAt: Instant = Number.NEGATIVE_INFINITY;

  constructor(request: HoldRequest, onBegin: () => void) {
    this.#request = request;
    this.#onBegin = onBegin;
  }

  /** Time has passed; `isWoken`: a frame has ended a wait since the last call. */
  turn(now: Instant, isWoken: boolean): void {
    if (isWoken) {
      this.#wakes = now - this.#wokenAt < HOLD_MS ? this.#wakes + 1 : 1;
      this.#wokenAt = now;
      if (!this.#isHeld && this.#wakes >= HOLD_AFTER_WAKES) this.#begin();
    } else if (this.#isHeld && now >= this.endsAt) this.#end();
  }

  /** When `turn` is due to end it, if nothing comes; for ever when nothing is held. */
  get endsAt(): Instant {
    return this.#isHeld ? this.#wokenAt + HOLD_MS : Number.POSITIVE_INFINITY;
  }

  /** Ends it for good. */
  close(): void {
    this.#request.close();
  }

  #begin(): void {
    this.#isHeld = true;
    this.#request.begin();
    this.#onBegin();
  }

  #end(): void {
    this.#isHeld = false;
    this.#wakes = 0;
    this.#request.end();
  }
}
