import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { formatHostAlive } from "../api-schema/agent-api.ts";
import type { Log } from "../base/log.ts";
import type { CounterSource } from "../base/metrics.ts";
import { Prng } from "../base/prng.ts";
import { releaseOf } from "../base/release.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type Scheduler, sleep } from "../base/scheduler.ts";
import type { DatapathControl } from "../datapath/datapath.ts";
import { SHARD_COUNT } from "../flow/layout.ts";
import type { Id } from "../model/objects.ts";
import type { StoreConnection } from "../store/recipes/connection.ts";
import { MapMetrics } from "../store/recipes/map-metrics.ts";
import { StoreClientMetrics } from "../store/store-client-metrics.ts";
import type { ResumableTree, SessionTicket } from "../store/tree.ts";
import { AgentState } from "./agent-state.ts";
import { type AgentViewParts, openViews } from "./agent-views.ts";
import type { AgentValues } from "./config.ts";
import { ControlShell } from "./control-shell.ts";
import { earlierVports } from "./core/bindings.ts";
import { ControlCore } from "./core/control.ts";
import type { ControlEvent, ControlSettings } from "./core/control-events.ts";
import type { FromWorker, ToWorker } from "./core/messages.ts";
import { earlierPeers } from "./core/peers.ts";
import { DatapathAudit } from "./datapath-audit.ts";
import type { HostMemory } from "./host-memory.ts";
import { KeepAlives } from "./keep-alives.ts";
import { WITHDRAW_MS } from "./limits.ts";
import { type Management, publishedAddress } from "./management.ts";
import { datapathOwner, loadDatapath, openDatapath } from "./open-datapath.main.ts";
import type { MemorySeen } from "./open-memory.main.ts";
import { Questions } from "./questions.ts";
import { type Refusal, refusal } from "./refusal.ts";
import { StoreSide } from "./store-side.ts";
import { takeOver } from "./takeover.ts";
import { shardsOf, type WorkerStart } from "./worker-settings.ts";
import type { WorkerThread } from "./worker-thread.ts";

/** What an agent is started with. */
export interface AgentOptions {
  readonly hostId: Id;
  readonly hostName: string;
  readonly values: AgentValues;
  /** Where other machines may ask the agent; undefined: nowhere. */
  readonly management: Management | undefined;
  /** A thread for each worker; they may still be loading. They are the agent's from now on. */
  readonly threads: readonly WorkerThread[];
  readonly scheduler: Scheduler;
  readonly log: Log;
  /** What the driver of the store counts. */
  readonly storeCounters: CounterSource;
  /** Reads what can be seen of the host, for the doctor. */
  readHost: AgentViewParts["readHost"];
  /** Configuration and last log lines, for a bundle. */
  support: AgentViewParts["support"];
  /** Lines of log so far by level. */
  logLines(): Readonly<Record<string, number>>;
  /** Looks at what an earlier agent of this host has kept, which may still run. The error is a sentence. */
  readMemory(): Result<MemorySeen, string>;
  /** Opens what an earlier agent of this host has kept; called once that one has gone. The error is a sentence. */
  openMemory(): Promise<Result<HostMemory, string>>;
  /** Seed of keys and jitter, from the operating system. */
  readonly seed: number;
  /** Opens a session with the store, or takes one up that an earlier agent of this host left open. */
  connect(ticket: SessionTicket | undefined): ResumableTree;
  /** Told when the next agent of this host has everything: this process is to end. */
  onHandedOver(): void;
  /** Told once, with a sentence, when the agent cannot go on: it is to be stopped and started anew. */
  onFailure(sentence: string): void;
}

/** A running agent. */
export interface Agent {
  /** Stops for good: its ports are withdrawn, its session ends, programs and flows go. With `keep`, as `handOver`. */
  stop(options: { readonly keep: boolean }): Promise<void>;
  /**
   * Stops for the next agent of this host, in this order: takes nothing new, lets the workers finish, leaves programs and flows in
   * the kernel and releases their lock, leaves the session with the store open. What was published and learned stays.
   */
  handOver(): Promise<void>;
}

/** Starts an agent with real threads. */
export async function startAgent(options: AgentOptions): Promise<Result<Agent, Refusal>> {
  const { values, threads } = options;
  // Everything that takes time and touches nothing comes first: an agent that still runs forwards new flows meanwhile.
  await Promise.all([...threads.map(({ loaded }) => loaded), loadDatapath(values)]);
  const taken = await takeOverFrom(options);
  const memory = taken.ok ? refused(await options.openMemory()) : taken;
  const started = memory.ok ? await join(options, memory.value, threads) : memory;
  if (!started.ok) await Promise.all(threads.map((thread) => thread.close()));
  return started;
}

function refused<T>(result: Result<T, string>): Result<T, Refusal> {
  return result.ok ? result : err(refusal(result.error));
}

async function takeOverFrom(options: AgentOptions): Promise<Result<void, Refusal>> {
  const { hostId, values, scheduler, log } = options;
  if (values.takeover === "no") return ok(undefined);
  const mayKill = values.takeover === "force";
  const owner = await datapathOwner(hostId, values);
  if (owner() !== undefined) {
    // The other one works: whatever can be refused is refused while it still does.
    const { preflight } = await import("./preflight.ts");
    const isFit = await preflight({ ...options, connect: () => options.connect(undefined) });
    if (!isFit.ok) return isFit;
  }
  const taken = refused(await takeOver({ scheduler, socket: values["api-socket"], mayKill, owner }));
  if (!taken.ok) return taken;
  log.info("agent.takeover", { outcome: taken.value });
  return ok(undefined);
}

async function join(
  options: AgentOptions,
  memory: HostMemory,
  threads: readonly WorkerThread[],
): Promise<Result<Agent, Refusal>> {
  const { hostId, values, scheduler } = options;
  const storeClient = new StoreClientMetrics(scheduler.clock);
  const maps = new MapMetrics();
  const store = new StoreSide({
    ...options,
    memory,
    sessionTimeoutMs: values["session-timeout"],
    mapMetrics: maps,
    connect: (ticket) => storeClient.measureResumable(options.connect(ticket)),
  });
  const alive = formatHostAlive({
    address: publishedAddress(values, options.management),
    startedAt: Math.floor(scheduler.clock.wall()),
  });
  const joined = await store.join(alive);
  if (!joined.ok) {
    await store.leave();
    return joined;
  }
  const datapath = await openDatapath(hostId, values, scheduler);
  if (!datapath.ok) {
    await store.leave();
    return err(refusal(datapath.error.message));
  }
  return run({ options, threads, store, memory, storeClient, maps, datapath: datapath.value });
}

interface Running {
  readonly options: AgentOptions;
  readonly threads: readonly WorkerThread[];
  readonly store: StoreSide;
  readonly memory: HostMemory;
  readonly storeClient: StoreClientMetrics;
  readonly maps: MapMetrics;
  readonly datapath: DatapathControl;
}

async function run(running: Running): Promise<Result<Agent, Refusal>> {
  const { options, threads, store, memory, storeClient, maps, datapath } = running;
  const { connection, world, stateKeys } = store;
  const { hostId, values, scheduler, log } = options;
  const prng = new Prng(options.seed);
  const core = new ControlCore(settingsOf(hostId, values), prng.fork(), {
    vports: earlierVports(datapath.memory.vports),
    peers: earlierPeers(datapath.memory.peers),
    tunnelKeys: store.tunnelKeys,
  });
  const workers = threads.length;
  const toWorkers = (messages: readonly ToWorker[]): void => {
    state.told(messages);
    for (const thread of threads) thread.send(messages);
  };
  const questions = new Questions({ scheduler, workers, send: toWorkers });
  const state = new AgentState({
    ...{
      hostId,
      workers,
      core,
      datapath,
      questions,
      release: releaseOf(),
      startedAt: scheduler.clock.wall(),
      datapathName: values.datapath,
    },
    isStoreConnected: () => !store.isAway,
    storeAwaySince: () => (store.isAway ? scheduler.clock.wall() - storeClient.disconnectedMs : undefined),
    snapshotAt: () => world.recalledAt,
    isStoreEmptied: () => store.isEmptied,
    peerLives: () => keepAlives.shown((peer) => core.peers.hostOf(peer)),
  });
  const shell = new ControlShell({
    ...{ hostId, core, world, stateKeys, datapath, scheduler, log, toWorkers, memory },
    withdrawEarlier: (portIds) => store.withdrawEarlier(portIds),
    onAnswer: (worker, message) =>
      message.kind === "audit" ? tell(log, worker, message) : state.take(worker, message),
  });
  const audit = new DatapathAudit({ datapath, scheduler, log });
  const keepAlives = watchPeers(running, prng.fork(), (event) => shell.dispatch(event));
  for (let worker = 0; worker < workers; worker++) beginWorker(running, { worker, seed: prng.u32(), shell });
  const stop: Agent["stop"] = async ({ keep }) => {
    if (!keep) await withdraw(shell, connection);
    for (const part of [keepAlives, audit]) part.close();
    if (keep) world.freeze();
    shell.close({ keep });
    await Promise.all(threads.map((thread) => thread.close()));
    await datapath.close({ keep });
    await (keep ? store.detach() : store.close());
  };
  let ended: Promise<void> | undefined;
  const end: Agent["stop"] = (how) => {
    if (views.ok && ended === undefined) views.value.close();
    ended ??= stop(how);
    return ended;
  };
  const handOver = (): Promise<void> => end({ keep: true });
  const parts = { state, storeClient, maps, memory, audit, datapath, keepAlives, handOver };
  const views = await openViews({ ...options, ...parts, release: releaseOf() });
  if (!views.ok) {
    await stop({ keep: false });
    return refused(views);
  }
  shell.start();
  keepAlives.start();
  audit.start();
  store.serve(core, shell);
  return ok({ stop: end, handOver });
}

function tell(log: Log, worker: number, { kind: _kind, ...difference }: FromWorker & { readonly kind: "audit" }): void {
  log.warn("audit.difference", { worker, ...difference });
}

function watchPeers(
  { options, datapath, store }: Running,
  prng: Prng,
  dispatch: (event: ControlEvent) => void,
): KeepAlives {
  const { hostId, scheduler, log } = options;
  const keepAlives = new KeepAlives({
    ...{ hostId, datapath, scheduler, log, prng, dispatch },
    findSecret: () => store.secret(randomBytes(16).toString("hex")),
  });
  store.onRestored(() => keepAlives.learnAgain());
  return keepAlives;
}

function settingsOf(hostId: Id, values: AgentValues): ControlSettings {
  return { hostId, udpPort: values["udp-port"], unconfirmedMs: values["unconfirmed-limit"] };
}

/** Tells everybody that this host's ports are left on purpose, if the store takes it soon. */
async function withdraw(shell: ControlShell, connection: StoreConnection): Promise<void> {
  if (connection.tree.session.state !== "connected") return;
  await Promise.race([shell.withdrawAll(), sleep(connection.scheduler, WITHDRAW_MS)]);
}

interface NewWorker {
  readonly worker: number;
  readonly seed: number;
  readonly shell: ControlShell;
}

function beginWorker(running: Running, { worker, seed, shell }: NewWorker): void {
  const { values, log, onFailure } = running.options;
  const workers = running.threads.length;
  const start: WorkerStart = {
    worker,
    workers,
    shards: shardsOf(worker, workers, SHARD_COUNT),
    seed,
    datapath: running.datapath.workerSettings(),
    neighbor: {
      staleMs: values["neighbor-stale"],
      staleJitter: 0.2,
      expiryMs: values["neighbor-expiry"],
      retryMs: values["neighbor-retry"],
      giveUpMs: values["neighbor-give-up"],
    },
    maySpin: availableParallelism() > workers + 1,
    wakeLatencyUs: values["wake-latency"],
    isTakingOver: earlierVports(running.datapath.memory.vports).size > 0,
  };
  running.threads[worker]?.begin({
    start,
    wake: () => running.datapath.wakeWorker(worker),
    onMessage: (message) => shell.dispatch({ kind: "worker", worker, message }),
    onCrash(error) {
      log.error("worker.crashed", { worker, error: error.message, stack: error.stack ?? "" });
      onFailure(`simulation worker ${worker} has crashed: ${error.message}`);
    },
  });
}
