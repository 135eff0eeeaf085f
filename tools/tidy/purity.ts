import type { AnyNode } from "acorn";
import { importsOf } from "./imports.ts";
import { IO_FILES, LAYERS } from "./layers.ts";
import { folderOf, isTest, lineOf, type Source, type Violation, walk } from "./source.ts";

const clockFiles = new Set(["src/base/clock.ts", "src/base/scheduler.ts"]);
const timers = new Set(["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "performance"]);
const chanceOrTime = new Map([
  ["Date", new Set(["now"])],
  ["Math", new Set(["random"])],
  ["process", new Set(["hrtime", "nextTick", "uptime"])],
]);
const pureModules = new Set(["assert", "assert/strict", "buffer", "events", "path", "test", "url", "util"]);
const isMain = /(^|\/)([\w-]+\.)?main\.ts$/;

/** Time, chance and waiting come in as arguments: nothing but base/clock.ts and base/scheduler.ts reads them. */
export function checkTime(source: Source): readonly Violation[] {
  if (folderOf(source.path) === undefined || isTest(source.path) || clockFiles.has(source.path)) return [];
  const found: Violation[] = [];
  walk(source.program, (node, parent) => {
    const name = timeOrChance(node, parent);
    if (name === undefined) return;
    const message = `${name}: take a Clock, a Scheduler, a Prng, or \`now\` as an argument`;
    found.push({ file: source.path, line: lineOf(node), rule: "time", message });
  });
  return found;
}

function timeOrChance(node: AnyNode, parent: AnyNode | undefined): string | undefined {
  if (node.type === "Identifier" && timers.has(node.name) && !isPropertyName(node, parent)) return node.name;
  if (node.type === "NewExpression" && node.callee.type === "Identifier" && node.callee.name === "Date")
    return "new Date";
  if (node.type !== "MemberExpression" || node.computed) return undefined;
  if (node.object.type !== "Identifier" || node.property.type !== "Identifier") return undefined;
  const { name } = node.property;
  return chanceOrTime.get(node.object.name)?.has(name) === true ? `${node.object.name}.${name}` : undefined;
}

function isPropertyName(node: AnyNode, parent: AnyNode | undefined): boolean {
  if (parent?.type === "MemberExpression") return parent.property === node && !parent.computed;
  if (parent?.type === "Property" || parent?.type === "MethodDefinition" || parent?.type === "PropertyDefinition") {
    return parent.key === node && !parent.computed && !("shorthand" in parent && parent.shorthand);
  }
  return false;
}

/** Pure folders and cores are synchronous: they return effects, a shell carries them out. */
export function checkSynchronous(source: Source): readonly Violation[] {
  if (!isPure(source.path)) return [];
  return source.codeLines.flatMap((text, i) => {
    const word = /\b(await|async|Promise)\b/.exec(text.replace(/(["'`]).*?\1/g, ""))?.[1];
    const message = `${word} in a pure folder: return an effect instead`;
    return word === undefined ? [] : [{ file: source.path, line: i + 1, rule: "pure", message }];
  });
}

/** Modules of Node that do I/O are for drivers, shells and mains. */
export function checkIo(source: Source): readonly Violation[] {
  const folder = folderOf(source.path);
  if (folder === undefined || isTest(source.path) || source.path in IO_FILES || isMain.test(source.path)) return [];
  if (LAYERS[folder]?.mayDoIo === true && !isPure(source.path)) return [];
  return importsOf(source)
    .filter(({ specifier }) => specifier.startsWith("node:") && !pureModules.has(specifier.slice(5)))
    .map(({ specifier, line }) => ({
      file: source.path,
      line,
      rule: "io",
      message: `${specifier}: ${folder} does no I/O; take an interface as an argument`,
    }));
}

function isPure(path: string): boolean {
  const folder = folderOf(path);
  if (folder === undefined || isTest(path)) return false;
  return LAYERS[folder]?.isPure === true || /^src\/[^/]+\/core\//.test(path);
}
