import { parseIp } from "../addr/ip.ts";
import { formatMac } from "../addr/mac.ts";
import { unwrap } from "../base/result.ts";
import { systemScheduler } from "../base/scheduler.ts";
import { SimulatedLab } from "../weftsim/lab.ts";
import { flowLines } from "./flow-lines.ts";
import { LINE_WIDTH } from "./limits.ts";
import { type LabPlan, planLab, vmOf } from "./plan.ts";
import { Report, type StepOutcome } from "./report.ts";
import { wrapWalk } from "./tool-output.ts";

/** Echo requests of one ping. */
const PINGS = 3;

/**
 * The tour where there is no kernel to build on: the same plan on memory datapaths with simulated VMs, in this process and in
 * virtual time. No figures: they would say nothing about a network. The exit code: 0 when every step worked.
 */
export async function runSimulated(print: (line: string) => void, seed: number): Promise<number> {
  const report = new Report({ clock: systemScheduler.clock, print, isSimulated: true });
  const plan = planLab("0000");
  report.say("weft lab, simulated: the real agents' cores on memory datapaths, with simulated VMs, in this process");
  report.say("  installs  nothing      makes  nothing      undo  nothing: it ends with the tour");
  let lab: SimulatedLab | undefined;
  await report.step("two hosts, bridges web and db, router r1, four VMs", async () => {
    lab = await SimulatedLab.start(plan, seed);
    return { kind: "worked" };
  });
  if (lab !== undefined) await walk(lab, plan, report);
  await lab?.close();
  const failure = report.firstFailure;
  if (failure === undefined) report.say("all of it worked, simulated; with real packets: as root on Linux, npm start");
  else report.say(`failed: ${failure.title}: ${failure.why}`);
  return failure === undefined ? 0 : 1;
}

async function walk(lab: SimulatedLab, plan: LabPlan, report: Report): Promise<void> {
  const [vm2, vm4] = [vmOf(plan, "vm2"), vmOf(plan, "vm4")];
  await report.step("ping vm1 (h1) > vm2 (h2), one bridge", () => ping(lab, vm2.v4));
  await report.step("ARP: vm1 knows where vm2 is", () => neighbor(lab, vm2.v4));
  await report.step("ping vm1 (web) > vm4 (db), across the router", () => ping(lab, vm4.v4));
  await report.step("the same over IPv6", () => ping(lab, vm4.v6));
  await report.step("traceroute vm1 > vm4", () => traceroute(lab, [plan.bridges[0]?.v4Gateway ?? "", vm4.v4]));
  await report.step("what the network does with such a packet", () => trace(lab, vm4.v4));
  for (const { name } of plan.hosts) await report.step(`flow table of ${name}`, () => flows(lab, name));
}

async function ping(lab: SimulatedLab, to: string): Promise<StepOutcome> {
  const replies = (await lab.ping("vm1", to, PINGS)).flatMap(({ ttl }) => (ttl === undefined ? [] : [ttl]));
  if (replies.length < PINGS) return { kind: "failed", why: `${replies.length} of ${PINGS} came back from ${to}` };
  return { kind: "worked", result: `${replies.length} of ${PINGS}, TTL ${replies[0]}` };
}

function neighbor(lab: SimulatedLab, address: string): StepOutcome {
  const mac = lab.cloud.vm("vm1").neighbor(unwrap(parseIp(address)));
  if (mac === undefined) return { kind: "failed", why: `nobody answered for ${address}` };
  return { kind: "worked", result: `${address} is ${formatMac(mac)}` };
}

async function traceroute(lab: SimulatedLab, wanted: readonly string[]): Promise<StepOutcome> {
  const hops = (await lab.traceroute("vm1", wanted.at(-1) ?? "")).map(({ from }) => from ?? "*");
  if (hops.join() !== wanted.join())
    return { kind: "failed", why: `hops ${hops.join(", ")}, not ${wanted.join(", ")}` };
  return { kind: "worked", result: hops.join(" > ") };
}

async function trace(lab: SimulatedLab, to: string): Promise<StepOutcome> {
  const answer = await lab.trace("vm1", to);
  if (answer?.verdict !== "forward")
    return { kind: "failed", why: `${answer?.verdict} ${answer?.reason ?? ""}`.trim() };
  const steps = answer.walk.map((step) => step.trim());
  const lines = [...wrapWalk(steps, LINE_WIDTH), `installs: ${answer.action}`];
  return { kind: "worked", result: answer.verdict, lines };
}

async function flows(lab: SimulatedLab, host: string): Promise<StepOutcome> {
  const answer = await lab.flows(host);
  if (answer === undefined || answer.total === 0) return { kind: "failed", why: "no flows" };
  return { kind: "worked", result: `${answer.total} flows; the busiest`, lines: flowLines(answer.flows) };
}
