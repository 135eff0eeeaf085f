import { unreachable } from "../../base/assert.ts";
import { canonicalText, formatExpected } from "./formats.ts";
import type {
  AnyOfSchema,
  ArraySchema,
  BooleanSchema,
  FormatName,
  IntegerSchema,
  JsonSchema,
  ObjectSchema,
  StringSchema,
} from "./json-schema.ts";

/** Where a value does not match its schema, and what would. */
export interface SchemaProblem {
  readonly kind: "missing-field" | "unknown-field" | "bad-value" | "duplicate-item" | "too-many";
  readonly field: string;
  readonly expected: string;
}

/** Problems reported for one value at most: the first ones are what people read. */
export const PROBLEMS_MAX = 20;

/**
 * How strictly to read. `canonical` (documents of the store) demands the one writing of an address; without it (requests)
 * any writing that parses will do.
 */
export interface CheckOptions {
  readonly canonical: boolean;
}

/** All places where `value` differs from `schema`, in the order of the schema, at most PROBLEMS_MAX. */
export function checkSchema(schema: JsonSchema, value: unknown, options: CheckOptions): readonly SchemaProblem[] {
  const checker = new Checker(options);
  checker.check(schema, value, "");
  return checker.problems;
}

class Checker {
  readonly problems: SchemaProblem[] = [];
  readonly #canonical: boolean;

  constructor(options: CheckOptions) {
    this.#canonical = options.canonical;
  }

  check(schema: JsonSchema, value: unknown, path: string): void {
    if ("const" in schema) {
      if (value !== schema.const) this.#bad(schema, path);
    } else if ("enum" in schema) {
      if (typeof value !== "string" || !schema.enum.includes(value)) this.#bad(schema, path);
    } else if ("anyOf" in schema) {
      if (isRecord(value)) this.#anyOf(schema, value, path);
      else this.#bad(schema, path);
    } else if (schema.type === "array") {
      if (Array.isArray(value)) this.#array(schema, value, path);
      else this.#bad(schema, path);
    } else if (schema.type === "object") {
      if (isRecord(value)) this.#object(schema, value, path);
      else this.#bad(schema, path);
    } else {
      this.#scalar(schema, value, path);
    }
  }

  #scalar(schema: ScalarSchema, value: unknown, path: string): void {
    switch (schema.type) {
      case "string": {
        const expected = typeof value === "string" ? textExpected(schema, value) : expectedOf(schema);
        if (expected !== undefined) this.#bad(schema, path, expected);
        else if (this.#canonical && schema.format !== undefined) this.#writing(schema.format, String(value), path);
        break;
      }
      case "integer": {
        const isInside = Number.isInteger(value) && Number(value) >= schema.minimum && Number(value) <= schema.maximum;
        if (!isInside) this.#bad(schema, path);
        break;
      }
      case "boolean":
        if (typeof value !== "boolean") this.#bad(schema, path);
        break;
      default:
        unreachable(schema);
    }
  }

  #writing(format: FormatName, value: string, path: string): void {
    const canonical = canonicalText(format, value);
    if (canonical !== value) this.#add("bad-value", path, `the canonical writing ${canonical}`);
  }

  #array(schema: ArraySchema, value: readonly unknown[], path: string): void {
    if (value.length > schema.maxItems) {
      this.#add("too-many", path, `at most ${schema.maxItems} items`);
      return;
    }
    if (value.length < (schema.minItems ?? 0)) this.#add("bad-value", path, `at least ${schema.minItems} item`);
    for (const [i, item] of value.entries()) this.check(schema.items, item, `${path}[${i}]`);
    if (schema.uniqueItems === true) this.#unique(value, path);
  }

  #unique(items: readonly unknown[], path: string): void {
    const seen = new Set<unknown>();
    for (const [i, item] of items.entries()) {
      const key = typeof item === "object" ? JSON.stringify(item) : item;
      if (seen.has(key)) this.#add("duplicate-item", `${path}[${i}]`, "each item once");
      seen.add(key);
    }
  }

  #object(schema: ObjectSchema, value: Readonly<Record<string, unknown>>, path: string): void {
    const at = (name: string): string => (path === "" ? name : `${path}.${name}`);
    for (const name of schema.required) {
      const isThere = Object.hasOwn(value, name) && value[name] !== undefined;
      if (!isThere) this.#add("missing-field", at(name), expectedOf(propertyOf(schema, name)));
    }
    for (const [name, item] of Object.entries(value)) {
      const property = propertyOf(schema, name);
      if (property === undefined) {
        this.#add("unknown-field", at(name), `only ${Object.keys(schema.properties).join(", ")}`);
      } else if (item !== undefined) {
        this.check(property, item, at(name));
      }
    }
  }

  #anyOf(schema: AnyOfSchema, value: Readonly<Record<string, unknown>>, path: string): void {
    const name = schema.discriminator.propertyName;
    const branch = schema.anyOf.find((option) => tagOf(option, name) === value[name]);
    if (branch !== undefined) {
      this.check(branch, value, path);
      return;
    }
    const tags = schema.anyOf.map((option) => tagOf(option, name));
    const kind = Object.hasOwn(value, name) ? "bad-value" : "missing-field";
    this.#add(kind, path === "" ? name : `${path}.${name}`, `one of ${tags.join(", ")}`);
  }

  #bad(schema: JsonSchema, field: string, expected: string = expectedOf(schema)): void {
    this.#add("bad-value", field, schema.expected ?? expected);
  }

  #add(kind: SchemaProblem["kind"], field: string, expected: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push({ kind, field, expected });
  }
}

type ScalarSchema = StringSchema | IntegerSchema | BooleanSchema;

/** What was expected of a text that does not match, or undefined when it does. */
function textExpected(schema: StringSchema, value: string): string | undefined {
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern, format } = schema;
  // JSON Schema counts characters, not UTF-16 units; only texts near a limit have to be counted.
  const length = value.length > maxLength || value.length <= minLength * 2 ? [...value].length : value.length;
  if (length < minLength) return `text of at least ${minLength} characters`;
  if (length > maxLength) return `text of at most ${maxLength} characters`;
  if (pattern !== undefined && !patternOf(pattern).test(value)) return `text that matches ${pattern}`;
  return format !== undefined && canonicalText(format, value) === undefined ? formatExpected(format) : undefined;
}

function tagOf(schema: ObjectSchema, name: string): string | number | undefined {
  const property = schema.properties[name];
  return property !== undefined && "const" in property ? property.const : undefined;
}

/** Completes "expected ..." for a value of this schema. */
export function expectedOf(schema: JsonSchema | undefined): string {
  if (schema === undefined) return "a value";
  if (schema.expected !== undefined) return schema.expected;
  if ("const" in schema) return JSON.stringify(schema.const);
  if ("enum" in schema) return `one of ${schema.enum.join(", ")}`;
  if ("anyOf" in schema) return "an object";
  switch (schema.type) {
    case "string":
      return schema.format === undefined ? "text" : formatExpected(schema.format);
    case "integer":
      return `a whole number from ${schema.minimum} to ${schema.maximum}`;
    case "boolean":
      return "true or false";
    case "array":
      return "a list";
    case "object":
      return "an object";
    default:
      return unreachable(schema);
  }
}

function propertyOf(schema: ObjectSchema, name: string): JsonSchema | undefined {
  return Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const patterns = new Map<string, RegExp>();

function patternOf(source: string): RegExp {
  const known = patterns.get(source);
  if (known !== undefined) return known;
  const made = new RegExp(source, "u");
  patterns.set(source, made);
  return made;
}
