import { RULES_PER_CHAIN_MAX } from "../model/limits.ts";
import { chainSchema, ruleSchema } from "../model/schema/chain.ts";
import { newIdField, newTenantField, versionField } from "./field-schemas.ts";

const chain = chainSchema.properties;
const { id, chainId, condition, action } = ruleSchema.properties;

const positionField = {
  type: "integer",
  minimum: 1,
  maximum: RULES_PER_CHAIN_MAX,
  description: "Place in the chain, from 1; at the end when absent",
} as const;

/** A chain as a client sees it. */
export const chainRead = {
  type: "object",
  description: "An ordered list of rules",
  additionalProperties: false,
  required: ["id", "tenant", "name", "ruleIds", "version"],
  properties: { id: chain.id, tenant: chain.tenant, name: chain.name, ruleIds: chain.ruleIds, version: versionField },
} as const;

/** What creates a chain. */
export const chainCreate = {
  type: "object",
  additionalProperties: false,
  required: ["name"],
  properties: { id: newIdField, tenant: newTenantField, name: chain.name },
} as const;

/** What changes a chain. */
export const chainPatch = {
  type: "object",
  additionalProperties: false,
  required: [],
  properties: { name: chain.name },
} as const;

/** A rule as a client sees it. */
export const ruleRead = {
  type: "object",
  description: "A condition and what to do when it holds",
  additionalProperties: false,
  required: ["id", "chainId", "position", "condition", "action", "version"],
  properties: { id, chainId, position: positionField, condition, action, version: versionField },
} as const;

/** What creates a rule: it matches everything and stands at the end unless said otherwise. */
export const ruleCreate = {
  type: "object",
  additionalProperties: false,
  required: ["chainId", "action"],
  properties: { id: newIdField, chainId, position: positionField, condition, action },
} as const;

/** What changes a rule; `condition` is the whole condition. */
export const rulePatch = {
  type: "object",
  additionalProperties: false,
  required: [],
  properties: { position: positionField, condition, action },
} as const;
