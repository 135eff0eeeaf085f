import { execFileSync } from "node:child_process";
import { unwrap } from "../../src/base/result.ts";
import { openSpace, type Space } from "../../src/lab/namespaces.ts";
import { namespacePrefix } from "../../src/lab/plan.ts";
import type { Netns } from "../../src/linux/netns.ts";
import type { Cloud } from "./cloud.ts";

/** A management network: RFC 2544 addresses, in no use by the cloud under test. */
const SERVERS_ADDRESS = "198.18.0.10";

/** A network for store and API apart from the underlay: a namespace of the servers, and a bridge in it that joins every host. */
export class ManagementNetwork {
  /** The servers' address in it. */
  readonly address = SERVERS_ADDRESS;
  readonly #space: Space;

  private constructor(space: Space) {
    this.#space = space;
  }

  /** Joins the namespaces of a cloud's hosts. The cloud removes the namespaces when it goes down. */
  static join({ plan }: Cloud): ManagementNetwork {
    const servers = `${namespacePrefix(plan.id)}servers`;
    const network = new ManagementNetwork(unwrap(openSpace(servers)));
    const ip = (namespace: string, ...commands: readonly string[]): void => {
      execFileSync("ip", ["-n", namespace, "-batch", "-"], { input: commands.join("\n") });
    };
    const address = `addr add ${SERVERS_ADDRESS}/24 dev mgmt`;
    ip(servers, "link set lo up", "link add mgmt type bridge", address, "link set mgmt up");
    for (const [i, { name, namespace }] of plan.hosts.entries()) {
      ip(servers, `link add ${name} type veth peer name mgmt netns ${namespace}`, `link set ${name} master mgmt up`);
      ip(namespace, `addr add ${ManagementNetwork.addressOf(i)}/24 dev mgmt`, "link set mgmt up");
    }
    return network;
  }

  /** The address of a host in it, by its place in the plan. */
  static addressOf(hostIndex: number): string {
    return `198.18.0.${hostIndex + 1}`;
  }

  /** Where the servers run. */
  get netns(): Netns {
    return this.#space.netns;
  }

  /** Lets go of the servers' namespace. */
  close(): void {
    this.#space.netlink.close();
    this.#space.netns.close();
  }
}
