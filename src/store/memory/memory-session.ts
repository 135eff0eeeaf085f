import type { Session, SessionState } from "../tree.ts";

/** The session of a memory tree: state with listeners. Changed by its tree only. */
export class MemorySession implements Session {
  id = 0n;
  timeoutMs: number;
  /** Shown to resume the session; empty until the first connection. */
  password: Uint8Array = new Uint8Array(0);
  #state: SessionState = "connecting";
  readonly #listeners: ((state: SessionState) => void)[] = [];

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs;
  }

  /** The present state. */
  get state(): SessionState {
    return this.#state;
  }

  /** True when nothing of this session works any more. */
  get isOver(): boolean {
    return this.#state === "expired" || this.#state === "closed";
  }

  onState(listener: (state: SessionState) => void): void {
    this.#listeners.push(listener);
  }

  /** Changes the state and tells everybody; a final state stays. */
  become(state: SessionState): void {
    if (state === this.#state || this.isOver) return;
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }
}
