import { assert } from "../../base/assert.ts";
import { netlinkReadsMax } from "../limits.ts";
import type { Poll } from "../poll.ts";
import { type BrokerCounters, brokerCounters } from "./broker-counters.ts";
import { type MessageReader, readMessages } from "./message-reader.ts";
import type { NetlinkPort } from "./port.ts";

/** Told of what the kernel says by itself. */
export interface NotificationObserver {
  /** One notification; valid during the call only. */
  onMessage(message: MessageReader): void;
  /**
   * Some were lost: what was built from them is to be read again, from now on. Called after everything that waited was
   * delivered: the kernel reports a loss before the older messages that are still queued.
   */
  onOverrun(): void;
}

/**
 * Reads a socket that has joined notification groups. It must be a socket of its own: the answers to requests would
 * share its receive buffer, and an overrun would lose both.
 */
export class NotificationSource {
  readonly counters: BrokerCounters = brokerCounters();
  readonly #port: NetlinkPort;
  readonly #observer: NotificationObserver;
  readonly #poll: Poll;
  #isOpen = true;
  #hasLost = false;

  constructor(port: NetlinkPort, observer: NotificationObserver) {
    this.#port = port;
    this.#observer = observer;
    this.#poll = port.watch(() => this.read());
  }

  /** Reads what waits now, without waiting for the event loop. */
  read(): void {
    for (let reads = 0; reads < netlinkReadsMax && this.#isOpen; reads++) {
      const received = this.#port.receive();
      assert(received.ok, "a netlink socket cannot be read", received.ok ? {} : { error: received.error.text });
      if (received.value.kind === "empty") {
        this.#tellLoss();
        return;
      }
      if (received.value.kind === "overrun") {
        this.counters.add("netlink_overruns");
        this.#hasLost = true;
      } else if (!readMessages(this.#port.buffer, received.value.length, (message) => this.#deliver(message))) {
        this.counters.add("netlink_damaged");
      }
    }
  }

  /** Ends it and closes the socket. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#poll.close();
    this.#port.close();
  }

  #tellLoss(): void {
    if (!this.#hasLost) return;
    this.#hasLost = false;
    this.#observer.onOverrun();
  }

  #deliver(message: MessageReader): void {
    if (this.#isOpen) this.#observer.onMessage(message);
  }
}
