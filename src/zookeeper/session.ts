import type { Duration, Instant } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import type { SessionState } from "../store/tree.ts";
import { type ZooKeeperCounters, zookeeperCounters } from "./counters.ts";
import { FrameSplitter } from "./frames.ts";
import { readConnectResponse, writeConnectRequest } from "./handshake.ts";
import { JuteWriter } from "./jute.ts";
import { zookeeperLimits } from "./limits.ts";
import { errorCode, type ReplyHeader, type Request, specialXid } from "./protocol.ts";
import { readNotification, readReply, readReplyHeader } from "./reply.ts";
import { writeRequest } from "./request.ts";
import { ServerRotation } from "./servers.ts";
import { SessionCalls } from "./session-calls.ts";
import type {
  CallOutcome,
  Credential,
  SessionConfig,
  SessionCredentials,
  SessionEffect,
  SessionEnd,
} from "./session-types.ts";
import { SessionWatches } from "./session-watches.ts";

/**
 * A client session of ZooKeeper without I/O: bytes, ticks and requests in; bytes, outcomes and events out.
 *
 * Every input method takes `now` (monotonic milliseconds) and leaves its effects in `take()`, in the order in which they must
 * be carried out. The shell dials, writes and hangs up as it is told, and calls `tick` at `nextTick`.
 *
 *   idle -start-> dial -dialled-> handshake -response-> [authenticate] -> open -lost-> pause -> dial ...
 *   and from anywhere: expired (a server said so) or closed (we did, or our credentials were refused). Both are final.
 *
 * What is promised:
 * - Requests go out in the order of `submit` and are answered in that order.
 * - When the connection goes, a write on the wire ends as `connection-loss`; a read is sent once more on the next connection;
 *   what was not sent yet waits for the next connection, at most for the session time-out.
 * - Two thirds of the session time-out without a byte from the server is a dead peer; a third without sending is a ping.
 * - After a reconnect the watches are set again before anything else, then `resync` says that events may be missing.
 * - Only a server can say that a session is expired: while none is reachable, it may be alive.
 */
export class ZooKeeperSession<Token> {
  readonly counters: ZooKeeperCounters;
  readonly watches = new SessionWatches();
  readonly #auth: readonly Credential[];
  readonly #rotation: ServerRotation;
  readonly #wantedMs: Duration;
  readonly #writer = new JuteWriter();
  readonly #calls: SessionCalls<Token>;
  #effects: SessionEffect<Token>[] = [];
  #splitter = new FrameSplitter(zookeeperLimits.replyBytes);
  #stage: Stage = "idle";
  #state: SessionState = "connecting";
  /** When the present stage must have ended: a pause, an attempt to connect. */
  #until: Instant = 0;
  #closeBy: Instant | undefined;
  #heardAt: Instant = 0;
  #sentAt: Instant = 0;
  #timeoutMs: Duration;
  #id: bigint;
  #password: Uint8Array;
  #lastZxid: bigint;
  #authLeft = 0;
  #setWatchesLeft = 0;
  /** When a server first hung up on our greeting, since we last had a session's connection. */
  #refusedSince: Instant | undefined;
  #end: SessionEnd = "closed";

  constructor(config: SessionConfig, prng: Prng, counters: ZooKeeperCounters = zookeeperCounters()) {
    this.counters = counters;
    this.#calls = new SessionCalls(counters, (token, outcome) => this.#reply(token, outcome));
    this.#auth = config.auth ?? [];
    this.#rotation = new ServerRotation(config.servers, prng);
    this.#wantedMs = config.timeoutMs;
    this.#timeoutMs = config.timeoutMs;
    this.#id = config.resume?.id ?? 0n;
    this.#password = config.resume?.password ?? new Uint8Array(16);
    this.#lastZxid = config.resume?.lastZxid ?? 0n;
  }

  /** State as the tree's users see it. */
  get state(): SessionState {
    return this.#state;
  }

  /** Session id, 0n until the first connection. */
  get id(): bigint {
    return this.#id;
  }

  /** Negotiated time-out in milliseconds; the wanted one until the first connection. */
  get timeoutMs(): Duration {
    return this.#timeoutMs;
  }

  /** Why the session ended, when it has. */
  get end(): SessionEnd | undefined {
    return this.#stage === "ended" ? this.#end : undefined;
  }

  /** What another process needs to go on with this session. */
  get credentials(): SessionCredentials {
    return { id: this.#id, password: this.#password, lastZxid: this.#lastZxid };
  }

  /** When `tick` has to be called next; undefined when nothing is waited for. */
  get nextTick(): Instant | undefined {
    if (this.#stage === "ended" || this.#stage === "idle") return undefined;
    let at = this.#isUp() ? this.#nextUpTick() : this.#until;
    const since = this.#isUp() ? undefined : this.#calls.waitingSince;
    if (since !== undefined) at = Math.min(at, since + this.#timeoutMs);
    return this.#closeBy === undefined ? at : Math.min(at, this.#closeBy);
  }

  /** The effects since the last call, oldest first. */
  take(): SessionEffect<Token>[] {
    if (this.#effects.length === 0) return this.#effects;
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** Begins to connect. */
  start(now: Instant): void {
    if (this.#stage === "idle") this.#dial(now);
  }

  /** The connection that a `dial` effect asked for is open. */
  dialled(now: Instant): void {
    if (this.#stage !== "dial") return;
    this.#stage = "handshake";
    this.#splitter = new FrameSplitter(zookeeperLimits.replyBytes);
    this.#forgetZxid(now);
    writeConnectRequest(this.#writer, {
      lastZxid: this.#lastZxid,
      timeoutMs: this.#wantedMs,
      sessionId: this.#id,
      password: this.#password,
      readOnly: false,
    });
    this.flush(now);
  }

  /** Bytes from the server. */
  received(bytes: Uint8Array, now: Instant): void {
    if (this.#stage !== "handshake" && !this.#isUp()) return;
    this.#heardAt = now;
    this.#splitter.push(bytes);
    while (this.#stage === "handshake" || this.#isUp()) {
      const frame = this.#splitter.next();
      if (!frame.ok) return this.#badFrame(`a frame of ${frame.error.length} bytes`, now);
      if (frame.value === undefined) break;
      if (this.#stage === "handshake") this.#onConnectResponse(frame.value, now);
      else this.#onFrame(frame.value, now);
    }
    this.flush(now);
  }

  /** The connection failed, was refused or was closed by the server. */
  lost(now: Instant, why: string): void {
    // A server that hangs up on our greeting has no quorum, or has seen less than we have.
    if (this.#stage === "handshake") this.#refusedSince ??= now;
    if (this.#stage === "dial" || this.#stage === "handshake" || this.#isUp()) this.#disconnect(now, why);
  }

  /** Asks for one thing; the outcome comes as a `reply` effect with this token. Bytes go out with the next `flush`. */
  submit(request: Request, token: Token, now: Instant): void {
    if (this.#stage === "ended") return this.#reply(token, this.#endOutcome());
    if (this.#closeBy !== undefined) return this.#reply(token, { kind: "closed" });
    this.#calls.add(request, token, now);
    this.#pump();
  }

  /** Ends the session after what was submitted before: tells the server, or gives up after a short while. */
  close(now: Instant): void {
    if (this.#stage === "ended" || this.#closeBy !== undefined) return;
    if (this.#id === 0n) return this.#finish("closed");
    this.#closeBy = now + zookeeperLimits.closeMs;
    this.#calls.add({ op: "closeSession" }, undefined, now);
    this.#pump();
    this.flush(now);
  }

  /** Leaves the session alive on the server and stops here: a restart will resume it. */
  detach(): void {
    if (this.#stage !== "ended") this.#finish("closed");
  }

  /** Time has passed: pings, gives up silent servers, dials after a pause, ends requests that waited too long. */
  tick(now: Instant): void {
    if (this.#stage === "ended" || this.#stage === "idle") return;
    if (this.#closeBy !== undefined && now >= this.#closeBy) return this.#finish("closed");
    if (this.#isUp()) this.#tickUp(now);
    else if (now >= this.#until) this.#stageOver(now);
    if (!this.#isUp()) this.#calls.expire(now, this.#timeoutMs);
    this.flush(now);
  }

  /** Hands what was written to the connection. */
  flush(now: Instant): void {
    if (this.#writer.length === 0) return;
    this.#sentAt = now;
    this.#effects.push({ effect: "send", bytes: this.#writer.take() });
  }

  #isUp(): boolean {
    return this.#stage === "open" || this.#stage === "authenticate";
  }

  #nextUpTick(): Instant {
    return Math.min(this.#heardAt + this.#silenceMs(), this.#sentAt + this.#pingMs());
  }

  #silenceMs(): Duration {
    return (this.#timeoutMs * 2) / 3;
  }

  #pingMs(): Duration {
    return Math.min(this.#timeoutMs / 3, zookeeperLimits.pingMaxMs);
  }

  #dial(now: Instant): void {
    this.#stage = "dial";
    this.#until = now + Math.max(zookeeperLimits.connectMinMs, this.#timeoutMs / this.#rotation.size);
    this.counters.add("zookeeper_dials");
    this.#effects.push({ effect: "dial", server: this.#rotation.next() });
  }

  #stageOver(now: Instant): void {
    if (this.#stage === "pause") return this.#dial(now);
    this.counters.add("zookeeper_connect_timeouts");
    this.#hangUp(now, "the server did not answer in time");
  }

  #tickUp(now: Instant): void {
    if (now >= this.#heardAt + this.#silenceMs()) {
      this.counters.add("zookeeper_dead_peers");
      return this.#hangUp(now, "the server fell silent");
    }
    if (now < this.#sentAt + this.#pingMs()) return;
    this.counters.add("zookeeper_pings");
    writeRequest(this.#writer, specialXid.ping, { op: "ping" });
  }

  #badFrame(why: string, now: Instant): void {
    this.counters.add("zookeeper_bad_frames");
    this.#hangUp(now, why);
  }

  #hangUp(now: Instant, why: string): void {
    this.#effects.push({ effect: "hang-up", why });
    this.#disconnect(now, why);
  }

  #disconnect(now: Instant, why: string): void {
    this.#writer.truncate(0);
    this.#stage = "pause";
    if (this.#calls.connectionLost(now)) return this.#finish("closed");
    if (this.#state === "connected") this.#become("suspended", why);
    this.#until = now + this.#rotation.failed();
    if (this.#until <= now) this.#dial(now);
  }

  #onConnectResponse(frame: Uint8Array, now: Instant): void {
    const response = readConnectResponse(frame);
    if (!response.ok) return this.#badFrame(`connect response: ${response.error.field} ${response.error.why}`, now);
    const { timeoutMs, sessionId, password } = response.value;
    if (timeoutMs <= 0 || sessionId === 0n) return this.#onRefusedSession(now);
    if (this.#id !== 0n && sessionId !== this.#id) return this.#badFrame("the session of somebody else", now);
    this.#id = sessionId;
    this.#password = password;
    this.#timeoutMs = timeoutMs;
    this.#rotation.succeeded();
    this.counters.add("zookeeper_connects");
    this.#authLeft = this.#auth.length;
    this.#stage = "authenticate";
    for (const credential of this.#auth) writeRequest(this.#writer, specialXid.auth, { op: "auth", ...credential });
    if (this.#authLeft === 0) this.#open();
  }

  #onRefusedSession(now: Instant): void {
    if (this.#id === 0n) return this.#badFrame("a refusal of a session that was not asked for", now);
    this.counters.add("zookeeper_expired");
    this.#finish("expired");
  }

  /**
   * Refused for so long that the session, if a quorum lives, is over: the servers may have been restored from a backup, with fewer
   * transactions than we have seen, and would refuse us for ever. The server then says whether the session is known.
   */
  #forgetZxid(now: Instant): void {
    if (this.#refusedSince === undefined || this.#lastZxid === 0n) return;
    if (now - this.#refusedSince < zookeeperLimits.refusedTimeouts * this.#timeoutMs) return;
    this.#lastZxid = 0n;
    this.counters.add("zookeeper_zxids_forgotten");
  }

  #open(): void {
    this.#stage = "open";
    this.#refusedSince = undefined;
    const frames = this.watches.frames(this.#lastZxid);
    this.#setWatchesLeft = frames.length;
    for (const request of frames) writeRequest(this.#writer, specialXid.setWatches, request);
    this.#become("connected", "");
    this.#pump();
  }

  #pump(): void {
    if (this.#stage === "open") this.#calls.pump(this.#writer, (request) => this.watches.sent(request));
  }

  #onFrame(frame: Uint8Array, now: Instant): void {
    const header = readReplyHeader(frame);
    if (!header.ok) return this.#badFrame(`reply header: ${header.error.field} ${header.error.why}`, now);
    switch (header.value.xid) {
      case specialXid.notification:
        return this.#onNotification(frame, now);
      case specialXid.ping:
        return;
      case specialXid.auth:
        return this.#onAuthReply(header.value);
      case specialXid.setWatches:
        return this.#onSetWatchesReply(header.value, now);
      default:
        return this.#onReply(frame, header.value, now);
    }
  }

  #onNotification(frame: Uint8Array, now: Instant): void {
    const event = readNotification(frame);
    if (!event.ok) return this.#badFrame(`watch event: ${event.error.field} ${event.error.why}`, now);
    this.counters.add("zookeeper_events");
    this.#effects.push({ effect: "event", event: event.value });
  }

  #onAuthReply(header: ReplyHeader): void {
    if (header.error !== errorCode.ok) return this.#finish("no-auth");
    this.#authLeft -= 1;
    if (this.#authLeft === 0 && this.#stage === "authenticate") this.#open();
  }

  #onSetWatchesReply(header: ReplyHeader, now: Instant): void {
    if (header.error !== errorCode.ok) return this.#badFrame(`setWatches failed with ${header.error}`, now);
    this.#setWatchesLeft -= 1;
    if (this.#setWatchesLeft !== 0) return;
    this.counters.add("zookeeper_resyncs");
    this.#effects.push({ effect: "resync" });
  }

  #onReply(frame: Uint8Array, header: ReplyHeader, now: Instant): void {
    const request = this.#calls.expected(header.xid);
    if (request === undefined) return this.#badFrame(`reply ${header.xid} out of order`, now);
    const reply = header.error === errorCode.ok ? readReply(frame, request.op) : undefined;
    if (reply?.ok === false) return this.#badFrame(`reply: ${reply.error.field} ${reply.error.why}`, now);
    this.counters.add("zookeeper_replies");
    if (header.zxid > this.#lastZxid) this.#lastZxid = header.zxid;
    if (request.op === "closeSession") return this.#finish("closed");
    if (header.error === errorCode.closedRequiresAuth) {
      this.#calls.answer({ kind: "no-auth" });
      return this.#finish("no-auth");
    }
    this.watches.answered(request, header.error);
    this.#calls.answer(
      reply === undefined ? { kind: "error", code: header.error } : { kind: "reply", reply: reply.value },
    );
    this.#pump();
  }

  #reply(token: Token, outcome: CallOutcome): void {
    this.#effects.push({ effect: "reply", token, outcome });
  }

  #finish(end: SessionEnd): void {
    const hadConnection = this.#stage === "dial" || this.#stage === "handshake" || this.#isUp();
    this.#writer.truncate(0);
    this.#stage = "ended";
    this.#end = end;
    if (hadConnection) this.#effects.push({ effect: "hang-up", why: end });
    this.#calls.endAll(this.#endOutcome());
    this.#become(end === "expired" ? "expired" : "closed", end);
  }

  #endOutcome(): CallOutcome {
    return this.#end === "expired" ? { kind: "session-expired" } : { kind: this.#end };
  }

  #become(state: SessionState, why: string): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#effects.push({ effect: "state", state, why });
  }
}

/** Where the session is in the life of its present connection. */
type Stage = "idle" | "pause" | "dial" | "handshake" | "authenticate" | "open" | "ended";
