import type { Prng } from "../base/prng.ts";
import { unwrap } from "../base/result.ts";
import type { Scheduler } from "../base/scheduler.ts";
import type { DataTree } from "../store/data-tree.ts";
import type { NextRequestFate, ServedCounts } from "../store/memory/memory-link.ts";
import type { ResumableTree, Tree } from "../store/tree.ts";
import { openZooKeeper } from "../zookeeper/connect.ts";
import type { ServerAddress } from "../zookeeper/servers.ts";
import type { Transport, TransportEvents } from "../zookeeper/transport.ts";
import type { SimEnsemble } from "./ensemble.ts";
import type { Lifetime } from "./lifetime.ts";
import { ENSEMBLE_CLIENT_MS } from "./limits.ts";
import type { SimConnectOptions, SimStore } from "./store.ts";
import { WireDoor } from "./wire-door.ts";

/** What a wire ensemble is made of. */
export interface WireEnsembleParts {
  readonly ensemble: SimEnsemble;
  readonly scheduler: Scheduler;
  readonly prng: Prng;
}

/** A connection of a client. */
interface Wire {
  readonly place: string;
  readonly process: Lifetime;
  readonly door: WireDoor;
}

/**
 * The real ZooKeeper client before a simulated ensemble: its sessions, in bytes, move from member to member, meet replicas that are
 * behind, members that accept and never answer, elections and expiry, and set their watches again where they arrive.
 */
export class WireEnsemble implements SimStore {
  readonly #parts: WireEnsembleParts;
  readonly #wires = new Set<Wire>();
  readonly #isolated = new Set<string>();
  readonly #trees = new Map<Tree, string>();

  constructor(parts: WireEnsembleParts) {
    this.#parts = parts;
  }

  get tree(): DataTree {
    return this.#parts.ensemble.tree;
  }

  connect({ timeoutMs, process, place, resume }: SimConnectOptions): ResumableTree {
    const { prng, ensemble } = this.#parts;
    const client = unwrap(
      openZooKeeper({
        servers: ensemble.members.map(({ number }) => `zk${number}:${number + 1}`),
        ...{ timeoutMs, scheduler: process, prng: prng.fork() },
        dial: (address, events) => this.#dial(address, { process, place, events }),
        ...(resume === undefined ? {} : { resume }),
      }),
    );
    this.#trees.set(client, place);
    return client;
  }

  servedTo(place: string): ServedCounts {
    return this.#parts.ensemble.servedTo(place);
  }

  cut(place: string, fate?: NextRequestFate): void {
    for (const { link } of this.#doorsAt(place)) {
      if (link === undefined) continue;
      if (fate === undefined) this.#parts.ensemble.cut(link);
      else link.fate = fate;
    }
  }

  /** Bytes are lost both ways, and nobody is told. */
  isolate(place: string): void {
    this.#isolated.add(place);
  }

  /** Connections that lost bytes meanwhile do not go on: TCP would have repeated them, or broken. */
  rejoin(place: string): void {
    if (this.#isolated.delete(place)) this.cut(place);
  }

  expire(place: string): void {
    for (const [tree, at] of this.#trees) if (at === place) this.#parts.ensemble.expireSession(tree.session.id);
  }

  abandon(tree: Tree): void {
    this.#trees.delete(tree);
    for (const { process, door } of [...this.#wires])
      if (process.isOver && door.link !== undefined) this.#parts.ensemble.cut(door.link);
  }

  stop(): void {
    this.#parts.ensemble.stop();
  }

  #doorsAt(place: string): readonly WireDoor[] {
    return [...this.#wires].filter((wire) => wire.place === place).map(({ door }) => door);
  }

  #dial(
    address: ServerAddress,
    of: { readonly process: Lifetime; readonly place: string; readonly events: TransportEvents },
  ): Transport {
    const { scheduler, prng, ensemble } = this.#parts;
    const { process, place, events } = of;
    const number = address.kind === "tcp" ? address.port - 1 : 0;
    let isOver = false;
    let wire: Wire | undefined;
    const isHeard = (): boolean => !isOver && !this.#isolated.has(place);
    const over = (why: string): void => {
      if (wire !== undefined) this.#wires.delete(wire);
      // A client that hears nothing does not hear of the end either.
      if (!isHeard()) return;
      isOver = true;
      process.run(() => events.onClosed(why));
    };
    const arrive = (): void => {
      if (!isHeard()) return;
      const door = new WireDoor({
        ...{ scheduler, place, committed: ensemble.tree },
        dial: (end) => ensemble.dial(end, number),
        cut: (link) => ensemble.cut(link),
        send: (bytes) => {
          if (isHeard()) process.run(() => events.onBytes(bytes));
        },
        onCut: () => over("the connection was cut"),
      });
      if (door.link === undefined) return over("connection refused");
      wire = { process, place, door };
      this.#wires.add(wire);
      process.run(() => events.onOpen());
    };
    scheduler.after(ENSEMBLE_CLIENT_MS * prng.float(), arrive);
    return {
      write: (bytes) => {
        if (isHeard()) wire?.door.received(bytes);
      },
      close: () => {
        isOver = true;
        if (wire !== undefined) this.#wires.delete(wire);
        wire?.door.gone();
      },
    };
  }
}
