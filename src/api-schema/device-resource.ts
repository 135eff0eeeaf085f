import { bridgeSchema, routerSchema } from "../model/schema/device.ts";
import { newIdField, newTenantField, versionField } from "./field-schemas.ts";

const { id, tenant, name, isUp, inboundFilterId, outboundFilterId, portIds } = bridgeSchema.properties;
const written = { name, isUp, inboundFilterId, outboundFilterId } as const;

/** A bridge as a client sees it. */
export const bridgeRead = {
  type: "object",
  description: "A virtual switch; VLAN-aware as soon as one of its ports has a VLAN",
  additionalProperties: false,
  required: ["id", "tenant", "name", "isUp", "portIds", "version"],
  properties: { id, tenant, ...written, portIds, version: versionField },
} as const;

/** A router as a client sees it. */
export const routerRead = {
  type: "object",
  description: "A virtual router of IPv4 and IPv6",
  additionalProperties: false,
  required: ["id", "tenant", "name", "isUp", "portIds", "routeIds", "version"],
  properties: {
    id,
    tenant,
    ...written,
    portIds,
    routeIds: routerSchema.properties.routeIds,
    version: versionField,
  },
} as const;

/** What creates a bridge or a router; it is up unless said otherwise. */
export const deviceCreate = {
  type: "object",
  additionalProperties: false,
  required: ["name"],
  properties: { id: newIdField, tenant: newTenantField, ...written },
} as const;

/** What changes a bridge or a router. */
export const devicePatch = {
  type: "object",
  additionalProperties: false,
  required: [],
  properties: written,
} as const;
