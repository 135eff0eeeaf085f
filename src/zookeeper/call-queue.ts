import type { Instant } from "../base/clock.ts";
import type { Request } from "./protocol.ts";

/** A request and what its caller wants back with the outcome. */
export interface Call<Token> {
  readonly request: Request;
  readonly token: Token;
  /** Times that it went over the wire. */
  attempts: number;
  /** Transaction number of the last attempt. */
  xid: number;
  /** When it began to wait for a connection. */
  since: Instant;
}

/** First in, first out, without moving what is in it. */
export class CallQueue<Token> {
  #calls: (Call<Token> | undefined)[] = [];
  #head = 0;

  /** Calls in the queue. */
  get size(): number {
    return this.#calls.length - this.#head;
  }

  /** The oldest call. */
  peek(): Call<Token> | undefined {
    return this.#calls[this.#head];
  }

  /** Adds a call at the end. */
  push(call: Call<Token>): void {
    this.#calls.push(call);
  }

  /** Puts calls in front of all others, in their order. */
  unshift(calls: readonly Call<Token>[]): void {
    this.#calls = [...calls, ...this.#calls.slice(this.#head)];
    this.#head = 0;
  }

  /** Takes the oldest call. */
  shift(): Call<Token> | undefined {
    const call = this.#calls[this.#head];
    if (call === undefined) return undefined;
    this.#calls[this.#head] = undefined;
    this.#head += 1;
    if (this.#head === this.#calls.length) this.#reset();
    else if (this.#head > 1024 && this.#head * 2 > this.#calls.length) this.#compact();
    return call;
  }

  /** Takes all calls, oldest first. */
  drain(): Call<Token>[] {
    const calls = this.#calls.slice(this.#head) as Call<Token>[];
    this.#reset();
    return calls;
  }

  #reset(): void {
    this.#calls = [];
    this.#head = 0;
  }

  #compact(): void {
    this.#calls = this.#calls.slice(this.#head);
    this.#head = 0;
  }
}
