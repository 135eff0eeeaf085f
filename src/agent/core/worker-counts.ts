import { Counters } from "../../base/metrics.ts";
import { type DropReason, dropCode } from "../../flow/drop-reason.ts";
import type { FromWorker, WorkerDrop } from "./messages.ts";
import { WORKER_METRICS } from "./worker-metrics.ts";

/** Name of a worker's metric. */
export type WorkerMetric = keyof typeof WORKER_METRICS;

/** Counters of one worker. */
export class WorkerCounts {
  readonly metrics = new Counters(WORKER_METRICS);
  readonly #drops = new Map<number, number>();

  /** Counts one packet dropped. */
  drop(vport: number, reason: DropReason): void {
    const id = (vport << 8) | dropCode(reason);
    this.#drops.set(id, (this.#drops.get(id) ?? 0) + 1);
  }

  /** Everything counted so far, as a message. */
  message(): FromWorker & { readonly kind: "counts" } {
    const drops: WorkerDrop[] = [...this.#drops].map(([id, packets]) => ({
      vport: id >>> 8,
      reason: id & 0xff,
      packets,
    }));
    return { kind: "counts", drops, metrics: this.metrics.snapshot() };
  }
}
