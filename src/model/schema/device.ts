import { ROUTES_PER_ROUTER_MAX } from "../limits.ts";
import {
  idField,
  inboundFilterField,
  isUpField,
  nameField,
  outboundFilterField,
  portIdsField,
  tenantField,
} from "./fields.ts";

const deviceFields = {
  id: idField,
  tenant: tenantField,
  name: nameField,
  isUp: isUpField,
  inboundFilterId: inboundFilterField,
  outboundFilterId: outboundFilterField,
  portIds: portIdsField,
} as const;

/** Schema of `Bridge`. */
export const bridgeSchema = {
  type: "object",
  description: "A virtual switch",
  additionalProperties: false,
  required: ["kind", "id", "tenant", "name", "isUp", "portIds"],
  properties: { kind: { const: "bridge" }, ...deviceFields },
} as const;

/** Schema of `Router`. */
export const routerSchema = {
  type: "object",
  description: "A virtual router",
  additionalProperties: false,
  required: ["kind", "id", "tenant", "name", "isUp", "portIds", "routeIds"],
  properties: {
    kind: { const: "router" },
    ...deviceFields,
    routeIds: {
      type: "array",
      items: idField,
      maxItems: ROUTES_PER_ROUTER_MAX,
      uniqueItems: true,
      description: "Static routes; kept by the store",
    },
  },
} as const;
