import { sleep } from "../../base/scheduler.ts";
import { reconnectWaitMs, retryWaitMs } from "../limits.ts";
import type { TreeEvent, TreeWatch, WatchOptions } from "../tree.ts";
import type { StoreConnection } from "./connection.ts";

/**
 * A watch that outlives lost connections and ended sessions. `onResync` is called once it is in place and again each time
 * events may have been missed: whoever holds it reads then, and the first time too.
 */
export class SteadyWatch {
  readonly #connection: StoreConnection;
  readonly #path: string;
  readonly #options: WatchOptions;
  readonly #stopListening: () => void;
  /** Of the present session; callbacks of older ones are ignored. */
  #generation = 0;
  #held: TreeWatch | undefined;
  #isClosed = false;

  constructor(connection: StoreConnection, path: string, options: WatchOptions) {
    this.#connection = connection;
    this.#path = path;
    this.#options = options;
    this.#stopListening = connection.onRenewed(() => void this.#establish());
    void this.#establish();
  }

  /** The watch is in place: events come, or a resync will. Before, `onResync` is still to come. */
  get isHeld(): boolean {
    return this.#held !== undefined;
  }

  /** Silent at once. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#stopListening();
    this.#held?.close();
    this.#held = undefined;
  }

  async #establish(): Promise<void> {
    this.#generation += 1;
    const generation = this.#generation;
    this.#held = undefined;
    const isCurrent = (): boolean => !this.#isClosed && generation === this.#generation;
    const { recursive, onEvent, onResync } = this.#options;
    const options: WatchOptions = {
      recursive,
      onEvent: (event: TreeEvent) => {
        if (isCurrent()) onEvent(event);
      },
      onResync: () => {
        if (isCurrent()) onResync();
      },
    };
    while (isCurrent()) {
      const result = await this.#connection.tree.watch(this.#path, options);
      if (result.ok) {
        if (!isCurrent()) return result.value.close();
        this.#held = result.value;
        return onResync();
      }
      // A new session establishes the watch anew by itself; a closed connection needs none.
      if (result.error.kind === "session-expired" || result.error.kind === "closed") return;
      // Neither will one that the store has ended because of our secret.
      if (this.#connection.tree.session.state === "closed") return;
      if (this.#connection.tree.session.state !== "connected") await this.#connection.untilConnected(reconnectWaitMs);
      else await sleep(this.#connection.scheduler, retryWaitMs);
    }
  }
}
