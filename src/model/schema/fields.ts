import { INTERFACE_NAME_LENGTH_MAX, MTU_MAX, MTU_MIN, NAME_LENGTH_MAX, PORTS_PER_OBJECT_MAX } from "../limits.ts";

/** A UUID in lower case. */
export const idField = { type: "string", format: "uuid", description: "UUID" } as const;

/** A name for people: any visible text, no slash at either end of a path, no control characters. */
export const nameField = {
  type: "string",
  minLength: 1,
  maxLength: NAME_LENGTH_MAX,
  pattern: "^[^\\p{C}\\s](?:[^\\p{C}]*[^\\p{C}\\s])?$",
  description: "Name for people, unique per kind and tenant",
  expected: "a name of 1 to 255 visible characters, without blanks at the ends",
} as const;

/** Whose object this is. */
export const tenantField = { ...nameField, description: "Tenant that owns the object" } as const;

/** Administrative state. */
export const isUpField = {
  type: "boolean",
  description: "Administrative state; a device or port that is down drops",
} as const;

/** A chain that filters what enters. */
export const inboundFilterField = { ...idField, description: "Chain for packets that enter the device" } as const;

/** A chain that filters what leaves. */
export const outboundFilterField = { ...idField, description: "Chain for packets that leave the device" } as const;

/** Ports that refer to this object. */
export const portIdsField = {
  type: "array",
  items: idField,
  maxItems: PORTS_PER_OBJECT_MAX,
  uniqueItems: true,
  description: "Ports of this object; kept by the store",
} as const;

/** Largest IP packet of a router port, in bytes. */
export const mtuField = {
  type: "integer",
  minimum: MTU_MIN,
  maximum: MTU_MAX,
  description: "Largest IP packet, in bytes",
} as const;

/** A Linux interface name. */
export const interfaceNameField = {
  type: "string",
  minLength: 1,
  maxLength: INTERFACE_NAME_LENGTH_MAX,
  pattern: "^(?!\\.{1,2}$)[^/:\\s\\p{C}]+$",
  description: "Linux interface on the host",
  expected: "an interface name of 1 to 15 characters without blank, slash or colon",
} as const;

/** A MAC address. */
export const macField = { type: "string", format: "mac", description: "MAC address" } as const;

/** A prefix without host bits. */
export const networkField = { type: "string", format: "network", description: "Prefix of either family" } as const;
