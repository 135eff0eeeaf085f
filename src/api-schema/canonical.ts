import { canonicalText } from "../model/schema/formats.ts";
import type { JsonSchema, ObjectSchema } from "../model/schema/json-schema.ts";

/**
 * A checked value with every address in its canonical writing, as the model stores it. Where the schema leaves a choice the
 * discriminator decides. Other values pass unchanged.
 */
export function canonicalize(schema: JsonSchema, value: unknown): unknown {
  if ("const" in schema || "enum" in schema) return value;
  if ("anyOf" in schema) {
    const shape = schema.anyOf.find((option) => isShapeOf(option, schema.discriminator.propertyName, value));
    return shape === undefined ? value : canonicalize(shape, value);
  }
  if (schema.type === "string") {
    return schema.format !== undefined && typeof value === "string"
      ? (canonicalText(schema.format, value) ?? value)
      : value;
  }
  if (schema.type === "array")
    return Array.isArray(value) ? value.map((item) => canonicalize(schema.items, item)) : value;
  return schema.type === "object" ? canonicalFields(schema, value) : value;
}

function canonicalFields(schema: ObjectSchema, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([name, item]) => {
    const property = schema.properties[name];
    return [name, property === undefined ? item : canonicalize(property, item)] as const;
  });
  return Object.fromEntries(entries);
}

function isShapeOf(shape: ObjectSchema, name: string, value: unknown): boolean {
  const tag = shape.properties[name];
  const given =
    typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
  return tag !== undefined && "const" in tag && tag.const === given;
}
