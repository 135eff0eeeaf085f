import { join } from "node:path";
import type { Bench, BenchGroup } from "../bench-group.ts";
import { figureOf } from "../figure.ts";
import { type PluggedVm, WeftCloud } from "../weft-cloud.ts";

const traffic = join(import.meta.dirname, "..", "..", "test", "e2e", "tcp-traffic.ts");
const PORT = "7000";
/** Echo requests, one each millisecond, and connections, one each 10 ms: both last longer than a restart. */
const PROBES = 4_000;
const CONNECTIONS = 400;
const CONNECTIONS_PER_SECOND = 100;
const NEAR = "10.8.0.1";
const FAR = "10.8.0.2";

/** What a restart of an agent costs those who use its network: of a warm flow, and of connections that begin meanwhile. */
export const restartLoss: BenchGroup = {
  name: "restart loss",
  figures: ["restart_lost_packets", "takeover_lost_packets", "restart_slowest_connect_ms"],
  isNative: true,
  async run(bench) {
    const cloud = await WeftCloud.start(bench.site, { hosts: 2, form: bench.form });
    const vms = await plug(bench, cloud);
    const server = bench.site.startTool([process.execPath, traffic, "serve", PORT], vms.far.space);
    await server.started;
    const killed: Loss[] = [];
    const handed: Loss[] = [];
    for (let round = 0; round < bench.pace.starts; round++) {
      for (const index of [0, 1] as const) {
        bench.progress(`kill -9 and --takeover on host ${index + 1}, round ${round + 1} of ${bench.pace.starts}`);
        const restart = async (): Promise<void> => {
          await cloud.killAgent(index);
          await cloud.startAgent(index);
        };
        killed.push(await under(bench, vms, restart));
        handed.push(await under(bench, vms, () => cloud.startAgent(index, ["--takeover"])));
      }
    }
    return [
      figureOf({ name: "restart_lost_packets", unit: "", values: killed.map(({ lost }) => lost) }),
      figureOf({ name: "takeover_lost_packets", unit: "", values: handed.map(({ lost }) => lost) }),
      figureOf({ name: "restart_slowest_connect_ms", unit: "ms", values: killed.map(({ slowestMs }) => slowestMs) }),
    ];
  },
};

interface Vms {
  readonly near: PluggedVm;
  readonly far: PluggedVm;
}

/** Two VMs on two hosts, behind filters that read ports: each connection is a new flow on both. */
async function plug(bench: Bench, cloud: WeftCloud): Promise<Vms> {
  const bridgeId = await cloud.bridge("bridge");
  const filter = await cloud.filter("ports", "ports");
  const [near, far] = await cloud.plug([
    {
      name: "near",
      host: cloud.host(0),
      bridgeId,
      mac: "02:00:00:00:08:01",
      address: NEAR,
      inboundFilterId: filter.id,
    },
    { name: "far", host: cloud.host(1), bridgeId, mac: "02:00:00:00:08:02", address: FAR, inboundFilterId: filter.id },
  ]);
  if (near === undefined || far === undefined) throw new Error("a VM is missing");
  const isReached = async (): Promise<boolean> =>
    (await bench.site.run(["sh", "-c", `ping -c 1 -W 1 ${FAR} || true`], near.space)).includes(" 0% packet loss");
  await cloud.wait("the VMs reach each other", isReached);
  return { near, far };
}

interface Loss {
  /** Echo requests without answer, connections that failed, and SYNs that had to be sent again. */
  readonly lost: number;
  readonly slowestMs: number;
}

async function under({ site }: Bench, { near }: Vms, disturb: () => Promise<void>): Promise<Loss> {
  const ping = site.startTool(["ping", "-q", "-n", "-i", "0.001", "-c", String(PROBES), "-W", "2", FAR], near.space);
  const rate = [String(CONNECTIONS_PER_SECOND), String(CONNECTIONS)];
  const connections = site.startTool([process.execPath, traffic, "connections", FAR, PORT, ...rate], near.space);
  await connections.started;
  await disturb();
  const { answered, slowestMs, synRetransmits } = reportOf(await connections.ended);
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(await ping.ended) ?? [];
  const lost = Number(sent) - Number(received) + (CONNECTIONS - answered) + synRetransmits;
  return { lost, slowestMs };
}

interface Report {
  readonly answered: number;
  readonly slowestMs: number;
  readonly synRetransmits: number;
}

function reportOf(output: string): Report {
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as Report;
}
