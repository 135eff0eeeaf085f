import type { Duration } from "../base/clock.ts";
import type { Scheduler } from "../base/scheduler.ts";
import type { DatapathMemory, DatapathWorker, ExecuteFrame, UpcallHandler } from "../datapath/datapath.ts";

/** What a late worker's face is made of. */
export interface LateWorkerParts {
  readonly face: DatapathWorker;
  readonly scheduler: Scheduler;
  /** Time between an upcall and the worker's waking. */
  delay(): Duration;
  /** Told how many upcalls each turn took, none left out. */
  onPolled(count: number): void;
  /** The worker goes to sleep. */
  onSleep(): void;
}

/** The face of a memory datapath as a thread sees it: waking takes time, in which more frames come. */
export class LateWorker implements DatapathWorker {
  readonly memory: DatapathMemory;
  readonly shards: readonly number[];
  readonly #parts: LateWorkerParts;

  constructor(parts: LateWorkerParts) {
    this.#parts = parts;
    this.memory = parts.face.memory;
    this.shards = parts.face.shards;
  }

  poll(limit: number, handle: UpcallHandler): number {
    const count = this.#parts.face.poll(limit, handle);
    if (count > 0) this.#parts.onPolled(count);
    return count;
  }

  execute(frame: ExecuteFrame, action: Uint32Array, actionOffset: number): boolean {
    return this.#parts.face.execute(frame, action, actionOffset);
  }

  flush(): void {
    this.#parts.face.flush();
  }

  sleep(wake: () => void): boolean {
    const { face, scheduler } = this.#parts;
    this.#parts.onSleep();
    return face.sleep(() => scheduler.after(this.#parts.delay(), wake));
  }

  close(): void {
    this.#parts.face.close();
  }
}
