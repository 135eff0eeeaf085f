import { spawnSync } from "node:child_process";
import { missing, type RequirementWord } from "./requirements.ts";

/**
 * Installs the Debian packages that `words` lack, as root. What stays missing is for the caller to see: this says only
 * what it did.
 */
export function installMissing(words: readonly RequirementWord[], print: (line: string) => void): void {
  const packages = [...new Set(missing(words).flatMap(({ debian }) => (debian === undefined ? [] : [debian])))];
  if (packages.length === 0) return;
  print(`installing Debian packages: ${packages.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  apt(["update", "-qq"], env, print);
  apt(["install", "-y", "-qq", "--no-install-recommends", ...packages], env, print);
}

function apt(args: readonly string[], env: NodeJS.ProcessEnv, print: (line: string) => void): void {
  const result = spawnSync("apt-get", args, { env, encoding: "utf8" });
  if (result.status === 0) return;
  print(`apt-get ${args[0]} failed: ${(result.stderr || result.error?.message || "").trim()}`);
}
