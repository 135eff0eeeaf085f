import type { Duration, Instant } from "../base/clock.ts";
import { type Call, CallQueue } from "./call-queue.ts";
import type { ZooKeeperCounters } from "./counters.ts";
import type { JuteWriter } from "./jute.ts";
import { zookeeperLimits } from "./limits.ts";
import type { Request } from "./protocol.ts";
import { writeRequest } from "./request.ts";
import type { CallOutcome } from "./session-types.ts";

/** Told how a request ended; a request of the session itself has no token and nobody is told. */
export type Settle<Token> = (token: Token, outcome: CallOutcome) => void;

/** The requests of a session: those that wait for the wire, and those on it, both in order. */
export class SessionCalls<Token> {
  readonly #waiting = new CallQueue<Token | undefined>();
  readonly #inFlight = new CallQueue<Token | undefined>();
  readonly #counters: ZooKeeperCounters;
  readonly #tell: Settle<Token>;
  #xid = 0;

  constructor(counters: ZooKeeperCounters, tell: Settle<Token>) {
    this.#counters = counters;
    this.#tell = tell;
  }

  /** Since when the oldest waiting request waits. */
  get waitingSince(): Instant | undefined {
    return this.#waiting.peek()?.since;
  }

  /** Lets a request wait, or ends it at once when too many do. */
  add(request: Request, token: Token | undefined, now: Instant): void {
    const call = { request, token, attempts: 0, xid: 0, since: now };
    if (this.#waiting.size < zookeeperLimits.waiting) return this.#waiting.push(call);
    this.#counters.add("zookeeper_refused_waiting");
    this.#settle(call, { kind: "connection-loss" });
  }

  /** Puts waiting requests on the wire, as many as may be there; `onSent` hears of each. */
  pump(writer: JuteWriter, onSent: (request: Request) => void): void {
    while (this.#inFlight.size < zookeeperLimits.inFlight) {
      const call = this.#waiting.shift();
      if (call === undefined) return;
      if (this.#put(call, writer)) onSent(call.request);
    }
  }

  /** The request that a reply with this number answers, or undefined when replies are out of order. It stays. */
  expected(xid: number): Request | undefined {
    const call = this.#inFlight.peek();
    return call?.xid === xid ? call.request : undefined;
  }

  /** Ends the request that was `expected`. */
  answer(outcome: CallOutcome): void {
    const call = this.#inFlight.shift();
    if (call !== undefined) this.#settle(call, outcome);
  }

  /** The connection broke: reads wait again, writes are lost. True when the session's farewell was on the wire. */
  connectionLost(now: Instant): boolean {
    const again: Call<Token | undefined>[] = [];
    let closing = false;
    for (const call of this.#inFlight.drain()) {
      closing ||= call.request.op === "closeSession";
      if (isRepeatable(call.request) && call.attempts < zookeeperLimits.readAttempts) {
        call.since = now;
        again.push(call);
        this.#counters.add("zookeeper_repeated_reads");
      } else {
        this.#counters.add("zookeeper_losses");
        this.#settle(call, { kind: "connection-loss" });
      }
    }
    if (again.length > 0) this.#waiting.unshift(again);
    return closing;
  }

  /** Ends what has waited for the wire for `span`. */
  expire(now: Instant, span: Duration): void {
    for (let call = this.#waiting.peek(); call !== undefined && now >= call.since + span; call = this.#waiting.peek()) {
      this.#waiting.shift();
      this.#counters.add("zookeeper_waited_too_long");
      this.#settle(call, { kind: "connection-loss" });
    }
  }

  /** Ends everything. */
  endAll(outcome: CallOutcome): void {
    for (const call of this.#inFlight.drain()) this.#settle(call, outcome);
    for (const call of this.#waiting.drain()) this.#settle(call, outcome);
  }

  #put(call: Call<Token | undefined>, writer: JuteWriter): boolean {
    const start = writer.length;
    this.#xid = this.#xid === 0x7fff_ffff ? 1 : this.#xid + 1;
    const bytes = writeRequest(writer, this.#xid, call.request);
    if (bytes > zookeeperLimits.frameBytes) {
      writer.truncate(start);
      this.#settle(call, { kind: "too-large", bytes });
      return false;
    }
    this.#counters.add("zookeeper_requests");
    call.xid = this.#xid;
    call.attempts += 1;
    this.#inFlight.push(call);
    return true;
  }

  #settle(call: Call<Token | undefined>, outcome: CallOutcome): void {
    if (call.token !== undefined) this.#tell(call.token, outcome);
  }
}

/** Whether sending a request twice is the same as once. */
function isRepeatable(request: Request): boolean {
  switch (request.op) {
    case "exists":
    case "getData":
    case "getChildren":
    case "getChildren2":
    case "getAcl":
    case "getAllChildrenNumber":
    case "getEphemerals":
    case "multiRead":
    case "sync":
    case "whoAmI":
    case "addWatch":
      return true;
    default:
      return false;
  }
}
