import { spawnSync } from "node:child_process";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { nodeOptions } from "../src/base/entry.ts";

const root = join(import.meta.dirname, "..");
const folder = join("build", "bench", "dist");

/** Where the built form of the bench is. */
export const builtFolder = join(root, folder);

/** Makes the built form that processes under test run from, beside whatever `npm run build` made. Its folder. */
export function buildWeft(): string {
  const tool = [...nodeOptions, join(root, "tools", "build.ts"), "--out", folder];
  const made = spawnSync(process.execPath, tool, { cwd: root, encoding: "utf8" });
  if (made.status !== 0)
    throw new Error(`weft does not build (--sources runs it as it is): ${made.stdout}${made.stderr}`);
  // The built form looks for it in the folder above its own.
  copyFileSync(join(root, "package.json"), join(builtFolder, "..", "package.json"));
  return builtFolder;
}
