import { readFileSync } from "node:fs";
import { join } from "node:path";
import { labFolder } from "../lab/lab-file.ts";

/** What a running lab leaves for the CLI, mode 0600: where its API is, and the token. */
export interface LabFile {
  readonly api: string;
  readonly token: string;
}

/** Where the lab of this clone or release writes it. */
export function labFilePath(): string {
  return join(labFolder, "lab.json");
}

/** The lab that runs now, if one says so. A file that cannot be read is no lab. */
export function readLabFile(path: string = labFilePath()): LabFile | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof value !== "object" || value === null) return undefined;
    const { api, token } = value as Partial<Record<keyof LabFile, unknown>>;
    return typeof api === "string" && typeof token === "string" ? { api, token } : undefined;
  } catch {
    return undefined;
  }
}
