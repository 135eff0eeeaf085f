import { childOf } from "../data-tree-path.ts";
import type { Tree, TreeEvent } from "../tree.ts";
import type { StoreConnection } from "./connection.ts";
import { DirtyWatch } from "./dirty-watch.ts";
import { fenceOf, termPathOf } from "./fences.ts";
import { QueuePlace, sequenceOf } from "./queue-place.ts";
import { steadily } from "./steadily.ts";
import { Tenure } from "./tenure.ts";

/** Who stands for election. Callbacks are synchronous and must not throw. */
export interface Candidate {
  /** Says who it is to all who follow the election: a host id, an address. */
  readonly label: string;
  /** Leads from now on. `fence` grows from leader to leader: who acts as one shows it. */
  onElected(fence: bigint): void;
  /**
   * Leads no more: its session was not proven in time, or its node is gone. It stays a candidate. With a session that turns out
   * to live it may be elected again under the same number: nobody led between.
   */
  onDeposed(): void;
}

/** A candidate's part in an election. */
export interface Candidacy {
  /** Whether it certainly leads now. Ask before each act; what takes longer is covered by the fencing number alone. */
  isLeader(): boolean;
  /** Leads no more and stands no more, from the call on (without `onDeposed`); resolves when the next may lead. Idempotent. */
  resign(): Promise<void>;
}

/** The leader as the store has it: the first in line. Whether it acts is known to itself only. */
export interface Leader {
  readonly label: string;
  readonly fence: bigint;
  /** Session that leads. */
  readonly owner: bigint;
}

/** Follows who leads. Synchronous, must not throw. */
export type LeaderWatcher = (leader: Leader | undefined) => void;

/** One leader at a time for a service, the candidate that came first. `path` is `Layout.election`. */
export class TreeElection {
  readonly #connection: StoreConnection;
  readonly #path: string;

  constructor(connection: StoreConnection, path: string) {
    this.#connection = connection;
    this.#path = path;
  }

  /** Stands for election, across sessions, until it resigns. */
  stand(candidate: Candidate): Candidacy {
    return new TreeCandidacy(this.#connection, this.#path, candidate);
  }

  /** Tells who leads, first now and then at each change; changes that follow closely may be told as one. */
  watch(watcher: LeaderWatcher): LeaderWatch {
    return new LeaderWatch(this.#connection, this.#path, watcher);
  }
}

class TreeCandidacy implements Candidacy {
  readonly #candidate: Candidate;
  readonly #tenure: Tenure;
  readonly #place: QueuePlace;
  readonly #stop: () => void;
  #turn: { readonly tree: Tree; readonly fence: bigint } | undefined;
  #isElected = false;
  #isOver = false;

  constructor(connection: StoreConnection, folder: string, candidate: Candidate) {
    this.#candidate = candidate;
    this.#tenure = Tenure.of(connection);
    const stops = [this.#tenure.need(), this.#tenure.onChange(() => this.#look())];
    this.#stop = () => {
      for (const stop of stops) stop();
    };
    this.#place = new QueuePlace(connection, {
      ...{ folder, label: candidate.label },
      onFirst: (tree, fence) => {
        this.#turn = { tree, fence };
        this.#look();
      },
      onGone: () => {
        this.#turn = undefined;
        this.#look();
      },
    });
  }

  isLeader(): boolean {
    return !this.#isOver && this.#isElected && this.#isProven();
  }

  async resign(): Promise<void> {
    this.#isOver = true;
    this.#stop();
    this.#place.leave();
    await this.#place.over;
  }

  #isProven(): boolean {
    return this.#turn !== undefined && this.#tenure.isProven(this.#turn.tree);
  }

  #look(): void {
    const isElected = this.#isProven();
    if (this.#isOver || isElected === this.#isElected) return;
    this.#isElected = isElected;
    if (isElected) this.#candidate.onElected(this.#turn?.fence ?? 0n);
    else this.#candidate.onDeposed();
  }
}

/** Follows the first of a queue. */
export class LeaderWatch extends DirtyWatch {
  readonly #folder: string;
  readonly #watcher: LeaderWatcher;
  #isDirty = true;
  #told: Leader | undefined | "nothing" = "nothing";

  constructor(connection: StoreConnection, folder: string, watcher: LeaderWatcher) {
    super(connection);
    this.#folder = folder;
    this.#watcher = watcher;
    this.start(folder, true);
  }

  protected noteEvent(_: TreeEvent): void {
    this.#isDirty = true;
  }

  protected noteResync(): void {
    this.#isDirty = true;
  }

  protected hasWork(): boolean {
    return this.#isDirty;
  }

  protected async work(): Promise<boolean> {
    this.#isDirty = false;
    const list = await steadily(this.connection, (tree) => tree.children(this.#folder));
    if (!list.ok && list.error.kind !== "no-node") return this.#again();
    const names = list.ok ? [...list.value.names].sort((a, b) => sequenceOf(a) - sequenceOf(b)) : [];
    const [first] = names;
    if (first === undefined) return this.#tell(undefined);
    const read = await steadily(this.connection, (tree) => tree.get(childOf(this.#folder, first)));
    if (!read.ok) return this.#again();
    const { data, stat } = read.value;
    const of = { termPath: termPathOf(this.#folder, 2), czxid: stat.czxid };
    const fence = await steadily(this.connection, (tree) => fenceOf(this.connection, tree, of));
    if (!fence.ok) return this.#again();
    return this.#tell({ label: new TextDecoder().decode(data), fence: fence.value, owner: stat.ephemeralOwner });
  }

  #again(): boolean {
    this.#isDirty = true;
    return false;
  }

  #tell(leader: Leader | undefined): boolean {
    if (this.isClosed) return true;
    const told = this.#told;
    if (told === "nothing" || told?.fence !== leader?.fence) {
      this.#told = leader;
      this.#watcher(leader);
    }
    return true;
  }
}
