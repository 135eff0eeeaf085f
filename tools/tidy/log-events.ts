import type { AnyNode } from "acorn";
import { LINE_FIELDS, type LogEventCatalogue, type LogEventSpec } from "../../src/base/log-event.ts";
import { folderOf, isTest, lineOf, type Source, type Violation, walk } from "./source.ts";

/** A line of log as the source has it. */
export interface LoggedEvent {
  readonly file: string;
  readonly line: number;
  readonly folder: string;
  readonly level: string;
  readonly event: string;
  /** Names of the fields; undefined when they are not written out. */
  readonly fields: readonly string[] | undefined;
}

const levels = new Set(["debug", "info", "warn", "error"]);

/** Every event that a file logs: `log.warn("port.refused", { ... })`, and `this.#log("warn", "port.refused", { ... })` of cores. */
export function loggedEvents(source: Source): readonly LoggedEvent[] {
  const folder = folderOf(source.path);
  if (folder === undefined || isTest(source.path)) return [];
  const found: LoggedEvent[] = [];
  walk(source.program, (node) => {
    if (node.type !== "CallExpression" || node.callee.type !== "MemberExpression") return;
    const { callee, arguments: words } = node;
    const name = nameOf(callee.property);
    const isLog = levels.has(name ?? "") && nameOf(lastOf(callee.object)) === "log";
    const [level, at] = isLog ? [name, 0] : name === "log" ? [textOf(words[0]), 1] : [undefined, 0];
    const event = textOf(words[at]);
    if (level === undefined || event === undefined || !levels.has(level)) return;
    found.push({ file: source.path, line: lineOf(node), folder, level, event, fields: fieldsOf(words[at + 1]) });
  });
  return found;
}

/** Every logged event is in the catalogue of its folder (or of base) with its level and fields, and nothing else is. */
export function checkLogEvents(
  logged: readonly LoggedEvent[],
  catalogues: ReadonlyMap<string, LogEventCatalogue>,
): readonly Violation[] {
  const found: Violation[] = [];
  const used = new Set<string>();
  for (const one of logged) {
    const folder = catalogues.get("base")?.[one.event] === undefined ? one.folder : "base";
    const spec = catalogues.get(folder)?.[one.event];
    used.add(`${folder} ${one.event}`);
    for (const message of faultsOf(one, spec)) found.push({ file: one.file, line: one.line, rule: "log", message });
  }
  for (const [folder, catalogue] of catalogues) {
    for (const event of Object.keys(catalogue).filter((name) => !used.has(`${folder} ${name}`))) {
      const message = `${event} is in the catalogue and never logged`;
      found.push({ file: `src/${folder}/log-events.ts`, line: 1, rule: "log", message });
    }
  }
  return found;
}

function faultsOf({ event, level, fields, folder }: LoggedEvent, spec: LogEventSpec | undefined): readonly string[] {
  if (spec === undefined) return [`${event} is not in src/${folder}/log-events.ts`];
  const unknown = (fields ?? []).filter((field) => spec.fields?.includes(field) !== true);
  return [
    ...(spec.level === level ? [] : [`${event} is logged as ${level}; the catalogue says ${spec.level}`]),
    ...unknown.map((field) => `${event}: the catalogue does not have the field ${field}`),
    ...unknown
      .concat(spec.fields ?? [])
      .filter((field) => LINE_FIELDS.includes(field))
      .map((field) => `${event}: ${field} is a field of every line`),
  ];
}

/** The last part of `this.#parts.log`. */
function lastOf(node: AnyNode): AnyNode {
  return node.type === "MemberExpression" ? node.property : node;
}

function nameOf(node: AnyNode): string | undefined {
  return node.type === "Identifier" || node.type === "PrivateIdentifier" ? node.name : undefined;
}

function textOf(node: AnyNode | undefined): string | undefined {
  return node?.type === "Literal" && typeof node.value === "string" ? node.value : undefined;
}

function fieldsOf(node: AnyNode | undefined): readonly string[] | undefined {
  if (node === undefined) return [];
  if (node.type !== "ObjectExpression") return undefined;
  return node.properties.flatMap((property) => {
    return property.type === "Property" ? [nameOf(property.key) ?? textOf(property.key) ?? ""] : [];
  });
}
