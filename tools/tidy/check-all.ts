import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { logEvents } from "../docs/catalogues.ts";
import { checkDocstrings } from "./docstrings.ts";
import { checkDocuments } from "./documents.ts";
import { checkImports } from "./imports.ts";
import { checkLogEvents, loggedEvents } from "./log-events.ts";
import { checkNames } from "./names.ts";
import { checkIo, checkSynchronous, checkTime } from "./purity.ts";
import { checkDependencies, checkLockfile, checkTexts, trackedFiles } from "./repository.ts";
import { checkSizes } from "./sizes.ts";
import { parseSource, type Source, type Violation } from "./source.ts";

const sourceChecks = [
  checkImports,
  checkSizes,
  checkNames,
  checkTime,
  checkSynchronous,
  checkIo,
  checkDocstrings,
] as const;

/** Every rule that a single file can break. */
export function checkSource(source: Source): readonly Violation[] {
  return sourceChecks.flatMap((check) => check(source));
}

/** Every source file of the repository against every rule. A file that does not parse is a violation itself. */
export function checkSources(root: string): readonly Violation[] {
  const files = globSync("{src,tools,test,bench}/**/*.{ts,mjs}", { cwd: root, exclude: ["**/node_modules/**"] });
  return files.sort().flatMap((path) => {
    const text = readFileSync(join(root, path), "utf8");
    try {
      return checkSource(parseSource(path, text));
    } catch (error) {
      return [{ file: path, line: 1, rule: "syntax", message: error instanceof Error ? error.message : String(error) }];
    }
  });
}

async function checkEvents(root: string): Promise<readonly Violation[]> {
  const files = globSync("src/**/*.ts", { cwd: root, exclude: ["**/*.test.ts"] });
  const logged = files.flatMap((path) => {
    const text = readFileSync(join(root, path), "utf8");
    return /\blog\b/.test(text) ? loggedEvents(parseSource(path, text)) : [];
  });
  return checkLogEvents(logged, await logEvents(root));
}

/** Everything that tidy checks. */
export async function checkAll(root: string): Promise<readonly Violation[]> {
  const read = (path: string): string => readFileSync(join(root, path), "utf8");
  return [
    ...checkSources(root),
    ...checkTexts(root, trackedFiles(root)),
    ...checkLockfile(read("package-lock.json")),
    ...checkDependencies(read("package.json"), read("docs/dependencies.md")),
    ...(await checkDocuments(root)),
    ...(await checkEvents(root)),
  ];
}

/** Violations as lines that an editor can jump to. */
export function format(violations: readonly Violation[]): string {
  return violations.map(({ file, line, rule, message }) => `${file}:${line} ${rule}: ${message}`).join("\n");
}
