import type { Dial, Transport, TransportEvents } from "../transport.ts";

/** How the next request of a client fails: `lost` never reaches the server, `applied` does, and its reply is lost. */
export type Fate = "applied" | "lost";

/**
 * A dial for tests: real connections that break when they are told to. A request is whatever the client writes next.
 */
export class FaultyDial {
  readonly #inner: Dial;
  readonly #links = new Set<FaultyLink>();
  #isHeld = false;
  #held: (() => void)[] = [];

  constructor(inner: Dial) {
    this.#inner = inner;
  }

  /** To be given to a client. */
  readonly dial: Dial = (server, events) => {
    const link = new FaultyLink(events, (over) => this.#links.delete(over));
    this.#links.add(link);
    const open = (): void => link.attach((inner) => this.#inner(server, inner));
    if (this.#isHeld) this.#held.push(open);
    else open();
    return link;
  };

  /** Breaks the connection now. */
  disconnect(): void {
    for (const link of [...this.#links]) link.break();
  }

  /** Breaks the connection around the next request. */
  loseNext(fate: Fate): void {
    for (const link of this.#links) link.fate = fate;
  }

  /** New connections wait until `release`. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Lets connections through again. */
  release(): void {
    this.#isHeld = false;
    for (const open of this.#held.splice(0)) open();
  }
}

class FaultyLink implements Transport {
  fate: Fate | undefined;
  readonly #events: TransportEvents;
  readonly #onOver: (link: FaultyLink) => void;
  #inner: Transport | undefined;
  #isOver = false;
  #isDeaf = false;

  constructor(events: TransportEvents, onOver: (link: FaultyLink) => void) {
    this.#events = events;
    this.#onOver = onOver;
  }

  attach(dial: (events: TransportEvents) => Transport): void {
    if (this.#isOver) return;
    this.#inner = dial({
      onOpen: () => this.#events.onOpen(),
      onBytes: (bytes) => (this.#isDeaf ? this.break() : this.#events.onBytes(bytes)),
      onClosed: (why) => this.#over(why),
    });
  }

  write(bytes: Uint8Array): void {
    if (this.fate === "lost") return void Promise.resolve().then(() => this.break());
    if (this.fate === "applied") this.#isDeaf = true;
    this.#inner?.write(bytes);
  }

  close(): void {
    this.#isOver = true;
    this.#onOver(this);
    this.#inner?.close();
  }

  break(): void {
    this.#inner?.close();
    this.#over("broken by the test");
  }

  #over(why: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onOver(this);
    this.#events.onClosed(why);
  }
}
