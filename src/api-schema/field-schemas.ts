import { idField, nameField } from "../model/schema/fields.ts";

/** Version of an object: what `ETag` says and `If-Match` asks for. */
export const versionField = {
  type: "integer",
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
  description: "Version of the object; the ETag of an answer, to be sent as If-Match",
} as const;

/** Id that a client may choose, which makes a creation repeatable. */
export const newIdField = {
  ...idField,
  description: "UUID, chosen by the client or made by the server; the same creation twice is one object",
} as const;

/** Tenant, "default" when absent. */
export const newTenantField = { ...nameField, description: "Tenant; default when absent" } as const;

/** A flag of a state, never written. */
export const stateFlag = { type: "boolean" } as const;

/** Free text for people. */
export const textField = { type: "string", maxLength: 65_536 } as const;

/** A count that only grows, or a size. */
export const countField = { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const;
