import { LargeCloud, type RestartLoad } from "../../test/weftsim/large-cloud.ts";
import type { BenchGroup } from "../bench-group.ts";
import { figureOf } from "../figure.ts";

/** Hosts that restart every minute, and for how long each is down. */
const RESTARTS_PER_MINUTE = 10;
const DOWN_MS = 2_000;
/** The smaller cloud of the comparison. */
const FEW_HOSTS = 100;

/**
 * Requests to the store and watch events, of all hosts together, that one restarted agent causes, for each of its own ports: in a cloud
 * of many hosts, beside one of a hundred with as many ports a host. In virtual time, over the agent's and the store's own code.
 */
export const storeOps: BenchGroup = {
  name: "store operations",
  figures: ["store_ops_per_restart"],
  isNative: false,
  async run({ pace, progress }) {
    const few = await measure(FEW_HOSTS, pace.restartMinutes, progress);
    const many = await measure(pace.cloudHosts, pace.restartMinutes, progress);
    const perPort = ({ operations, portsPerHost }: RestartLoad): number => operations / portsPerHost;
    return [
      figureOf({
        ...{ name: "store_ops_per_restart", unit: "per port", values: [perPort(many)] },
        rival: { name: `${FEW_HOSTS} hosts`, values: [perPort(few)] },
      }),
    ];
  },
};

async function measure(hosts: number, minutes: number, progress: (text: string) => void): Promise<RestartLoad> {
  const large = new LargeCloud({ hosts, seed: hosts });
  await large.start((text) => progress(`${hosts} hosts: ${text}`));
  progress(`${hosts} hosts: ${RESTARTS_PER_MINUTE} restarts a minute for ${minutes} minutes of virtual time`);
  const load = await large.restarts(RESTARTS_PER_MINUTE, minutes, DOWN_MS);
  const unserved = large.unserved();
  await large.cloud.close();
  if (unserved > 0) throw new Error(`${unserved} of ${large.ports} ports are not served after the restarts`);
  return load;
}
