import { assert } from "../../base/assert.ts";
import type { Duration } from "../../base/clock.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { Scheduler, Timer } from "../../base/scheduler.ts";
import { type Errno, errnoNumber, type LinuxError, linuxError } from "../errno.ts";
import {
  netlinkBatchMax,
  netlinkChunkBytes,
  netlinkChunks,
  netlinkDumpRetries,
  netlinkReadsMax,
  netlinkResendMs,
  netlinkTimeoutMs,
} from "../limits.ts";
import type { Poll } from "../poll.ts";
import { type BrokerCounters, brokerCounters } from "./broker-counters.ts";
import { ChunkPool } from "./chunk-pool.ts";
import { isEnd, type MessageReader, readMessages } from "./message-reader.ts";
import { MessageWriter } from "./message-writer.ts";
import type { NetlinkPort } from "./port.ts";
import { netlinkControl, netlinkFlags } from "./protocol.ts";
import type { NetlinkRequest } from "./request.ts";

/**
 * Told of the answer to one request: any number of messages, then exactly one of `onDone` and `onError`. A message is
 * valid during the call only. Called while the broker reads; it may submit further requests.
 */
export interface AnswerObserver {
  onMessage(message: MessageReader): void;
  /** The kernel is done. `isInterrupted`: the list changed while it was being dumped, so that it may have gaps. */
  onDone(isInterrupted: boolean): void;
  /** The request failed. Of ETIMEDOUT, ENOBUFS and ECANCELED the outcome is unknown; any other errno is a refusal. */
  onError(error: LinuxError): void;
}

/** How to build a broker. */
export interface BrokerSettings {
  /** Owned by the broker from now on. */
  readonly port: NetlinkPort;
  readonly scheduler: Scheduler;
  /** Requests waiting at once, a power of two (default `netlinkChunks`). */
  readonly chunks?: number;
  /** Longest request (default `netlinkChunkBytes`). */
  readonly chunkBytes?: number;
  /** Time without any message after which a request fails (default `netlinkTimeoutMs`). */
  readonly timeoutMs?: Duration;
  /** Gets the messages that belong to no request. */
  readonly onUnclaimed?: (message: MessageReader) => void;
}

/** What of a request the broker needs to send it. */
export type Order = Pick<NetlinkRequest<unknown>, "name" | "type" | "flags" | "write">;

const phase = { free: 0, queued: 1, sent: 2, optimistic: 3, sentOptimistic: 4 } as const;

/**
 * Many requests to the kernel at once over one netlink socket, without waiting and without allocating for their bytes.
 * Each is written into a chunk of pre-allocated memory; all that were submitted in one turn go out as few datagrams, in
 * order; answers find their observer by the chunk in their sequence number. Dumps are sent one at a time, because
 * the kernel allows one a socket; other requests overtake those that wait. Confined to one thread.
 */
export class RequestBroker {
  readonly counters: BrokerCounters = brokerCounters();
  readonly #port: NetlinkPort;
  readonly #scheduler: Scheduler;
  readonly #timeoutMs: Duration;
  readonly #onUnclaimed: ((message: MessageReader) => void) | undefined;
  readonly #pool: ChunkPool;
  readonly #writer: MessageWriter;
  readonly #phases: Uint8Array;
  readonly #lengths: Int32Array;
  readonly #deadlines: Float64Array;
  readonly #isInterrupted: Uint8Array;
  readonly #observers: (AnswerObserver | undefined)[];
  readonly #names: string[];
  readonly #queue: number[] = [];
  readonly #waitingDumps: number[] = [];
  readonly #batch: { readonly memory: Uint8Array; starts: Int32Array; lengths: Int32Array; count: number };
  readonly #batchChunks = new Int32Array(netlinkBatchMax);
  readonly #poll: Poll;
  #runningDump = -1;
  #sentCount = 0;
  #isFlushPlanned = false;
  #isReading = false;
  #isOpen = true;
  #timer: Timer | undefined;

  constructor(settings: BrokerSettings) {
    const { chunks = netlinkChunks, chunkBytes = netlinkChunkBytes, timeoutMs = netlinkTimeoutMs } = settings;
    this.#port = settings.port;
    this.#scheduler = settings.scheduler;
    this.#timeoutMs = timeoutMs;
    this.#onUnclaimed = settings.onUnclaimed;
    this.#pool = new ChunkPool(chunks, chunkBytes);
    this.#writer = new MessageWriter(this.#pool.memory);
    this.#phases = new Uint8Array(chunks);
    this.#lengths = new Int32Array(chunks);
    this.#deadlines = new Float64Array(chunks);
    this.#isInterrupted = new Uint8Array(chunks);
    this.#observers = new Array<AnswerObserver | undefined>(chunks).fill(undefined);
    this.#names = new Array<string>(chunks).fill("");
    const starts = new Int32Array(netlinkBatchMax);
    this.#batch = { memory: this.#pool.memory, starts, lengths: new Int32Array(netlinkBatchMax), count: 0 };
    this.#poll = settings.port.watch(() => this.#read());
  }

  /** Requests that wait for an answer or to be sent. */
  get outstanding(): number {
    return this.#pool.inUse;
  }

  /**
   * Queues a request whose answer the observer wants; it goes out at the end of this turn, or at `flush`. Refused here,
   * without any effect, when every chunk is in use (EBUSY), when it is longer than a chunk (EMSGSIZE) and after
   * `close` (ECANCELED): then the observer is not called.
   */
  submit(order: Order, observer: AnswerObserver): Result<undefined, LinuxError> {
    return this.#enqueue(order, observer);
  }

  /**
   * Queues an order without asking for an acknowledgement: if the kernel refuses it, that is only counted. Its chunk is
   * free again as soon as it is sent. Refused here as `submit` is.
   */
  sendOptimistic(order: Order): Result<undefined, LinuxError> {
    return this.#enqueue(order, undefined);
  }

  /** Runs a request to its result. A dump during which the list changed is run again, a few times. */
  async run<R>(request: NetlinkRequest<R>): Promise<Result<R, LinuxError>> {
    for (let attempt = 0; attempt <= netlinkDumpRetries; attempt++) {
      const outcome = await this.#runOnce(request);
      if (!outcome.ok || !outcome.value.isInterrupted) return outcome.ok ? ok(outcome.value.result) : outcome;
    }
    return err(linuxError(request.name, errnoNumber("EINTR"), "the list changed at each reading"));
  }

  /** Sends what is queued, now, and reads what the kernel answered at once. */
  flush(): void {
    // Inside an observer the reading that is under way goes on first.
    if (!this.#isOpen || this.#isReading) return;
    while (this.#queue.length > 0 && this.#sendBatch()) this.#read();
  }

  /** Fails everything that waits with ECANCELED and closes the port. A second call does nothing. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#timer?.cancel();
    this.#poll.close();
    this.#port.close();
    for (let index = 0; index < this.#pool.count; index++) {
      if (this.#isWaiting(index)) this.#fail(index, "ECANCELED", "the broker was closed");
    }
  }

  #runOnce<R>(request: NetlinkRequest<R>): Promise<Result<{ isInterrupted: boolean; result: R }, LinuxError>> {
    return new Promise((resolve) => {
      const collector = request.collector();
      const queued = this.submit(request, {
        onMessage: (message) => collector.add(message),
        onDone: (isInterrupted) => resolve(ok({ isInterrupted, result: collector.finish() })),
        onError: (error) => resolve(err(error)),
      });
      if (!queued.ok) resolve(queued);
    });
  }

  #enqueue(order: Order, observer: AnswerObserver | undefined): Result<undefined, LinuxError> {
    const { name } = order;
    if (!this.#isOpen) return err(linuxError(name, errnoNumber("ECANCELED"), "the broker is closed"));
    const index = this.#pool.take();
    if (index < 0) {
      this.counters.add("netlink_full");
      return err(linuxError(name, errnoNumber("EBUSY"), `${this.#pool.count} requests are waiting already`));
    }
    const length = this.#write(index, order, observer === undefined ? 0 : netlinkFlags.ack);
    if (length === undefined) {
      this.#release(index);
      return err(linuxError(name, errnoNumber("EMSGSIZE"), `longer than a chunk of ${this.#pool.chunkBytes} bytes`));
    }
    this.#lengths[index] = length;
    this.#phases[index] = observer === undefined ? phase.optimistic : phase.queued;
    this.#observers[index] = observer;
    this.#names[index] = name;
    this.#isInterrupted[index] = 0;
    this.#deadlines[index] = this.#scheduler.clock.now() + this.#timeoutMs;
    const isDump = (order.flags & netlinkFlags.dump) === netlinkFlags.dump && observer !== undefined;
    if (isDump && this.#runningDump >= 0) this.#waitingDumps.push(index);
    else {
      if (isDump) this.#runningDump = index;
      this.#queue.push(index);
    }
    this.#plan();
    return ok(undefined);
  }

  #write(index: number, order: Order, ack: number): number | undefined {
    const start = index * this.#pool.chunkBytes;
    const writer = this.#writer.moveTo(start, start + this.#pool.chunkBytes);
    const flags = order.flags | netlinkFlags.request | ack;
    writer.begin({ type: order.type, flags, sequence: this.#pool.sequence(index) });
    order.write(writer);
    return writer.finish();
  }

  #plan(): void {
    this.#timer ??= this.#scheduler.after(this.#timeoutMs, () => this.#expire());
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    this.#scheduler.soon(() => {
      this.#isFlushPlanned = false;
      this.flush();
    });
  }

  /** Sends the head of the queue; false when the kernel has no room: then it is tried again a little later. */
  #sendBatch(): boolean {
    const { starts, lengths } = this.#batch;
    const count = Math.min(this.#queue.length, netlinkBatchMax);
    for (let i = 0; i < count; i++) {
      const index = this.#queue[i] as number;
      this.#batchChunks[i] = index;
      starts[i] = index * this.#pool.chunkBytes;
      lengths[i] = this.#lengths[index] as number;
    }
    this.#batch.count = count;
    const sent = this.#port.sendChunks(this.#batch);
    if (!sent.ok && sent.error.errno === "EAGAIN") {
      this.#scheduler.after(netlinkResendMs, () => this.flush());
      return false;
    }
    this.#queue.splice(0, count);
    this.counters.add("netlink_batches");
    for (let i = 0; i < count; i++) this.#markSent(this.#batchChunks[i] as number, sent);
    return true;
  }

  #markSent(index: number, sent: Result<number, LinuxError>): void {
    const isOptimistic = this.#phases[index] === phase.optimistic;
    if (isOptimistic) this.#release(index);
    if (!sent.ok) {
      if (!isOptimistic) this.#fail(index, sent.error.errno, undefined);
      return;
    }
    this.counters.add(isOptimistic ? "netlink_optimistic" : "netlink_requests");
    this.#phases[index] = isOptimistic ? phase.sentOptimistic : phase.sent;
    if (!isOptimistic) this.#sentCount++;
  }

  #read(): void {
    if (!this.#isOpen) return;
    this.#isReading = true;
    try {
      for (let reads = 0; reads < netlinkReadsMax && this.#isOpen; reads++) {
        const received = this.#port.receive();
        assert(received.ok, "a netlink socket cannot be read", received.ok ? {} : { error: received.error.text });
        if (received.value.kind === "empty") break;
        if (received.value.kind === "overrun") this.#overrun();
        else this.#dispatchAll(received.value.length);
      }
    } finally {
      this.#isReading = false;
    }
    if (this.#queue.length > 0 && this.#isOpen) this.#plan();
  }

  #dispatchAll(length: number): void {
    const isWhole = readMessages(this.#port.buffer, length, (message) => {
      if (this.#isOpen) this.#dispatch(message);
    });
    if (!isWhole) this.counters.add("netlink_damaged");
  }

  #dispatch(message: MessageReader): void {
    const index = this.#pool.find(message.sequence);
    const found = index < 0 ? phase.free : (this.#phases[index] as number);
    if (found !== phase.sent) {
      this.#unclaimed(message, found);
      return;
    }
    this.#deadlines[index] = this.#scheduler.clock.now() + this.#timeoutMs;
    if ((message.flags & netlinkFlags.dumpInterrupted) !== 0) this.#isInterrupted[index] = 1;
    if (message.type === netlinkControl.noop) return;
    if (!isEnd(message)) {
      this.#observers[index]?.onMessage(message);
      return;
    }
    const { errno, detail } = message.acknowledgement();
    const observer = this.#observers[index];
    const name = this.#names[index] as string;
    const isInterrupted = this.#isInterrupted[index] === 1;
    this.#finish(index);
    if (errno === 0) observer?.onDone(isInterrupted);
    else {
      this.counters.add("netlink_refused");
      observer?.onError(linuxError(name, errno, detail));
    }
  }

  #unclaimed(message: MessageReader, found: number): void {
    if (found === phase.sentOptimistic && message.type === netlinkControl.error) {
      this.counters.add("netlink_optimistic_errors");
      return;
    }
    this.counters.add("netlink_unclaimed");
    this.#onUnclaimed?.(message);
  }

  #overrun(): void {
    this.counters.add("netlink_overruns");
    for (let index = 0; index < this.#pool.count && this.#sentCount > 0; index++) {
      if (this.#phases[index] !== phase.sent) continue;
      this.counters.add("netlink_lost");
      this.#fail(index, "ENOBUFS", "the answer was lost in an overrun");
    }
  }

  #expire(): void {
    this.#timer = undefined;
    const now = this.#scheduler.clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (let index = 0; index < this.#pool.count; index++) {
      if (!this.#isWaiting(index)) continue;
      const deadline = this.#deadlines[index] as number;
      if (deadline > now) next = Math.min(next, deadline);
      else this.#timeOut(index);
    }
    if (next < Number.POSITIVE_INFINITY) this.#timer = this.#scheduler.after(next - now, () => this.#expire());
    if (this.#queue.length > 0) this.#plan();
  }

  #isWaiting(index: number): boolean {
    const state = this.#phases[index];
    return state !== phase.free && state !== phase.sentOptimistic;
  }

  #timeOut(index: number): void {
    this.counters.add("netlink_timeouts");
    remove(this.#queue, index);
    this.#fail(index, "ETIMEDOUT", `no answer within ${this.#timeoutMs} ms`);
  }

  #fail(index: number, errno: Errno, detail: string | undefined): void {
    const observer = this.#observers[index];
    const name = this.#names[index] as string;
    this.#finish(index);
    observer?.onError(linuxError(name, errnoNumber(errno), detail));
  }

  /** Frees the chunk of a request that is over, and lets the next dump go. */
  #finish(index: number): void {
    if (this.#phases[index] === phase.sent) this.#sentCount--;
    this.#release(index);
    remove(this.#waitingDumps, index);
    if (this.#runningDump !== index) return;
    const next = this.#waitingDumps.shift() ?? -1;
    this.#runningDump = next;
    if (next >= 0) this.#queue.push(next);
  }

  #release(index: number): void {
    this.#phases[index] = phase.free;
    this.#observers[index] = undefined;
    this.#pool.release(index);
  }
}

function remove(list: number[], value: number): void {
  const at = list.indexOf(value);
  if (at >= 0) list.splice(at, 1);
}
