import { parsePortActive } from "../api-schema/agent-api.ts";
import type { Duration } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type Scheduler, sleep } from "../base/scheduler.ts";
import type { Id } from "../model/objects.ts";
import { clusterSecret } from "../store/recipes/cluster-secret.ts";
import type { StoreConnection } from "../store/recipes/connection.ts";
import { Layout } from "../store/recipes/layout.ts";
import type { MapMetrics } from "../store/recipes/map-metrics.ts";
import type { StoreError } from "../store/recipes/store-error.ts";
import { TreeStateKeys } from "../store/recipes/tree-state-keys.ts";
import { TreeTopologyStore } from "../store/recipes/tree-topology-store.ts";
import type { ResumableTree, SessionTicket } from "../store/tree.ts";
import type { ControlShell } from "./control-shell.ts";
import type { ControlCore } from "./core/control.ts";
import type { TunnelKeysLeft } from "./core/tunnel-keys.ts";
import { decodeSnapshot, type WorldSnapshot } from "./core/world-snapshot.ts";
import { EarlierClaims } from "./earlier-claims.ts";
import { GuardedWorld } from "./guarded-world.ts";
import type { HostMemory } from "./host-memory.ts";
import { joinCloud } from "./join.ts";
import { LayoutGuard } from "./layout-guard.ts";
import { CLAIM_SLACK_MS, JOIN_SLACK_MS, STORE_PATIENCE_MS, SWEEP_AFTER_MS } from "./limits.ts";
import { openMap } from "./maps.ts";
import type { Refusal } from "./refusal.ts";
import { RememberedWorld } from "./remembered-world.ts";
import { SnapshotKeeper } from "./snapshot-keeper.ts";
import { StoreSession } from "./store-session.ts";
import { withUnconfirmed } from "./unconfirmed-world.ts";
import { LiveWorld, withdrawnText } from "./world.ts";

/** What the store's side of an agent is made of. */
export interface StoreSideParts {
  readonly hostId: Id;
  readonly hostName: string;
  readonly scheduler: Scheduler;
  readonly log: Log;
  readonly memory: HostMemory;
  readonly sessionTimeoutMs: Duration;
  readonly mapMetrics?: MapMetrics;
  /** Opens a session, or takes one up that an earlier agent of this host left open. */
  connect(ticket: SessionTicket | undefined): ResumableTree;
  /** Told with a sentence when the agent cannot go on. */
  onFailure(sentence: string): void;
}

/**
 * Everything by which an agent deals with the store: the session that outlives the process, what is followed, what is said, and
 * what an earlier process of this host had said. The same object in the agent and in weftsim.
 */
export class StoreSide {
  readonly session: StoreSession;
  readonly connection: StoreConnection;
  readonly topology: TreeTopologyStore;
  readonly stateKeys: TreeStateKeys;
  readonly world: RememberedWorld;
  readonly #parts: StoreSideParts;
  readonly #layout = new Layout();
  readonly #claims: EarlierClaims;
  readonly #guard: LayoutGuard;
  #keeper: SnapshotKeeper | undefined;
  /** Connected, and no outcome of joining within all patience: the snapshot serves until there is one. */
  #isStuck = false;

  constructor(parts: StoreSideParts) {
    this.#parts = parts;
    const { scheduler, memory, log } = parts;
    const { ticket } = memory;
    this.session = new StoreSession({ scheduler, ticket, connect: (one) => parts.connect(one) });
    const { connection } = this.session;
    const layout = this.#layout;
    this.connection = connection;
    connection.onState((state) => {
      if (state === "connected") memory.keepSession(this.session.ticket());
    });
    this.topology = new TreeTopologyStore(connection, layout, memory.kept.layoutMadeBy !== undefined);
    this.stateKeys = new TreeStateKeys(connection, layout);
    this.#claims = new EarlierClaims(this.session, layout, log);
    const owned = (): Promise<ReadonlySet<string>> => this.#claims.owned();
    const opener = {
      connection,
      layout,
      log,
      ...(ticket && { owned }),
      ...(parts.mapMetrics && { metrics: parts.mapMetrics }),
    };
    const live = new LiveWorld({
      ...{ topology: this.topology, stateKeys: this.stateKeys, log },
      openMap: (map, device) => openMap(opener, map, device),
    });
    this.#guard = new LayoutGuard({ ...parts, connection, layout });
    const guarded = new GuardedWorld(live, this.#guard, scheduler);
    this.world = new RememberedWorld({
      live: guarded,
      isAway: () => this.#isUseless,
      onNews: () => this.#keeper?.touch(),
    });
  }

  /** Tunnel keys that an earlier agent of this host used, and those that must not be used yet. */
  get tunnelKeys(): TunnelKeysLeft {
    const { memory, scheduler } = this.#parts;
    const resting = [...memory.kept.resting].map(([key, until]) => ({ key, until }));
    return { inUse: [...memory.kept.keys.values()], resting, now: scheduler.clock.wall() };
  }

  /**
   * Makes the host known and claims its id. When the store is away and there is a snapshot, the value comes soon all the same: what
   * is watched is answered from the snapshot, and the id is claimed when the store is back.
   */
  async join(alive: string): Promise<Result<void, Refusal>> {
    const { scheduler, log, onFailure } = this.#parts;
    const snapshot = await this.#readSnapshot();
    const joining = this.#join(alive, snapshot !== undefined);
    if (snapshot === undefined) return joining;
    this.world.recall(snapshot, scheduler.clock.wall());
    const patience = sleep(scheduler, STORE_PATIENCE_MS).then(() => undefined);
    const soon = (await Promise.race([joining, patience])) ?? (await this.#unlessAway(joining));
    this.#isStuck = soon === undefined && !this.#isUseless;
    if (soon !== undefined) return soon;
    log.warn("store.away", { snapshotAt: Math.floor(snapshot.at) });
    void joining.then((joined) => {
      this.#isStuck = false;
      if (this.connection.isClosed) return;
      if (joined.ok) log.info("store.back");
      else onFailure(joined.error.why);
    });
    return ok(undefined);
  }

  /** True while there is no connection to the store. */
  get isAway(): boolean {
    return this.connection.tree.session.state !== "connected";
  }

  /** True while the store lacks everything that it had. */
  get isEmptied(): boolean {
    return this.#guard.isWiped;
  }

  /** The store does not answer, has nothing of what it should have, or lets this host wait without end. */
  get #isUseless(): boolean {
    return this.isAway || this.#guard.isWiped || this.#isStuck;
  }

  /** The outcome of joining; undefined when the store goes away, or is found emptied, or when it takes too long. */
  async #unlessAway(joining: Promise<Result<void, Refusal>>): Promise<Result<void, Refusal> | undefined> {
    if (this.#isUseless) return undefined;
    const { scheduler, sessionTimeoutMs } = this.#parts;
    const stops: (() => void)[] = [];
    const away = new Promise<undefined>((resolve) => {
      const look = (): void => {
        if (this.#isUseless) resolve(undefined);
      };
      stops.push(this.connection.onState(look), this.#guard.onChange(look));
    });
    // Longer than an earlier holder of the host id may take: that wait has an end, and a sentence.
    const tooLong = new Promise<undefined>((resolve) => {
      const timer = scheduler.after(sessionTimeoutMs + CLAIM_SLACK_MS + JOIN_SLACK_MS, () => resolve(undefined));
      stops.push(() => timer.cancel());
    });
    const outcome = await Promise.race([joining, away, tooLong]);
    for (const stop of stops) stop();
    return outcome;
  }

  async #join(alive: string, persists: boolean): Promise<Result<void, Refusal>> {
    const { hostId, hostName, log, scheduler, sessionTimeoutMs, onFailure } = this.#parts;
    const joined = await joinCloud({
      ...{ topology: this.topology, stateKeys: this.stateKeys, hostId, hostName, alive, log, scheduler, persists },
      isOver: () => this.connection.isClosed,
      isWiped: () => this.#guard.check(),
      patienceMs: sessionTimeoutMs + CLAIM_SLACK_MS,
      onLost: () => onFailure(`another agent has taken host id ${hostId} while we were away from the store`),
    });
    if (joined.ok) await this.#keepMark();
    return joined;
  }

  /** Calls back when a store that was emptied is whole again. */
  onRestored(listener: () => void): void {
    this.#guard.onChange((isWiped) => {
      if (!isWiped) listener();
    });
  }

  /** The secret that all hosts of the cloud share; `fresh` becomes it if there is none. Waits while the store is emptied. */
  async secret(fresh: string): Promise<Result<string, StoreError>> {
    await this.#guard.untilWhole();
    return clusterSecret(this.connection, this.#layout, fresh);
  }

  /** Remembers which layout this is: a store without it has been emptied. */
  async #keepMark(): Promise<void> {
    const { memory } = this.#parts;
    const found = await this.connection.tree.exists(this.#layout.version);
    if (!found.ok || found.value === undefined) return;
    const madeBy = found.value.czxid.toString(16);
    if (memory.kept.layoutMadeBy !== madeBy) memory.keep({ record: "layout", madeBy });
  }

  async #readSnapshot(): Promise<WorldSnapshot | undefined> {
    const { memory, hostId, log } = this.#parts;
    const read = await memory.snapshots.read();
    const snapshot = read.ok ? decodeSnapshot(read.value.records, hostId) : err(read.error.code);
    if (snapshot.ok) return snapshot.value;
    log.error("snapshot.refused", { why: snapshot.error });
    return undefined;
  }

  /** What is known is kept from now on, and what an earlier process said and this one does not is taken back some time. */
  serve(core: ControlCore, shell: ControlShell): void {
    const { hostId, memory, scheduler, log } = this.#parts;
    this.#keeper = new SnapshotKeeper({
      ...{ hostId, scheduler, log, journal: memory.snapshots, counters: memory.counters },
      take: () => {
        const known = core.isComplete ? this.world.known(scheduler.clock.wall()) : undefined;
        return known === undefined ? undefined : withUnconfirmed(known, core);
      },
    });
    this.#keeper.touch();
    this.#sweepLater(core, shell);
  }

  #sweepLater(core: ControlCore, shell: ControlShell): void {
    this.#parts.scheduler.after(SWEEP_AFTER_MS, () => {
      if (this.connection.isClosed) return;
      if (core.isComplete) void this.#sweep(core, shell);
      for (const map of shell.openMaps().values()) if (core.isComplete) map.sweep();
      this.#sweepLater(core, shell);
    });
  }

  /** Withdraws what an earlier process of this session published of ports that do not forward now. */
  withdrawEarlier(portIds: readonly Id[]): void {
    if (portIds.length > 0) void this.#claims.withdraw(portIds, this.stateKeys);
  }

  /** Stops without ending the session. What was learned and said stays for the next process. */
  async detach(): Promise<void> {
    const { memory } = this.#parts;
    await this.#keeper?.write();
    this.#keeper?.close();
    this.#guard.close();
    memory.keepSession(this.session.ticket());
    await memory.settled();
    await this.session.detach();
    await memory.close();
  }

  /** Ends after a failed start: a session that was taken up is left for the next attempt. */
  leave(): Promise<void> {
    return this.session.isResumed ? this.detach() : this.close();
  }

  /** Ends the session. */
  async close(): Promise<void> {
    const { memory } = this.#parts;
    this.#keeper?.close();
    this.#guard.close();
    // A session that nobody could be told to end lives on: the next process takes it up instead of waiting for its end.
    const ticket = this.isAway ? this.session.ticket() : undefined;
    await this.connection.close();
    memory.keepSession(ticket);
    await memory.close();
  }

  #sweep(core: ControlCore, shell: ControlShell): Promise<number> {
    const followed = new Set([...shell.openMaps().keys()]);
    const bound = new Set(core.portStates().map(({ portId }) => portId));
    return this.#claims.sweep({
      isWanted: (key) => this.stateKeys.isWanted(key),
      isFollowed: (path) => followed.has(this.#mapOf(path)),
      withdrawn: (portId, text) => {
        const active = parsePortActive(text);
        return active.ok && bound.has(portId) ? withdrawnText(text) : undefined;
      },
    });
  }

  /** `map/device` of the map at a path. */
  #mapOf(path: string): string {
    const [, device = "", map = ""] = path.slice(this.#layout.maps.length + 1).split("/");
    return `${map}/${device}`;
  }
}
