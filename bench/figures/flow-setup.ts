import { unwrap } from "../../src/base/result.ts";
import { sleep } from "../../src/base/scheduler.ts";
import type { Space } from "../../src/lab/namespaces.ts";
import { getLink } from "../../src/linux/netlink/route/link.ts";
import type { Bench, BenchGroup } from "../bench-group.ts";
import { type Figure, figureOf } from "../figure.ts";
import type { Load } from "../load/load.ts";
import { OPEN_VSWITCH, startOpenVswitch, whyNoOpenVswitch } from "../rivals/open-vswitch.ts";
import { buildRoutedNetwork, FIRST_TARGET, ROUTER_MAC } from "../routed-network.ts";
import { WeftCloud } from "../weft-cloud.ts";

/** Share of frames that may be missing: what one hiccup of the machine costs, a thousandth of what overload does. */
const LOSS_MAX = 0.0001;
/** Offered to the rival, in frames a second. What counts is how many flows it sets up at the best of them, losses or not. */
const RIVAL_RATES = [40_000, 80_000, 160_000];
/** Flows sent before anything is measured, at a rate that is no effort: more than the table's slots, so that it is full. */
const FILL = { flows: 400_000, rate: 40_000 } as const;
/** Rate tried first, in frames a second, and how much the next one is more. */
const FIRST_RATE = 80_000;
const STEP = 1.3;
const HALVINGS = 3;
const RIVAL_ROUNDS = 2;
/** How much less is tried when a rate does not last. */
const BACK_OFF = 0.94;
const ATTEMPTS_MAX = 8;
/** A sender that comes this close sent what it was asked to. */
const SENT_SHARE = 0.98;
const SETTLE_MS = 300;

/** New flows, each one packet, as fast as they are set up without loss: weft's own bridge-router-bridge, and Open vSwitch. */
export const flowSetup: BenchGroup = {
  name: "flow set-up",
  figures: ["flow_setup_per_s", "flow_setup_vs_ovs"],
  isNative: true,
  async run(bench) {
    const own = await measureWeft(bench);
    await bench.site.clear();
    const missing = whyNoOpenVswitch();
    if (missing !== undefined) throw new Error(missing);
    const rival = await measureRival(bench);
    return figures(own, rival);
  },
};

/** Where new flows are sent and where they arrive. */
interface Path {
  readonly sender: Load;
  readonly iface: string;
  readonly receivers: Space;
  readonly receiverIface: string;
}

async function measureWeft(bench: Bench): Promise<Sustained> {
  bench.progress("starting weft");
  const cloud = await WeftCloud.start(bench.site, { hosts: 1, form: bench.form });
  const network = await buildRoutedNetwork(cloud, 1);
  const path = { ...network, iface: network.senderIface, receiverIface: network.receiverIfaces[0] ?? "" };
  const found = await new RateSearch(bench, path).run(FIRST_RATE);
  const evicted = await cloud.metric(cloud.host(0), "weft_worker_flows_evicted");
  if (!(evicted > 0)) throw new Error("no flow was evicted: the table was not full");
  return found;
}

/** Flows that Open vSwitch sets up in a second, in each round at the load that suits it best. */
async function measureRival(bench: Bench): Promise<readonly number[]> {
  bench.progress("starting Open vSwitch");
  const { sender, senderIface, installed } = await startOpenVswitch(bench.site);
  const rates: number[] = [];
  let from = 0;
  const attempt = async (rate: number): Promise<number> => {
    const before = await installed();
    const load = { iface: senderIface, rate, seconds: bench.pace.probeS, from, mac: ROUTER_MAC, address: FIRST_TARGET };
    const { sent, seconds } = await sender.flows(load);
    from += sent;
    const perSecond = ((await installed()) - before) / seconds;
    bench.progress(`Open vSwitch set up ${Math.round(perSecond)} flows/s of ${Math.round(sent / seconds)}`);
    return perSecond;
  };
  // Its own limit of flows starts low and grows while it keeps up.
  await attempt(RIVAL_RATES[0] as number);
  for (let round = 0; round < RIVAL_ROUNDS; round++) {
    let best = 0;
    for (const rate of RIVAL_RATES) best = Math.max(best, await attempt(rate));
    rates.push(best);
  }
  return rates;
}

interface Sustained {
  /** Delivered new flows a second at the highest rate that lasted. */
  readonly rate: number;
  /** The same, of each run at it. */
  readonly runs: readonly number[];
}

interface Attempt {
  readonly rate: number;
  readonly isLossless: boolean;
}

/** Looks for the highest rate of new flows that all arrive. */
class RateSearch {
  readonly #bench: Bench;
  readonly #path: Path;
  #next = 0;

  constructor(bench: Bench, path: Path) {
    this.#bench = bench;
    this.#path = path;
  }

  async run(first: number): Promise<Sustained> {
    await this.#attempt(FILL.rate, FILL.flows / FILL.rate);
    let best = await this.#search(first);
    const { sustainS } = this.#bench.pace;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const lasting = await this.#attempt(best, sustainS);
      if (lasting.isLossless) {
        const again = await this.#attempt(best, this.#bench.pace.probeS);
        return { rate: lasting.rate, runs: again.isLossless ? [lasting.rate, again.rate] : [lasting.rate] };
      }
      best *= BACK_OFF;
    }
    throw new Error(`weft: no rate lasts without loss, down to ${Math.round(best)} flows a second`);
  }

  async #search(first: number): Promise<number> {
    const { probeS } = this.#bench.pace;
    let good = 0;
    let bad = Number.POSITIVE_INFINITY;
    for (let rate = first, halvings = 0; halvings < HALVINGS; ) {
      const attempt = await this.#attempt(rate, probeS);
      if (attempt.isLossless) good = attempt.rate;
      else bad = rate;
      // A sender that cannot send faster has found the highest rate, too.
      if (attempt.isLossless && attempt.rate < rate * SENT_SHARE) return good;
      if (good === 0 && rate < 1_000) throw new Error(`weft loses flows at ${Math.round(rate)} a second`);
      if (bad === Number.POSITIVE_INFINITY) rate *= STEP;
      else if (good === 0) rate /= STEP;
      else {
        rate = (good + bad) / 2;
        halvings++;
      }
    }
    return good;
  }

  /** Sends new flows at a rate and counts what arrives. */
  async #attempt(rate: number, seconds: number): Promise<Attempt> {
    const { sender, iface } = this.#path;
    const before = this.#received();
    const load = { iface, rate: Math.round(rate), seconds: Math.ceil(seconds), count: Math.round(rate * seconds) };
    const { sent, seconds: took } = await sender.flows({
      ...load,
      from: this.#next,
      mac: ROUTER_MAC,
      address: FIRST_TARGET,
    });
    this.#next += sent;
    await sleep(this.#bench.site.scheduler, SETTLE_MS);
    const lost = sent - (this.#received() - before);
    const isLossless = lost <= sent * LOSS_MAX;
    const verdict = isLossless ? "" : `, ${((100 * lost) / sent).toFixed(2)} % lost`;
    this.#bench.progress(`weft ${Math.round(sent / took)} new flows/s for ${took.toFixed(1)} s${verdict}`);
    return { rate: sent / took, isLossless };
  }

  #received(): number {
    const { receivers, receiverIface } = this.#path;
    return unwrap(receivers.netlink.run(getLink({ name: receiverIface })))?.stats?.rxPackets ?? 0;
  }
}

function figures(own: Sustained, rival: readonly number[]): readonly Figure[] {
  const unit = "flows/s";
  return [
    figureOf({ name: "flow_setup_per_s", unit, values: own.runs }),
    figureOf({ name: "flow_setup_vs_ovs", unit, values: own.runs, rival: { name: OPEN_VSWITCH, values: rival } }),
  ];
}
