import { formatClientError } from "../api-client/client.ts";
import type { Instant } from "../base/clock.ts";
import { moduleOf, nodeOptions } from "../base/entry.ts";
import { unwrap } from "../base/result.ts";
import type { Scheduler } from "../base/scheduler.ts";
import { listNeighbors } from "../linux/netlink/route/neighbor.ts";
import { type CommandOutcome, hasCommand, runCommand } from "./command.ts";
import { inVm, weft } from "./command-line.ts";
import { flowLines } from "./flow-lines.ts";
import type { Lab } from "./lab.ts";
import { logPathOf } from "./lab-file.ts";
import { FLOWS_LISTED, LINE_WIDTH } from "./limits.ts";
import { ipBytes } from "./namespaces.ts";
import { type VmPlan, vmOf } from "./plan.ts";
import type { Report, StepOutcome } from "./report.ts";
import { parseIperf, parsePing, parseTraceroute, wrapWalk } from "./tool-output.ts";

/** What the tour walks through. */
export interface TourOptions {
  readonly lab: Lab;
  readonly report: Report;
  readonly scheduler: Scheduler;
  /** When the lab was asked for. */
  readonly startedAt: Instant;
}

/** TCP port of the throughput step. */
const STREAM_PORT = 5201;
const STREAM_SECONDS = 2;

/** Shows, step by step, that packets cross the network. Every step is tried, also when one before it did not work. */
export async function walkTour(options: TourOptions): Promise<void> {
  const tour = new Tour(options);
  const { report } = options;
  await report.step("ping vm1 (h1) > vm2 (h2), one bridge", () => tour.firstPing());
  await report.step("ARP: vm1 knows where vm2 is", () => tour.neighbors());
  await report.step("ping vm1 (web) > vm4 (db), across the router", () => tour.ping("vm1", vmOf(tour.plan, "vm4").v4));
  await report.step("the same over IPv6", () => tour.ping("vm1", vmOf(tour.plan, "vm4").v6));
  await report.step("traceroute vm1 > vm4", () => tour.traceroute());
  await report.step("TCP vm1 > vm4", () => tour.throughput());
  await report.step("what the network does with such a packet", () => tour.trace());
  for (const { name, id } of tour.plan.hosts) {
    await report.step(`flow table of ${name}`, () => tour.flows(name, id));
  }
}

class Tour {
  readonly #lab: Lab;
  readonly #scheduler: Scheduler;
  readonly #startedAt: Instant;

  constructor({ lab, scheduler, startedAt }: TourOptions) {
    this.#lab = lab;
    this.#scheduler = scheduler;
    this.#startedAt = startedAt;
  }

  get plan(): Lab["plan"] {
    return this.#lab.plan;
  }

  async firstPing(): Promise<StepOutcome> {
    const { v4 } = vmOf(this.plan, "vm2");
    if (!hasCommand("ping")) return leftOut("iputils-ping");
    const first = await this.#run("vm1", ["ping", "-n", "-c", "1", "-i", "0.2", "-w", "5", v4]);
    const after = (this.#scheduler.clock.now() - this.#startedAt) / 1_000;
    if (first.code !== 0) return this.#failed(`no answer from ${v4}`, "h1");
    const outcome = await this.ping("vm1", v4);
    if (outcome.kind !== "worked") return outcome;
    return { ...outcome, result: `first answer ${after.toFixed(2)} s after the start, then ${outcome.result ?? ""}` };
  }

  neighbors(): StepOutcome {
    const { v4 } = vmOf(this.plan, "vm2");
    const address = ipBytes(v4);
    const known = unwrap(this.#lab.spaces.of("vm1").netlink.run(listNeighbors("ipv4")));
    const entry = known.find((neighbor) => Buffer.compare(neighbor.address, address) === 0);
    if (entry?.mac === undefined) return this.#failed(`nobody answered for ${v4}`, "h1");
    const mac = Buffer.from(entry.mac)
      .toString("hex")
      .replace(/..(?!$)/g, "$&:");
    return { kind: "worked", result: `${v4} is ${mac}`, commands: [inVm({ name: "vm1" }, "ip neigh")] };
  }

  async ping(from: string, to: string): Promise<StepOutcome> {
    if (!hasCommand("ping")) return leftOut("iputils-ping");
    const { output } = await this.#run(from, ["ping", "-n", "-c", "3", "-i", "0.2", "-W", "2", to]);
    const summary = parsePing(output);
    const host = vmOf(this.plan, from).hostName;
    if (summary === undefined) return this.#failed(lastLine(output), host);
    const { sent, received, minMs } = summary;
    if (received < sent || minMs === undefined)
      return this.#failed(`${received} of ${sent} came back from ${to}`, host);
    return {
      kind: "worked",
      result: `${received} of ${sent}, ${minMs} ms`,
      commands: [inVm({ name: from }, `ping -c 3 ${to}`)],
    };
  }

  async traceroute(): Promise<StepOutcome> {
    if (!hasCommand("traceroute")) return leftOut("traceroute");
    const { v4 } = vmOf(this.plan, "vm4");
    const wanted = [this.plan.bridges[0]?.v4Gateway ?? "", v4];
    const { output } = await this.#run("vm1", ["traceroute", "-n", "-q", "1", "-w", "2", "-m", "5", v4]);
    const hops = parseTraceroute(output);
    if (hops.join() !== wanted.join()) return this.#failed(`hops ${hops.join(", ")}, not ${wanted.join(", ")}`, "h1");
    return { kind: "worked", result: hops.join(" > "), commands: [inVm({ name: "vm1" }, `traceroute -n ${v4}`)] };
  }

  async throughput(): Promise<StepOutcome> {
    const { v4 } = vmOf(this.plan, "vm4");
    const hasIperf = hasCommand("iperf3");
    const bitsPerSecond = await (hasIperf ? this.#iperf(v4) : this.#nodeStream(v4));
    if (bitsPerSecond === undefined) return this.#failed(`no stream to ${v4}`, "h1");
    const result = `${(bitsPerSecond / 1e9).toFixed(1)} Gbit/s${hasIperf ? "" : " (one Node process at each end; iperf3 is not here)"}`;
    const server = inVm({ name: "vm4" }, "iperf3 -s -1 -D");
    return {
      kind: "worked",
      result,
      commands: hasIperf ? [`${server} && ${inVm({ name: "vm1" }, `iperf3 -t ${STREAM_SECONDS} -c ${v4}`)}`] : [],
    };
  }

  async trace(): Promise<StepOutcome> {
    const vm1 = vmOf(this.plan, "vm1");
    const vm4 = vmOf(this.plan, "vm4");
    const packet = {
      source: vm1.v4,
      destination: vm4.v4,
      protocol: 6,
      sourcePort: 40_000,
      destinationPort: STREAM_PORT,
    };
    const answer = await this.#lab.client.trace({ portId: vm1.portId, packet });
    if (!answer.ok) return { kind: "failed", why: formatClientError(answer.error), logPath: logPathOf("api") };
    const { verdict, walk, action, reason } = answer.value;
    if (verdict !== "forward") return this.#failed(`${verdict} ${reason ?? ""}`.trim(), vm1.hostName);
    const lines = [
      ...wrapWalk(
        walk.map((step) => step.trim()),
        LINE_WIDTH,
      ),
      `installs: ${action}`,
    ];
    return { kind: "worked", result: verdict, lines, commands: [traceCommand(vm1, vm4)] };
  }

  async flows(name: string, host: string): Promise<StepOutcome> {
    const answer = await this.#lab.client.flows({ host, limit: FLOWS_LISTED });
    if (!answer.ok) return { kind: "failed", why: formatClientError(answer.error), logPath: logPathOf("api") };
    const { items, total, missing } = answer.value;
    if (missing.length > 0 || items.length === 0) return this.#failed(missing[0]?.message ?? "no flows", name);
    const lines = flowLines(items);
    return { kind: "worked", result: `${total} flows; the busiest`, lines, commands: [weft(`flows ${name}`)] };
  }

  async #iperf(address: string): Promise<number | undefined> {
    const server = this.#run("vm4", ["iperf3", "-s", "-1", "-p", `${STREAM_PORT}`]);
    const client = [
      "iperf3",
      "--json",
      "-c",
      address,
      "-p",
      `${STREAM_PORT}`,
      "-t",
      `${STREAM_SECONDS}`,
      "--connect-timeout",
      "3000",
    ];
    const rate = await this.#firstConnected(client, parseIperf);
    if (rate !== undefined) await server;
    return rate;
  }

  async #nodeStream(address: string): Promise<number | undefined> {
    const node = [process.execPath, ...nodeOptions, moduleOf("lab/stream.main")];
    const server = this.#run("vm4", [...node, "serve", `${STREAM_PORT}`]);
    const rate = await this.#firstConnected(
      [...node, "send", address, `${STREAM_PORT}`, `${STREAM_SECONDS}`],
      (output) => Number(output) || undefined,
    );
    if (rate !== undefined) await server;
    return rate;
  }

  /** The server needs a moment to listen: a client that is refused tries again. */
  async #firstConnected(
    client: readonly string[],
    read: (output: string) => number | undefined,
  ): Promise<number | undefined> {
    for (let attempt = 0; attempt < 20; attempt++) {
      const { output } = await this.#run("vm1", client);
      const rate = read(output);
      if (rate !== undefined || !/refused/i.test(output)) return rate;
    }
    return undefined;
  }

  #run(vm: string, command: readonly string[]): Promise<CommandOutcome> {
    return runCommand(command, { scheduler: this.#scheduler, netns: this.#lab.spaces.of(vm).netns });
  }

  #failed(why: string, host: string): StepOutcome {
    return { kind: "failed", why, logPath: logPathOf(`agent-${host}`) };
  }
}

function traceCommand(from: VmPlan, to: VmPlan): string {
  return weft(`trace --port ${from.name} --src ${from.v4} --dst ${to.v4} --proto tcp --dport ${STREAM_PORT}`);
}

function leftOut(debianPackage: string): StepOutcome {
  return { kind: "left-out", why: `it needs the package ${debianPackage}` };
}

function lastLine(output: string): string {
  return output.trim().split("\n").at(-1) ?? "";
}
