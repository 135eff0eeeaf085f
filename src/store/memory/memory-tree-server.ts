import { unreachable } from "../../base/assert.ts";
import type { Duration } from "../../base/clock.ts";
import { Prng } from "../../base/prng.ts";
import type { Scheduler, Timer } from "../../base/scheduler.ts";
import { DataTree, type Moment, type TreeLimits } from "../data-tree.ts";
import type { TreeSession } from "../data-tree-sessions.ts";
import type { WatchNotice } from "../data-tree-watches.ts";
import { Channel } from "./channel.ts";
import type {
  ClientMessage,
  ClientRequest,
  LinkEnd,
  MemoryConnectOptions,
  MemoryLink,
  NextRequestFate,
  ServedCounts,
  TreeServer,
} from "./memory-link.ts";
import { MemoryTree } from "./memory-tree.ts";

/** How a memory tree server behaves. Without `delay` every message takes one turn of the scheduler. */
export interface MemoryTreeServerOptions {
  readonly scheduler: Scheduler;
  /** Travel time of one message, asked for each: a seeded one makes sessions lag behind each other. */
  delay?(): Duration;
  /** Pause of a client before it dials again after a lost connection, in milliseconds; default 10. */
  readonly redialMs?: number;
  /** Time between sweeps of containers and ttl nodes in milliseconds; default 60,000. */
  readonly sweepMs?: number;
  readonly limits?: Partial<TreeLimits>;
  /** Seed of the session passwords; default 1. */
  readonly seed?: number;
}

/**
 * A data tree with several sessions in one process: the memory driver of the store. Every wait is the scheduler's, so the same
 * seed gives the same run. The methods under "Faults" do what networks and servers do to real clients.
 */
export class MemoryTreeServer implements TreeServer {
  /** The tree itself, for checkers. Change it through a session only. */
  readonly tree: DataTree;
  readonly scheduler: Scheduler;
  readonly redialMs: number;
  readonly #options: MemoryTreeServerOptions;
  readonly #prng: Prng;
  /** The link that serves a session now, with its client's end. */
  readonly #links = new Map<bigint, { readonly link: MemoryLink; readonly end: LinkEnd }>();
  readonly #ends = new Map<MemoryLink, LinkEnd>();
  readonly #expiries = new Map<bigint, Timer>();
  readonly #isolated = new Set<LinkEnd | string>();
  readonly #served = new Map<string, ServedCounts>();
  #sweepTimer: Timer | undefined;
  #isStopped = false;

  constructor(options: MemoryTreeServerOptions) {
    this.#options = options;
    this.scheduler = options.scheduler;
    this.redialMs = options.redialMs ?? 10;
    this.tree = new DataTree(options.limits);
    this.#prng = new Prng(options.seed ?? 1);
  }

  /** Opens a session. The tree can be used at once: its first calls wait for the connection. */
  connect(options: MemoryConnectOptions = {}): MemoryTree {
    return new MemoryTree(this, options);
  }

  /** True after `stop`: nobody needs to dial any more. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Cancels every timer: the server is not used any more. Sessions see their connections cut and are not served again. */
  stop(): void {
    this.#isStopped = true;
    this.#sweepTimer?.cancel();
    for (const link of [...this.#ends.keys()]) this.cut(link);
    for (const timer of this.#expiries.values()) timer.cancel();
  }

  /** Sweeps containers and ttl nodes now; otherwise it happens by itself. */
  sweep(): void {
    this.#send(this.tree.sweep(this.#moment()).events);
  }

  // Faults.

  /**
   * Breaks a session's connection: what is on the wire is lost both ways, the client dials again by itself. With `fate` the
   * connection breaks at the next request, which is applied or lost.
   */
  disconnect(client: MemoryTree, fate?: NextRequestFate): void {
    const link = client.link;
    if (link === undefined) return;
    if (fate === undefined) this.cut(link);
    else link.fate = fate;
  }

  /** Cuts a client, or all clients of a place, off until `rejoin`; their sessions run out unless they rejoin in time. */
  isolate(what: MemoryTree | string): void {
    this.#isolated.add(what);
    for (const [link, end] of [...this.#ends]) if (end === what || end.place === what) this.cut(link);
  }

  /** Ends an isolation. */
  rejoin(what: MemoryTree | string): void {
    this.#isolated.delete(what);
  }

  /** Ends a session as if its time had run out, at once. The client learns it when it dials again. */
  expire(client: MemoryTree): void {
    this.expireSession(client.session.id);
    if (client.link !== undefined) this.cut(client.link);
  }

  /** The same, by the session's id. */
  expireSession(id: bigint): void {
    const link = this.#links.get(id)?.link;
    if (link !== undefined) this.cut(link);
    this.#end(id);
  }

  /** What was done for the clients of a place so far. */
  servedTo(place: string): ServedCounts {
    const known = this.#served.get(place);
    if (known !== undefined) return known;
    const counts: ServedCounts = { requests: 0, events: 0 };
    this.#served.set(place, counts);
    return counts;
  }

  // What a client calls.

  /** Dials. Undefined when nobody answers: isolated or stopped. */
  dial(end: LinkEnd): MemoryLink | undefined {
    if (this.#isStopped || this.#isolated.has(end) || this.#isolated.has(end.place)) return undefined;
    const delay = this.#options.delay ?? (() => 0);
    const { scheduler } = this;
    const link: MemoryLink = {
      requests: new Channel({ scheduler, delay, deliver: (request) => this.#serve(link, request) }),
      messages: new Channel({ scheduler, delay, deliver: (message) => end.onMessage(message) }),
      session: undefined,
      fate: undefined,
      isCut: false,
    };
    this.#ends.set(link, end);
    return link;
  }

  /** Breaks a link; its session has its time-out from now on to come back. */
  cut(link: MemoryLink): void {
    if (link.isCut) return;
    link.isCut = true;
    link.requests.cut();
    link.messages.cut();
    const end = this.#ends.get(link);
    this.#ends.delete(link);
    const id = link.session?.id;
    if (id !== undefined && this.#links.get(id)?.link === link) this.#awaitReturn(id);
    end?.onCut();
  }

  #login(link: MemoryLink, options: MemoryConnectOptions): TreeSession | undefined {
    const session = this.#session(options);
    const end = this.#ends.get(link);
    if (session === undefined || end === undefined) return undefined;
    const old = this.#links.get(session.id);
    this.#links.set(session.id, { link, end });
    if (old !== undefined) this.cut(old.link);
    this.#expiries.get(session.id)?.cancel();
    link.session = session;
    return session;
  }

  #session(options: MemoryConnectOptions): TreeSession | undefined {
    const at = this.#moment();
    if (options.resume !== undefined) {
      const resumed = this.tree.resumeSession(options.resume.id, options.resume.password, at);
      return resumed.ok ? resumed.value : undefined;
    }
    const password = Uint8Array.from({ length: 16 }, () => this.#prng.below(256));
    const { reply, events } = this.tree.openSession(options.timeoutMs ?? 10_000, password, at);
    this.#send(events);
    return reply.ok ? reply.value : undefined;
  }

  #serve(link: MemoryLink, request: ClientRequest): void {
    const { fate } = link;
    const end = this.#ends.get(link);
    if (end !== undefined) this.servedTo(end.place).requests += 1;
    if (fate !== "lost") link.messages.push(this.#answer(link, request));
    if (fate !== undefined) this.cut(link);
    this.#armSweep();
  }

  #answer(link: MemoryLink, request: ClientRequest): ClientMessage {
    const session = link.session?.id ?? 0n;
    switch (request.kind) {
      case "login":
        return request.answer(this.#login(link, request.options));
      case "read":
        return request.read(this.tree, session);
      case "write": {
        const { reply, events } = this.tree.multi(request.operations, session, this.#moment());
        this.#send(events);
        return request.answer(reply);
      }
      case "sync":
        return request.answer();
      case "close":
        this.#end(session);
        return request.answer();
      default:
        return unreachable(request);
    }
  }

  #send(notices: readonly WatchNotice[]): void {
    for (const { session, event } of notices) {
      const held = this.#links.get(session);
      if (held === undefined) continue;
      this.servedTo(held.end.place).events += 1;
      held.link.messages.push(() => held.end.onEvent(event));
    }
  }

  #awaitReturn(id: bigint): void {
    this.#links.delete(id);
    this.tree.disconnected(id);
    const session = this.tree.sessions.get(id);
    if (session === undefined || this.#isStopped) return;
    this.#expiries.set(
      id,
      this.scheduler.after(session.timeoutMs, () => this.#end(id)),
    );
  }

  #end(id: bigint): void {
    this.#expiries.get(id)?.cancel();
    this.#expiries.delete(id);
    this.#links.delete(id);
    this.#send(this.tree.closeSession(id, this.#moment()).events);
  }

  #armSweep(): void {
    if (this.#sweepTimer !== undefined || this.#isStopped || !this.tree.needsSweep) return;
    this.#sweepTimer = this.scheduler.after(this.#options.sweepMs ?? 60_000, () => {
      this.#sweepTimer = undefined;
      this.sweep();
      this.#armSweep();
    });
  }

  #moment(): Moment {
    const { clock } = this.scheduler;
    return { now: clock.now(), wall: clock.wall() };
  }
}
