import { unwrap } from "../../src/base/result.ts";
import { systemScheduler } from "../../src/base/scheduler.ts";
import { StoreConnection } from "../../src/store/recipes/connection.ts";
import type { Tree } from "../../src/store/tree.ts";
import type { ZooKeeperClient } from "../../src/zookeeper/client.ts";
import { FaultyDial } from "../../src/zookeeper/compliance/faulty-dial.ts";
import { connectZooKeeper, openZooKeeper } from "../../src/zookeeper/connect.ts";
import { socketDial } from "../../src/zookeeper/transport.ts";

/** What may befall a process's connection: broken; broken with a write lost or applied; cut off; back; its session taken away. */
export type RealFault = "disconnect" | "lost" | "applied" | "isolate" | "rejoin" | "expire";

/** Shortest session that the servers of the tests grant, in milliseconds. */
export const realSessionMs = 4_000;

/** Where processes find their store. */
export interface RealStore {
  readonly servers: readonly string[];
  /** A subtree of its own, which exists. */
  readonly chroot: string;
}

/** A way to a real store in real time, as a process has one, and what may befall it. */
export class RealProcess {
  readonly connection: StoreConnection;
  readonly #store: RealStore;
  readonly #dial = new FaultyDial(socketDial());

  constructor(store: RealStore) {
    this.#store = store;
    const settings = { ...store, timeoutMs: realSessionMs, dial: this.#dial.dial };
    this.connection = new StoreConnection({
      scheduler: systemScheduler,
      connect: (): Tree => unwrap(openZooKeeper(settings)),
    });
  }

  /** Lets something happen. */
  async befall(fault: RealFault): Promise<void> {
    switch (fault) {
      case "disconnect":
        return this.#dial.disconnect();
      case "lost":
      case "applied":
        return this.#dial.loseNext(fault);
      case "isolate":
        this.#dial.hold();
        return this.#dial.disconnect();
      case "rejoin":
        return this.#dial.release();
      case "expire":
        return this.#expire();
    }
  }

  /** Somebody takes the session over and closes it: to its owner it has expired. */
  async #expire(): Promise<void> {
    const owner = this.connection.tree as ZooKeeperClient;
    if (owner.session.id === 0n) return;
    this.#dial.hold();
    this.#dial.disconnect();
    const thief = await connectZooKeeper({ servers: this.#store.servers, resume: owner.exportSession() });
    // Its time may have run out by itself.
    if (thief.ok) await thief.value.close();
    this.#dial.release();
  }
}

/** A store whose root is a new node, named so. */
export async function freshStore(servers: readonly string[], name: string): Promise<RealStore> {
  const chroot = `/${name}`;
  await unwrap(await connectZooKeeper({ servers, chroot, connectWithinMs: 60_000 })).close();
  return { servers, chroot };
}
