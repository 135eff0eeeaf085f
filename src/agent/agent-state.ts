import type {
  AgentDrops,
  AgentFlows,
  AgentStatus,
  AgentTrace,
  AgentVersion,
  DropLine,
} from "../api-schema/agent-api.ts";
import type { Instant } from "../base/clock.ts";
import type { DatapathControl } from "../datapath/datapath.ts";
import { DROP_REASONS, dropReasonOf } from "../flow/drop-reason.ts";
import type { Id } from "../model/objects.ts";
import type { ControlCore } from "./core/control.ts";
import type { FromWorker, ToWorker, WorkerDrop } from "./core/messages.ts";
import type { Questions } from "./questions.ts";

/** What the agent's API tells of: the running parts. */
export interface AgentStateParts {
  readonly hostId: Id;
  readonly release: string;
  readonly startedAt: number;
  readonly workers: number;
  readonly datapathName: string;
  readonly core: ControlCore;
  readonly datapath: DatapathControl;
  readonly questions: Questions;
  isStoreConnected(): boolean;
  /** Since when there is no connection to the store, by the wall clock; undefined while there is one. */
  storeAwaySince?(): Instant | undefined;
  /** The store was emptied, see `LayoutGuard`. */
  isStoreEmptied?(): boolean;
  /** When the snapshot was taken from which the host forwards; undefined: what it knows is the store's. */
  snapshotAt?(): Instant | undefined;
  /** How other hosts live; none when nobody watches them. */
  peerLives?(): PeerLives;
}

/** Other hosts as the API shows them. */
export type PeerLives = NonNullable<AgentStatus["peers"]>;

type Counts = Extract<FromWorker, { readonly kind: "counts" }>;

/** Answers of the agent's API, computed when asked. */
export class AgentState {
  readonly #parts: AgentStateParts;
  readonly #counts: (Counts | undefined)[];
  readonly #reached: number[];
  readonly #peers = new Map<Id, number>();

  constructor(parts: AgentStateParts) {
    this.#parts = parts;
    this.#counts = new Array<Counts | undefined>(parts.workers).fill(undefined);
    this.#reached = new Array<number>(parts.workers).fill(0);
  }

  /** Takes what a worker told. */
  take(worker: number, message: FromWorker): void {
    if (message.kind === "counts") this.#counts[worker] = message;
    if (message.kind === "reached") this.#reached[worker] = message.version;
    if (message.kind === "flows" || message.kind === "trace") this.#parts.questions.answer(message);
  }

  /** Takes what the workers are told. */
  told(messages: readonly ToWorker[]): void {
    for (const message of messages) {
      if (message.kind !== "peer") continue;
      if (message.mtu === 0) this.#peers.delete(message.hostId);
      else this.#peers.set(message.hostId, message.peer);
    }
  }

  /** The hosts that are peers now, and their numbers in the datapath. */
  get peers(): ReadonlyMap<Id, number> {
    return this.#peers;
  }

  /** Number of ports elsewhere that are sent to although their host has lost its session. */
  get unconfirmedPorts(): number {
    return this.#parts.core.remote.unconfirmed().length;
  }

  /** Entries of maps that are kept without a session, and those for which there was no room. */
  get unconfirmedEntries(): ControlCore["orphans"]["counts"] {
    return this.#parts.core.orphans.counts;
  }

  /** Topology objects that this host follows. */
  get objects(): number {
    return this.#parts.core.objects;
  }

  /** Every port bound here and what became of it. */
  ports(): ReturnType<ControlCore["portStates"]> {
    return this.#parts.core.portStates();
  }

  /** The version of the world that every worker's flows follow. */
  get reachedVersion(): number {
    return Math.min(...this.#reached);
  }

  /** GET /version */
  version(): AgentVersion {
    return { version: this.#parts.core.version, reached: this.reachedVersion };
  }

  /** Counters and gauges of the workers, added up, as of about a second ago. */
  workerCounters(): Readonly<Record<string, number>> {
    const sums: Record<string, number> = {};
    for (const counts of this.#counts) {
      for (const [name, value] of Object.entries(counts?.metrics ?? {})) sums[name] = (sums[name] ?? 0) + value;
    }
    return sums;
  }

  /** Whether what the host knows is the store's: when its snapshot was taken if not, and whether the store was emptied. */
  get sources(): { readonly snapshotAt: Instant | undefined; readonly isStoreEmptied: boolean } {
    const { snapshotAt, isStoreEmptied } = this.#parts;
    return { snapshotAt: snapshotAt?.(), isStoreEmptied: isStoreEmptied?.() === true };
  }

  /** GET /status */
  async status(): Promise<AgentStatus> {
    const { hostId, release, startedAt, workers, datapathName, core, isStoreConnected } = this.#parts;
    const snapshotAt = this.#parts.snapshotAt?.();
    const awaySince = this.#parts.storeAwaySince?.();
    const answers = await this.#parts.questions.ask({ kind: "ask-flows", limit: 0 });
    // Workers that do not answer have flows all the same: better no number than a wrong one.
    const flows = answers.ok
      ? { flows: answers.value.reduce((sum, a) => sum + (a.kind === "flows" ? a.total : 0), 0) }
      : {};
    return {
      hostId,
      release,
      startedAt: Math.floor(startedAt),
      workers,
      ...flows,
      isStoreConnected: isStoreConnected(),
      ...(awaySince === undefined ? {} : { storeAwaySince: Math.floor(awaySince) }),
      ...(snapshotAt === undefined ? {} : { snapshotAt: Math.floor(snapshotAt) }),
      datapath: datapathName,
      ports: [...core.portStates()],
      ...this.#others(),
      metrics: this.#metrics(),
    };
  }

  #others(): Pick<AgentStatus, "peers" | "unconfirmed"> {
    const { core, peerLives } = this.#parts;
    const unconfirmed = core.remote.unconfirmed().map((port) => ({ ...port, since: Math.floor(port.since) }));
    return { peers: [...(peerLives?.() ?? [])], unconfirmed };
  }

  /** GET /flows */
  async flows(limit: number): Promise<AgentFlows | undefined> {
    const answers = await this.#parts.questions.ask({ kind: "ask-flows", limit });
    if (!answers.ok) return undefined;
    const parts = answers.value.filter((answer) => answer.kind === "flows");
    const flows = parts
      .flatMap((part) => part.flows)
      .slice(0, limit)
      .map(({ vport, ...line }) => {
        const portId = this.#parts.core.portOfVport(vport);
        return { ...line, idleMs: Math.floor(line.idleMs), ...(portId === undefined ? {} : { portId }) };
      });
    return { flows, total: parts.reduce((sum, part) => sum + part.total, 0) };
  }

  /** GET /drops: what workers and datapath dropped, added up by port and reason. */
  drops(): AgentDrops {
    const sums = new Map<string, WorkerDrop>();
    const add = (drop: WorkerDrop): void => {
      const id = `${drop.vport}/${drop.reason}`;
      sums.set(id, { ...drop, packets: drop.packets + (sums.get(id)?.packets ?? 0) });
    };
    for (const counts of this.#counts) for (const drop of counts?.drops ?? []) add(drop);
    for (const drop of this.#parts.datapath.drops()) add(drop);
    return { drops: [...sums.values()].map((drop) => this.#dropLine(drop)) };
  }

  /** POST /trace */
  async trace(portId: Id, frame: Uint8Array): Promise<AgentTrace | undefined> {
    const answers = await this.#parts.questions.ask({ kind: "ask-trace", portId, frame });
    const first = answers.ok ? answers.value.find((answer) => answer.kind === "trace") : undefined;
    if (first === undefined) return undefined;
    const { walk, tags, ...report } = first.report;
    return { ...report, walk: [...walk], tags: [...tags] };
  }

  #dropLine(drop: WorkerDrop): DropLine {
    const reason = dropReasonOf(drop.reason) ?? `unknown-${drop.reason}`;
    const meaning = DROP_REASONS.find((entry) => entry.name === reason)?.meaning;
    const portId = this.#parts.core.portOfVport(drop.vport);
    return {
      reason,
      packets: drop.packets,
      ...(meaning === undefined ? {} : { meaning }),
      ...(portId === undefined ? {} : { portId }),
    };
  }

  #metrics(): { readonly name: string; readonly value: number }[] {
    const world = { weft_world_version: this.#parts.core.version, weft_world_version_reached: this.reachedVersion };
    return Object.entries({ ...world, ...this.workerCounters() }).map(([name, value]) => ({ name, value }));
  }
}
