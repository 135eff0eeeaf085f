import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { err, ok, type Result } from "../base/result.ts";
import { Netns } from "../linux/netns.ts";
import { isAlive } from "../linux/process.ts";
import { hasCommand } from "./command.ts";
import { type LabFile, readLabFile } from "./lab-file.ts";
import type { LabPlan } from "./plan.ts";

const hostsName = "hosts";

/** Writes the names of the VMs as a hosts file, so that `ping vm3` works in a VM. */
export function writeHosts(folder: string, plan: LabPlan): void {
  const lines = plan.vms.flatMap(({ name, v4, v6 }) => [`${v4} ${name}`, `${v6} ${name}`]);
  writeFileSync(join(folder, hostsName), ["127.0.0.1 localhost", "::1 localhost", ...lines, ""].join("\n"), {
    mode: 0o644,
  });
}

/** The lab of this clone, if it is up. The error says what to do. */
export function livingLab(): Result<LabFile, string> {
  const lab = readLabFile();
  if (lab !== undefined && isAlive(lab)) return ok(lab);
  return err("no lab is up: start one with npm start");
}

/** Runs a command in a VM with this terminal, and gives its exit code. The error says why it could not be run. */
export async function execInVm(
  lab: LabFile,
  name: string,
  command: readonly string[],
): Promise<Result<number, string>> {
  const vm = [...lab.vms, ...lab.hosts].find((known) => known.name === name);
  if (vm === undefined)
    return err(`there is no VM ${name}: the lab has ${lab.vms.map((known) => known.name).join(", ")}`);
  if (process.getuid?.() !== 0) return err("a VM's namespace can be entered by root only: put sudo before the command");
  const netns = Netns.named(vm.namespace);
  if (!netns.ok) return err(netns.error.text);
  const [file = "", ...args] = withHostNames(lab, command);
  const env = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`, PS1: `${name}# ` };
  const started = netns.value.run(() => spawn(file, args, { env, stdio: "inherit" }));
  netns.value.close();
  if (!started.ok) return err(started.error.text);
  // The terminal sends Ctrl-C to the command as well: it decides what it means.
  const ignore = (): void => undefined;
  process.on("SIGINT", ignore);
  process.on("SIGTERM", () => started.value.kill("SIGTERM"));
  return new Promise((resolve) => {
    started.value.once("error", (error) => resolve(err(`${command[0]}: ${error.message}`)));
    started.value.once("exit", (code, signal) => resolve(ok(code ?? 128 + constants.signals[signal ?? "SIGKILL"])));
  });
}

/** The command that gives a shell in a VM. */
export function shellCommand(): readonly string[] {
  return existsSync("/bin/bash") ? ["/bin/bash", "--norc"] : ["/bin/sh"];
}

/** util-linux gives the command an /etc/hosts of its own; without it, or where that is not allowed, names do not work. */
function withHostNames(lab: LabFile, command: readonly string[]): readonly string[] {
  if (!hasCommand("unshare")) return command;
  const script = 'mount --bind "$0" /etc/hosts 2>/dev/null; exec "$@"';
  return ["unshare", "--mount", "--propagation", "slave", "sh", "-c", script, join(lab.folder, hostsName), ...command];
}
