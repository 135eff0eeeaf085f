import type { Log } from "../base/log.ts";
import { Counters } from "../base/metrics.ts";
import type { Scheduler, Timer } from "../base/scheduler.ts";
import type { DatapathControl } from "../datapath/datapath.ts";
import { DATAPATH_AUDIT_MS } from "./limits.ts";

/** What the audit of the datapath's records counts. */
export const datapathAuditMetrics = {
  weft_agent_audits: "times that the records of ports, peers and tunnel keys were held against what is wanted",
  weft_agent_audit_differences: "records that were not what is wanted; put right",
} as const;

/** What it works on. */
export interface DatapathAuditParts {
  readonly datapath: Pick<DatapathControl, "audit">;
  readonly scheduler: Scheduler;
  readonly log: Log;
}

/** Holds the datapath's records of ports, peers and tunnel keys against what was last wanted, now and then. */
export class DatapathAudit {
  readonly counters = new Counters(datapathAuditMetrics);
  readonly #parts: DatapathAuditParts;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(parts: DatapathAuditParts) {
    this.#parts = parts;
  }

  /** Begins; the first look comes one interval later. */
  start(): void {
    if (!this.#isClosed) this.#timer = this.#parts.scheduler.after(DATAPATH_AUDIT_MS, () => void this.#look());
  }

  /** Ends it. A look that is under way tells nothing any more. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    const differences = await this.#parts.datapath.audit();
    if (this.#isClosed) return;
    this.counters.add("weft_agent_audits");
    for (const what of differences) {
      this.counters.add("weft_agent_audit_differences");
      this.#parts.log.warn("audit.record", { what });
    }
    this.start();
  }
}
