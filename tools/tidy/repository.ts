import { execFileSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Violation } from "./source.ts";

/** Put together here, so that this file does not contain what it looks for. */
const machinePaths = ["work/main", "work/shared", "work/\\.", "root/", "home/[a-z]"].map((tail) => `/${tail}`);
const registryHosts = ["registry", "artifactory", "nexus", "verdaccio"].map((word) => `://${word}[.\\w-]*[:/]`);
const machinePath = new RegExp(`(?<![\\w./-])(${machinePaths.join("|")})`);
const registryHost = new RegExp(registryHosts.join("|"));

/** The only package whose install script is known: its prebuilt binary is found without it. */
const installScriptAllowed = "node_modules/koffi";
const binary = /\.(png|jpg|ico|pcap|pcapng|gz|o|woff2?)$/;

/** Every file that git tracks; where there is no repository, every file that a clone would have. */
export function trackedFiles(root: string): readonly string[] {
  if (existsSync(join(root, ".git"))) {
    const files = execFileSync("git", ["ls-files"], { cwd: root, encoding: "utf8" }).trim().split("\n");
    return files.filter((file) => existsSync(join(root, file)));
  }
  const exclude = ["node_modules/**", "dist/**", "build/**", ".weft/**"];
  return globSync("**/*.*", { cwd: root, exclude }).sort();
}

/** What is committed says nothing of the machine that it was written on. */
export function checkTexts(root: string, files: readonly string[]): readonly Violation[] {
  return files
    .filter((file) => !binary.test(file))
    .flatMap((file) => checkText(file, readFileSync(join(root, file), "utf8")));
}

/** The same for one text. */
export function checkText(file: string, text: string): readonly Violation[] {
  if (!machinePath.test(text) && !registryHost.test(text)) return [];
  return text.split("\n").flatMap((line, i) => {
    const found = machinePath.exec(line)?.[1] ?? registryHost.exec(line)?.[0];
    const message = `${found}: a path or a host of one machine`;
    return found === undefined ? [] : [{ file, line: i + 1, rule: "machine", message }];
  });
}

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly hasInstallScript?: boolean; readonly resolved?: string }>>;
}

/** The lock file names no host, and no package but koffi has an install script. */
export function checkLockfile(text: string): readonly Violation[] {
  const { packages } = JSON.parse(text) as Lockfile;
  return Object.entries(packages).flatMap(([name, { hasInstallScript, resolved }]) => {
    const faults: string[] = [];
    if (hasInstallScript === true && name !== installScriptAllowed) faults.push(`${name} has an install script`);
    if (resolved !== undefined) faults.push(`${name} names a host: keep omit-lockfile-registry-resolved in .npmrc`);
    return faults.map((message) => ({ file: "package-lock.json", line: 1, rule: "lockfile", message }));
  });
}

/** Every dependency of package.json has a line with its reason in docs/dependencies.md. */
export function checkDependencies(packageText: string, reasonsText: string): readonly Violation[] {
  type Names = Readonly<Record<string, string>>;
  const groups = JSON.parse(packageText) as {
    dependencies?: Names;
    devDependencies?: Names;
    optionalDependencies?: Names;
  };
  const names = Object.keys({ ...groups.dependencies, ...groups.devDependencies, ...groups.optionalDependencies });
  return names
    .filter((name) => !reasonsText.includes(`\`${name}\``))
    .map((name) => ({
      file: "docs/dependencies.md",
      line: 1,
      rule: "dependencies",
      message: `${name}: why do we need it?`,
    }));
}
