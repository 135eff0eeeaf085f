import { MEMBERS_PER_ZONE_MAX, MTU_MAX, UNDERLAY_MTU_MIN } from "../limits.ts";
import { idField, nameField, portIdsField } from "./fields.ts";

/** Schema of `Host`. */
export const hostSchema = {
  type: "object",
  description: "A machine that runs an agent",
  additionalProperties: false,
  required: ["kind", "id", "name", "portIds", "tunnelZoneIds"],
  properties: {
    kind: { const: "host" },
    id: idField,
    name: nameField,
    portIds: { ...portIdsField, description: "Ports bound to an interface of this host; kept by the store" },
    tunnelZoneIds: {
      type: "array",
      items: idField,
      maxItems: MEMBERS_PER_ZONE_MAX,
      uniqueItems: true,
      description: "Tunnel zones of this host; kept by the store",
    },
  },
} as const;

/** Schema of `TunnelZone`. */
export const tunnelZoneSchema = {
  type: "object",
  description: "Hosts that tunnel to each other, each with its address on the underlay",
  additionalProperties: false,
  required: ["kind", "id", "name", "mtu", "members"],
  properties: {
    kind: { const: "tunnel-zone" },
    id: idField,
    name: nameField,
    mtu: {
      type: "integer",
      minimum: UNDERLAY_MTU_MIN,
      maximum: MTU_MAX,
      description: "Largest IP packet that the underlay carries, outer headers included",
    },
    members: {
      type: "array",
      maxItems: MEMBERS_PER_ZONE_MAX,
      description: "Hosts and their underlay addresses",
      items: {
        type: "object",
        additionalProperties: false,
        required: ["hostId", "address"],
        properties: { hostId: idField, address: { type: "string", format: "ip", description: "Underlay address" } },
      },
    },
  },
} as const;
