import type { XStatic } from "typebox/schema";

/**
 * The part of JSON Schema (2020-12) that weft's schemas use, so that a checker of a hundred lines is the whole truth about it.
 * Schemas are plain literals: types come from typebox at compile time, and nothing of it is loaded at run time, where it would
 * cost every agent 30 MB and every command of the CLI 130 ms.
 */
export type JsonSchema =
  | StringSchema
  | IntegerSchema
  | BooleanSchema
  | ConstSchema
  | EnumSchema
  | ArraySchema
  | ObjectSchema
  | AnyOfSchema;

/** What every schema may say to people. `description` also completes "expected ..." in errors when `expected` is absent. */
export interface SchemaNote {
  readonly description?: string;
  /** Completes "expected ..." in an error. Not a keyword of JSON Schema; validators ignore it. */
  readonly expected?: string;
}

/** Text. `format` names a check of `formats.ts`. */
export interface StringSchema extends SchemaNote {
  readonly type: "string";
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly format?: FormatName;
}

/** A whole number. */
export interface IntegerSchema extends SchemaNote {
  readonly type: "integer";
  readonly minimum: number;
  readonly maximum: number;
}

/** True or false. */
export interface BooleanSchema extends SchemaNote {
  readonly type: "boolean";
}

/** Exactly one value. */
export interface ConstSchema extends SchemaNote {
  readonly const: string | number;
}

/** One of several texts. */
export interface EnumSchema extends SchemaNote {
  readonly enum: readonly string[];
}

/** A list, always with a limit. */
export interface ArraySchema extends SchemaNote {
  readonly type: "array";
  readonly items: JsonSchema;
  readonly minItems?: number;
  readonly maxItems: number;
  readonly uniqueItems?: boolean;
}

/** An object without other fields than these. */
export interface ObjectSchema extends SchemaNote {
  readonly type: "object";
  readonly required: readonly string[];
  readonly properties: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties: false;
}

/** One of several shapes, told apart by the field `discriminator`, which is a `const` in each. */
export interface AnyOfSchema extends SchemaNote {
  readonly anyOf: readonly ObjectSchema[];
  readonly discriminator: { readonly propertyName: string };
}

/** Named checks of text. `network` is a prefix whose host bits are zero. */
export type FormatName = "uuid" | "mac" | "ip" | "prefix" | "network";

/** The type that a schema describes, read-only all the way down. */
export type FromSchema<Schema> = DeepReadonly<XStatic<Schema>>;

/** A value that nobody changes. */
export type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;
