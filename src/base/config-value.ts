import { err, ok, type Result } from "./result.ts";

/** What a configuration key may hold. A list is written `a,b` in a flag or a variable. */
export type ConfigType = "string" | "integer" | "number" | "boolean" | "duration" | "list";

/** One key. Without a default it may stay unset. A duration is in milliseconds, or written with ms, s, m or h. */
export interface ConfigKey {
  readonly type: ConfigType;
  readonly default?: string | number | boolean | readonly string[];
  /** A sentence for `--help` and docs/reference/config.md: meaning, unit, bounds. */
  readonly help: string;
  /** Smallest and largest number. */
  readonly min?: number;
  readonly max?: number;
  /** Only powers of two are allowed. */
  readonly isPowerOfTwo?: boolean;
  /** The only strings allowed. */
  readonly choices?: readonly string[];
  /** What the flag means when it stands alone; another value is then written `--key=value` only. */
  readonly bare?: string;
  /** Its value is never shown: a token, a password. */
  readonly isSecret?: boolean;
}

/** A value of a key, of the type that the key's `type` says. */
export type ConfigValue = string | number | boolean | readonly string[];

const durationUnits: Readonly<Record<string, number>> = { "": 1, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const trueWords = new Set(["true", "yes", "on", "1"]);
const falseWords = new Set(["false", "no", "off", "0"]);

/** Reads one value as its key says: text of a flag or a variable, or what YAML made of it. The error says what was expected. */
export function readConfigValue(key: ConfigKey, raw: unknown): Result<ConfigValue, string> {
  const expected = expectation(key);
  switch (key.type) {
    case "string":
      return readString(key, raw, expected);
    case "boolean":
      return readBoolean(raw, expected);
    case "list":
      return readList(raw, expected);
    case "integer":
    case "number":
      return within(key, typeof raw === "string" && raw.trim() !== "" ? Number(raw) : raw, expected);
    case "duration":
      return within(key, typeof raw === "string" ? parseDuration(raw) : raw, expected);
  }
}

/** What a key expects, in words. */
export function expectation(key: ConfigKey): string {
  if (key.choices !== undefined) return `one of ${key.choices.join(", ")}`;
  const words = {
    string: "a text that is not empty",
    integer: key.isPowerOfTwo === true ? "a power of two" : "a whole number",
    number: "a number",
    boolean: "true or false",
    duration: "a duration such as 500ms, 30s, 5m, 1h",
    list: "words separated by commas",
  };
  const bounds = [
    ...(key.min === undefined ? [] : [`at least ${key.min}`]),
    ...(key.max === undefined ? [] : [`at most ${key.max}`]),
  ];
  return bounds.length === 0 ? words[key.type] : `${words[key.type]}, ${bounds.join(" and ")}`;
}

function readString(key: ConfigKey, raw: unknown, expected: string): Result<string, string> {
  if (typeof raw !== "string" && typeof raw !== "number") return err(expected);
  const text = String(raw);
  const isAllowed = key.choices === undefined ? text !== "" : key.choices.includes(text);
  return isAllowed ? ok(text) : err(expected);
}

function readBoolean(raw: unknown, expected: string): Result<boolean, string> {
  if (typeof raw === "boolean") return ok(raw);
  if (typeof raw !== "string" && typeof raw !== "number") return err(expected);
  const word = String(raw).toLowerCase();
  if (trueWords.has(word)) return ok(true);
  return falseWords.has(word) ? ok(false) : err(expected);
}

function readList(raw: unknown, expected: string): Result<readonly string[], string> {
  const parts: readonly unknown[] = typeof raw === "string" ? raw.split(",").map((part) => part.trim()) : asArray(raw);
  if (raw === "") return ok([]);
  const words = parts.filter((part): part is string => typeof part === "string" && part !== "");
  return Array.isArray(parts) && words.length === parts.length && (parts.length > 0 || Array.isArray(raw))
    ? ok(words)
    : err(expected);
}

function asArray(raw: unknown): readonly unknown[] {
  return Array.isArray(raw) ? raw : [undefined];
}

function within(key: ConfigKey, value: unknown, expected: string): Result<number, string> {
  if (typeof value !== "number" || !Number.isFinite(value)) return err(expected);
  if (key.type === "integer" && !Number.isSafeInteger(value)) return err(expected);
  if (key.isPowerOfTwo === true && !Number.isInteger(Math.log2(value))) return err(expected);
  if (key.type === "duration" && value < 0) return err(expected);
  if (value < (key.min ?? -Infinity) || value > (key.max ?? Infinity)) return err(expected);
  return ok(value);
}

function parseDuration(text: string): number {
  const [, amount = "", unit = ""] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text) ?? [];
  const scale = durationUnits[unit.toLowerCase()];
  return amount === "" || scale === undefined ? Number.NaN : Number(amount) * scale;
}
