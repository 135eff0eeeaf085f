import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { type DoctorAnswer, failure, warning } from "../api-schema/doctor-resource.ts";
import { systemClock } from "../base/clock.ts";
import { mainOf, nodeOptions } from "../base/entry.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type CliError, cliErrorOf, usageError } from "./cli-error.ts";
import { type CommandContext, type CommandResult, example, printJson, type VerbModule } from "./command.ts";
import { doctorExit, doctorText, type ToldFinding } from "./doctor-text.ts";
import { hostIdOf } from "./host-commands.ts";
import { type TarFile, tarOf } from "./tar.ts";

interface Options {
  readonly host: string | undefined;
  readonly all?: boolean;
  readonly local?: boolean;
  readonly bundle?: string;
}

/** `weft doctor [HOST]`: what is wrong, and what to do about it. */
export const doctorVerb: VerbModule = {
  build(command, run) {
    command
      .argument("[host]", "one host; store, cloud and all hosts when absent")
      .option("--all", "also what is well")
      .option("--local", "looks at this host only, without API and store; works where the agent does not start")
      .option("--bundle <file>", "writes findings, metrics, configuration (secrets cut) and last log lines as a tar.gz")
      .addHelpText("after", example("doctor", "doctor h1 --all", "doctor --local", "doctor --bundle weft.tar.gz"))
      .action((host?: string) => run((context) => doctor(context, { ...command.opts<Omit<Options, "host">>(), host })));
  },
};

async function doctor(context: CommandContext, options: Options): CommandResult {
  if (options.local !== true) return cloudDoctor(context, options);
  if (options.host !== undefined || options.bundle !== undefined)
    return err(usageError("--local looks at this host only: give neither a host nor --bundle with it"));
  const findings = localFindings();
  return findings.ok ? told(context, { findings: findings.value, missing: [] }, options) : findings;
}

/** Runs the agent's own doctor beside whatever runs or does not run here. */
function localFindings(): Result<readonly ToldFinding[], CliError> {
  const ran = spawnSync(process.execPath, [...nodeOptions, mainOf("agent"), "--doctor"], { encoding: "utf8" });
  try {
    const { findings } = JSON.parse(ran.stdout) as DoctorAnswer;
    return ok(findings.map((one) => ({ ...one, from: "" })));
  } catch {
    return err({ exit: "refused", message: `the agent's doctor failed: ${ran.stderr.trim() || "no answer"}` });
  }
}

async function cloudDoctor(context: CommandContext, options: Options): CommandResult {
  const hostId = await hostIdOf(context, options.host);
  if (!hostId.ok) {
    if (hostId.error.exit !== "unreachable") return hostId;
    // That the API does not answer is itself what the doctor found.
    const remedy = hostId.error.remedy ?? "start it";
    const found = [failure("api", { subject: "the API", found: hostId.error.message, remedy })];
    return told(context, { findings: found.map((one) => ({ ...one, from: "" })), missing: [] }, options);
  }
  const { client, names } = hostId.value.api;
  const answer = await client.doctor(hostId.value.query);
  if (!answer.ok && answer.error.kind !== "refused") {
    const found = `${client.address} does not answer: ${answer.error.why}`;
    const remedy = "start it, or name another with --api; weft doctor --local looks at this host without it";
    const one = { ...failure("api", { subject: "the API", found, remedy }), from: "" };
    return told(context, { findings: [one], missing: [] }, options);
  }
  if (!answer.ok) return err(cliErrorOf(answer.error));
  const { findings, missing } = answer.value;
  // Names are in the store: without it every one of them would be waited for.
  const isNameless = findings.some(({ check, level }) => check === "store" && level === "failure");
  const named = await Promise.all(
    findings.map(async ({ hostId: id, ...one }): Promise<ToldFinding> => {
      if (isNameless) return { ...one, from: id === undefined ? "" : `host ${id}` };
      const from = id === undefined ? "" : await names.nameOf("host", id);
      const [subject = "", found = ""] = await names.withNames([one.subject, one.found], ["host", "port"]);
      return { ...one, subject, found, from };
    }),
  );
  // That an agent does not live is one of the findings already.
  const unheard = missing.filter(({ code }) => code !== "agent-not-alive" || options.host !== undefined);
  const silent = unheard.map(({ name, code, message }): ToldFinding => {
    const remedy =
      code === "agent-not-alive" ? "start its agent" : "see that agent's log, and weft doctor --local there";
    return { ...warning("hosts", { subject: `host ${name}`, found: message, remedy }), from: "" };
  });
  return told(context, { findings: [...named, ...silent], missing }, options);
}

async function told(
  context: CommandContext,
  { findings, missing }: { readonly findings: readonly ToldFinding[]; readonly missing: DoctorAnswer["missing"] },
  { all, bundle }: Options,
): CommandResult {
  if (bundle !== undefined) {
    const written = await writeBundle(context, bundle, findings);
    if (!written.ok) return written;
    context.terminal.complain(`${bundle} written: look through it before you send it`);
  }
  if (context.isJson) printJson(context.terminal, { findings, missing });
  else for (const line of doctorText(findings, all === true)) context.terminal.print(line);
  return ok(doctorExit(findings));
}

/** What an answer to a complaint needs. What cannot be had is left out: a bundle is made when things are broken. */
async function writeBundle(
  context: CommandContext,
  path: string,
  findings: readonly ToldFinding[],
): Promise<Result<void, CliError>> {
  const files: TarFile[] = [{ name: "findings.json", text: pretty(findings) }];
  const api = context.api();
  if (api.ok) {
    const { client } = api.value;
    const support = await client.support();
    const metrics = await client.metrics();
    const drops = await client.drops();
    for (const part of support.ok ? support.value.items : []) {
      const name = [part.process, part.hostId].filter(Boolean).join("-");
      const { log, ...about } = part;
      files.push({ name: `${name}.json`, text: pretty(about) }, { name: `${name}.log`, text: `${log.join("\n")}\n` });
    }
    for (const { process, hostId, text } of metrics.ok ? metrics.value.items : [])
      files.push({ name: `${[process, hostId].filter(Boolean).join("-")}.prom`, text });
    if (drops.ok) files.push({ name: "drops.json", text: pretty(drops.value) });
  }
  try {
    writeFileSync(path, gzipSync(tarOf(files, systemClock.wall() / 1_000)), { mode: 0o600 });
    return ok(undefined);
  } catch (error) {
    return err(usageError(`--bundle: ${error instanceof Error ? error.message : String(error)}`));
  }
}

function pretty(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
