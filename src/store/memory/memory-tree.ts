import { err, ok, type Result } from "../../base/result.ts";
import type { Timer } from "../../base/scheduler.ts";
import type { DataTree } from "../data-tree.ts";
import { isAtOrUnder } from "../data-tree-path.ts";
import type { TreeSession } from "../data-tree-sessions.ts";
import type {
  ChildList,
  CreateOptions,
  MultiError,
  NodeContent,
  NodeStat,
  OperationResult,
  ResumableTree,
  SessionTicket,
  TreeError,
  TreeEvent,
  TreeOperation,
  TreeWatch,
  WatchOptions,
} from "../tree.ts";
import type {
  ClientMessage,
  ClientProcess,
  ClientRequest,
  LinkEnd,
  MemoryConnectOptions,
  MemoryLink,
  TreeServer,
} from "./memory-link.ts";
import { MemorySession } from "./memory-session.ts";
import { type HeldWatch, WatchRegistry } from "./watch-registry.ts";

/** A call that has no outcome yet. `send` is kept so that it can wait for a connection. */
interface Call {
  send(link: MemoryLink): void;
  fail(error: TreeError): void;
}

/** A client session to a memory server or a simulated ensemble. See tree.ts for the contract; behaves as the ZooKeeper client does. */
export class MemoryTree implements ResumableTree, LinkEnd {
  readonly session: MemorySession;
  /** The connection now, for the server's faults. */
  link: MemoryLink | undefined;
  /** See MemoryConnectOptions. */
  readonly place: string;
  readonly #server: TreeServer;
  readonly #process: ClientProcess;
  readonly #options: MemoryConnectOptions;
  /** Sent and not answered, in order. */
  readonly #pending = new Set<Call>();
  /** Called while there was no connection, in order. */
  readonly #waiting = new Map<Call, Timer | undefined>();
  readonly #watches = new WatchRegistry();
  #closing: Promise<void> | undefined;

  constructor(server: TreeServer, options: MemoryConnectOptions) {
    this.#server = server;
    this.#options = options;
    this.place = options.place ?? "";
    this.#process = options.process ?? { scheduler: server.scheduler, run: (callback) => callback() };
    this.session = new MemorySession(options.timeoutMs ?? 10_000);
    this.session.id = options.resume?.id ?? 0n;
    this.session.password = options.resume?.password ?? new Uint8Array(0);
    this.#dial();
  }

  async create(path: string, data: Uint8Array, options?: CreateOptions): Promise<Result<string, TreeError>> {
    const reply = await this.#write({ op: "create", path, data, ...(options === undefined ? {} : { options }) });
    if (!reply.ok) return reply;
    return ok(reply.value.op === "create" ? reply.value.path : path);
  }

  get(path: string): Promise<Result<NodeContent, TreeError>> {
    return this.#read(path, (tree) => {
      const read = tree.get(path);
      return read.ok ? ok({ ...read.value, data: read.value.data.slice() }) : read;
    });
  }

  async set(path: string, data: Uint8Array, version = -1): Promise<Result<NodeStat, TreeError>> {
    const reply = await this.#write({ op: "set", path, data, version });
    if (!reply.ok) return reply;
    return reply.value.op === "set" ? ok(reply.value.stat) : err({ kind: "no-node", path });
  }

  async remove(path: string, version = -1): Promise<Result<void, TreeError>> {
    const reply = await this.#write({ op: "remove", path, version });
    return reply.ok ? ok(undefined) : reply;
  }

  exists(path: string): Promise<Result<NodeStat | undefined, TreeError>> {
    return this.#read(path, (tree) => tree.exists(path));
  }

  children(path: string): Promise<Result<ChildList, TreeError>> {
    return this.#read(path, (tree) => tree.children(path));
  }

  multi(operations: readonly TreeOperation[]): Promise<Result<readonly OperationResult[], MultiError>> {
    return this.#multi(operations.map(ownCopy));
  }

  async watch(path: string, options: WatchOptions): Promise<Result<TreeWatch, TreeError>> {
    const watch: HeldWatch = { path, options, isConfirmed: false };
    const { recursive } = options;
    // Held before the reply: the first event may come together with it.
    this.#watches.add(watch);
    const reply = await this.#read(path, (tree, session) => {
      const known = tree.exists(path);
      if (known.ok) tree.watches.addPersistent(session, path, recursive);
      return known;
    });
    if (!reply.ok) {
      this.#watches.remove(watch);
      return reply;
    }
    watch.isConfirmed = true;
    return ok({ close: () => this.#unwatch(watch) });
  }

  async sync(path: string): Promise<Result<void, TreeError>> {
    return this.#enter<Result<void, TreeError>>(
      (answer) => ({ kind: "sync", answer: () => answer(ok(undefined)) }),
      (error) => err(error.kind === "connection-loss" ? { ...error, path } : error),
    );
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      const over = (): void => {
        this.#finish("closed");
        resolve();
      };
      const closing: Call = {
        send: (link) => {
          this.#pending.add(closing);
          link.requests.push({ kind: "close", answer: () => over });
        },
        fail: over,
      };
      if (this.session.isOver) over();
      else this.#sendOrWait(closing);
    });
    return this.#closing;
  }

  ephemerals(path: string): Promise<Result<readonly string[], TreeError>> {
    return this.#read(path, (tree) => {
      const own = tree.sessions.get(this.session.id)?.ephemerals ?? new Set<string>();
      return ok([...own].filter((one) => isAtOrUnder(one, path)));
    });
  }

  exportSession(): SessionTicket {
    const { id, password } = this.session;
    return { id, password, lastZxid: 0n };
  }

  detach(): void {
    if (!this.session.isOver) this.#finish("closed");
  }

  /** Called by the server: the connection broke. */
  onCut(): void {
    this.#process.run(() => this.#cut());
  }

  /** Called by the server: an answer. */
  onMessage(message: ClientMessage): void {
    this.#process.run(message);
  }

  /** Called by the server, in an answer's place: a watched node changed. */
  onEvent(event: TreeEvent): void {
    this.#watches.dispatch(event);
  }

  #cut(): void {
    this.link = undefined;
    if (this.session.isOver) return;
    const lost = [...this.#pending];
    this.#pending.clear();
    for (const call of lost) call.fail({ kind: "connection-loss", path: "/" });
    if (this.session.state === "connected") this.session.become("suspended");
    if (!this.session.isOver) this.#process.scheduler.after(this.#server.redialMs, () => this.#dial());
  }

  async #write(operation: TreeOperation): Promise<Result<OperationResult, TreeError>> {
    const { path } = operation;
    const reply = await this.#multi([ownCopy(operation)]);
    if (reply.ok) return ok(reply.value[0] as OperationResult);
    const { error } = reply.error;
    return err(error.kind === "connection-loss" ? { ...error, path } : error);
  }

  #multi(operations: readonly TreeOperation[]): Promise<Result<readonly OperationResult[], MultiError>> {
    return this.#enter<Result<readonly OperationResult[], MultiError>>(
      (answer) => ({ kind: "write", operations, answer }),
      (error) => err({ index: undefined, error }),
    );
  }

  #read<T>(
    path: string,
    read: (tree: DataTree, session: bigint) => Result<T, TreeError>,
  ): Promise<Result<T, TreeError>> {
    return this.#enter<Result<T, TreeError>>(
      (answer) => ({ kind: "read", read: (tree, session) => answer(read(tree, session)) }),
      (error) => err(error.kind === "connection-loss" ? { ...error, path } : error),
    );
  }

  #enter<R>(
    request: (answer: (result: R) => ClientMessage) => ClientRequest,
    failed: (error: TreeError) => R,
  ): Promise<R> {
    return new Promise((resolve) => {
      const answer = (result: R): ClientMessage => {
        return () => {
          this.#pending.delete(call);
          resolve(result);
        };
      };
      const call: Call = {
        send: (link) => {
          this.#pending.add(call);
          link.requests.push(request(answer));
        },
        fail: (error) => resolve(failed(error)),
      };
      if (this.#closing !== undefined || this.session.state === "closed") call.fail({ kind: "closed" });
      else if (this.session.state === "expired") call.fail({ kind: "session-expired" });
      else this.#sendOrWait(call);
    });
  }

  #sendOrWait(call: Call): void {
    if (this.session.state === "connected" && this.link !== undefined) {
      call.send(this.link);
      return;
    }
    const tooLong = (): void => {
      this.#waiting.delete(call);
      call.fail({ kind: "connection-loss", path: "/" });
    };
    this.#waiting.set(call, this.#process.scheduler.after(this.session.timeoutMs, tooLong));
  }

  #dial(): void {
    if (this.session.isOver || this.link !== undefined || this.#server.isStopped) return;
    const link = this.#server.dial(this);
    if (link === undefined) {
      this.#process.scheduler.after(this.#server.redialMs, () => this.#dial());
      return;
    }
    this.link = link;
    const { id, password } = this.session;
    const options = id === 0n ? this.#options : { resume: { id, password } };
    const answer = (session: TreeSession | undefined): ClientMessage => {
      if (session === undefined) return () => this.#refused(link);
      const { timeoutMs } = session;
      return () => this.#welcome(link, { id: session.id, password: session.password, timeoutMs });
    };
    link.requests.push({ kind: "login", options, answer });
  }

  #welcome(link: MemoryLink, granted: Pick<MemorySession, "id" | "password" | "timeoutMs">): void {
    const isReturn = this.session.state === "suspended";
    Object.assign(this.session, granted);
    const held = [...this.#watches.all()].filter((watch) => watch.isConfirmed);
    const read = (tree: DataTree, session: bigint): ClientMessage => {
      for (const { path, options } of held) tree.watches.addPersistent(session, path, options.recursive);
      return () => undefined;
    };
    if (held.length > 0) link.requests.push({ kind: "read", read });
    this.session.become("connected");
    if (isReturn) for (const { options } of held) options.onResync();
    for (const [call, timer] of [...this.#waiting]) {
      timer?.cancel();
      this.#waiting.delete(call);
      if (this.link === link) call.send(link);
    }
  }

  #refused(link: MemoryLink): void {
    this.#server.cut(link);
    this.#finish("expired");
  }

  #finish(state: "closed" | "expired"): void {
    this.session.become(state);
    const { link } = this;
    this.link = undefined;
    if (link !== undefined) this.#server.cut(link);
    const error: TreeError = state === "closed" ? { kind: "closed" } : { kind: "session-expired" };
    const unfinished = [...this.#pending, ...this.#waiting.keys()];
    for (const timer of this.#waiting.values()) timer?.cancel();
    this.#pending.clear();
    this.#waiting.clear();
    for (const call of unfinished) call.fail(error);
  }

  #unwatch(watch: HeldWatch): void {
    if (!this.#watches.remove(watch)) return;
    const read = (tree: DataTree, session: bigint): ClientMessage => {
      tree.watches.removePersistent(session, watch.path, watch.options.recursive);
      return () => undefined;
    };
    this.link?.requests.push({ kind: "read", read });
  }
}

/** The caller may reuse its buffers; the tree keeps what it is given. */
function ownCopy(operation: TreeOperation): TreeOperation {
  return "data" in operation ? { ...operation, data: operation.data.slice() } : operation;
}
