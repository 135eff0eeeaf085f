import { idField } from "../model/schema/fields.ts";
import type { JsonSchema } from "../model/schema/json-schema.ts";
import { textField } from "./field-schemas.ts";
import { HOST_LINES_MAX, LIST_MAX } from "./limits.ts";

/** A host whose agent was asked and did not answer. */
export const missingHost = {
  type: "object",
  additionalProperties: false,
  required: ["hostId", "name", "code", "message"],
  properties: { hostId: idField, name: textField, code: textField, message: textField },
} as const;

/** The hosts that did not answer. */
export const missing = {
  type: "array",
  items: missingHost,
  maxItems: LIST_MAX,
  description: "Hosts that did not answer; the rest is complete without them",
} as const;

/** What many hosts were asked for: what those that answered said, and who did not. */
export function answerOfHosts<const Item extends JsonSchema>(items: Item, maxItems: number = HOST_LINES_MAX) {
  return {
    type: "object",
    additionalProperties: false,
    required: ["items", "missing"],
    properties: { items: { type: "array", maxItems, items }, missing },
  } as const;
}
