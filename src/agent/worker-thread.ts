import { Worker } from "node:worker_threads";
import { moduleOf } from "../base/entry.ts";
import { WORKER_MAX } from "../flow/layout.ts";
import type { FromWorker, ToWorker } from "./core/messages.ts";
import { type Mail, mailFlags, WorkerMail } from "./worker-inbox.ts";
import type { ThreadStart, WorkerStart } from "./worker-settings.ts";

/** What a worker thread is told first, unless it is told to close. */
export interface Begin {
  readonly start: ThreadStart;
}

/** What a worker thread tells: once that its modules are loaded, then what its core has to say. */
export type FromThread = { readonly kind: "loaded" } | FromWorker;

/** How a worker is started, and whom it tells. */
export interface WorkerBeginning {
  readonly start: WorkerStart;
  /** Makes the thread look into its inbox. */
  wake(): void;
  onMessage(message: FromWorker): void;
  /** The thread has died of an error: its shards are nobody's. */
  onCrash(error: Error): void;
}

/**
 * A thread for a simulation worker. It is made early and loads its modules while others still hold the datapath: from `begin` to
 * its first packet it takes milliseconds.
 */
export class WorkerThread {
  /** Resolves when its modules are loaded, or it has ended without. */
  readonly loaded: Promise<void>;
  readonly #ended: Promise<void>;
  readonly #thread: Worker;
  #mail: WorkerMail | undefined;
  #beginning: WorkerBeginning | undefined;
  #crash: Error | undefined;
  #isClosing = false;

  constructor() {
    this.#thread = new Worker(moduleOf("agent/worker.main"));
    this.#ended = new Promise((resolve) => this.#thread.once("exit", () => resolve()));
    const told = new Promise<void>((resolve) => {
      this.#thread.on("message", (message: FromThread) => {
        if (message.kind === "loaded") resolve();
        else this.#beginning?.onMessage(message);
      });
    });
    this.loaded = Promise.race([told, this.#ended]);
    const crashed = (error: Error): void => {
      if (this.#crash !== undefined || this.#isClosing) return;
      this.#crash = error;
      this.#beginning?.onCrash(error);
    };
    this.#thread.on("error", crashed);
    this.#thread.on("exit", (code) => crashed(new Error(`the thread ended with ${code}`)));
  }

  /** Opens the thread's face of the datapath and starts to work. */
  begin(beginning: WorkerBeginning): void {
    this.#beginning = beginning;
    const flags = mailFlags();
    const start: Begin = { start: { ...beginning.start, mail: flags } };
    this.#thread.postMessage(start);
    this.#mail = new WorkerMail(flags, {
      post: (mail: Mail) => this.#thread.postMessage(mail),
      wake: () => beginning.wake(),
    });
    if (this.#crash !== undefined) beginning.onCrash(this.#crash);
  }

  /** Takes messages to the worker, in order. */
  send(messages: readonly ToWorker[]): void {
    this.#mail?.post(messages);
  }

  /** Asks the thread to finish what it is doing and to end; resolves when it has. */
  close(): Promise<void> {
    this.#isClosing = true;
    if (this.#mail === undefined) this.#thread.postMessage("close" satisfies Mail);
    else this.#mail.post("close");
    return this.#ended;
  }
}

/** Threads for as many workers as are wanted, or as there may be. */
export function workerThreads(wanted: number): readonly WorkerThread[] {
  return Array.from({ length: Math.min(Math.max(1, wanted), WORKER_MAX) }, () => new WorkerThread());
}
