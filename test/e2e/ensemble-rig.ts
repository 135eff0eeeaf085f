import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { unwrap } from "../../src/base/result.ts";
import { openSpace, type Space } from "../../src/lab/namespaces.ts";
import { namespacePrefix } from "../../src/lab/plan.ts";
import type { ZooKeeperClient } from "../../src/zookeeper/client.ts";
import { connectZooKeeper } from "../../src/zookeeper/connect.ts";
import { fourLetterWord, leaderOf, type Reachable, roleOf, servesAgain } from "./apache-roles.ts";
import { type ApacheEnsemble, type ApacheServer, startApache } from "./apache-zookeeper.ts";
import { Cloud } from "./cloud.ts";

/** The management network: RFC 2544 addresses, in no use by the cloud under test. */
const STORE_ADDRESS = "198.18.0.10";
const managementOf = (hostIndex: number): string => `198.18.0.${hostIndex + 1}/24`;

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
  readonly #space: Space;

  private constructor(cloud: Cloud, apache: ApacheEnsemble, space: Space) {
    this.cloud = cloud;
    this.#apache = apache;
    this.#space = space;
    this.members = apache.servers.map((server, i) => ({ server, address: `unix:${cloud.path(`zk${i}.sock`)}` }));
  }

  /** Starts everything and waits until every VM is forwarded for; what could not be started leaves nothing. */
  static async start(): Promise<EnsembleRig> {
    const cloud = Cloud.build();
    const space = unwrap(openSpace(`${namespacePrefix(cloud.plan.id)}store`));
    joinManagement(cloud);
    const apache = await startApache(3, [], { netns: space.netns, host: STORE_ADDRESS });
    const rig = new EnsembleRig(cloud, apache, space);
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
    const { netns } = this.#space;
    await this.cloud.start({ name: "relay", main: "store-server", path, args, netns });
    await leaderOf(this.members);
    await this.cloud.serve({ addresses: this.#apache.addresses, netns });
  }

  /** Takes everything away. */
  async stop(): Promise<void> {
    await this.cloud.down();
    await this.#apache.stop();
    this.#space.netlink.close();
    this.#space.netns.close();
  }
}

/** Joins the namespaces of hosts and store by a bridge, which lies with the store. */
function joinManagement({ plan }: Cloud): void {
  const store = `${namespacePrefix(plan.id)}store`;
  const ip = (namespace: string, ...commands: readonly string[]): void => {
    execFileSync("ip", ["-n", namespace, "-batch", "-"], { input: commands.join("\n") });
  };
  ip(store, "link set lo up", "link add mgmt type bridge", `addr add ${STORE_ADDRESS}/24 dev mgmt`, "link set mgmt up");
  for (const [i, { name, namespace }] of plan.hosts.entries()) {
    ip(store, `link add ${name} type veth peer name mgmt netns ${namespace}`, `link set ${name} master mgmt up`);
    ip(namespace, `addr add ${managementOf(i)} dev mgmt`, "link set mgmt up");
  }
}
