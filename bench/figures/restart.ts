import type { Bench, BenchGroup } from "../bench-group.ts";
import { figureOf } from "../figure.ts";
import { allUp, FAR, largeHost } from "../large-host.ts";
import type { Tool } from "../site.ts";
import type { WeftCloud } from "../weft-cloud.ts";

/** What a start of an agent costs: until the first new flow is forwarded. */
export const restart: BenchGroup = {
  name: "restart",
  figures: ["cold_start_s"],
  isNative: true,
  async run(bench) {
    bench.progress("a host with 1,000 ports and 10,010 objects");
    const cloud = await largeHost(bench);
    const values: number[] = [];
    for (let round = 0; round < bench.pace.starts; round++) {
      bench.progress(`cold start, ${round + 1} of ${bench.pace.starts}`);
      await cloud.stopAgent(0);
      values.push(await coldStart(bench, cloud));
      await allUp(cloud);
    }
    return [figureOf({ name: "cold_start_s", unit: "s", values })];
  },
};

/**
 * Starts the agent on a host where nothing is left of it, while a VM sends an echo request every 10 ms. Seconds from the start of the
 * process to the first answer, which two new flows carry.
 */
export async function coldStart({ site }: Bench, cloud: WeftCloud): Promise<number> {
  const ping = site.startTool(["ping", "-n", "-D", "-i", "0.01", "-w", "60", FAR], site.space("near"));
  const begun = site.scheduler.clock.wall();
  await cloud.startAgent(0);
  const answered = await firstAnswer(ping, cloud);
  await ping.stop();
  return answered - begun / 1_000;
}

/** When the first answer came, in seconds of wall-clock time, as ping printed it. */
async function firstAnswer(ping: Tool, cloud: WeftCloud): Promise<number> {
  let at = Number.NaN;
  await cloud.wait("a ping is answered", () => {
    const [, stamp] = /^\[([\d.]+)\] \d+ bytes from/m.exec(ping.output()) ?? [];
    at = Number(stamp);
    return Promise.resolve(stamp !== undefined);
  });
  return at;
}
