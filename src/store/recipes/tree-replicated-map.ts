import { assert } from "../../base/assert.ts";
import { Counters } from "../../base/metrics.ts";
import { err, ok, type Result, unwrap } from "../../base/result.ts";
import { childOf, nameOf, parentOf } from "../data-tree-path.ts";
import { bufferedEventsMax, transactionAttemptsMax } from "../limits.ts";
import type { TreeEvent } from "../tree.ts";
import type { StoreConnection } from "./connection.ts";
import type { MapKind } from "./map-kind.ts";
import { makeContainers } from "./open-layout.ts";
import { type Opinion, OpinionTable, opinionPrefix, parseOpinion, type WinnerChange } from "./opinion-table.ts";
import { newestOf } from "./own-opinion.ts";
import { OwnOpinions } from "./own-opinions.ts";
import type { MapEntry, MapListener, OwnedOpinion, ReplicatedMap } from "./replicated-map.ts";
import { each, steadily, storeError } from "./steadily.ts";
import { SteadyWatch } from "./steady-watch.ts";
import type { StoreError } from "./store-error.ts";

/** What replicated maps count, all maps of a process together. */
export const replicatedMapMetrics = {
  map_updates: "events of single opinions that maps applied",
  map_loads: "full reads of a map's opinions: at the start and after each lost connection",
  map_buffer_overflows: "full reads repeated because too many events arrived meanwhile",
  map_overridden: "own learned opinions that gave way to a newer one of another owner",
  map_damaged: "names under a map's node that are no opinion of its kind",
} as const;

/** Where a map lies and how it behaves. */
export interface ReplicatedMapOptions<K, V> {
  readonly connection: StoreConnection;
  readonly kind: MapKind<K, V>;
  /** The map's node, see `Layout.map`. */
  readonly path: string;
  /** The session was resumed after a restart of the process: opinions that it made before are taken as own again. */
  readonly isResumed?: boolean;
  /** With `isResumed`: paths of everything that the session owned when it was taken up. Saves one question an opinion. */
  owned?(): Promise<ReadonlySet<string>>;
  readonly counters?: Counters<typeof replicatedMapMetrics>;
}

const noBytes = new Uint8Array(0);

/** A replicated map over a tree, of any driver. */
export class TreeReplicatedMap<K, V> implements ReplicatedMap<K, V> {
  readonly ready: Promise<void>;
  readonly #options: ReplicatedMapOptions<K, V>;
  readonly #table: OpinionTable;
  readonly #own: OwnOpinions;
  readonly #watch: SteadyWatch;
  readonly #counters: Counters<typeof replicatedMapMetrics>;
  readonly #listeners = new Set<MapListener<K, V>>();
  readonly #stopListening: () => void;
  /** Events that arrived while everything is being read; they are newer than what the read finds, or part of it. */
  #buffer: TreeEvent[] | undefined;
  #isLoaded = false;
  #isReloadWanted = false;
  #isClosed = false;
  /** Transaction that made the map's node, where known: with another one, sequence numbers have started again. */
  #madeBy: bigint | undefined;
  #becomeReady: () => void = () => undefined;

  constructor(options: ReplicatedMapOptions<K, V>) {
    this.#options = options;
    this.#table = new OpinionTable(options.kind.precedence);
    this.#counters = options.counters ?? new Counters(replicatedMapMetrics);
    this.ready = new Promise((resolve) => {
      this.#becomeReady = resolve;
    });
    const { connection, path } = options;
    this.#own = new OwnOpinions({
      ...{ connection, path, noBytes, table: this.#table },
      parse: (name) => this.#parse(name),
      onMade: (opinion) => this.#add(opinion),
      onGone: (opinion) => this.#gone(opinion),
      onOverridden: (key, value) => this.#overridden(key, value),
      // Without a watch in place a read would miss what comes after it; the watch asks for one anyway.
      reload: () => {
        if (this.#watch.isHeld) void this.#load();
      },
    });
    this.#stopListening = connection.onRenewed(() => this.#own.sessionEnded());
    this.#watch = new SteadyWatch(connection, path, {
      recursive: true,
      onEvent: (event) => this.#hear(event),
      onResync: () => void this.#load(),
    });
  }

  get size(): number {
    return this.#isLoaded ? this.#table.size : 0;
  }

  /** Opinions of this process in the store. */
  get ownOpinions(): number {
    return this.#own.size;
  }

  get(key: K): V | undefined {
    return this.entry(key)?.value;
  }

  entry(key: K): MapEntry<V> | undefined {
    return this.#isLoaded ? this.#entryOf(this.#table.winner(this.#options.kind.key.format(key))) : undefined;
  }

  *entries(): Generator<readonly [K, MapEntry<V>]> {
    if (!this.#isLoaded) return;
    for (const [key, opinion] of this.#table.winners()) yield [this.#key(key), this.#entry(opinion)];
  }

  subscribe(listener: MapListener<K, V>): () => void {
    this.#listeners.add(listener);
    if (this.#isLoaded) listener.onLoaded([...this.entries()]);
    return () => this.#listeners.delete(listener);
  }

  put(key: K, value: V): Promise<Result<void, StoreError>> {
    const { kind } = this.#options;
    const [name, text] = [kind.key.format(key), kind.value.format(value)];
    // An opinion that nobody can read back would be written for ever: it never becomes visible.
    assert(kind.key.parse(name).ok && kind.value.parse(text).ok, "an opinion of another kind", {
      key: name,
      value: text,
    });
    return this.#own.want(name, text);
  }

  remove(key: K, value?: V): Promise<Result<void, StoreError>> {
    const { kind } = this.#options;
    return this.#own.unwant(kind.key.format(key), value === undefined ? undefined : kind.value.format(value));
  }

  async configure(key: K, value: V): Promise<Result<void, StoreError>> {
    const { kind, connection, path } = this.#options;
    const text = kind.value.format(value);
    const prefix = childOf(path, opinionPrefix(kind.key.format(key), text, "configured"));
    for (let attempt = 0; attempt < transactionAttemptsMax; attempt++) {
      const present = await this.#configured(key);
      if (!present.ok) return present;
      const newest = newestOf(present.value);
      if (newest?.value === text) return this.#removeAll(present.value.filter((opinion) => opinion !== newest));
      const made = await connection.tree.create(prefix, noBytes, { mode: "persistent-sequential" });
      if (made.ok) return this.#removeAll(present.value);
      if (made.error.kind === "no-node") {
        const folders = await makeContainers(connection, path);
        if (!folders.ok) return folders;
      } else if (made.error.kind === "closed") return err({ kind: "store-unavailable", why: "closed" });
      // Whether a lost create happened is seen by the next read.
      else if (made.error.kind !== "connection-loss" && made.error.kind !== "session-expired") {
        return err(storeError(made.error));
      }
    }
    return err({ kind: "busy", attempts: transactionAttemptsMax });
  }

  async unconfigure(key: K, value?: V): Promise<Result<void, StoreError>> {
    const text = value === undefined ? undefined : this.#options.kind.value.format(value);
    const present = await this.#configured(key);
    if (!present.ok) return present;
    return this.#removeAll(present.value.filter((opinion) => text === undefined || opinion.value === text));
  }

  async opinions(key: K): Promise<Result<readonly OwnedOpinion<V>[], StoreError>> {
    const { kind, connection, path } = this.#options;
    const text = kind.key.format(key);
    const winner = this.#table.winner(text);
    const owned: OwnedOpinion<V>[] = [];
    for (const opinion of this.#table.opinions(text)) {
      const stat = await steadily(connection, (tree) => tree.exists(childOf(path, opinion.name)));
      if (!stat.ok) return err(storeError(stat.error));
      if (stat.value === undefined) continue;
      owned.push({ ...this.#entry(opinion), owner: stat.value.ephemeralOwner, isWinner: opinion === winner });
    }
    return ok(owned);
  }

  async close(options: { readonly forget?: boolean } = {}): Promise<void> {
    if (options.forget === true) await this.#own.unwantAll();
    this.#isClosed = true;
    this.#stopListening();
    this.#watch.close();
    this.#own.close();
    this.#listeners.clear();
    this.#becomeReady();
  }

  #hear(event: TreeEvent): void {
    const { path } = this.#options;
    if (event.path !== path && parentOf(event.path) !== path) return;
    if (this.#buffer === undefined) this.#apply(event);
    else if (this.#buffer.length < bufferedEventsMax) this.#buffer.push(event);
    else {
      this.#isReloadWanted = true;
      this.#counters.add("map_buffer_overflows");
    }
  }

  #apply(event: TreeEvent): void {
    if (event.path === this.#options.path) {
      if (event.kind === "deleted") this.#sequenceRestarted();
      return;
    }
    const opinion = this.#parse(nameOf(event.path));
    if (opinion === undefined) return;
    this.#counters.add("map_updates");
    if (event.kind === "created") {
      if (!this.#own.keeps("created", opinion)) this.#add(opinion);
    } else if (event.kind === "deleted" && !this.#own.keeps("deleted", opinion)) this.#gone(opinion);
  }

  #add(opinion: Opinion): void {
    this.#tell(this.#table.add(opinion));
    this.#own.reconsider(opinion.key);
  }

  #gone(opinion: Opinion): void {
    this.#tell(this.#table.remove(opinion.name));
    this.#own.forget(opinion);
  }

  /** Reads everything. Events meanwhile are kept and applied after it: the last word about a name is always an event's. */
  async #load(): Promise<void> {
    if (this.#buffer !== undefined) {
      this.#isReloadWanted = true;
      return;
    }
    do {
      this.#isReloadWanted = false;
      this.#buffer = [];
      const { connection, path } = this.#options;
      // Writes whose reply was lost are part of what is found after a sync.
      const read = await steadily(connection, async (tree) => {
        const [synced, children] = await Promise.all([tree.sync(path), tree.children(path)]);
        return synced.ok ? children : synced;
      });
      if (this.#isClosed) return;
      if (read.ok) await this.#accept(read.value.names, read.value.stat.czxid);
      else if (read.error.kind === "no-node") await this.#accept([], undefined);
      // Unavailable for long: the reconnect that ends it asks for the next read.
      else this.#replay();
    } while (this.#isReloadWanted && !this.#isClosed);
  }

  async #accept(names: readonly string[], madeBy: bigint | undefined): Promise<void> {
    this.#counters.add("map_loads");
    const isFirst = !this.#isLoaded;
    const opinions = names.map((name) => this.#parse(name)).filter((opinion) => opinion !== undefined);
    if (isFirst && this.#options.isResumed === true) await this.#adoptOwn(opinions);
    if (this.#isReloadWanted || this.#isClosed) {
      this.#buffer = undefined;
      return;
    }
    this.#own.tableReplaced();
    const changes = this.#table.load(opinions);
    // Who found no node at first does not know which one its own opinions were under: to be sure, others count as newer.
    if (!isFirst && madeBy !== undefined && this.#madeBy !== madeBy) this.#sequenceRestarted();
    this.#madeBy = madeBy ?? this.#madeBy;
    this.#isLoaded = true;
    if (isFirst) for (const listener of [...this.#listeners]) listener.onLoaded([...this.entries()]);
    else for (const change of changes) this.#tell(change);
    this.#replay();
    this.#own.reconsiderAll();
    this.#becomeReady();
  }

  /** An empty container goes, and with it the count of its children. */
  #sequenceRestarted(): void {
    this.#madeBy = undefined;
    this.#table.forgetSequence();
    this.#own.sequenceRestarted();
  }

  #replay(): void {
    const events = this.#buffer ?? [];
    this.#buffer = undefined;
    for (const event of events) this.#apply(event);
  }

  async #adoptOwn(opinions: readonly Opinion[]): Promise<void> {
    const { connection, path } = this.#options;
    const owned = await this.#options.owned?.();
    const isOurs = ({ name }: Opinion): boolean => owned?.has(childOf(path, name)) ?? true;
    const learned = opinions.filter((opinion) => opinion.origin === "learned" && isOurs(opinion));
    const stats = await each(learned, ({ name }) => steadily(connection, (tree) => tree.exists(childOf(path, name))));
    for (const [i, stat] of stats.entries()) {
      const isOwn = stat.ok && stat.value?.ephemeralOwner === connection.tree.session.id;
      if (isOwn) this.#own.adopt(learned[i] as Opinion);
    }
  }

  #tell(change: WinnerChange | undefined): void {
    if (change === undefined || !this.#isLoaded) return;
    const key = this.#key(change.key);
    const [after, before] = [this.#entryOf(change.after), this.#entryOf(change.before)];
    for (const listener of [...this.#listeners]) listener.onChange(key, after, before);
  }

  #overridden(key: string, value: string): void {
    this.#counters.add("map_overridden");
    const own = unwrap(this.#options.kind.value.parse(value));
    for (const listener of [...this.#listeners]) listener.onOverridden?.(this.#key(key), own);
  }

  #parse(name: string): Opinion | undefined {
    const opinion = parseOpinion(this.#options.kind, name);
    if (opinion.ok) return opinion.value;
    this.#counters.add("map_damaged");
    for (const listener of [...this.#listeners]) listener.onDamaged?.(name, `expected ${opinion.error}`);
    return undefined;
  }

  #key(text: string): K {
    return unwrap(this.#options.kind.key.parse(text));
  }

  #entryOf(opinion: Opinion | undefined): MapEntry<V> | undefined {
    return opinion === undefined ? undefined : this.#entry(opinion);
  }

  #entry(opinion: Opinion): MapEntry<V> {
    const { origin, sequence, name } = opinion;
    return {
      value: unwrap(this.#options.kind.value.parse(opinion.value)),
      origin,
      sequence,
      isOwn: this.#own.owns(name),
    };
  }

  /** Configured opinions about a key as the store has them now: in our copy, once it has all that was written before this call. */
  async #configured(key: K): Promise<Result<readonly Opinion[], StoreError>> {
    const { connection, path, kind } = this.#options;
    const text = kind.key.format(key);
    const synced = await steadily(connection, (tree) => tree.sync(path));
    if (!synced.ok) return err(storeError(synced.error));
    const isAbout = (opinion: Opinion): boolean => opinion.origin === "configured" && opinion.key === text;
    if (this.#isCurrent) return ok([...this.#table.opinions(text)].filter(isAbout));
    // A reconnect in between: our copy is being read again.
    const read = await steadily(connection, (tree) => tree.children(path));
    if (!read.ok) return read.error.kind === "no-node" ? ok([]) : err(storeError(read.error));
    const opinions = read.value.names.map((name) => this.#parse(name)).filter((opinion) => opinion !== undefined);
    return ok(opinions.filter(isAbout));
  }

  /** Every event that the session was told is in the table, and none was missed. */
  get #isCurrent(): boolean {
    return this.#isLoaded && this.#watch.isHeld && this.#buffer === undefined && !this.#isClosed;
  }

  async #removeAll(opinions: readonly Opinion[]): Promise<Result<void, StoreError>> {
    for (const { name } of opinions) {
      const path = childOf(this.#options.path, name);
      const removed = await steadily(this.#options.connection, (tree) => tree.remove(path));
      if (!removed.ok && removed.error.kind !== "no-node") return err(storeError(removed.error));
    }
    return ok(undefined);
  }
}
