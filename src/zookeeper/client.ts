import type { Duration, Instant } from "../base/clock.ts";
import { type Log, silentLog } from "../base/log.ts";
import type { Prng } from "../base/prng.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Scheduler, Timer } from "../base/scheduler.ts";
import { isAtOrUnder, pathFault } from "../store/data-tree-path.ts";
import type {
  ChildList,
  CreateOptions,
  MultiError,
  NodeContent,
  NodeStat,
  OperationResult,
  ResumableTree,
  Session,
  SessionState,
  TreeError,
  TreeOperation,
  TreeWatch,
  WatchOptions,
} from "../store/tree.ts";
import { Chroot } from "./chroot.ts";
import { ClientSession } from "./client-session.ts";
import type { ZooKeeperCounters } from "./counters.ts";
import { zookeeperLimits } from "./limits.ts";
import {
  type Acl,
  creatorAcl,
  errorCode,
  openAcl,
  type Reply,
  type Request,
  watcherType,
  watchMode,
} from "./protocol.ts";
import type { ServerAddress } from "./servers.ts";
import { ZooKeeperSession } from "./session.ts";
import type { CallOutcome, Credential, SessionCredentials, SessionEffect, SessionEnd } from "./session-types.ts";
import { multiOutcome, operationFault, outcomeError, treeEvent, writeRequestOf } from "./translate.ts";
import type { Dial, Transport } from "./transport.ts";
import { WatchRegistry } from "./watch-registry.ts";

/** What a client is made of; `connectZooKeeper` fills in sockets and randomness. */
export interface ZooKeeperClientOptions {
  readonly servers: readonly ServerAddress[];
  /** Session time-out to ask for, in milliseconds. */
  readonly timeoutMs: Duration;
  readonly scheduler: Scheduler;
  readonly prng: Prng;
  readonly dial: Dial;
  /** Goes on with a session of an earlier process. */
  readonly resume?: SessionCredentials;
  /** Shown on every connection before anything else. */
  readonly auth?: readonly Credential[];
  /** Absolute path that is `/` for this client; default `/`. */
  readonly chroot?: string;
  /** Nodes can be read and changed by our credentials only; default: by everybody. */
  readonly isPrivate?: boolean;
  readonly log?: Log;
}

type Settle = (outcome: CallOutcome) => void;

/**
 * The tree over a ZooKeeper session: the shell around `ZooKeeperSession`. Requests of one turn leave in one write; outcomes and
 * events are passed on in the order in which the server sent them, events as calls, outcomes as promises.
 */
export class ZooKeeperClient implements ResumableTree {
  readonly session: Session;
  readonly #core: ZooKeeperSession<Settle>;
  readonly #scheduler: Scheduler;
  readonly #dial: Dial;
  readonly #log: Log;
  readonly #chroot: Chroot;
  readonly #acl: readonly Acl[];
  readonly #watches = new WatchRegistry();
  readonly #listeners: ((state: SessionState) => void)[] = [];
  #transport: Transport | undefined;
  #timer: Timer | undefined;
  #timerAt: Instant = Number.POSITIVE_INFINITY;
  #isRunning = false;
  #isFlushDue = false;
  #lastFailure = "";

  constructor(options: ZooKeeperClientOptions) {
    const { servers, timeoutMs, auth, resume } = options;
    const config = { servers, timeoutMs, ...(auth && { auth }), ...(resume && { resume }) };
    this.#core = new ZooKeeperSession(config, options.prng);
    this.#scheduler = options.scheduler;
    this.#dial = options.dial;
    this.#log = options.log ?? silentLog;
    this.#chroot = new Chroot(options.chroot ?? "/");
    this.#acl = options.isPrivate === true ? creatorAcl : openAcl;
    this.session = new ClientSession(this.#core, this.#listeners);
    this.#core.start(this.#now());
    this.#run();
  }

  /** What happened so far. */
  get counters(): ZooKeeperCounters {
    return this.#core.counters;
  }

  /** Why the last connection that failed did, for people; empty when none has. */
  get lastFailure(): string {
    return this.#lastFailure;
  }

  /** Why the session ended, when it has. */
  get end(): SessionEnd | undefined {
    return this.#core.end;
  }

  async create(path: string, data: Uint8Array, options: CreateOptions = {}): Promise<Result<string, TreeError>> {
    const reply = await this.#write({ op: "create", path, data, options });
    if (!reply.ok) return reply;
    return ok(reply.value.op === "create" ? this.#clientPath(reply.value.path) : path);
  }

  async get(path: string): Promise<Result<NodeContent, TreeError>> {
    const reply = await this.#read(path, { op: "getData", path: this.#chroot.toServer(path), watch: false });
    if (!reply.ok) return reply;
    return reply.value.op === "getData" ? ok({ data: reply.value.data, stat: reply.value.stat }) : wrongReply(path);
  }

  async set(path: string, data: Uint8Array, version = -1): Promise<Result<NodeStat, TreeError>> {
    return statOf(await this.#write({ op: "set", path, data, version }), path);
  }

  async remove(path: string, version = -1): Promise<Result<void, TreeError>> {
    const reply = await this.#write({ op: "remove", path, version });
    return reply.ok ? ok(undefined) : reply;
  }

  async exists(path: string): Promise<Result<NodeStat | undefined, TreeError>> {
    const reply = await this.#read(path, { op: "exists", path: this.#chroot.toServer(path), watch: false });
    return !reply.ok && reply.error.kind === "no-node" ? ok(undefined) : statOf(reply, path);
  }

  async children(path: string): Promise<Result<ChildList, TreeError>> {
    const reply = await this.#read(path, { op: "getChildren2", path: this.#chroot.toServer(path), watch: false });
    if (!reply.ok) return reply;
    const { value } = reply;
    return value.op === "children" && value.stat !== undefined
      ? ok({ names: value.names, stat: value.stat })
      : wrongReply(path);
  }

  async multi(operations: readonly TreeOperation[]): Promise<Result<readonly OperationResult[], MultiError>> {
    const fault = multiFault(operations);
    if (fault !== undefined) return err(fault);
    const requests = operations.map((operation) => writeRequestOf(this.#chroot.operation(operation), this.#acl));
    const outcome = await this.#call({ op: "multi", operations: requests });
    if (outcome.kind !== "reply")
      return err({ index: undefined, error: outcomeError(outcome, operations[0]?.path ?? "/") });
    if (outcome.reply.op !== "multi") return err({ index: undefined, error: { kind: "connection-loss", path: "/" } });
    return multiOutcome(operations, outcome.reply.results, (path) => this.#clientPath(path));
  }

  watch(path: string, options: WatchOptions): Promise<Result<TreeWatch, TreeError>> {
    const why = this.#watches.size >= zookeeperLimits.watches ? "too many watches" : pathFault(path);
    if (why !== undefined) return Promise.resolve(err({ kind: "bad-arguments", path, why }));
    // A copy, so that one options object can stand for several watches.
    const held: WatchOptions = {
      recursive: options.recursive,
      onEvent: (event) => options.onEvent(event),
      onResync: () => options.onResync(),
    };
    const mode = options.recursive ? watchMode.recursive : watchMode.persistent;
    this.#watches.reserve(path);
    return new Promise((resolve) => {
      this.#submit({ op: "addWatch", path: this.#chroot.toServer(path), mode }, (outcome) => {
        if (outcome.kind === "reply") {
          this.#watches.add(path, held);
          return resolve(ok({ close: () => this.#unwatch(path, held) }));
        }
        this.#watches.release(path);
        resolve(err(outcomeError(outcome, path)));
      });
    });
  }

  async sync(path: string): Promise<Result<void, TreeError>> {
    const reply = await this.#read(path, { op: "sync", path: this.#chroot.toServer(path) });
    return reply.ok ? ok(undefined) : reply;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      const over = (state: SessionState): void => {
        if (state === "closed" || state === "expired") resolve();
      };
      over(this.#core.state);
      this.#listeners.push(over);
      this.#core.close(this.#now());
      this.#run();
    });
  }

  /** What another process needs to go on with this session; keep it as secret as a password (mode 0600). */
  exportSession(): SessionCredentials {
    return this.#core.credentials;
  }

  async ephemerals(path: string): Promise<Result<readonly string[], TreeError>> {
    const reply = await this.#read(path, { op: "getEphemerals", path: this.#chroot.toServer(path) });
    if (!reply.ok) return reply;
    if (reply.value.op !== "paths") return wrongReply(path);
    // The server takes the path as a prefix of text.
    return ok(reply.value.paths.map((one) => this.#clientPath(one)).filter((one) => isAtOrUnder(one, path)));
  }

  /** Takes a node that is open to everybody for our credentials alone; the value is whether it was open. */
  async closeToStrangers(path: string): Promise<Result<boolean, TreeError>> {
    const server = this.#chroot.toServer(path);
    const read = await this.#read(path, { op: "getAcl", path: server });
    if (!read.ok) return read;
    if (read.value.op !== "acl" || !read.value.acl.some(({ scheme }) => scheme === "world")) return ok(false);
    const set = await this.#read(path, { op: "setAcl", path: server, acl: creatorAcl, version: -1 });
    return set.ok ? ok(true) : set;
  }

  /** Stops without ending the session: it lives on at the server until its time-out, for another process to resume. */
  detach(): void {
    this.#core.detach();
    this.#run();
  }

  /** Creates the nodes of the chroot that do not exist. */
  async createChroot(): Promise<Result<void, TreeError>> {
    for (const path of this.#chroot.ancestors) {
      const request = writeRequestOf({ op: "create", path, data: new Uint8Array(0) }, openAcl);
      const outcome = await this.#call(request);
      const exists = outcome.kind === "error" && outcome.code === errorCode.nodeExists;
      if (outcome.kind !== "reply" && !exists) return err(outcomeError(outcome, path));
    }
    return ok(undefined);
  }

  #write(operation: TreeOperation): Promise<Result<Reply, TreeError>> {
    const fault = operationFault(operation);
    if (fault !== undefined) return Promise.resolve(err(fault));
    return this.#reply(operation.path, writeRequestOf(this.#chroot.operation(operation), this.#acl));
  }

  #read(path: string, request: Request): Promise<Result<Reply, TreeError>> {
    const why = pathFault(path);
    return why === undefined ? this.#reply(path, request) : Promise.resolve(err({ kind: "bad-arguments", path, why }));
  }

  async #reply(path: string, request: Request): Promise<Result<Reply, TreeError>> {
    const outcome = await this.#call(request);
    return outcome.kind === "reply" ? ok(outcome.reply) : err(outcomeError(outcome, path));
  }

  #call(request: Request): Promise<CallOutcome> {
    return new Promise((resolve) => this.#submit(request, resolve));
  }

  #submit(request: Request, settle: Settle): void {
    this.#core.submit(request, settle, this.#now());
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    // A microtask: what the running code asks for in one go leaves in one write.
    void Promise.resolve().then(() => {
      this.#isFlushDue = false;
      this.#core.flush(this.#now());
      this.#run();
    });
  }

  #unwatch(path: string, held: WatchOptions): void {
    if (!this.#watches.remove(path, held)) return;
    if (!this.#watches.release(path)) return;
    const request: Request = { op: "removeWatches", path: this.#chroot.toServer(path), type: watcherType.any };
    this.#submit(request, () => undefined);
  }

  #clientPath(path: string): string {
    return this.#chroot.toClient(path) ?? path;
  }

  #now(): Instant {
    return this.#scheduler.clock.now();
  }

  /** Carries out what the session wants, until it wants nothing more. Effects may call back in here. */
  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      for (let effects = this.#core.take(); effects.length > 0; effects = this.#core.take()) {
        for (const effect of effects) this.#carryOut(effect);
      }
    } finally {
      this.#isRunning = false;
    }
    this.#arm();
  }

  #carryOut(effect: SessionEffect<Settle>): void {
    switch (effect.effect) {
      case "reply":
        return effect.token(effect.outcome);
      case "event":
        return this.#onNotification(effect.event.type, effect.event.path);
      case "send":
        return this.#transport?.write(effect.bytes);
      case "dial":
        return this.#open(effect.server);
      case "hang-up":
        this.#failed(effect.why);
        this.#transport?.close();
        this.#transport = undefined;
        return;
      case "resync":
        return this.#watches.resync();
      case "state":
        this.#log.info("zookeeper.state", { state: effect.state, why: effect.why });
        for (const listener of [...this.#listeners]) listener(effect.state);
        return;
    }
  }

  #onNotification(type: number, serverPath: string): void {
    const path = this.#chroot.toClient(serverPath);
    const event = path === undefined ? undefined : treeEvent(type, path);
    if (event !== undefined) this.#watches.dispatch(event);
  }

  #open(server: ServerAddress): void {
    const transport: Transport = this.#dial(server, {
      onOpen: () => this.#ifCurrent(transport, (now) => this.#core.dialled(now)),
      onBytes: (bytes) => this.#ifCurrent(transport, (now) => this.#core.received(bytes, now)),
      onClosed: (why) =>
        this.#ifCurrent(transport, (now) => {
          this.#transport = undefined;
          this.#failed(why);
          this.#core.lost(now, why);
        }),
    });
    this.#transport = transport;
  }

  #failed(why: string): void {
    this.#lastFailure = why;
    this.#log.info("zookeeper.disconnected", { why });
  }

  #ifCurrent(transport: Transport, input: (now: Instant) => void): void {
    if (this.#transport !== transport) return;
    input(this.#now());
    this.#run();
  }

  #arm(): void {
    const at = this.#core.nextTick ?? Number.POSITIVE_INFINITY;
    if (this.#timer !== undefined && this.#timerAt <= at && at !== Number.POSITIVE_INFINITY) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = at;
    if (at === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#scheduler.after(at - this.#now(), () => {
      this.#timer = undefined;
      this.#core.tick(this.#now());
      this.#run();
    });
  }
}

function multiFault(operations: readonly TreeOperation[]): MultiError | undefined {
  if (operations.length > zookeeperLimits.multiOperations) {
    const why = `a multi has at most ${zookeeperLimits.multiOperations} operations`;
    return { index: undefined, error: { kind: "bad-arguments", path: "/", why } };
  }
  for (const [index, operation] of operations.entries()) {
    const error = operationFault(operation);
    if (error !== undefined) return { index, error };
  }
  return undefined;
}

function statOf(reply: Result<Reply, TreeError>, path: string): Result<NodeStat, TreeError> {
  if (!reply.ok) return reply;
  return reply.value.op === "stat" ? ok(reply.value.stat) : wrongReply(path);
}

/** Cannot happen: the reply is decoded by what was asked. */
function wrongReply(path: string): Result<never, TreeError> {
  return err({ kind: "connection-loss", path });
}
