import type { Prng } from "../base/prng.ts";
import { unwrap } from "../base/result.ts";
import type { Scheduler } from "../base/scheduler.ts";
import type { DataTree } from "../store/data-tree.ts";
import type { NextRequestFate, ServedCounts } from "../store/memory/memory-link.ts";
import type { ResumableTree, Tree } from "../store/tree.ts";
import { MemoryJournal } from "../store-server/memory-journal.ts";
import { StoreServer } from "../store-server/server.ts";
import { simulatedDial } from "../store-server/simulated-dial.ts";
import { openZooKeeper } from "../zookeeper/connect.ts";
import type { Dial, Transport, TransportEvents } from "../zookeeper/transport.ts";
import { Lifetime } from "./lifetime.ts";
import { STORE_MS } from "./limits.ts";
import type { SimConnectOptions, SimStore } from "./store.ts";

/** What a wire store is made of. */
export interface WireStoreParts {
  readonly scheduler: Scheduler;
  readonly prng: Prng;
}

/** A connection of a client, which can be cut. */
interface Wire {
  readonly place: string;
  readonly process: Lifetime;
  fate: NextRequestFate | undefined;
  cut(): void;
}

/**
 * The store that ships, in bytes: the real ZooKeeper client, and the real store server over a journal that outlives it, joined
 * by a simulated network.
 */
export class WireStore implements SimStore {
  readonly #parts: WireStoreParts;
  readonly #journal = new MemoryJournal();
  readonly #wires = new Set<Wire>();
  readonly #isolated = new Set<string>();
  readonly #trees = new Map<Tree, string>();
  #server: StoreServer;
  #life: Lifetime;

  constructor(parts: WireStoreParts) {
    this.#parts = parts;
    this.#life = new Lifetime(parts.scheduler);
    this.#server = this.#start();
  }

  get tree(): DataTree {
    return this.#server.tree;
  }

  connect({ timeoutMs, process, place, resume }: SimConnectOptions): ResumableTree {
    const { prng } = this.#parts;
    const client = unwrap(
      openZooKeeper({
        ...{ servers: ["store:1"], timeoutMs, scheduler: process, prng: prng.fork() },
        dial: this.#dial(process, place),
        ...(resume === undefined ? {} : { resume }),
      }),
    );
    this.#trees.set(client, place);
    return client;
  }

  /** Frames are not counted. */
  servedTo(): ServedCounts {
    return { requests: 0, events: 0 };
  }

  cut(place: string, fate?: NextRequestFate): void {
    for (const wire of [...this.#wires]) {
      if (wire.place !== place) continue;
      if (fate === undefined) wire.cut();
      else wire.fate = fate;
    }
  }

  isolate(place: string): void {
    this.#isolated.add(place);
  }

  /** Connections that lost bytes meanwhile do not go on: TCP would have repeated them, or broken. */
  rejoin(place: string): void {
    if (!this.#isolated.delete(place)) return;
    for (const wire of [...this.#wires]) if (wire.place === place) wire.cut();
  }

  expire(place: string): void {
    for (const [tree, at] of this.#trees) if (at === place) this.#server.expire(tree.session.id);
  }

  abandon(tree: Tree): void {
    this.#trees.delete(tree);
    for (const wire of [...this.#wires]) if (wire.process.isOver) wire.cut();
  }

  /** The server's process dies and another one starts over what is on its disk. */
  restart(): void {
    this.#life.end();
    for (const wire of [...this.#wires]) wire.cut();
    this.#life = new Lifetime(this.#parts.scheduler);
    this.#server = this.#start();
  }

  stop(): void {
    this.#life.end();
  }

  #start(): StoreServer {
    const { prng } = this.#parts;
    const started = StoreServer.start({
      ...{ journal: this.#journal, scheduler: this.#life },
      newPassword: () => Uint8Array.from({ length: 16 }, () => prng.below(256)),
      isAuthentic: () => true,
      onBroken: (why) => {
        throw new Error(`the store's journal is broken: ${why}`);
      },
    });
    if (!started.ok) throw new Error(started.error.why);
    return started.value;
  }

  #dial(process: Lifetime, place: string): Dial {
    const { scheduler, prng } = this.#parts;
    const dial = simulatedDial({
      scheduler,
      serverAt: () => this.#server,
      delay: () => STORE_MS * prng.float(),
      isUp: () => !this.#isolated.has(place),
    });
    return (address, events) => this.#wire({ process, place, events }, (heard) => dial(address, heard));
  }

  #wire(
    of: { readonly process: Lifetime; readonly place: string; readonly events: TransportEvents },
    dial: (events: TransportEvents) => Transport,
  ): Transport {
    const { process, place, events } = of;
    let isOver = false;
    const over = (why: string): void => {
      if (isOver) return;
      isOver = true;
      this.#wires.delete(wire);
      process.run(() => events.onClosed(why));
    };
    const inner = dial({
      onOpen: () => process.run(() => events.onOpen()),
      onBytes: (bytes) => process.run(() => events.onBytes(bytes)),
      onClosed: over,
    });
    const cut = (): void => {
      inner.close();
      over("the connection was cut");
    };
    const wire: Wire = { process, place, fate: undefined, cut };
    this.#wires.add(wire);
    const write = (bytes: Uint8Array): void => {
      if (isOver) return;
      if (wire.fate !== "lost") inner.write(bytes);
      // What comes of it is told at once, but not within the call.
      if (wire.fate !== undefined) this.#parts.scheduler.soon(cut);
    };
    const close = (): void => {
      isOver = true;
      this.#wires.delete(wire);
      inner.close();
    };
    return { write, close };
  }
}
