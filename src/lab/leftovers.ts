import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Scheduler } from "../base/scheduler.ts";
import { bpffsRoot } from "../linux/bpf/bpffs.ts";
import { isAlive, type ProcessIdentity } from "../linux/process.ts";
import { ORPHANS_WITHIN_MS } from "./limits.ts";
import { kill, removeSpaces } from "./namespaces.ts";
import { RunFolder, runRoot } from "./run-folder.ts";
import { until } from "./until.ts";

/** As the eBPF driver names the lock of a host's datapath. */
const LOCK_ENDING = ".datapath.lock";

/** Removes what labs of dead owners left on this machine, and says which. Those of living owners are not touched. */
export async function removeLeftovers(scheduler: Scheduler): Promise<readonly string[]> {
  const folders = RunFolder.dead();
  for (const folder of folders) await removeLab(folder, scheduler);
  return folders.map(({ id }) => id);
}

/** Removes every trace of a lab whose folder we hold: processes, namespaces with their links, pinned maps, the folder. */
export async function removeLab(folder: RunFolder, scheduler: Scheduler): Promise<void> {
  await endProcesses(folder.processes(), scheduler);
  removeSpaces(folder.id);
  removePins(folder.id);
  folder.remove();
  removeWhenEmpty(runRoot);
}

/** They stop by themselves when their lab dies; who does not is killed. Only those very processes: numbers are used again. */
async function endProcesses(processes: readonly ProcessIdentity[], scheduler: Scheduler): Promise<void> {
  const living = (): readonly ProcessIdentity[] => processes.filter(isAlive);
  const areGone = (): true | undefined => (living().length === 0 ? true : undefined);
  const gone = await until({ scheduler, withinMs: ORPHANS_WITHIN_MS }, areGone);
  if (gone) return;
  for (const { pid } of living()) kill(pid);
  await until({ scheduler, withinMs: ORPHANS_WITHIN_MS }, areGone);
}

/** Removes what agents with this `--pin-folder` left: pins, and the files of their locks. They have to be dead. */
export function removePins(pinFolder: string): void {
  removeLocks(join(runRoot, pinFolder));
  const root = join(bpffsRoot, "weft");
  const folder = join(root, pinFolder);
  if (!existsSync(folder)) return;
  // bpffs has no recursion of its own: pins are files, hosts are folders.
  for (const host of readdirSync(folder)) {
    for (const pin of readdirSync(join(folder, host))) rmSync(join(folder, host, pin), { force: true });
    removeWhenEmpty(join(folder, host));
  }
  removeWhenEmpty(folder);
  removeWhenEmpty(root);
}

/** Removes the locks of datapaths that are left in a folder, and the folder when nothing else is in it. */
export function removeLocks(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) if (name.endsWith(LOCK_ENDING)) rmSync(join(folder, name), { force: true });
  removeWhenEmpty(folder);
}

function removeWhenEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Other labs, or agents of this machine, are in it.
  }
}
