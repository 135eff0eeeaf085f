import type { Instant } from "../base/clock.ts";
import { type Log, silentLog } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Scheduler, Timer } from "../base/scheduler.ts";
import type { DataTree, Moment } from "../store/data-tree.ts";
import type { TransactionRecord } from "../store/data-tree-record.ts";
import type { WatchNotice } from "../store/data-tree-watches.ts";
import type { TreeEvent } from "../store/tree.ts";
import { errorCode, eventType, type Request, specialXid } from "../zookeeper/protocol.ts";
import { writeNotification, writeReply } from "../zookeeper/reply.ts";
import { readRequest } from "../zookeeper/request.ts";
import { Clients } from "./clients.ts";
import type { Connection, Link } from "./connection.ts";
import { type StoreServerCounters, storeServerCounters } from "./counters.ts";
import { fourLetterWord } from "./four-letter-words.ts";
import { type Doorkeeper, Greeter } from "./greeter.ts";
import type { Journal, JournalFault } from "./journal.ts";
import { storeServerLimits } from "./limits.ts";
import { handleRequest } from "./request-handler.ts";

/** What a store server is made of. */
export interface StoreServerOptions extends Doorkeeper {
  readonly journal: Journal;
  readonly scheduler: Scheduler;
  /** The journal cannot be trusted any more: the process has to end, and a new one to read what is there. */
  onBroken(why: string): void;
  readonly counters?: StoreServerCounters;
  readonly log?: Log;
}

/** What a listener calls for one of its links. */
export interface LinkEvents {
  received(bytes: Uint8Array): void;
  gone(): void;
}

/** A frame of the present turn and who sent it. */
interface Arrival {
  readonly connection: Connection;
  readonly frame: Uint8Array;
  /** The connection had no session when the turn began. */
  readonly isFresh: boolean;
}

/**
 * The data tree behind ZooKeeper's wire protocol, without sockets and files: links and a journal are given.
 *
 * It works in turns. Everything that arrived since the last turn is applied to the tree in order; then all records are appended
 * to the journal at once; only then replies and watch events leave. So nobody ever sees what a crash could undo, and a
 * hundred clients share one fsync.
 *
 * When the disk is full, the tree goes back to what the journal has, the turn is served again with its writes refused
 * (`storage-full`), and every connection is ended, because watches went with the old tree; clients come back, resume and read
 * again. Until there is room, writes are refused before they touch the tree.
 */
export class StoreServer {
  readonly counters: StoreServerCounters;
  readonly #options: StoreServerOptions;
  readonly #scheduler: Scheduler;
  readonly #log: Log;
  readonly #clients = new Clients((session) => this.#tree.disconnected(session));
  readonly #greeter: Greeter;
  /** Connections with bytes to look at, in order of arrival. */
  readonly #ready = new Set<Connection>();
  readonly #dirty = new Set<Connection>();
  #records: TransactionRecord[] = [];
  #tree: DataTree;
  #isFull = false;
  #isTurnDue = false;
  #isStopped = false;
  #tickTimer: Timer | undefined;
  #tickedAt: Instant;
  #sweptAt: Instant;

  private constructor(options: StoreServerOptions, tree: DataTree) {
    this.#options = options;
    this.#scheduler = options.scheduler;
    this.#log = options.log ?? silentLog;
    this.counters = options.counters ?? storeServerCounters();
    this.#greeter = new Greeter(this.#clients, options, this.counters);
    this.#tree = tree;
    const { now } = this.#moment();
    this.#tickedAt = this.#sweptAt = now;
    tree.renewSessions(now);
    this.#armTick();
  }

  /** Reads the journal and starts. Sessions of before live on, each with its full time. */
  static start(options: StoreServerOptions): Result<StoreServer, JournalFault> {
    const tree = options.journal.load();
    return tree.ok ? ok(new StoreServer(options, tree.value)) : err(tree.error);
  }

  /** The tree, to look at. */
  get tree(): DataTree {
    return this.#tree;
  }

  /** The counters, with the gauges as of now. */
  measured(): StoreServerCounters {
    this.counters.set("store_connections", this.#clients.size);
    this.counters.set("store_sessions", this.#tree.sessions.size);
    this.counters.set("store_watches", this.#tree.watches.size);
    this.counters.set("store_nodes", this.#tree.nodes);
    this.counters.set("store_bytes", this.#tree.bytes);
    return this.counters;
  }

  /** Whether writes are refused because the disk is full. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Takes a client's connection, or refuses it when there are too many. `isTrusted`: nothing has to be shown. */
  accept(link: Link, isTrusted: boolean): LinkEvents | undefined {
    if (this.#isStopped || this.#clients.size >= storeServerLimits.connections) {
      this.counters.add("store_connections_refused");
      return undefined;
    }
    const connection = this.#clients.add(link, this.#moment().now, !isTrusted);
    return {
      received: (bytes) => this.#received(connection, bytes),
      gone: () => this.#gone(connection),
    };
  }

  /** Breaks the connection of a session, which lives on: for tests and for tools. */
  disconnect(session: bigint): void {
    const connection = this.#clients.of(session);
    if (connection !== undefined) this.#clients.cut(connection);
  }

  /** Ends a session as if its time had run out. */
  expire(session: bigint): void {
    this.#settle(this.#tree.closeSession(session, this.#moment()));
    this.#endTurn([]);
    this.disconnect(session);
  }

  /** Looks for empty containers and nodes whose time has passed, now. */
  sweep(): void {
    this.#sweptAt = this.#moment().now;
    if (!this.#tree.needsSweep || this.#isFull) return;
    const outcome = this.#tree.sweep(this.#moment());
    this.counters.add("store_swept", outcome.reply.ok ? outcome.reply.value : 0);
    this.#settle(outcome);
    this.#endTurn([]);
  }

  /** Serves what has arrived, ends all connections and closes the journal. Sessions live on in it. */
  stop(): void {
    if (this.#isStopped) return;
    this.#turn();
    this.#isStopped = true;
    this.#tickTimer?.cancel();
    for (const connection of this.#clients.all()) this.#clients.end(connection);
    this.#options.journal.close();
  }

  #received(connection: Connection, bytes: Uint8Array): void {
    if (connection.stage === "over") return;
    connection.splitter.push(bytes);
    this.#ready.add(connection);
    this.#armTurn();
  }

  #gone(connection: Connection): void {
    connection.isGone = true;
    if (!this.#ready.has(connection)) this.#clients.forget(connection);
  }

  #armTurn(): void {
    if (this.#isTurnDue || this.#isStopped) return;
    this.#isTurnDue = true;
    this.#scheduler.soon(() => this.#turn());
  }

  #turn(): void {
    this.#isTurnDue = false;
    if (this.#isStopped) return;
    const arrivals: Arrival[] = [];
    for (const connection of this.#ready) this.#collect(connection, arrivals);
    const gone = [...this.#ready].filter(({ isGone }) => isGone);
    this.#ready.clear();
    const at = this.#moment();
    for (const arrival of arrivals) this.#serve(arrival, at);
    this.#endTurn(arrivals);
    for (const connection of gone) this.#clients.forget(connection);
    if (this.#options.journal.maintain(this.#tree)) this.counters.add("store_snapshots");
  }

  #collect(connection: Connection, arrivals: Arrival[]): void {
    const isFresh = connection.stage === "new";
    if (isFresh && this.#answerWord(connection)) return;
    for (;;) {
      const frame = connection.splitter.next();
      if (!frame.ok) return this.#badFrame(connection, `a frame of ${frame.error.length} bytes`);
      if (frame.value === undefined) return;
      arrivals.push({ connection, frame: frame.value, isFresh });
    }
  }

  #answerWord(connection: Connection): boolean {
    const start = connection.splitter.peek(4);
    // A frame's length begins with a zero byte, a word with a letter.
    if (start === undefined || start[0] === 0) return false;
    const counters = this.measured();
    const answer = fourLetterWord(new TextDecoder().decode(start), {
      zxid: this.#tree.zxid,
      counters,
      isFull: this.#isFull,
    });
    if (answer === undefined) return false;
    connection.link.write(new TextEncoder().encode(answer));
    this.#clients.end(connection);
    return true;
  }

  #serve(arrival: Arrival, at: Moment): void {
    const { connection, frame } = arrival;
    if (connection.stage === "over" || connection.isEnding) return;
    this.#dirty.add(connection);
    if (connection.stage === "new") return this.#greet(arrival, at);
    const read = readRequest(frame);
    if (!read.ok) return this.#badFrame(connection, `${read.error.field}: ${read.error.why}`);
    const { xid, request } = read.value;
    this.counters.add("store_requests");
    this.#tree.touch(connection.session, at.now);
    if (request.op === "auth") return this.#greeter.authenticate(connection, xid, request);
    if (connection.mustAuthenticate && request.op !== "ping" && request.op !== "closeSession") {
      return this.#greeter.refuse(connection, xid, errorCode.closedRequiresAuth);
    }
    this.#serveRequest(connection, { xid, request, at });
  }

  #serveRequest(
    connection: Connection,
    { xid, request, at }: { readonly xid: number; readonly request: Request; readonly at: Moment },
  ): void {
    const { session, identities, writer } = connection;
    const handled = handleRequest(request, { tree: this.#tree, session, at, identities, isFull: this.#isFull });
    if (handled.error === errorCode.quotaExceeded) this.counters.add("store_full_refusals");
    this.#settle(handled);
    const zxid = BigInt(this.#tree.zxid);
    for (const event of handled.missed) writeNotification(writer, zxid, wireEvent(event));
    writeReply(
      writer,
      { xid: request.op === "ping" ? specialXid.ping : xid, zxid, error: handled.error },
      handled.reply,
    );
    if (request.op === "closeSession" && handled.error === errorCode.ok) connection.isEnding = true;
  }

  #greet({ connection, frame }: Arrival, at: Moment): void {
    const greeted = this.#greeter.greet(connection, frame, { tree: this.#tree, at, isFull: this.#isFull });
    if (!greeted.ok) return this.#badFrame(connection, greeted.error);
    if (greeted.value !== undefined) this.#settle(greeted.value);
  }

  #settle({
    record,
    events,
  }: {
    readonly record: TransactionRecord | undefined;
    readonly events: readonly WatchNotice[];
  }): void {
    if (record === undefined) return;
    this.#records.push(record);
    const zxid = BigInt(record.zxid);
    for (const { session, event } of events) {
      const connection = this.#clients.of(session);
      if (connection === undefined) continue;
      this.counters.add("store_events");
      writeNotification(connection.writer, zxid, wireEvent(event));
      this.#dirty.add(connection);
    }
  }

  /** Makes the turn durable, then lets its frames go. */
  #endTurn(arrivals: readonly Arrival[]): void {
    if (this.#records.length > 0) {
      const records = this.#records;
      this.#records = [];
      const appended = this.#options.journal.append(records);
      if (!appended.ok) return this.#appendFailed(appended.error, arrivals);
      this.counters.add("store_commits");
      this.counters.add("store_writes", records.length);
    }
    this.#flush();
  }

  #flush(): void {
    for (const connection of this.#dirty) {
      if (connection.stage === "over") continue;
      if (connection.writer.length > 0) connection.link.write(connection.writer.take());
      if (connection.isEnding) this.#clients.end(connection);
      else if (connection.link.backlog > storeServerLimits.backlogBytes) {
        this.counters.add("store_slow_clients");
        this.#clients.cut(connection);
      }
    }
    this.#dirty.clear();
  }

  #appendFailed(fault: JournalFault, arrivals: readonly Arrival[]): void {
    this.#log.error("store.append-failed", { kind: fault.kind, why: fault.why });
    for (const connection of this.#dirty) connection.writer.truncate(0);
    const reloaded = fault.kind === "full" ? this.#options.journal.load() : err(fault);
    if (!reloaded.ok) {
      for (const connection of this.#clients.all()) this.#clients.cut(connection);
      return this.#options.onBroken(reloaded.error.why);
    }
    this.counters.add("store_full_commits");
    this.#isFull = true;
    this.#tree = reloaded.value;
    const at = this.#moment();
    this.#tree.renewSessions(at.now);
    for (const { connection, isFresh } of arrivals) {
      connection.isEnding = false;
      if (isFresh) this.#clients.cut(connection);
    }
    for (const arrival of arrivals) this.#serve(arrival, at);
    this.#flush();
    for (const connection of this.#clients.all()) this.#clients.end(connection);
  }

  #armTick(): void {
    this.#tickTimer = this.#scheduler.after(storeServerLimits.tickMs, () => {
      if (this.#isStopped) return;
      this.#tick();
      this.#armTick();
    });
  }

  #tick(): void {
    const at = this.#moment();
    if (at.now - this.#tickedAt > storeServerLimits.lateTickMs) this.#tree.renewSessions(at.now);
    this.#tickedAt = at.now;
    if (this.#isFull && this.#options.journal.hasRoom()) {
      this.#isFull = false;
      this.#log.info("store.room-again");
    }
    this.#cutIdle(at.now);
    if (!this.#isFull) this.#expireSessions(at);
    if (at.now - this.#sweptAt >= storeServerLimits.sweepMs) this.sweep();
    this.measured();
  }

  #cutIdle(now: Instant): void {
    for (const connection of this.#clients.all()) {
      const age = now - connection.openedAt;
      const isNameless = connection.mustAuthenticate && age > storeServerLimits.authenticateMs;
      if (!isNameless && (connection.stage !== "new" || age <= storeServerLimits.handshakeMs)) continue;
      this.counters.add("store_handshakes_late");
      this.#clients.cut(connection);
    }
  }

  #expireSessions(at: Moment): void {
    const overdue = this.#tree.sessions.overdue(at.now);
    if (overdue.length === 0) return;
    this.counters.add("store_sessions_expired", overdue.length);
    for (const outcome of this.#tree.expireSessions(at)) this.#settle(outcome);
    this.#endTurn([]);
    for (const session of overdue) {
      this.#log.info("store.session-expired", { session: session.toString(16) });
      this.disconnect(session);
    }
  }

  #badFrame(connection: Connection, why: string): void {
    this.counters.add("store_bad_frames");
    this.#log.warn("store.bad-frame", { peer: connection.link.peer, why });
    this.#clients.cut(connection);
  }

  #moment(): Moment {
    const { clock } = this.#scheduler;
    return { now: clock.now(), wall: clock.wall() };
  }
}

const wireType = {
  created: eventType.created,
  deleted: eventType.deleted,
  changed: eventType.changed,
  children: eventType.children,
} as const;

/** A watch event as the wire has it. */
export function wireEvent(event: TreeEvent): { readonly type: number; readonly path: string } {
  return { type: wireType[event.kind], path: event.path };
}
