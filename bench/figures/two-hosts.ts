import { unwrap } from "../../src/base/result.ts";
import { WakeLatency } from "../../src/linux/wake-latency.ts";
import type { Bench, BenchGroup } from "../bench-group.ts";
import { type Figure, figureOf } from "../figure.ts";
import { Load } from "../load/load.ts";
import { buildKernelVxlan, KERNEL_VXLAN } from "../rivals/kernel-vxlan.ts";
import { type FilterKind, type PluggedVm, WeftCloud } from "../weft-cloud.ts";

const PARALLEL = 16;

/** Two hosts over VXLAN, in turns with a Linux bridge and kernel VXLAN between the same kind of VMs. */
export const twoHosts: BenchGroup = {
  name: "two hosts",
  figures: [
    "tcp_vs_kernel",
    "rtt_vs_kernel",
    "crr16_vs_kernel",
    "crr16_l4_vs_kernel",
    "first_packet_vs_kernel",
    "lone_packet_vs_kernel",
  ],
  isNative: true,
  async run(bench) {
    const pairs = await buildPairs(bench);
    const measured = await measureRounds(bench, pairs);
    return figures(measured);
  },
};

/** Two VMs that are measured, as loads see them. */
class Pair {
  readonly near: Load;
  readonly far: Load;
  readonly address: string;
  /** Numbers of flows and connections that were used up: each run takes new ones. */
  #connections = 0;
  #flows = 0;

  constructor(near: Load, far: Load, address: string) {
    this.near = near;
    this.far = far;
    this.address = address;
  }

  /** Gbit/s of one stream. */
  async stream(seconds: number): Promise<number> {
    return (await this.near.stream(this.address, seconds)) / 1e9;
  }

  /** Median round trip in µs. */
  async rtt(count: number): Promise<number> {
    const { p50, lost } = await this.near.rtt(this.address, count);
    if (p50 === undefined || lost > count / 100) throw new Error(`${lost} of ${count} echo requests were lost`);
    return p50;
  }

  /** Connections a second. */
  async connect(seconds: number): Promise<number> {
    const load = { seconds, parallel: PARALLEL, from: this.#connections };
    const { done, failed, seconds: span, next } = await this.near.connect(this.address, load);
    this.#connections = next;
    if (failed > done / 100) throw new Error(`${failed} of ${done + failed} connections failed`);
    return done / span;
  }

  /** Median round trips in µs: of first packets and of second ones. */
  async first(count: number, gapMs: number): Promise<{ readonly first: number; readonly second: number }> {
    const { first, second } = await this.near.first(this.address, { count, gapMs, from: this.#flows });
    this.#flows += count;
    if (first.p50 === undefined || second.p50 === undefined || first.lost > count / 20)
      throw new Error(`${first.lost} of ${count} first packets were lost`);
    return { first: first.p50, second: second.p50 };
  }
}

interface Pairs {
  /** Filters that read addresses only. */
  readonly plain: Pair;
  /** Filters that read ports. */
  readonly ports: Pair;
  readonly kernel: Pair;
}

async function buildPairs(bench: Bench): Promise<Pairs> {
  const { site, form } = bench;
  bench.progress("building Linux bridge and kernel VXLAN");
  const rival = buildKernelVxlan(site);
  const kernel = await startPair(bench, { vms: [rival.near, rival.far], address: rival.address });
  bench.progress("starting two hosts of weft");
  const cloud = await WeftCloud.start(site, { hosts: 2, form, agentArgs: ["--wake-latency", "0"] });
  const plain = await weftPair(bench, cloud, { number: 1, filter: "addresses" });
  const ports = await weftPair(bench, cloud, { number: 2, filter: "ports" });
  return { plain, ports, kernel };
}

async function weftPair(
  bench: Bench,
  cloud: WeftCloud,
  { number, filter }: { readonly number: number; readonly filter: FilterKind },
): Promise<Pair> {
  const bridgeId = await cloud.bridge(`b${number}`);
  const { id } = await cloud.filter(`filter${number}`, filter);
  const vms = ([0, 1] as const).map((side) => ({
    name: `vm${number}${side + 1}`,
    host: cloud.host(side),
    bridgeId,
    mac: `02:00:00:00:0${number}:0${side + 1}`,
    address: `10.${number}.0.${side + 1}`,
    inboundFilterId: id,
    outboundFilterId: id,
  }));
  const [near, far] = (await cloud.plug(vms)) as [PluggedVm, PluggedVm];
  return startPair(bench, { vms: [near.space, far.space], address: `10.${number}.0.2` });
}

async function startPair(
  { site }: Bench,
  { vms, address }: { readonly vms: readonly [PluggedVm["space"], PluggedVm["space"]]; readonly address: string },
): Promise<Pair> {
  const pair = new Pair(new Load(site, vms[0]), new Load(site, vms[1]), address);
  await pair.far.serve();
  return pair;
}

/** New flows one after the other, and so far apart that an agent sees nothing in it that goes on (`HOLD_MS`). */
const GAP_MS = 1;
const LONE_GAP_MS = 30;

/**
 * Does something while processors are kept from idling deeply, if `isHeld`. Agents ask for that while new flows come one by one
 * (wake-latency), and for the whole machine: when it is the rival's turn it gets what weft gets.
 */
async function awake<T>(isHeld: boolean, work: () => Promise<T>): Promise<T> {
  if (!isHeld) return work();
  const latency = unwrap(WakeLatency.open());
  try {
    unwrap(latency.ask(0));
    return await work();
  } finally {
    latency.close();
  }
}

/** Values by measurement and side, one a round. */
type Measured = Record<
  "tcp" | "rtt" | "crr" | "crrPorts" | "first" | "second" | "lone",
  Record<"weft" | "kernel", number[]>
>;

async function measureRounds(bench: Bench, pairs: Pairs): Promise<Measured> {
  const { pace } = bench;
  const sides = (): Record<"weft" | "kernel", number[]> => ({ weft: [], kernel: [] });
  const measured: Measured = {
    ...{ tcp: sides(), rtt: sides(), crr: sides(), crrPorts: sides(), first: sides(), second: sides(), lone: sides() },
  };
  const { plain, ports, kernel } = pairs;
  for (const pair of [plain, ports, kernel]) {
    await pair.rtt(200);
    await pair.connect(1);
  }
  for (let round = 0; round < pace.rounds; round++) {
    bench.progress(`round ${round + 1} of ${pace.rounds}`);
    const order = round % 2 === 0 ? (["weft", "kernel"] as const) : (["kernel", "weft"] as const);
    const inTurn = async (
      into: Record<"weft" | "kernel", number[]>,
      pair: Pair,
      of: (pair: Pair) => Promise<number>,
    ) => {
      for (const side of order) into[side].push(await of(side === "weft" ? pair : kernel));
    };
    await inTurn(measured.rtt, plain, (pair) => pair.rtt(pace.roundTrips));
    await inTurn(measured.tcp, plain, (pair) => pair.stream(pace.streamS));
    await inTurn(measured.crr, plain, (pair) => pair.connect(pace.connectS));
    await inTurn(measured.crrPorts, ports, (pair) => awake(pair === kernel, () => pair.connect(pace.connectS)));
    for (const side of order) {
      const pair = side === "weft" ? ports : kernel;
      const { first, second } = await awake(side === "kernel", () => pair.first(pace.firstPackets, GAP_MS));
      measured.first[side].push(first);
      measured.second[side].push(second);
    }
    await inTurn(measured.lone, ports, async (pair) => (await pair.first(pace.lonePackets, LONE_GAP_MS)).first);
  }
  return measured;
}

function figures({ tcp, rtt, crr, crrPorts, first, second, lone }: Measured): readonly Figure[] {
  const beside = (name: string, unit: string, { weft, kernel }: Measured["tcp"]): Figure =>
    figureOf({ name, unit, values: weft, rival: { name: KERNEL_VXLAN, values: kernel } });
  return [
    beside("tcp_vs_kernel", "Gbit/s", tcp),
    beside("rtt_vs_kernel", "us", rtt),
    beside("crr16_vs_kernel", "conn/s", crr),
    beside("crr16_l4_vs_kernel", "conn/s", crrPorts),
    beside("first_packet_vs_kernel", "us", first),
    beside("second_packet_vs_kernel", "us", second),
    beside("lone_packet_vs_kernel", "us", lone),
  ];
}
