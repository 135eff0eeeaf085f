import { hostSchema, tunnelZoneSchema } from "../model/schema/host.ts";
import type { FromSchema } from "../model/schema/json-schema.ts";
import { newIdField, stateFlag, textField, versionField } from "./field-schemas.ts";

const host = hostSchema.properties;
const zone = tunnelZoneSchema.properties;

/** A host as a client sees it. */
export const hostRead = {
  type: "object",
  description: "A machine that runs an agent",
  additionalProperties: false,
  required: ["id", "name", "portIds", "tunnelZoneIds", "isAlive", "version"],
  properties: {
    id: host.id,
    name: host.name,
    portIds: host.portIds,
    tunnelZoneIds: host.tunnelZoneIds,
    isAlive: { ...stateFlag, description: "Its agent holds a session with the store" },
    agentAddress: { ...textField, description: "Where its agent serves its own API" },
    version: versionField,
  },
} as const;

/** What creates a host. */
export const hostCreate = {
  type: "object",
  additionalProperties: false,
  required: ["name"],
  properties: { id: newIdField, name: host.name },
} as const;

/** What changes a host. */
export const hostPatch = {
  type: "object",
  additionalProperties: false,
  required: [],
  properties: { name: host.name },
} as const;

/** A tunnel zone as a client sees it. */
export const tunnelZoneRead = {
  type: "object",
  description: "Hosts that tunnel to each other, each with its address on the underlay",
  additionalProperties: false,
  required: ["id", "name", "mtu", "members", "version"],
  properties: { id: zone.id, name: zone.name, mtu: zone.mtu, members: zone.members, version: versionField },
} as const;

/** What creates a tunnel zone. */
export const tunnelZoneCreate = {
  type: "object",
  additionalProperties: false,
  required: ["name"],
  properties: { id: newIdField, name: zone.name, mtu: zone.mtu, members: zone.members },
} as const;

/** What changes a tunnel zone; `members` is the whole list. */
export const tunnelZonePatch = {
  type: "object",
  additionalProperties: false,
  required: [],
  properties: { name: zone.name, mtu: zone.mtu, members: zone.members },
} as const;

/** One host of a tunnel zone. */
export const zoneMember = zone.members.items;

/** One host of a tunnel zone. */
export type ZoneMember = FromSchema<typeof zoneMember>;
