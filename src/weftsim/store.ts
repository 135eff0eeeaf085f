import type { Duration } from "../base/clock.ts";
import type { DataTree } from "../store/data-tree.ts";
import type { NextRequestFate, ServedCounts, TreeServer } from "../store/memory/memory-link.ts";
import { MemoryTree } from "../store/memory/memory-tree.ts";
import type { ResumableTree, SessionTicket, Tree } from "../store/tree.ts";
import type { Lifetime } from "./lifetime.ts";

/** Settings of one session of a simulated process. */
export interface SimConnectOptions {
  readonly timeoutMs: Duration;
  readonly process: Lifetime;
  /** Name of the host. */
  readonly place: string;
  readonly resume?: SessionTicket;
}

/** What the store of a simulated cloud can do and suffer, whatever it is made of. A place is a host, by name. */
export interface SimStore {
  /** What is committed, for checkers. */
  readonly tree: DataTree;
  connect(options: SimConnectOptions): ResumableTree;
  /** What was done for a place so far. */
  servedTo(place: string): ServedCounts;
  /** Breaks the connections of a place; with `fate` at the next request, which is applied or lost. They come back by themselves. */
  cut(place: string, fate?: NextRequestFate): void;
  /** Cuts a place off until `rejoin`. */
  isolate(place: string): void;
  rejoin(place: string): void;
  /** Ends the sessions of a place as if their time had run out. */
  expire(place: string): void;
  /** The process of this session has died: its connection has gone, its session runs out. */
  abandon(tree: Tree): void;
  stop(): void;
}

/** A server, or several, for clients that are memory trees. */
export interface FaultyTreeServer extends TreeServer {
  readonly tree: DataTree;
  servedTo(place: string): ServedCounts;
  disconnect(client: MemoryTree, fate?: NextRequestFate): void;
  isolate(what: MemoryTree | string): void;
  rejoin(what: MemoryTree | string): void;
  expireSession(id: bigint): void;
  stop(): void;
}

/** A store whose clients are memory trees. */
export class MemoryStore implements SimStore {
  readonly #server: FaultyTreeServer;
  readonly #clients = new Map<string, Set<MemoryTree>>();

  constructor(server: FaultyTreeServer) {
    this.#server = server;
  }

  get tree(): DataTree {
    return this.#server.tree;
  }

  connect({ timeoutMs, process, place, resume }: SimConnectOptions): ResumableTree {
    const client = new MemoryTree(this.#server, {
      ...{ timeoutMs, process, place },
      ...(resume === undefined ? {} : { resume }),
    });
    const here = this.#clients.get(place) ?? new Set();
    this.#clients.set(place, here.add(client));
    client.session.onState(() => {
      if (client.session.isOver) here.delete(client);
    });
    return client;
  }

  servedTo(place: string): ServedCounts {
    return this.#server.servedTo(place);
  }

  cut(place: string, fate?: NextRequestFate): void {
    for (const client of this.#at(place)) this.#server.disconnect(client, fate);
  }

  isolate(place: string): void {
    this.#server.isolate(place);
  }

  rejoin(place: string): void {
    this.#server.rejoin(place);
  }

  expire(place: string): void {
    for (const client of this.#at(place)) this.#server.expireSession(client.session.id);
  }

  abandon(tree: Tree): void {
    if (!(tree instanceof MemoryTree)) return;
    this.#server.isolate(tree);
    // Nobody dials for a dead process any more.
    this.#server.rejoin(tree);
    this.#clients.get(tree.place)?.delete(tree);
  }

  stop(): void {
    this.#server.stop();
  }

  #at(place: string): readonly MemoryTree[] {
    return [...(this.#clients.get(place) ?? [])];
  }
}
