import { interfaceNameField } from "../model/schema/fields.ts";
import { bridgePortSchema, routerPortSchema } from "../model/schema/port.ts";
import { newIdField, stateFlag, versionField } from "./field-schemas.ts";

const bridge = bridgePortSchema.properties;
const router = routerPortSchema.properties;

const written = {
  name: bridge.name,
  isUp: bridge.isUp,
  inboundFilterId: bridge.inboundFilterId,
  outboundFilterId: bridge.outboundFilterId,
} as const;

const shown = {
  id: bridge.id,
  tenant: bridge.tenant,
  ...written,
  peerId: bridge.peerId,
  binding: bridge.binding,
  state: {
    enum: ["unplugged", "linked", "bound"],
    description: "linked to a peer, bound to an interface, or neither",
  },
  isActive: { ...stateFlag, description: "Bound, and its host forwards for it; absent unless bound" },
  version: versionField,
} as const;

const ofBridgePort = {
  vlan: bridge.vlan,
  allowedMacs: bridge.allowedMacs,
  allowedAddresses: bridge.allowedAddresses,
  isExternal: bridge.isExternal,
} as const;

const created = {
  id: newIdField,
  tenant: { ...bridge.tenant, description: "Tenant; the device's when absent" },
  ...written,
} as const;

const macField = { ...router.mac, description: "MAC address; made from the id when absent" } as const;
const mtuField = { ...router.mtu, description: "Largest IP packet, in bytes; 1500 when absent" } as const;

/** A port as a client sees it. */
export const portRead = {
  description: "A vport",
  discriminator: { propertyName: "deviceKind" },
  anyOf: [
    {
      type: "object",
      description: "A port of a bridge",
      additionalProperties: false,
      required: ["id", "tenant", "isUp", "deviceKind", "bridgeId", "state", "version"],
      properties: { ...shown, deviceKind: bridge.deviceKind, bridgeId: bridge.bridgeId, ...ofBridgePort },
    },
    {
      type: "object",
      description: "A port of a router",
      additionalProperties: false,
      required: ["id", "tenant", "isUp", "deviceKind", "routerId", "mac", "addresses", "mtu", "state", "version"],
      properties: {
        ...shown,
        deviceKind: router.deviceKind,
        routerId: router.routerId,
        mac: router.mac,
        addresses: router.addresses,
        mtu: router.mtu,
      },
    },
  ],
} as const;

/** What creates a port; `deviceKind` may be left out, the device's id tells it. */
export const portCreate = {
  discriminator: { propertyName: "deviceKind" },
  anyOf: [
    {
      type: "object",
      description: "A port of a bridge",
      additionalProperties: false,
      required: ["deviceKind", "bridgeId"],
      properties: { ...created, deviceKind: bridge.deviceKind, bridgeId: bridge.bridgeId, ...ofBridgePort },
    },
    {
      type: "object",
      description: "A port of a router",
      additionalProperties: false,
      required: ["deviceKind", "routerId"],
      properties: {
        ...created,
        deviceKind: router.deviceKind,
        routerId: router.routerId,
        mac: macField,
        addresses: router.addresses,
        mtu: mtuField,
      },
    },
  ],
} as const;

/** What changes a port. Links and bindings have actions of their own. */
export const portPatch = {
  type: "object",
  additionalProperties: false,
  required: [],
  properties: { ...written, ...ofBridgePort, mac: router.mac, addresses: router.addresses, mtu: router.mtu },
} as const;

/** Body of POST /v1/ports/{id}/bind. */
export const bindRequest = {
  type: "object",
  additionalProperties: false,
  required: ["hostId", "interfaceName"],
  properties: { hostId: bridge.binding.properties.hostId, interfaceName: interfaceNameField },
} as const;

/** Body of POST /v1/ports/{id}/link. */
export const linkRequest = {
  type: "object",
  additionalProperties: false,
  required: ["peerId"],
  properties: { peerId: bridge.peerId },
} as const;
