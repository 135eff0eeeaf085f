import { idField, macField } from "../model/schema/fields.ts";
import type { FromSchema } from "../model/schema/json-schema.ts";
import { countField } from "./field-schemas.ts";
import { LIST_MAX } from "./limits.ts";

const vlanField = { type: "integer", minimum: 0, maximum: 4094, description: "VLAN; 0 for none" } as const;
const ipField = { type: "string", format: "ip", description: "IP address of either family" } as const;
const originField = {
  enum: ["learned", "configured"],
  description: "learned: seen by a host, gone with it; configured: written by a client",
} as const;

/** Which port of a bridge a MAC address is behind. */
export const fdbEntry = {
  type: "object",
  description: "Which port of a bridge a MAC address is behind",
  additionalProperties: false,
  required: ["mac", "vlan", "portId", "origin"],
  properties: { mac: macField, vlan: vlanField, portId: idField, origin: originField },
} as const;

/** Which port of a bridge a MAC address is behind. */
export type FdbEntry = FromSchema<typeof fdbEntry>;

/** Body of POST /v1/bridges/{id}/fdb. */
export const fdbEntryCreate = {
  type: "object",
  additionalProperties: false,
  required: ["mac", "portId"],
  properties: { mac: macField, vlan: vlanField, portId: idField },
} as const;

/** Body of POST /v1/bridges/{id}/fdb. */
export type FdbEntryCreate = FromSchema<typeof fdbEntryCreate>;

/** The MAC address of an IP address, as a bridge or a router knows it. */
export const neighborEntry = {
  type: "object",
  description: "The MAC address of an IP address",
  additionalProperties: false,
  required: ["ip", "mac", "origin"],
  properties: {
    ip: ipField,
    mac: macField,
    origin: originField,
    staleAt: { ...countField, description: "Unix milliseconds; from then on it is asked for again" },
    expiresAt: { ...countField, description: "Unix milliseconds; then its writer removes it" },
  },
} as const;

/** The MAC address of an IP address, as a bridge or a router knows it. */
export type NeighborEntry = FromSchema<typeof neighborEntry>;

/** Body of POST /v1/routers/{id}/neighbors and /v1/bridges/{id}/neighbors. */
export const neighborEntryCreate = {
  type: "object",
  additionalProperties: false,
  required: ["ip", "mac"],
  properties: { ip: ipField, mac: macField },
} as const;

/** Body of POST /v1/routers/{id}/neighbors and /v1/bridges/{id}/neighbors. */
export type NeighborEntryCreate = FromSchema<typeof neighborEntryCreate>;

/** A list as the API answers it: `next`, when there, is the `after` of the request for the rest. */
export interface ListOf<T> {
  readonly items: readonly T[];
  readonly next?: string;
}

/** Schema of a list of these. */
export function listSchema<const S>(items: S) {
  return {
    type: "object",
    additionalProperties: false,
    required: ["items"],
    properties: {
      items: { type: "array", items, maxItems: LIST_MAX },
      next: { type: "string", description: "Value of `after` for the rest of the list" },
    },
  } as const;
}
