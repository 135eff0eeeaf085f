import type { AgentVersion } from "../../src/api-schema/agent-api.ts";
import { unwrap } from "../../src/base/result.ts";
import { sleep } from "../../src/base/scheduler.ts";
import type { Bench, BenchGroup } from "../bench-group.ts";
import { type Figure, figureOf, quantile } from "../figure.ts";
import { type FlowLoad, Load, monotonicMs, type Watcher } from "../load/load.ts";
import { buildRoutedNetwork, FIRST_TARGET, ROUTER_MAC, type RoutedNetwork } from "../routed-network.ts";
import { answered, type BenchHost, WeftCloud } from "../weft-cloud.ts";

/** Flows that are installed and used all the time, and to how many VMs: a change at one VM affects its share of them. */
const FLOWS = 100_000;
const RECEIVERS = 10;
/** The VM whose filter changes. */
const CHANGED = 5;
const FILL_RATE = 40_000;
/** Frames of those flows in a second: each is used every five seconds, and the changed VM gets 2,000 frames a second. */
const USE_RATE = 20_000;
/** New flows in a second, to another VM. */
const NEW_RATE = 2_000;
const NEW_FROM = 10_000_000;
const POLL_MS = 1;
/** After the agents say that they have arrived, frames are looked at for so long. */
const WATCH_MS = 60;
/** Changes before the first that counts: what runs once an hour is not what runs first after the start. */
const WARM_UP = 20;
const CHANGE_WITHIN_MS = 5_000;
/** Flows that must be there while changes are timed. */
const FLOWS_MIN = 0.95 * FLOWS;

/**
 * How long a change takes from the API's answer until nothing on any host forwards by the old state any more: a rule of one VM's
 * filter is turned between accept and drop. It has arrived when every agent says that all its flows follow a version that holds it
 * (GET /version), and when the VM has got the last frame that it should not have got, or missed the last one that it should have (one
 * that was overtaken comes later, and is not missed); the later of both counts.
 */
export const change: BenchGroup = {
  name: "change",
  figures: ["api_to_datapath_p99_ms"],
  isNative: true,
  async run(bench) {
    bench.progress("starting two hosts of weft");
    const cloud = await WeftCloud.start(bench.site, { hosts: 2, form: bench.form });
    const network = await buildRoutedNetwork(cloud, RECEIVERS);
    await addOnlooker(cloud, network);
    const watcher = await startTraffic(bench, cloud, network);
    const changes: Arrival[] = [];
    for (let i = 0; i < WARM_UP + bench.pace.changes; i++) {
      if (i % 10 === 0) bench.progress(`change ${i} of ${WARM_UP + bench.pace.changes}`);
      const arrival = await timeChange({ bench, cloud, network, watcher, isDrop: i % 2 === 0 });
      if (i >= WARM_UP) changes.push(arrival);
    }
    const { flows = 0 } = await cloud.status(cloud.host(0));
    if (flows < FLOWS_MIN) throw new Error(`${flows} flows are installed, not ${FLOWS}`);
    return figures(changes);
  },
};

/** A VM on the second host, so that it needs the same part of the topology. */
async function addOnlooker(cloud: WeftCloud, { bridgeId }: RoutedNetwork): Promise<void> {
  await cloud.plug([{ name: "onlooker", host: cloud.host(1), bridgeId, mac: "02:00:00:00:02:ff" }]);
}

async function startTraffic(bench: Bench, cloud: WeftCloud, network: RoutedNetwork): Promise<Watcher> {
  const { sender, senderIface: iface, receivers } = network;
  const load = { iface, from: 0, period: FLOWS, targets: RECEIVERS, mac: ROUTER_MAC, address: FIRST_TARGET };
  bench.progress(`installing ${FLOWS} flows`);
  await sender.flows({ ...load, rate: FILL_RATE, seconds: 10, count: 2 * FLOWS });
  const watcher = await new Load(bench.site, receivers).watch(network.receiverIfaces[CHANGED] ?? "", "seen");
  const lasting: Pick<FlowLoad, "seconds"> = { seconds: 600 };
  sender.startFlows({ ...load, ...lasting, rate: USE_RATE });
  sender.startFlows({ ...lasting, iface, rate: NEW_RATE, from: NEW_FROM, mac: ROUTER_MAC, address: FIRST_TARGET });
  await cloud.wait("frames arrive at the VM that is watched", async () => watcher.read().frames > 1_000);
  return watcher;
}

interface Change {
  readonly bench: Bench;
  readonly cloud: WeftCloud;
  readonly network: RoutedNetwork;
  readonly watcher: Watcher;
  readonly isDrop: boolean;
}

interface Arrival {
  readonly isDrop: boolean;
  /** When everybody had it, in milliseconds after the API's answer, and when no frame went the old way any more. */
  readonly all: number;
  readonly frames: number;
}

async function timeChange({ bench, cloud, network, watcher, isDrop }: Change): Promise<Arrival> {
  const before = await Promise.all(cloud.hosts.map(versionOf));
  const action = { type: isDrop ? ("drop" as const) : ("accept" as const) };
  await answered(cloud.api.patch("rule", network.rules[CHANGED] ?? "", { action }));
  const changedAt = monotonicMs();
  const arrivals = await Promise.all(
    cloud.hosts.map(async (host, i) => {
      const known = before[i]?.version ?? 0;
      while (monotonicMs() - changedAt < CHANGE_WITHIN_MS) {
        const { version, reached } = await versionOf(host);
        if (version > known && reached >= version) return monotonicMs();
        await sleep(bench.site.scheduler, POLL_MS);
      }
      throw new Error(`${host.name} does not follow a change within ${CHANGE_WITHIN_MS} ms`);
    }),
  );
  await sleep(bench.site.scheduler, WATCH_MS);
  const { lastMs, lastGapMs } = watcher.read();
  const frames = Math.max(0, (isDrop ? lastMs : lastGapMs) - changedAt);
  return { isDrop, frames, all: Math.max(frames, ...arrivals.map((at) => at - changedAt)) };
}

async function versionOf(host: BenchHost): Promise<AgentVersion> {
  return unwrap(await host.http.send({ method: "GET", path: "/version" })).body as AgentVersion;
}

function figures(changes: readonly Arrival[]): readonly Figure[] {
  const all = changes.map((change) => change.all);
  const drops = changes.filter((change) => change.isDrop).map((change) => change.frames);
  const figure = (name: string, value: number): Figure => figureOf({ name, unit: "ms", values: [value] });
  return [
    figure("api_to_datapath_p99_ms", quantile(all, 0.99)),
    figure("api_to_datapath_p50_ms", quantile(all, 0.5)),
    figure("api_to_last_frame_p99_ms", quantile(drops, 0.99)),
  ];
}
