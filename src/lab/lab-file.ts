import { chmodSync, chownSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileOf } from "../base/entry.ts";
import type { HostPlan, LabPlan, VmPlan } from "./plan.ts";

/** What is known of a lab that runs: enough to speak to it. Kept in `.weft/lab.json`, readable by its user only. */
export interface LabFile {
  readonly id: string;
  /** The process that owns it, and when that started, in clock ticks since boot: a number alone may be somebody else's. */
  readonly pid: number;
  readonly startTicks: number;
  /** Address of the API: `unix:/path`. */
  readonly api: string;
  readonly token: string;
  /** Folder of its sockets and logs. */
  readonly folder: string;
  readonly hosts: readonly HostPlan[];
  readonly vms: readonly VmPlan[];
}

/** Folder of this clone's lab: `.weft` at the root. Tests have one of their own beside the user's. */
export const labFolder = process.env["WEFT_LAB_FOLDER"] ?? fileOf(".weft");

/** The lock that a lab of this clone holds for as long as it is up. */
export const labLockPath = join(labFolder, "lab.lock");

const labFilePath = join(labFolder, "lab.json");

/** Folder of the logs of this clone's lab; they outlive it until the next start. */
export const logFolder = join(labFolder, "logs");

/** Makes `.weft`, and gives it to the user behind sudo. */
export function makeLabFolder(): void {
  mkdirSync(labFolder, { recursive: true, mode: 0o700 });
  chmodSync(labFolder, 0o700);
  giveToUser(labFolder);
}

/** Makes an empty folder for logs in the place of the one of the lab before. */
export function renewLogFolder(): void {
  rmSync(logFolder, { recursive: true, force: true });
  mkdirSync(logFolder, { mode: 0o700 });
  giveToUser(logFolder);
}

/** Path of the log of a process: `store`, `api`, `agent-h1`. */
export function logPathOf(processName: string): string {
  return join(logFolder, `${processName}.log`);
}

/** Says that the lab of a plan is up. Readers see all of it or none. */
export function writeLabFile(file: LabFile): void {
  const draft = `${labFilePath}.${file.pid}`;
  writeFileSync(draft, `${JSON.stringify(file, undefined, 2)}\n`, { mode: 0o600 });
  giveToUser(draft);
  renameSync(draft, labFilePath);
}

/** What `.weft/lab.json` says, of a lab that may have died since; undefined when there is none. */
export function readLabFile(): LabFile | undefined {
  try {
    return parseLabFile(readFileSync(labFilePath, "utf8"));
  } catch {
    return undefined;
  }
}

/** Removes what `writeLabFile` wrote. */
export function removeLabFile(): void {
  rmSync(labFilePath, { force: true });
}

/** Reads the text of a lab file; undefined when it is none. */
export function parseLabFile(text: string): LabFile | undefined {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof read !== "object" || read === null) return undefined;
  const value = read as Partial<LabFile>;
  const texts = [value.id, value.api, value.token, value.folder];
  const isWhole =
    texts.every((text) => typeof text === "string") && Array.isArray(value.hosts) && Array.isArray(value.vms);
  return isWhole && Number.isInteger(value.pid) ? (value as LabFile) : undefined;
}

/** The user behind sudo, who shall be able to speak to the lab without it; undefined when there is none. */
export function sudoUser(): { readonly uid: number; readonly gid: number } | undefined {
  const uid = Number(process.env["SUDO_UID"]);
  const gid = Number(process.env["SUDO_GID"]);
  return process.getuid?.() === 0 && uid > 0 && Number.isInteger(gid) ? { uid, gid } : undefined;
}

/** Gives a file to the user behind sudo, if there is one. */
export function giveToUser(path: string): void {
  const user = sudoUser();
  if (user !== undefined) chownSync(path, user.uid, user.gid);
}

/** The lab file of a plan. */
export function labFileOf(
  plan: LabPlan,
  rest: Pick<LabFile, "pid" | "startTicks" | "api" | "token" | "folder">,
): LabFile {
  return { id: plan.id, ...rest, hosts: plan.hosts, vms: plan.vms };
}
