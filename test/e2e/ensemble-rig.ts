import { join } from "node:path";
import { unwrap } from "../../src/base/result.ts";
import type { ZooKeeperClient } from "../../src/zookeeper/client.ts";
import { connectZooKeeper } from "../../src/zookeeper/connect.ts";
import { fourLetterWord, leaderOf, type Reachable, roleOf, servesAgain } from "./apache-roles.ts";
import { type ApacheEnsemble, type ApacheServer, startApache } from "./apache-zookeeper.ts";
import { Cloud } from "./cloud.ts";
import { ManagementNetwork } from "./management-network.ts";

/** A server of the ensemble, and where the test reaches it: a socket that leads into its namespace. */
export interface Member extends Reachable {
  readonly server: ApacheServer;
}

/**
 * A cloud of two hosts whose store is an ensemble of three servers of Apache ZooKeeper. The servers and the API have a namespace of
 * their own; agents reach them over a management network, apart from the underlay.
 */
export class EnsembleRig {
  readonly cloud: Cloud;
  readonly members: readonly Member[];
  readonly #apache: ApacheEnsemble;
  readonly #network: ManagementNetwork;

  private constructor(cloud: Cloud, apache: ApacheEnsemble, network: ManagementNetwork) {
    this.cloud = cloud;
    this.#apache = apache;
    this.#network = network;
    this.members = apache.servers.map((server, i) => ({ server, address: `unix:${cloud.path(`zk${i}.sock`)}` }));
  }

  /** Starts everything and waits until every VM is forwarded for; what could not be started leaves nothing. */
  static async start(): Promise<EnsembleRig> {
    const cloud = Cloud.build();
    const network = ManagementNetwork.join(cloud);
    const apache = await startApache(3, [], { netns: network.netns, host: network.address });
    const rig = new EnsembleRig(cloud, apache, network);
    try {
      await rig.#serve();
    } catch (error) {
      await rig.stop();
      throw error;
    }
    return rig;
  }

  /** A session of the test's own, to look with. */
  async look(): Promise<ZooKeeperClient> {
    return unwrap(await connectZooKeeper({ servers: this.members.map(({ address }) => address) }));
  }

  leader(): Promise<Member> {
    return leaderOf(this.members);
  }

  /** Starts servers that were stopped and waits until every server has its part. */
  async heal(...stopped: readonly Member[]): Promise<void> {
    for (const { server } of stopped) server.start();
    await Promise.all(this.members.map(servesAgain));
  }

  /** The server that a session is connected to now, by what the servers say (`cons`). */
  async serverOf(session: bigint, among: readonly Member[] = this.members): Promise<Member | undefined> {
    const wanted = `sid=0x${BigInt.asUintN(64, session).toString(16)},`;
    for (const member of among) if ((await fourLetterWord(member, "cons")).includes(wanted)) return member;
    return undefined;
  }

  /** Members with their part, those that are down left out. */
  async followers(): Promise<readonly Member[]> {
    const roles = await Promise.all(this.members.map(roleOf));
    return this.members.filter((_, i) => roles[i] === "follower");
  }

  async #serve(): Promise<void> {
    const path = join(import.meta.dirname, "relay.main.ts");
    const args = this.members.map(({ server }, i) => `${this.cloud.path(`zk${i}.sock`)}=${server.address}`);
    const { netns } = this.#network;
    await this.cloud.start({ name: "relay", main: "store-server", path, args, netns });
    await leaderOf(this.members);
    await this.cloud.serve({ addresses: this.#apache.addresses, netns });
  }

  /** Takes everything away. */
  async stop(): Promise<void> {
    await this.cloud.down();
    await this.#apache.stop();
    this.#network.close();
  }
}
