import { sleep } from "../../base/scheduler.ts";
import { retryWaitMs } from "../limits.ts";
import type { TreeEvent } from "../tree.ts";
import type { StoreConnection } from "./connection.ts";
import { SteadyWatch } from "./steady-watch.ts";

/**
 * Follows nodes whose content has to be read: events say which are dirty, one reading loop at a time reads them and tells.
 * What changes while it is read is read again, so the last state is always told; states between may be skipped.
 */
export abstract class DirtyWatch {
  /** Resolves after the first content was told. */
  readonly ready: Promise<void>;
  protected readonly connection: StoreConnection;
  protected isClosed = false;
  #settleReady: () => void = () => undefined;
  #isReading = false;
  #watch: SteadyWatch | undefined;

  constructor(connection: StoreConnection) {
    this.connection = connection;
    this.ready = new Promise((resolve) => {
      this.#settleReady = resolve;
    });
  }

  /** Silent at once. Idempotent. */
  close(): void {
    this.isClosed = true;
    this.#watch?.close();
    this.#settleReady();
  }

  /** Starts; called at the end of the constructor of the class that knows what to watch. */
  protected start(path: string, recursive: boolean): void {
    this.#watch = new SteadyWatch(this.connection, path, {
      recursive,
      onEvent: (event) => {
        this.noteEvent(event);
        void this.#readAll();
      },
      onResync: () => {
        this.noteResync();
        void this.#readAll();
      },
    });
  }

  /** Marks what an event says is dirty. */
  protected abstract noteEvent(event: TreeEvent): void;
  /** Marks everything dirty. */
  protected abstract noteResync(): void;
  /** Whether anything is dirty. */
  protected abstract hasWork(): boolean;
  /** Reads what is dirty and tells; false when the store did not answer and it is to be tried again. */
  protected abstract work(): Promise<boolean>;

  async #readAll(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    while (this.hasWork() && !this.isClosed) {
      if (await this.work()) this.#settleReady();
      else await sleep(this.connection.scheduler, retryWaitMs);
    }
    this.#isReading = false;
  }
}
