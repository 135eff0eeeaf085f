import { AgentState } from "../agent/agent-state.ts";
import { ControlShell } from "../agent/control-shell.ts";
import { earlierVports } from "../agent/core/bindings.ts";
import { ControlCore } from "../agent/core/control.ts";
import type { ControlEvent } from "../agent/core/control-events.ts";
import type { FromWorker, MapName, Opinion, ToWorker } from "../agent/core/messages.ts";
import { deviceOf, type EntryChange, isEntry, isGone, nameOf } from "../agent/core/orphans.ts";
import { earlierPeers } from "../agent/core/peers.ts";
import { HostMemory } from "../agent/host-memory.ts";
import { KeepAlives } from "../agent/keep-alives.ts";
import { Questions } from "../agent/questions.ts";
import { StoreSide } from "../agent/store-side.ts";
import type { MapToOpen, OpenMap, World } from "../agent/world.ts";
import { formatHostAlive } from "../api-schema/agent-api.ts";
import type { Log } from "../base/log.ts";
import type { Prng } from "../base/prng.ts";
import { unwrap } from "../base/result.ts";
import type { Scheduler } from "../base/scheduler.ts";
import type { MemoryDatapath } from "../datapath/memory/memory-datapath.ts";
import type { Id } from "../model/objects.ts";
import type { WorldChange } from "../sim/world-change.ts";
import type { NeighborSettings } from "../state/neighbor-settings.ts";
import type { MemoryLocalJournal } from "../store/memory/memory-local-journal.ts";
import type { StoreConnection } from "../store/recipes/connection.ts";
import type { EventLog } from "./event-log.ts";
import type { HostClock } from "./host-clock.ts";
import { Lifetime } from "./lifetime.ts";
import { SAID_MS, SESSION_TIMEOUT_MS } from "./limits.ts";
import { seenDatapath } from "./seen-datapath.ts";
import type { SimStore } from "./store.ts";
import type { Witness } from "./witness.ts";
import { SimWorker } from "./worker.ts";

/** What a simulated agent is made of. */
export interface SimAgentParts {
  readonly hostId: Id;
  readonly hostName: string;
  readonly workers: number;
  readonly neighbor: NeighborSettings;
  readonly scheduler: Scheduler;
  readonly prng: Prng;
  readonly events: EventLog;
  readonly log: Log;
  readonly store: SimStore;
  readonly witness: Witness;
  readonly hostClock: HostClock;
  /** By how much messages between its threads take longer than usual. */
  slowness(): number;
  readonly datapath: MemoryDatapath;
  /** The agent's journal on the disk of the host. */
  readonly journal: MemoryLocalJournal;
  /** Whether it watches its peers. */
  readonly hasKeepAlives: boolean;
  readonly snapshots: MemoryLocalJournal;
}

/** What simulated hosts share when nobody else was first. */
const SECRET = "000102030405060708090a0b0c0d0e0f";

/** UDP port of tunnels, as real agents have it by default. */
const UDP_PORT = 6677;

/**
 * One life of an agent on a simulated host: the real control core in its real shell, the real workers in their real loops, the
 * real recipes. What differs from `agent/agent.ts` is only that threads are message channels, and that it can be killed.
 */
export class SimAgent {
  /** Why it did not start, if it did not. */
  failure: string | undefined;
  readonly core: ControlCore;
  readonly workers: readonly SimWorker[];
  readonly state: AgentState;
  readonly connection: StoreConnection;
  readonly keepAlives: KeepAlives;
  readonly #parts: SimAgentParts;
  readonly #life: Lifetime;
  readonly #storeSide: StoreSide;
  readonly #shell: ControlShell;
  /** Winners of the open maps, as last told, by map and key. */
  readonly #entries = new Map<string, Map<string, WorldChange>>();
  /** What workers were told of peers and of objects that do not exist, the last word of each. */
  readonly #told = new Map<string, ToWorker>();
  /** What they were told of maps by device: more than the store has, when the owner of an entry has lost its session. */
  readonly #toldEntries = new Map<Id, Map<string, ToWorker>>();
  #isRunning = false;
  /** When it last told the store what a worker has learned: until that comes back only this worker knows it. */
  #saidAt = 0;

  constructor(parts: SimAgentParts) {
    this.#parts = parts;
    const { prng, store, hostId, scheduler } = parts;
    this.#life = new Lifetime(scheduler, parts.hostClock);
    const life = this.#life;
    const datapath = seenDatapath(parts.datapath, life);
    const { hostName, log, journal, snapshots } = parts;
    const memory = unwrap(HostMemory.of({ hostId, journal, snapshots, scheduler: life, log }, journal.content));
    this.#storeSide = new StoreSide({
      ...{ hostId, hostName, scheduler: life, log, memory, sessionTimeoutMs: SESSION_TIMEOUT_MS },
      connect: (resume) =>
        store.connect({
          ...{ timeoutMs: SESSION_TIMEOUT_MS, process: life, place: hostName },
          ...(resume === undefined ? {} : { resume }),
        }),
      onFailure: (sentence) => {
        this.failure = sentence;
      },
    });
    const { connection, stateKeys } = this.#storeSide;
    this.connection = connection;
    this.core = new ControlCore({ hostId, udpPort: UDP_PORT }, prng.fork(), {
      vports: earlierVports(datapath.memory.vports),
      peers: earlierPeers(datapath.memory.peers),
      tunnelKeys: this.#storeSide.tunnelKeys,
    });
    const toWorkers = (messages: readonly ToWorker[]): void => this.#toWorkers(messages);
    const questions = new Questions({ scheduler: life, workers: parts.workers, send: toWorkers });
    const isStoreConnected = (): boolean => !this.#storeSide.isAway;
    const snapshotAt = (): number | undefined => this.#storeSide.world.recalledAt;
    this.state = new AgentState({
      ...{ hostId, workers: parts.workers, core: this.core, datapath, questions, isStoreConnected, snapshotAt },
      peerLives: () => this.keepAlives.shown((peer) => this.core.peers.hostOf(peer)),
      ...{ release: "0.0.0", startedAt: life.clock.wall(), datapathName: "memory" },
    });
    this.#shell = new ControlShell({
      ...{ hostId, core: this.core, world: this.#world(), stateKeys, datapath, memory },
      ...{ scheduler: life, log, toWorkers },
      withdrawEarlier: (portIds) => this.#storeSide.withdrawEarlier(portIds),
      onAnswer: (worker, message) => {
        if (message.kind === "audit") parts.witness.audited(hostName, JSON.stringify(message));
        if (message.kind !== "audit") this.state.take(worker, message);
      },
    });
    this.keepAlives = new KeepAlives({
      ...{ hostId, datapath, scheduler: life, log: parts.log, prng: prng.fork() },
      findSecret: () => this.#storeSide.secret(SECRET),
      dispatch: (event) => this.#shell.dispatch(event),
    });
    if (parts.hasKeepAlives) this.#storeSide.onRestored(() => this.keepAlives.learnAgain());
    this.workers = Array.from({ length: parts.workers }, (_, worker) => this.#worker(worker));
  }

  /** True while it serves. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Joins the cloud and begins to serve. */
  async start(): Promise<void> {
    const { hostName, events } = this.#parts;
    const startedAt = Math.floor(this.#life.clock.wall());
    const joined = await this.#storeSide.join(formatHostAlive({ address: `unix:${hostName}`, startedAt }));
    if (this.#life.isOver) return;
    events.add({ at: hostName, event: "joined", detail: joined.ok ? "" : joined.error.why });
    if (!joined.ok) {
      this.failure = joined.error.why;
      await this.#storeSide.leave();
      this.#life.end();
      return;
    }
    this.#isRunning = true;
    for (const worker of this.workers) worker.start();
    this.#shell.start();
    this.#storeSide.serve(this.core, this.#shell);
    if (this.#parts.hasKeepAlives) this.keepAlives.start();
  }

  /** Ends in order: the session is closed, so that nothing of it stays in the store. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.keepAlives.close();
    this.#shell.close();
    for (const worker of this.workers) worker.close();
    await this.#storeSide.close();
    this.#life.end();
  }

  /** Ends for the next agent of this host: session, keys and flows stay. */
  async handOver(): Promise<void> {
    this.#isRunning = false;
    this.keepAlives.close();
    this.#storeSide.world.freeze();
    this.#shell.close({ keep: true });
    for (const worker of this.workers) worker.close();
    await this.#storeSide.detach();
    this.#life.end();
  }

  /** Dies at once. The session goes when its time is over. */
  kill(): void {
    this.#isRunning = false;
    this.keepAlives.close();
    this.#shell.close({ keep: true });
    for (const worker of this.workers) worker.close();
    this.#life.end();
    this.#parts.store.abandon(this.connection.tree);
  }

  /** It knows all that it wants to know of the store, its workers know it too, and nothing is on its way between them and the store. */
  get isQuiet(): boolean {
    const isComplete = this.core.snapshot().some(({ kind }) => kind === "complete");
    return (
      isComplete &&
      !this.isPaused &&
      this.#life.clock.now() - this.#saidAt > SAID_MS &&
      this.workers.every(({ isQuiet, reached }) => isQuiet && reached === this.core.version)
    );
  }

  /** True between `pause` and `wake`. */
  get isPaused(): boolean {
    return this.#life.isPaused;
  }

  /** Stands still: a long garbage collection, a stopped virtual machine. The datapath goes on. */
  pause(): void {
    this.#life.pause();
  }

  /** Goes on as if nothing had happened. */
  wake(): void {
    this.#life.wake();
  }

  /** Every fact that a worker which started now would be told: for checkers that compare with a fresh worker. */
  world(): readonly ToWorker[] {
    const entries = [...this.#toldEntries.values()].flatMap((device) => [...device.values()]);
    return [...this.#told.values(), ...entries, ...this.core.snapshot()];
  }

  /** The winners of every open map, sorted, one line each. */
  mapLines(): ReadonlyMap<string, readonly string[]> {
    const lines = [...this.#entries].map(
      ([map, entries]) => [map, [...entries.values()].map((entry) => JSON.stringify(entry)).sort()] as const,
    );
    return new Map(lines);
  }

  #worker(worker: number): SimWorker {
    const { scheduler: _, ...parts } = this.#parts;
    return new SimWorker({
      ...{
        worker,
        workers: parts.workers,
        neighbor: parts.neighbor,
        prng: parts.prng.fork(),
        datapath: parts.datapath,
      },
      ...{ scheduler: this.#life, events: parts.events, name: parts.hostName, slowness: () => parts.slowness() },
      toControl: (message) => this.#fromWorker(worker, message),
    });
  }

  #fromWorker(worker: number, message: FromWorker): void {
    this.#shell.dispatch({ kind: "worker", worker, message });
  }

  #toWorkers(messages: readonly ToWorker[]): void {
    for (const message of messages) this.#remember(message);
    const kinds = messages.map((message) => (message.kind === "world" ? message.change.kind : message.kind));
    this.#parts.events.add({ at: this.#parts.hostName, event: "tell", detail: countsOf(kinds) });
    for (const worker of this.workers) worker.tell(messages);
  }

  #remember(message: ToWorker): void {
    if (message.kind === "peer") this.#told.set(`peer ${message.hostId}`, message);
    if (message.kind === "flood-key") this.#told.set(`flood ${message.bridgeId} ${message.hostId}`, message);
    if (message.kind !== "world") return;
    if (isEntry(message.change)) this.#rememberEntry(message.change);
    if (message.change.kind === "absent") {
      this.#toldEntries.delete(message.change.id);
      this.#told.set(`absent ${message.change.id}`, message);
      // Workers forget them too: when the bridge comes back its hosts say anew which they have.
      for (const key of [...this.#told.keys()])
        if (key.startsWith(`flood ${message.change.id} `)) this.#told.delete(key);
    }
    if (message.change.kind === "object") this.#told.delete(`absent ${message.change.object.id}`);
  }

  #rememberEntry(change: EntryChange): void {
    const told = this.#toldEntries.get(deviceOf(change)) ?? new Map<string, ToWorker>();
    this.#toldEntries.set(deviceOf(change), told);
    if (isGone(change)) told.delete(nameOf(change));
    else told.set(nameOf(change), { kind: "world", change });
  }

  #world(): World {
    const { world } = this.#storeSide;
    return {
      watchObject: (name, tell) => world.watchObject(name, tell),
      watchActive: (portId, tell) => world.watchActive(portId, tell),
      watchFloods: (bridgeId, watcher) => world.watchFloods(bridgeId, watcher),
      openMap: (map, device) => this.#openMap(map, device),
    };
  }

  #openMap(map: MapName, device: MapToOpen): OpenMap {
    const { witness, hostName } = this.#parts;
    const name = `${map}/${device.id}`;
    const entries = new Map<string, WorldChange>();
    this.#entries.set(name, entries);
    const tell = (event: ControlEvent): void => {
      if (event.kind === "entry") {
        note(entries, event.change);
        witness.took(hostName, event.change);
      }
      device.onEvent(event);
    };
    const opened = this.#storeSide.world.openMap(map, { ...device, onEvent: tell });
    const close = (options?: { readonly keep?: boolean }): void => {
      this.#entries.delete(name);
      opened.close(options);
    };
    const put = (opinion: Opinion): void => {
      witness.gave(opinion);
      this.#saidAt = this.#life.clock.now();
      opened.put(opinion);
    };
    return {
      put,
      remove: (opinion) => {
        this.#saidAt = this.#life.clock.now();
        opened.remove(opinion);
      },
      entries: () => opened.entries(),
      isRecalled: () => opened.isRecalled(),
      sweep: () => opened.sweep(),
      close,
    };
  }
}

function note(entries: Map<string, WorldChange>, change: WorldChange): void {
  switch (change.kind) {
    case "fdb":
      return keep(entries, `${change.vlan} ${change.mac}`, change.portId === undefined ? undefined : change);
    case "router-neighbor":
      return keep(entries, JSON.stringify(change.ip), change.entry === undefined ? undefined : change);
    case "bridge-neighbor":
      return keep(entries, JSON.stringify(change.ip), change.mac === undefined ? undefined : change);
    default:
      return;
  }
}

function keep(entries: Map<string, WorldChange>, key: string, change: WorldChange | undefined): void {
  if (change === undefined) entries.delete(key);
  else entries.set(key, change);
}

/** `object*12 placement*4`, in order of first appearance. */
function countsOf(kinds: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].map(([kind, count]) => (count === 1 ? kind : `${kind}*${count}`)).join(" ");
}
