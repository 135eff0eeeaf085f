import type { Session, SessionState } from "../store/tree.ts";
import type { ZooKeeperSession } from "./session.ts";

type SessionFacts = Pick<ZooKeeperSession<never>, "state" | "id" | "timeoutMs">;

/** The session as the tree's users see it. */
export class ClientSession implements Session {
  readonly #core: SessionFacts;
  readonly #listeners: ((state: SessionState) => void)[];

  constructor(core: SessionFacts, listeners: ((state: SessionState) => void)[]) {
    this.#core = core;
    this.#listeners = listeners;
  }

  get state(): SessionState {
    return this.#core.state;
  }

  get id(): bigint {
    return this.#core.id;
  }

  get timeoutMs(): number {
    return this.#core.timeoutMs;
  }

  onState(listener: (state: SessionState) => void): void {
    this.#listeners.push(listener);
  }
}
