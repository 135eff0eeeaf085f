import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type ConfigKey, expectation, readConfigValue } from "./config-value.ts";
import { nearest, suggestion } from "./nearest.ts";
import { err, ok, type Result } from "./result.ts";

/** The keys of one process, by name in kebab case; a dot makes a group in YAML (`log.level`). */
export type ConfigSchema = Readonly<Record<string, ConfigKey>>;

interface TypeOf {
  readonly string: string;
  readonly integer: number;
  readonly number: number;
  readonly boolean: boolean;
  readonly duration: number;
  readonly list: readonly string[];
}

/** The type of one key's value: with `choices` (and `as const`) only these. */
type ValueOf<K> = K extends { readonly choices: readonly (infer Choice)[] }
  ? Choice
  : K extends { readonly type: infer T extends keyof TypeOf }
    ? TypeOf[T]
    : never;

/** The values of a schema: a key with a default is always there. */
export type ConfigValues<S extends ConfigSchema> = {
  readonly [K in keyof S]: S[K] extends { readonly default: unknown } ? ValueOf<S[K]> : ValueOf<S[K]> | undefined;
};

/** Where a value came from, first wins. */
export type ConfigOrigin = "flag" | "environment" | "file" | "default";

/** One line of `weft config show`. */
export interface ConfigLine {
  readonly key: string;
  /** As text; of a secret only that it is set. */
  readonly value: string;
  readonly origin: ConfigOrigin | "unset";
  /** The flag, variable or file that set it. */
  readonly from: string;
}

/** What is wrong with a configuration: which key, where, what was expected. `text` is the sentence for people. */
export interface ConfigFault {
  readonly kind: "unknown-key" | "bad-value" | "bad-file";
  readonly key: string;
  readonly from: string;
  readonly text: string;
}

/** A configuration that was read in full. */
export interface Config<S extends ConfigSchema> {
  readonly values: ConfigValues<S>;
  readonly lines: readonly ConfigLine[];
}

/** Where the parts of a configuration come from. All but the schema may be left out. */
export interface ConfigSources {
  /** Command-line words: `--key value`, `--key=value`, `--flag`, `--no-flag`. */
  readonly args?: readonly string[];
  /** Variables; those that begin with WEFT_ must name a key, but for the names in `reserved`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Path of a YAML file. */
  readonly file?: string;
  /** Variables with WEFT_ that are not configuration. */
  readonly reserved?: readonly string[];
}

/** Variables that other parts of weft use. */
const reservedVariables = [
  "WEFT_PARENT_FD",
  "WEFT_NO_INSTALL",
  "WEFT_REWRITE",
  "WEFT_TEST_COMPLETE",
  "WEFT_CONFIG",
  "WEFT_API",
  "WEFT_TOKEN",
  "WEFT_TENANT",
];

interface Given {
  readonly key: string;
  readonly value: unknown;
  readonly origin: ConfigOrigin;
  readonly from: string;
}

/**
 * Reads a configuration: flag, then WEFT_* variable, then YAML file, then default. Reports every fault that it finds,
 * not only the first; nothing is taken from a source that has one.
 */
export function readConfig<S extends ConfigSchema>(
  schema: S,
  sources: ConfigSources,
): Result<Config<S>, readonly ConfigFault[]> {
  const faults: ConfigFault[] = [];
  const given = [
    ...fromFile(schema, sources.file, faults),
    ...fromEnvironment(schema, sources, faults),
    ...fromArguments(schema, sources.args ?? [], faults),
  ];
  const values: Record<string, unknown> = {};
  const lines = new Map<string, ConfigLine>();
  for (const [key, rule] of Object.entries(schema)) {
    values[key] = rule.default;
    lines.set(key, lineOf(key, rule, { key, value: rule.default, origin: "default", from: "default" }));
  }
  for (const entry of given) {
    const rule = schema[entry.key] as ConfigKey;
    const read = readConfigValue(rule, entry.value);
    if (read.ok) {
      values[entry.key] = read.value;
      lines.set(entry.key, lineOf(entry.key, rule, { ...entry, value: read.value }));
    } else {
      const shown = rule.isSecret === true ? "the value" : JSON.stringify(entry.value);
      const text = `${entry.from}: ${shown} for ${entry.key}: expected ${read.error}`;
      faults.push({ kind: "bad-value", key: entry.key, from: entry.from, text });
    }
  }
  if (faults.length > 0) return err(faults);
  return ok({ values: values as ConfigValues<S>, lines: [...lines.values()] });
}

function fromFile(schema: ConfigSchema, file: string | undefined, faults: ConfigFault[]): readonly Given[] {
  if (file === undefined) return [];
  const bad = (text: string): readonly Given[] => {
    faults.push({ kind: "bad-file", key: "", from: file, text: `${file}: ${text}` });
    return [];
  };
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    return bad(error instanceof Error ? error.message : String(error));
  }
  // Loaded for those who have a file: it takes as long as everything else that a process reads its configuration with.
  const { parseDocument } = createRequire(import.meta.url)("yaml") as typeof import("yaml");
  const document = parseDocument(text);
  if (document.errors[0] !== undefined) return bad(document.errors[0].message.split("\n")[0] ?? "not YAML");
  const tree: unknown = document.toJS();
  if (tree === null || tree === undefined) return [];
  if (typeof tree !== "object" || Array.isArray(tree)) return bad("expected keys with values");
  return flatten(tree as Record<string, unknown>, "").flatMap(([key, value]) => {
    return known(schema, { key, from: file, shown: key, faults }) ? [{ key, value, origin: "file", from: file }] : [];
  });
}

function flatten(tree: Readonly<Record<string, unknown>>, prefix: string): readonly (readonly [string, unknown])[] {
  return Object.entries(tree).flatMap(([name, value]): readonly (readonly [string, unknown])[] => {
    const isGroup = typeof value === "object" && value !== null && !Array.isArray(value);
    return isGroup ? flatten(value as Record<string, unknown>, `${prefix}${name}.`) : [[prefix + name, value]];
  });
}

function fromEnvironment(schema: ConfigSchema, sources: ConfigSources, faults: ConfigFault[]): readonly Given[] {
  const names = new Map(Object.keys(schema).map((key) => [variableOf(key), key]));
  const reserved = new Set([...reservedVariables, ...(sources.reserved ?? [])]);
  return Object.entries(sources.env ?? {}).flatMap(([name, value]): readonly Given[] => {
    const key = names.get(name);
    const isOthers = key === undefined && reserved.has(name);
    if (!name.startsWith("WEFT_") || value === undefined || isOthers) return [];
    if (key !== undefined) return [{ key, value, origin: "environment", from: name }];
    const near = nearest(name, [...names.keys()]);
    faults.push({ kind: "unknown-key", key: name, from: name, text: `unknown variable ${name}${suggestion(near)}` });
    return [];
  });
}

function fromArguments(schema: ConfigSchema, args: readonly string[], faults: ConfigFault[]): readonly Given[] {
  const found: Given[] = [];
  for (let i = 0; i < args.length; i++) {
    const word = args[i] as string;
    const [, name = "", inline] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
    const negated = name.startsWith("no-") && schema[name.slice(3)]?.type === "boolean" ? name.slice(3) : undefined;
    const key = negated ?? name;
    const flag = `--${name}`;
    if (!known(schema, { key, from: "the command line", shown: name === "" ? word : flag, faults })) continue;
    const origin = { key, origin: "flag", from: flag } as const;
    if (negated !== undefined) found.push({ ...origin, value: "false" });
    else if (inline !== undefined) found.push({ ...origin, value: inline });
    else if (schema[key]?.type === "boolean") found.push({ ...origin, value: "true" });
    else if (schema[key]?.bare !== undefined) found.push({ ...origin, value: schema[key].bare });
    else found.push({ ...origin, value: args[++i] ?? "" });
  }
  return found;
}

interface Mention {
  readonly key: string;
  readonly from: string;
  readonly shown: string;
  readonly faults: ConfigFault[];
}

function known(schema: ConfigSchema, { key, from, shown, faults }: Mention): boolean {
  if (Object.hasOwn(schema, key)) return true;
  const text = `${from}: unknown key ${shown}${suggestion(nearest(key, Object.keys(schema)))}`;
  faults.push({ kind: "unknown-key", key, from, text });
  return false;
}

function lineOf(key: string, rule: ConfigKey, { value, origin, from }: Given): ConfigLine {
  if (value === undefined) return { key, value: "", origin: "unset", from: "" };
  if (rule.isSecret === true) return { key, value: "(set)", origin, from };
  return { key, value: Array.isArray(value) ? value.join(",") : String(value), origin, from };
}

/** The name of the environment variable of a key: `log.level` is WEFT_LOG_LEVEL. */
export function variableOf(key: string): string {
  return `WEFT_${key.replace(/[.-]/g, "_").toUpperCase()}`;
}

/** The part of `--help` that lists the keys: name, expected value, default, meaning. */
export function configHelp(schema: ConfigSchema): string {
  return Object.entries(schema)
    .map(([key, rule]) => {
      const preset = rule.default === undefined ? "" : ` (default ${JSON.stringify(rule.default)})`;
      return `  --${key}  ${expectation(rule)}${preset}\n      ${rule.help}`;
    })
    .join("\n");
}
