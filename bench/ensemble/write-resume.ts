import { unwrap } from "../../src/base/result.ts";
import { sleep, systemScheduler } from "../../src/base/scheduler.ts";
import type { ZooKeeperClient } from "../../src/zookeeper/client.ts";
import { connectZooKeeper } from "../../src/zookeeper/connect.ts";
import { parseServer } from "../../src/zookeeper/servers.ts";
import { type Dial, socketDial } from "../../src/zookeeper/transport.ts";
import { leaderOf, servesAgain } from "../../test/e2e/apache-roles.ts";
import type { ApacheEnsemble } from "../../test/e2e/apache-zookeeper.ts";

/** What came of leaders that were killed, a value a round, in seconds. */
export interface WriteResumes {
  /** From the new leader being there until the last of the clients had a write acknowledged again. */
  readonly resume: readonly number[];
  /** From the death of the old leader until the new one was there: the ensemble's own time. */
  readonly election: readonly number[];
}

const data = new Uint8Array(64);
/** Writes go on for so long before and after a leader's death, so that no round begins in the unrest of the one before. */
const calmMs = 500;

/**
 * Kills the leader, again and again, while a client at each of the servers writes without pause. The new leader is there when one
 * of the others says so (four-letter word `srvr`, asked every few milliseconds).
 */
export async function measureWriteResumes(ensemble: ApacheEnsemble, rounds: number): Promise<WriteResumes> {
  const writers = await Promise.all(ensemble.addresses.map((address) => Writer.at(address, ensemble.addresses)));
  const measured = { resume: [] as number[], election: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    const leader = await leaderOf(ensemble.servers);
    await sleep(systemScheduler, calmMs);
    const others = ensemble.servers.filter((server) => server !== leader);
    await leader.stop("SIGKILL");
    const deadAt = performance.now();
    const resumed = writers.map((writer) => writer.acknowledged());
    await leaderOf(others);
    const leaderAt = performance.now();
    const lastAt = Math.max(...(await Promise.all(resumed)));
    measured.election.push((leaderAt - deadAt) / 1_000);
    measured.resume.push(Math.max(0, lastAt - leaderAt) / 1_000);
    leader.start();
    await servesAgain(leader);
  }
  await Promise.all(writers.map((writer) => writer.end()));
  return measured;
}

/** A client that writes one thing after the other. */
class Writer {
  readonly #tree: ZooKeeperClient;
  readonly #path: string;
  readonly #loop: Promise<void>;
  #waiting: { readonly since: number; readonly resolve: (at: number) => void } | undefined;
  #isEnding = false;

  private constructor(tree: ZooKeeperClient, path: string) {
    this.#tree = tree;
    this.#path = path;
    this.#loop = this.#write();
  }

  /** A writer whose first connection is to this server. */
  static async at(address: string, servers: readonly string[]): Promise<Writer> {
    const first = unwrap(parseServer(address));
    let isFirst = true;
    const sockets = socketDial();
    const dial: Dial = (server, events) => {
      const chosen = isFirst ? first : server;
      isFirst = false;
      return sockets(chosen, events);
    };
    const tree = unwrap(await connectZooKeeper({ servers, dial }));
    return new Writer(tree, unwrap(await tree.create("/bench-", data, { mode: "ephemeral-sequential" })));
  }

  /** When a write was acknowledged that began after this call. */
  acknowledged(): Promise<number> {
    return new Promise((resolve) => {
      this.#waiting = { since: performance.now(), resolve };
    });
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    await this.#loop;
    await this.#tree.close();
  }

  async #write(): Promise<void> {
    while (!this.#isEnding) {
      const began = performance.now();
      const set = await this.#tree.set(this.#path, data);
      if (!set.ok) {
        if (set.error.kind !== "connection-loss") throw new Error(`a write ended as ${set.error.kind}`);
      } else if (this.#waiting !== undefined && began > this.#waiting.since) {
        this.#waiting.resolve(performance.now());
        this.#waiting = undefined;
      }
    }
  }
}
