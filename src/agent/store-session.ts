import { ok } from "../base/result.ts";
import type { Scheduler } from "../base/scheduler.ts";
import { StoreConnection } from "../store/recipes/connection.ts";
import type { ResumableTree, SessionTicket } from "../store/tree.ts";

/** What a store session is made of. */
export interface StoreSessionOptions {
  readonly scheduler: Scheduler;
  /** Of the session that an earlier process of this host left open; undefined: there is none. */
  readonly ticket: SessionTicket | undefined;
  /** Opens a session, or takes one up. */
  connect(ticket: SessionTicket | undefined): ResumableTree;
}

/** The agent's session with the store, which outlives the process: the next one takes it up, and nothing that it owns goes. */
export class StoreSession {
  readonly connection: StoreConnection;
  readonly #ticketId: bigint | undefined;
  #tree: ResumableTree | undefined;

  constructor(options: StoreSessionOptions) {
    let { ticket } = options;
    this.#ticketId = ticket?.id;
    this.connection = new StoreConnection({
      scheduler: options.scheduler,
      connect: () => {
        this.#tree = options.connect(ticket);
        // Once refused it is gone for ever: the next session is a new one.
        ticket = undefined;
        return this.#tree;
      },
    });
  }

  /** True while the session is the one that an earlier process had. */
  get isResumed(): boolean {
    return this.#ticketId !== undefined && this.connection.tree.session.id === this.#ticketId;
  }

  /** What the next process needs to take this session up; undefined before there is one, and after it ended. */
  ticket(): SessionTicket | undefined {
    const { id, state } = this.connection.tree.session;
    return id === 0n || state === "expired" || state === "closed" ? undefined : this.#tree?.exportSession();
  }

  /** Paths of the session's own ephemeral nodes under a path. */
  ephemerals(path: string): ReturnType<ResumableTree["ephemerals"]> {
    const tree = this.#tree;
    return tree === undefined ? Promise.resolve(ok([])) : tree.ephemerals(path);
  }

  /** Stops without ending the session. */
  async detach(): Promise<void> {
    this.#tree?.detach();
    await this.connection.close();
  }
}
