import { err, ok, type Result } from "../../base/result.ts";
import { sleep } from "../../base/scheduler.ts";
import { childOf, nameOf } from "../data-tree-path.ts";
import { ownOpinionsMax, removedAgainMs, retryWaitMs } from "../limits.ts";
import type { MultiError, TreeError, TreeOperation } from "../tree.ts";
import type { StoreConnection } from "./connection.ts";
import { makeContainers } from "./open-layout.ts";
import type { Opinion, OpinionTable } from "./opinion-table.ts";
import { opinionPrefix } from "./opinion-table.ts";
import { newestOf, nextOwnStep, type OwnStep, type WantedOpinion } from "./own-opinion.ts";
import { mayPass, storeError, unavailable } from "./steadily.ts";
import type { StoreError } from "./store-error.ts";

/** What the own opinions of a map are told about and ask for. */
export interface OwnOpinionsOptions {
  readonly connection: StoreConnection;
  /** The map's node. */
  readonly path: string;
  readonly table: OpinionTable;
  readonly noBytes: Uint8Array;
  parse(name: string): Opinion | undefined;
  /** An opinion that was not in the table yet: it was told before the reply of a create, or never. */
  onMade(opinion: Opinion): void;
  /** An opinion has gone, told while its successor waited for a reply. */
  onGone(opinion: Opinion): void;
  onOverridden(key: string, value: string): void;
  /** The outcome of a write is unknown and nobody else will ask for a full read: read again. */
  reload(): void;
}

/** An event about one opinion. */
interface ToldOpinion {
  readonly kind: "created" | "deleted";
  readonly opinion: Opinion;
}

interface OwnKey {
  readonly key: string;
  wanted: WantedOpinion | undefined;
  readonly nodes: Map<string, Opinion>;
  /** Writes about this key are under way. */
  isBusy: boolean;
  /** Something changed since the last step was chosen. */
  isStale: boolean;
  /** A create under way. Events that announce a name with its value wait for the reply, which says whose it is. */
  creating: WantedOpinion | undefined;
  readonly unattributed: ToldOpinion[];
  /** The outcome of a write is unknown, or the session has ended: nothing is done before the next full read. */
  awaitsReload: boolean;
  /** A create without reply: nodes with this value, newer than this, may be ours. */
  lost: WantedOpinion | undefined;
  readonly waiting: ((result: Result<void, StoreError>) => void)[];
}

type Progress = "again" | "rest" | "wait" | StoreError;

/**
 * What this owner says in one map: for each key what is wanted, brought about step by step (see own-opinion.ts), over lost
 * connections and ended sessions. One write at a time for each key; keys do not wait for each other.
 */
export class OwnOpinions {
  readonly #options: OwnOpinionsOptions;
  readonly #keys = new Map<string, OwnKey>();
  readonly #names = new Set<string>();
  /** The map's node is being made: one attempt for all keys. */
  #making: Promise<Result<void, StoreError>> | undefined;
  #isClosed = false;

  constructor(options: OwnOpinionsOptions) {
    this.#options = options;
  }

  /** Opinions of this owner in the store. */
  get size(): number {
    return this.#names.size;
  }

  /** Whether an opinion is this owner's. */
  owns(name: string): boolean {
    return this.#names.has(name);
  }

  /** Wants the store to say `value` about a key. Resolves when it does, or when a newer wish or opinion took its place. */
  want(key: string, value: string): Promise<Result<void, StoreError>> {
    const own = this.#keys.get(key) ?? this.#add(key);
    if (own === undefined) {
      return Promise.resolve(
        err({ kind: "too-large", what: "operations", size: ownOpinionsMax + 1, limit: ownOpinionsMax }),
      );
    }
    own.wanted = { value, seen: this.#options.table.newest };
    return this.#settled(own);
  }

  /** Wants nothing to be said about a key, or only no longer `value`. */
  unwant(key: string, value: string | undefined): Promise<Result<void, StoreError>> {
    const own = this.#keys.get(key);
    if (own === undefined || (value !== undefined && own.wanted?.value !== value))
      return Promise.resolve(ok(undefined));
    own.wanted = undefined;
    return this.#settled(own);
  }

  /** Takes an opinion as this owner's: it was made by this session before a restart of the process. */
  adopt(opinion: Opinion): void {
    const own = this.#keys.get(opinion.key) ?? this.#add(opinion.key);
    if (own === undefined) return;
    this.#own(own, opinion);
    const newest = newestOf(own.nodes.values());
    if (newest === undefined || own.wanted !== undefined || own.isBusy) return;
    own.wanted = { value: newest.value, seen: newest.sequence };
  }

  /**
   * Whether an event about an opinion has to wait for the reply of a create: it may be what the create made, or what went in
   * its favour. Then it is kept here.
   */
  keeps(kind: ToldOpinion["kind"], opinion: Opinion): boolean {
    const own = this.#keys.get(opinion.key);
    if (own?.creating === undefined || opinion.origin !== "learned") return false;
    if (kind === "created" ? own.creating.value !== opinion.value : own.unattributed.length === 0) return false;
    own.unattributed.push({ kind, opinion });
    return true;
  }

  /** An opinion has gone. */
  forget(opinion: Opinion): void {
    this.#names.delete(opinion.name);
    const own = this.#keys.get(opinion.key);
    const wasOurs = own?.nodes.delete(opinion.name) === true;
    const isBare = wasOurs && own?.nodes.size === 0 && own.wanted !== undefined && !own.isBusy;
    if (own !== undefined) void (isBare ? this.#workLater(own) : this.#work(own));
  }

  /** Somebody removed what is ours, as when the store is emptied: do not stand in the way of who does. */
  async #workLater(own: OwnKey): Promise<void> {
    await sleep(this.#options.connection.scheduler, removedAgainMs);
    if (this.#keys.get(own.key) === own) await this.#work(own);
  }

  /** Somebody said something about a key. */
  reconsider(key: string): void {
    const own = this.#keys.get(key);
    if (own !== undefined) void this.#work(own);
  }

  /** The table is about to be replaced by a full read: what earlier events said is part of it. */
  tableReplaced(): void {
    for (const own of this.#keys.values()) own.unattributed.length = 0;
  }

  /** The table was read anew: everything may be different. */
  reconsiderAll(): void {
    for (const own of [...this.#keys.values()]) {
      own.awaitsReload = false;
      for (const name of [...own.nodes.keys()]) if (!this.#options.table.has(name)) this.#disown(own, name);
      void this.#work(own);
    }
  }

  /** The session has ended and its nodes with it. What is wanted stays wanted. */
  sessionEnded(): void {
    for (const own of this.#keys.values()) {
      for (const name of [...own.nodes.keys()]) this.#disown(own, name);
      own.lost = undefined;
      own.awaitsReload = true;
    }
  }

  /** The map's node was made anew, sequence numbers start again: whatever others say is newer. */
  sequenceRestarted(): void {
    const anew = (one: WantedOpinion | undefined): WantedOpinion | undefined => one && { ...one, seen: -1 };
    for (const own of this.#keys.values()) {
      own.wanted = anew(own.wanted);
      own.creating = anew(own.creating);
      own.lost = anew(own.lost);
    }
  }

  /** Takes everything back. */
  async unwantAll(): Promise<void> {
    await Promise.all([...this.#keys.keys()].map((key) => this.unwant(key, undefined)));
  }

  /** Ends all work; who waits is told so. */
  close(): void {
    this.#isClosed = true;
    for (const own of this.#keys.values()) this.#answer(own, err(unavailable("the map was closed")));
  }

  #add(key: string): OwnKey | undefined {
    if (this.#keys.size >= ownOpinionsMax) return undefined;
    const own: OwnKey = {
      ...{ key, wanted: undefined, nodes: new Map(), isBusy: false, isStale: false, awaitsReload: false },
      ...{ creating: undefined, unattributed: [], lost: undefined, waiting: [] },
    };
    this.#keys.set(key, own);
    return own;
  }

  #settled(own: OwnKey): Promise<Result<void, StoreError>> {
    if (this.#isClosed) return Promise.resolve(err(unavailable("the map was closed")));
    return new Promise((resolve) => {
      own.waiting.push(resolve);
      void this.#work(own);
    });
  }

  async #work(own: OwnKey): Promise<void> {
    own.isStale = true;
    if (own.isBusy || own.awaitsReload || this.#isClosed) return;
    own.isBusy = true;
    let progress: Progress = "again";
    while ((progress === "again" || own.isStale) && !own.awaitsReload && !this.#isClosed) {
      own.isStale = false;
      progress = await this.#step(own);
      if (progress !== "again" && progress !== "rest") break;
    }
    own.isBusy = false;
    if (progress === "rest") this.#rest(own);
    else if (progress === "wait") void this.#awaitReload(own);
    else if (progress !== "again") {
      own.wanted = undefined;
      this.#answer(own, err(progress));
    }
  }

  async #step(own: OwnKey): Promise<Progress> {
    if (own.lost !== undefined) return this.#findLost(own, own.lost);
    const step = nextOwnStep(own, newestOf(this.#foreign(own)));
    switch (step.do) {
      case "rest":
        return "rest";
      case "create":
        return this.#create(own, step);
      case "remove":
        return this.#remove(own, step);
      default: {
        const { wanted } = own;
        own.wanted = undefined;
        if (wanted !== undefined) this.#options.onOverridden(own.key, wanted.value);
        return "again";
      }
    }
  }

  #foreign(own: OwnKey): readonly Opinion[] {
    const all = [...this.#options.table.opinions(own.key)];
    return all.filter(({ name, origin }) => origin === "learned" && !own.nodes.has(name));
  }

  async #create(own: OwnKey, step: Extract<OwnStep, { readonly do: "create" }>): Promise<Progress> {
    const { connection, table, parse, onMade } = this.#options;
    const { tree } = connection;
    const { value } = step;
    own.creating = { value, seen: table.newest };
    const made = await this.#say(own.key, step);
    const asked = own.creating;
    own.creating = undefined;
    const isOurs = tree === connection.tree;
    const opinion = made.ok && isOurs ? parse(nameOf(made.value)) : undefined;
    if (opinion !== undefined) {
      for (const name of step.instead) this.#disown(own, name);
      this.#own(own, opinion);
      if (own.wanted?.value === value) own.wanted = { value, seen: Math.max(own.wanted.seen, opinion.sequence) };
    }
    this.#tellKept(own);
    if (opinion !== undefined && own.nodes.has(opinion.name)) onMade(opinion);
    if (made.ok) return "again";
    const { index, error } = made.error;
    if (error.kind === "connection-loss" && isOurs) own.lost = asked;
    const absent = index === undefined ? undefined : step.instead[index - 1];
    if (error.kind !== "no-node" || absent === undefined) return this.#afterError(error);
    // Somebody was faster: it need not go again.
    this.#disown(own, absent);
    return "again";
  }

  /** One write: the new opinion comes before the old ones go, for everybody who listens too. */
  async #say(
    key: string,
    { value, instead }: Extract<OwnStep, { readonly do: "create" }>,
  ): Promise<Result<string, MultiError>> {
    const { connection, path, noBytes } = this.#options;
    const prefix = childOf(path, opinionPrefix(key, value, "learned"));
    const options = { mode: "ephemeral-sequential" } as const;
    if (instead.length === 0) {
      const made = await connection.tree.create(prefix, noBytes, options);
      return made.ok ? made : err({ index: 0, error: made.error });
    }
    const made = await connection.tree.multi([
      { op: "create", path: prefix, data: noBytes, options },
      ...instead.map((name): TreeOperation => ({ op: "remove", path: childOf(path, name) })),
    ]);
    if (!made.ok) return made;
    const [created] = made.value;
    return ok(created?.op === "create" ? created.path : prefix);
  }

  #tellKept(own: OwnKey): void {
    const { onMade, onGone } = this.#options;
    for (const { kind, opinion } of own.unattributed.splice(0)) (kind === "created" ? onMade : onGone)(opinion);
  }

  async #remove(own: OwnKey, step: Extract<OwnStep, { readonly do: "remove" }>): Promise<Progress> {
    const { tree } = this.#options.connection;
    for (const name of step.names) {
      const removed = await tree.remove(childOf(this.#options.path, name));
      if (!removed.ok && removed.error.kind !== "no-node") return this.#afterError(removed.error);
      this.#disown(own, name);
    }
    return "again";
  }

  /** A create had no reply: nodes that it may have made are looked at, to see whose they are. */
  async #findLost(own: OwnKey, lost: WantedOpinion): Promise<Progress> {
    const { tree } = this.#options.connection;
    for (const opinion of this.#foreign(own)) {
      if (opinion.value !== lost.value || opinion.sequence <= lost.seen) continue;
      const stat = await tree.exists(childOf(this.#options.path, opinion.name));
      if (!stat.ok) return this.#afterError(stat.error);
      if (stat.value?.ephemeralOwner === tree.session.id) this.#own(own, opinion);
    }
    if (own.lost === lost) own.lost = undefined;
    return "again";
  }

  async #afterError(error: TreeError): Promise<Progress> {
    const { connection, path } = this.#options;
    switch (error.kind) {
      case "no-node": {
        this.#making ??= makeContainers(connection, path);
        const made = await this.#making;
        this.#making = undefined;
        if (made.ok) return "again";
        return mayPass(made.error) ? "wait" : made.error;
      }
      case "connection-loss":
      case "session-expired":
        return "wait";
      case "closed":
        return unavailable("the store connection was closed");
      default:
        return storeError(error);
    }
  }

  /** After a lost connection the full read that follows it brings everything on; if none comes, one is asked for. */
  async #awaitReload(own: OwnKey): Promise<void> {
    own.awaitsReload = true;
    await sleep(this.#options.connection.scheduler, retryWaitMs);
    await this.#options.connection.guard?.untilWhole();
    if (own.awaitsReload && !this.#isClosed && this.#options.connection.tree.session.state === "connected")
      this.#options.reload();
  }

  #rest(own: OwnKey): void {
    this.#answer(own, ok(undefined));
    if (own.wanted === undefined && own.nodes.size === 0 && !own.isBusy) this.#keys.delete(own.key);
  }

  #answer(own: OwnKey, result: Result<void, StoreError>): void {
    for (const resolve of own.waiting.splice(0)) resolve(result);
  }

  #own(own: OwnKey, opinion: Opinion): void {
    own.nodes.set(opinion.name, opinion);
    this.#names.add(opinion.name);
  }

  #disown(own: OwnKey, name: string): void {
    own.nodes.delete(name);
    this.#names.delete(name);
  }
}
