import { posix } from "node:path";
import { LAYERS, RESTRICTIONS } from "./layers.ts";
import { folderOf, isTest, type Source, type Violation } from "./source.ts";

/** A module that a file names, with the line of the specifier. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
}

const fromClause = /^(?:import|export)\b[^"';]*?\bfrom\s*["']([^"']+)["']/gm;
const bareImport = /^import\s*["']([^"']+)["']/gm;
const importCall = /\bimport\(\s*["']([^"']+)["']/g;

/** Every module that a file names: values, types, re-exports and import() of either. */
export function importsOf(source: Source): readonly Import[] {
  const code = source.codeLines.join("\n");
  return [fromClause, bareImport, importCall].flatMap((pattern) =>
    [...code.matchAll(pattern)].map((match) => ({
      specifier: match[1] as string,
      line: code.slice(0, match.index + match[0].length).split("\n").length,
    })),
  );
}

/** Imports go down the table of layers, drivers are named by composition roots, paths end in .ts. */
export function checkImports(source: Source): readonly Violation[] {
  const found: Violation[] = [];
  for (const { specifier, line } of importsOf(source)) {
    const message = specifier.startsWith(".") ? relativeFault(source.path, specifier) : aliasFault(specifier);
    if (message !== undefined) found.push({ file: source.path, line, rule: "imports", message });
  }
  return [...found, ...checkUrls(source)];
}

function relativeFault(path: string, specifier: string): string | undefined {
  const target = posix.normalize(posix.join(posix.dirname(path), specifier));
  if (!/\.(ts|mjs|json)$/.test(target)) return `${specifier} must end in .ts`;
  const from = folderOf(path);
  if (from === undefined) return undefined;
  const to = folderOf(target);
  if (to === undefined) {
    return isTest(path) ? undefined : `${specifier} leaves src/: nothing there may lean on test/, tools/ or bench/`;
  }
  if (isTest(path)) return undefined;
  return levelFault(from, to) ?? restrictionFault(path, target);
}

function levelFault(from: string, to: string): string | undefined {
  if (from === to) return undefined;
  const [own, other] = [LAYERS[from], LAYERS[to]];
  if (own === undefined) return `src/${from} is not in the table of tools/tidy/layers.ts`;
  if (other === undefined) return `src/${to} is not in the table of tools/tidy/layers.ts`;
  if (other.level < own.level) return undefined;
  return `${from} (level ${own.level}) may not know ${to} (level ${other.level}): ${own.reason}`;
}

function restrictionFault(path: string, target: string): string | undefined {
  return RESTRICTIONS.find((rule) => rule.target.test(target) && !rule.allowed.test(path))?.reason;
}

function aliasFault(specifier: string): string | undefined {
  return specifier.startsWith("#") ? `${specifier}: tsc cannot rewrite aliases, use a relative path` : undefined;
}

/** tsc rewrites imports but not URLs: a worker found by URL would look for a .ts file in dist. */
function checkUrls(source: Source): readonly Violation[] {
  if (folderOf(source.path) === undefined || isTest(source.path) || source.path === "src/base/entry.ts") return [];
  return source.codeLines.flatMap((text, i) =>
    /new URL\([^)]*import\.meta\.url/.test(text)
      ? [
          {
            file: source.path,
            line: i + 1,
            rule: "imports",
            message: "use base/entry.ts to find files beside this one",
          },
        ]
      : [],
  );
}
