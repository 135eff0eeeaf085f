import type { Instant } from "../base/clock.ts";
import type { Scheduler } from "../base/scheduler.ts";
import type { DataTree } from "../store/data-tree.ts";
import type { TreeSession } from "../store/data-tree-sessions.ts";
import type { ClientMessage, ClientRequest, LinkEnd, MemoryLink } from "../store/memory/memory-link.ts";
import type { TreeEvent, TreeOperation } from "../store/tree.ts";
import { operationOf } from "../store-server/operations.ts";
import { answerToWrites, handleRequest } from "../store-server/request-handler.ts";
import { wireEvent } from "../store-server/server.ts";
import { FrameSplitter } from "../zookeeper/frames.ts";
import { readConnectRequest, writeConnectResponse } from "../zookeeper/handshake.ts";
import { JuteWriter } from "../zookeeper/jute.ts";
import { zookeeperLimits } from "../zookeeper/limits.ts";
import { isWriteOperation, type Request, specialXid, type WriteOperation } from "../zookeeper/protocol.ts";
import { writeNotification, writeReply } from "../zookeeper/reply.ts";
import { readRequest } from "../zookeeper/request.ts";
import { noteSeen } from "./ensemble-member.ts";

/** What a door is made of. */
export interface WireDoorParts {
  readonly scheduler: Scheduler;
  readonly place: string;
  /** What is committed, as the leader has it. */
  readonly committed: DataTree;
  /** Dials a member. */
  dial(end: LinkEnd): MemoryLink | undefined;
  /** Breaks a link. */
  cut(link: MemoryLink): void;
  /** Takes bytes to the client. */
  send(bytes: Uint8Array): void;
  /** The connection has gone. */
  onCut(): void;
}

/**
 * Where a client's bytes become requests of a simulated member, and its answers bytes: ZooKeeper's wire protocol in front of the
 * replica that the member reads from and the leader that it writes through. A client that says nothing for its session's time-out is
 * cut off, as Apache does.
 */
export class WireDoor implements LinkEnd {
  readonly place: string;
  readonly #parts: WireDoorParts;
  readonly #splitter = new FrameSplitter(zookeeperLimits.frameBytes);
  readonly #link: MemoryLink | undefined;
  #hasGreeted = false;
  #heardAt: Instant = 0;

  constructor(parts: WireDoorParts) {
    this.#parts = parts;
    this.place = parts.place;
    this.#link = parts.dial(this);
  }

  /** The link to the member; undefined: nobody listens. */
  get link(): MemoryLink | undefined {
    return this.#link;
  }

  /** Bytes of the client. */
  received(bytes: Uint8Array): void {
    this.#heardAt = this.#parts.scheduler.clock.now();
    this.#splitter.push(bytes.slice());
    for (;;) {
      const frame = this.#splitter.next();
      if (!frame.ok) throw new Error(`the client has sent a frame of ${frame.error.length} bytes`);
      if (frame.value === undefined) return;
      this.#push(this.#hasGreeted ? this.#request(frame.value) : this.#greet(frame.value));
    }
  }

  /** The client has closed the connection, after what it sent. */
  gone(): void {
    this.#push({
      kind: "read",
      read: () => {
        this.#parts.scheduler.soon(() => this.#cut());
        return () => undefined;
      },
    });
  }

  onCut(): void {
    this.#parts.onCut();
  }

  onMessage(message: ClientMessage): void {
    message();
  }

  onEvent(event: TreeEvent, zxid = 0): void {
    const writer = new JuteWriter();
    writeNotification(writer, BigInt(zxid), wireEvent(event));
    this.#parts.send(writer.take());
  }

  #push(request: ClientRequest): void {
    if (this.#link !== undefined && !this.#link.isCut) this.#link.requests.push(request);
  }

  #cut(): void {
    if (this.#link !== undefined) this.#parts.cut(this.#link);
  }

  #greet(frame: Uint8Array): ClientRequest {
    const read = readConnectRequest(frame);
    if (!read.ok) throw new Error(`the client's greeting is malformed: ${read.error.why}`);
    this.#hasGreeted = true;
    const { timeoutMs, sessionId, password, lastZxid, readOnly } = read.value;
    noteSeen(this, Number(lastZxid));
    const resume = sessionId === 0n ? {} : { resume: { id: sessionId, password } };
    const answer = (session: TreeSession | undefined): ClientMessage => {
      const writer = new JuteWriter();
      const nobody = { timeoutMs: 0, sessionId: 0n, password: new Uint8Array(16) };
      const granted = session === undefined ? nobody : { ...session, sessionId: session.id };
      writeConnectResponse(writer, { ...granted, readOnly: readOnly === undefined ? undefined : false });
      if (session !== undefined) this.#listen(session.timeoutMs);
      return this.#say(writer.take(), session === undefined);
    };
    return { kind: "login", options: { timeoutMs, place: this.place, ...resume }, answer };
  }

  #request(frame: Uint8Array): ClientRequest {
    const read = readRequest(frame);
    if (!read.ok) throw new Error(`the client's request is malformed: ${read.error.field}: ${read.error.why}`);
    const { request } = read.value;
    const xid = request.op === "ping" ? specialXid.ping : read.value.xid;
    if (isWriteOperation(request)) return this.#write(xid, request, [request]);
    switch (request.op) {
      case "multi":
        return this.#write(xid, request, request.operations);
      case "sync":
        return {
          kind: "sync",
          answer: () => this.#reply(xid, { error: 0, reply: { op: "path", path: request.path } }),
        };
      case "closeSession":
        return { kind: "close", answer: () => this.#reply(xid, { error: 0, reply: { op: "none" } }, true) };
      default:
        return this.#read(xid, request);
    }
  }

  #write(xid: number, request: Request, requests: readonly WriteOperation[]): ClientRequest {
    const operations: TreeOperation[] = [];
    for (const one of requests) {
      const operation = operationOf(one, true);
      if (!operation.ok) return { kind: "read", read: () => this.#reply(xid, failed(operation.error)) };
      operations.push(operation.value);
    }
    const tree = this.#parts.committed;
    return {
      kind: "write",
      operations,
      answer: (reply) => this.#reply(xid, answerToWrites(request, requests, { tree, reply })),
    };
  }

  #read(xid: number, request: Request): ClientRequest {
    const read = (tree: DataTree, session: bigint): ClientMessage => {
      const at = { now: this.#parts.scheduler.clock.now(), wall: this.#parts.scheduler.clock.wall() };
      const asked = request.op === "auth" ? ({ op: "ping" } as const) : request;
      const handled = handleRequest(asked, { tree, session, at, identities: [], isFull: false });
      const writer = new JuteWriter();
      const zxid = BigInt(tree.zxid);
      for (const event of handled.missed) writeNotification(writer, zxid, wireEvent(event));
      writeReply(writer, { xid, zxid, error: handled.error }, handled.reply);
      return this.#say(writer.take(), false);
    };
    return { kind: "read", read };
  }

  #reply(xid: number, { error, reply }: ReturnType<typeof answerToWrites>, isLast = false): ClientMessage {
    const writer = new JuteWriter();
    writeReply(writer, { xid, zxid: BigInt(this.#parts.committed.zxid), error }, reply);
    return this.#say(writer.take(), isLast);
  }

  #say(bytes: Uint8Array, isLast: boolean): ClientMessage {
    return () => {
      this.#parts.send(bytes);
      if (isLast) this.#parts.scheduler.soon(() => this.#cut());
    };
  }

  /** Pings come three times in a session's time-out; who sends nothing for all of it is taken for dead. */
  #listen(timeoutMs: number): void {
    const { scheduler } = this.#parts;
    const left = this.#heardAt + timeoutMs - scheduler.clock.now();
    if (this.#link?.isCut === true) return;
    if (left <= 0) return this.#cut();
    scheduler.after(left, () => this.#listen(timeoutMs));
  }
}

function failed(error: number): { readonly error: number; readonly reply: { readonly op: "none" } } {
  return { error, reply: { op: "none" } };
}
