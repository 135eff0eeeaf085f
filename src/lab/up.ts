import type { Instant } from "../base/clock.ts";
import { onStop } from "../base/parent.ts";
import { Prng } from "../base/prng.ts";
import type { Result } from "../base/result.ts";
import { systemScheduler } from "../base/scheduler.ts";
import { loadLibc } from "../linux/libc.ts";
import { inVm, weft } from "./command-line.ts";
import { writeHosts } from "./exec.ts";
import { Lab } from "./lab.ts";
import { logPathOf } from "./lab-file.ts";
import { removeLeftovers } from "./leftovers.ts";
import { compilePrograms, installPackages, installSize, type MissingPackage, missingPackages } from "./packages.ts";
import { Report, type StepOutcome } from "./report.ts";
import { walkTour } from "./tour.ts";

/** How `weft lab up` was asked. */
export interface UpOptions {
  /** Ends after the tour. */
  readonly isOnce: boolean;
  /** Debian packages may be installed. */
  readonly mayInstall: boolean;
  readonly seed: number;
  readonly startedAt: Instant;
}

type Stop = "asked" | "failed" | "done";

/** Builds the lab, walks through it, keeps it up. The exit code: 0 when all that was tried worked. */
export async function runUp(options: UpOptions): Promise<number> {
  const report = new Report({ clock: systemScheduler.clock, print: (line) => console.log(line) });
  const problem = whyNot();
  if (problem !== undefined) return complain(problem);
  const claimed = Lab.claim({
    scheduler: systemScheduler,
    prng: new Prng(options.seed),
    onLost: (sentence) => report.say(`✗ ${sentence}`),
  });
  if (!claimed.ok) return complain(`${claimed.error}. Join it: ${weft("lab status")}, stop it: ${weft("lab down")}`);
  const lab = claimed.value;
  const stop = Promise.withResolvers<Stop>();
  onStop(systemScheduler.clock, (_reason, isRepeated) => {
    if (isRepeated) void lab.down(true).then(() => process.exit(1));
    stop.resolve("asked");
  });
  // Nobody reads any more: there is nobody to press Ctrl-C either.
  process.stdout.on("error", () => stop.resolve("asked"));
  const walk = setUpAndWalk(lab, report, options);
  walk.then(
    (end) => {
      if (end !== "up") stop.resolve(end);
    },
    (bug: unknown) => {
      console.error(bug);
      stop.resolve("failed");
    },
  );
  const why = await stop.promise;
  report.silence();
  await lab.down();
  return conclude(report, why, options.isOnce);
}

async function setUpAndWalk(lab: Lab, report: Report, options: UpOptions): Promise<Stop | "up"> {
  const missing = missingPackages();
  await introduce(lab, report, { missing, mayInstall: options.mayInstall });
  const left = await removeLeftovers(systemScheduler);
  if (left.length > 0) report.say(`  removed what was left of lab ${left.join(", ")}, whose owner is dead`);
  if (!(await prepare(report, missing, options.mayInstall))) return "failed";
  writeHosts(lab.folder.path, lab.plan);
  const steps: readonly (readonly [string, () => Result<undefined, string> | Promise<Result<undefined, string>>])[] = [
    ["namespaces and links of two hosts and four VMs", () => lab.build()],
    ["store, API and an agent in each host", () => lab.serve()],
    ["tenant: bridges web and db, router r1, VMs bound", () => lab.createTenant()],
  ];
  for (const [title, body] of steps) {
    if (!(await report.step(title, async () => outcomeOf(await body())))) return "failed";
  }
  await walkTour({ lab, report, scheduler: systemScheduler, startedAt: options.startedAt });
  if (options.isOnce) return "done";
  invite(report);
  return "up";
}

interface Introduction {
  readonly missing: readonly MissingPackage[];
  readonly mayInstall: boolean;
}

async function introduce(lab: Lab, report: Report, { missing, mayInstall }: Introduction): Promise<void> {
  const { id } = lab.plan;
  const names = missing.map(({ name }) => name);
  report.say(`weft lab ${id}: two hosts and a tenant network on this machine`);
  if (missing.length === 0) report.say("  installs  nothing: all packages are there");
  else if (mayInstall) {
    const size = (await installSize(names, systemScheduler)) ?? "size known after apt-get update";
    report.say(`  installs  Debian packages ${names.join(", ")} (${size}); undo: apt-get purge ${names.join(" ")}`);
  } else for (const { name, cost } of missing) report.say(`  without ${name}: ${cost}`);
  report.say(
    `  makes     network namespaces weft-${id}-*, eBPF maps in /sys/fs/bpf/weft/${id}, four processes, ${lab.folder.path}`,
  );
  report.say(`  undo      Ctrl-C here, or ${weft("lab down")}; after a crash the next start removes what is left`);
}

/** Packages and programs. */
async function prepare(report: Report, missing: readonly MissingPackage[], mayInstall: boolean): Promise<boolean> {
  const vital = missing.filter(({ isVital }) => isVital);
  if (missing.length > 0 && mayInstall) {
    const logPath = logPathOf("apt");
    const names = missing.map(({ name }) => name);
    const installed = await report.step(`Debian packages ${names.join(", ")}`, async () => ({
      ...outcomeOf(await installPackages(names, logPath)),
      logPath,
    }));
    if (!installed && vital.length > 0) return false;
  } else if (vital.length > 0) {
    const text = vital.map(({ name, cost }) => `${name} (${cost})`).join(", ");
    return report.step("packages", () => ({
      kind: "failed",
      why: `missing ${text}: apt-get install them, or leave out --no-install`,
    }));
  }
  const logPath = logPathOf("build-bpf");
  const compiled = await compilePrograms(logPath);
  if (compiled.ok && compiled.value === "current") return true;
  return report.step("eBPF programs compiled", () => outcomeOf(compiled));
}

function invite(report: Report): void {
  report.say("The lab is up. Try:");
  for (const command of [
    inVm({ name: "vm1" }, "ping vm4"),
    inVm({ name: "vm3" }, "traceroute -6 vm2"),
    weft("list ports"),
    weft("drops"),
  ]) {
    report.say(`  ${command}`);
  }
  report.say("Ctrl-C takes everything away again.");
}

function conclude(report: Report, why: Stop, isOnce: boolean): number {
  const { firstFailure, leftOut } = report;
  if (firstFailure !== undefined) {
    const log = firstFailure.logPath === undefined ? "" : ` (log: ${firstFailure.logPath})`;
    return complain(`failed: ${firstFailure.title}: ${firstFailure.why}${log}`);
  }
  if (leftOut.length > 0 && why === "done") return complain(`left out: ${leftOut.join(", ")}`);
  if (why === "failed" || (isOnce && why === "asked")) return complain("stopped before the tour was over");
  console.log(why === "done" ? "all of it worked; nothing is left behind" : "the lab is down; nothing is left behind");
  return 0;
}

function outcomeOf(result: Result<unknown, string>): StepOutcome {
  return result.ok ? { kind: "worked" } : { kind: "failed", why: result.error };
}

/** Whether this process may build on a kernel; else the lab is simulated. */
export function isRootOnLinux(): boolean {
  return process.platform === "linux" && process.getuid?.() === 0;
}

function whyNot(): string | undefined {
  const libc = loadLibc();
  return libc.ok ? undefined : libc.error.text;
}

function complain(sentence: string): number {
  console.error(`weft lab: ${sentence}`);
  return 1;
}
