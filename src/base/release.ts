import { readFileSync } from "node:fs";
import { fileOf } from "./entry.ts";

/** The release that this process is of: the version in package.json, which sources and releases both have. */
export function releaseOf(): string {
  const { version } = JSON.parse(readFileSync(fileOf("package.json"), "utf8")) as { readonly version: string };
  return version;
}
