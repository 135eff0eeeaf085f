import type { Instant } from "../base/clock.ts";
import type { Scheduler, Timer } from "../base/scheduler.ts";
import type { LayoutGuard } from "./layout-guard.ts";
import { ABSENCE_MAX_MS, ABSENCE_QUIET_MS, GONE_WINDOW_MS } from "./limits.ts";

/** What tells whether the store was emptied. */
export type WipeWatch = Pick<LayoutGuard, "isWiped" | "check" | "onChange">;

/** Something that has gone from the store. */
export interface Absence {
  /** Says that it is gone. */
  gone(): void;
  /** Says again what there was. */
  again(): void;
}

/**
 * What has gone from the store, and may have gone because somebody empties it. Deleting takes a while, and the layout's node is not
 * the first to go: an absence that can wait is told when nothing more has gone for a while and the layout is still there; one that
 * cannot wait is told at once, and taken back when the store turns out to be emptied.
 */
export class Absences {
  readonly #guard: WipeWatch;
  readonly #scheduler: Scheduler;
  /** Not told, by what it is about. */
  readonly #held = new Map<object, Absence>();
  /** Told lately. */
  readonly #told = new Map<object, { readonly absence: Absence; readonly at: Instant }>();
  #timer: Timer | undefined;
  #since: Instant | undefined;

  constructor(guard: WipeWatch, scheduler: Scheduler) {
    this.#guard = guard;
    this.#scheduler = scheduler;
    guard.onChange((isWiped) => (isWiped ? this.#takeBack() : this.#arm()));
  }

  /** It has gone, and that can wait. */
  hold(about: object, absence: Absence): void {
    this.#held.set(about, absence);
    if (!this.#guard.isWiped) this.#arm();
  }

  /** It has gone, and that must be known now. */
  tell(about: object, absence: Absence): void {
    if (this.#guard.isWiped) return void this.#held.set(about, absence);
    const now = this.#scheduler.clock.now();
    for (const [old, { at }] of this.#told) {
      if (now - at < GONE_WINDOW_MS) break;
      this.#told.delete(old);
    }
    this.#told.delete(about);
    this.#told.set(about, { absence, at: now });
    absence.gone();
  }

  /** Whether it may be taken back or told later. */
  mayReturn(about: object): boolean {
    return this.#held.has(about) || this.#told.has(about);
  }

  /** It is there, or nobody wants to know. */
  forget(about: object): void {
    this.#held.delete(about);
    this.#told.delete(about);
  }

  #takeBack(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const [about, { absence }] of this.#told) {
      this.#held.set(about, absence);
      absence.again();
    }
    this.#told.clear();
  }

  #arm(): void {
    const now = this.#scheduler.clock.now();
    this.#since ??= now;
    if (this.#timer !== undefined && now - this.#since >= ABSENCE_MAX_MS) return;
    this.#timer?.cancel();
    this.#timer = this.#scheduler.after(ABSENCE_QUIET_MS, () => void this.#decide());
  }

  async #decide(): Promise<void> {
    this.#timer = undefined;
    this.#since = undefined;
    if (await this.#guard.check()) return;
    // What came while we looked has a wait of its own.
    if (this.#timer !== undefined) return;
    const all = [...this.#held.values()];
    this.#held.clear();
    for (const absence of all) absence.gone();
  }
}
