/** Wakes one waiting loop. A call that comes while nobody waits is kept for the next wait: no wake-up is lost. */
export class Signal {
  #isRaised = false;
  #resolve: (() => void) | undefined;

  /** Wakes the loop, now or at its next wait. */
  raise(): void {
    this.#isRaised = true;
    this.#resolve?.();
  }

  /** Forgets calls so far: what they told is about to be looked at. */
  lower(): void {
    this.#isRaised = false;
  }

  /** Resolves at once when the signal is raised, else as soon as it is. */
  async wait(): Promise<void> {
    if (this.#isRaised) return;
    await new Promise<void>((resolve) => {
      this.#resolve = resolve;
    });
    this.#resolve = undefined;
  }
}
