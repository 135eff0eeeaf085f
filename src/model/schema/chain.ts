import { RULES_PER_CHAIN_MAX } from "../limits.ts";
import { conditionSchema } from "./condition.ts";
import { idField, nameField, tenantField } from "./fields.ts";

/** Schema of `Chain`. */
export const chainSchema = {
  type: "object",
  description: "An ordered list of rules",
  additionalProperties: false,
  required: ["kind", "id", "tenant", "name", "ruleIds"],
  properties: {
    kind: { const: "chain" },
    id: idField,
    tenant: tenantField,
    name: nameField,
    ruleIds: {
      type: "array",
      items: idField,
      maxItems: RULES_PER_CHAIN_MAX,
      uniqueItems: true,
      description: "Rules in order of evaluation; kept by the store",
    },
  },
} as const;

/** Schema of `RuleAction`. */
export const ruleActionSchema = {
  description:
    "What happens to a packet that matches; reject is answered with an ICMP error by routers, at bridges and their ports it drops in silence",
  discriminator: { propertyName: "type" },
  anyOf: [
    { type: "object", additionalProperties: false, required: ["type"], properties: { type: { const: "accept" } } },
    { type: "object", additionalProperties: false, required: ["type"], properties: { type: { const: "drop" } } },
    { type: "object", additionalProperties: false, required: ["type"], properties: { type: { const: "reject" } } },
    { type: "object", additionalProperties: false, required: ["type"], properties: { type: { const: "return" } } },
    {
      type: "object",
      additionalProperties: false,
      required: ["type", "chainId"],
      properties: { type: { const: "jump" }, chainId: { ...idField, description: "Chain to evaluate" } },
    },
  ],
} as const;

/** Schema of `Rule`. */
export const ruleSchema = {
  type: "object",
  description: "A condition and what to do when it holds",
  additionalProperties: false,
  required: ["kind", "id", "chainId", "condition", "action"],
  properties: {
    kind: { const: "rule" },
    id: idField,
    chainId: idField,
    condition: conditionSchema,
    action: ruleActionSchema,
  },
} as const;
