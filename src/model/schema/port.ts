import { ADDRESSES_PER_PORT_MAX, ALLOWED_PER_PORT_MAX } from "../limits.ts";
import {
  idField,
  inboundFilterField,
  interfaceNameField,
  isUpField,
  macField,
  mtuField,
  nameField,
  networkField,
  outboundFilterField,
  tenantField,
} from "./fields.ts";

/** Schema of `Binding`. */
export const bindingSchema = {
  type: "object",
  description: "Where a bound port is",
  additionalProperties: false,
  required: ["hostId", "interfaceName", "generation"],
  properties: {
    hostId: idField,
    interfaceName: interfaceNameField,
    generation: {
      type: "integer",
      minimum: 1,
      maximum: Number.MAX_SAFE_INTEGER,
      description: "Grows with every new binding of the port and fences the older ones",
    },
  },
} as const;

const portFields = {
  kind: { const: "port" },
  id: idField,
  tenant: tenantField,
  name: nameField,
  isUp: isUpField,
  inboundFilterId: inboundFilterField,
  outboundFilterId: outboundFilterField,
  peerId: { ...idField, description: "Port at the other end of a link" },
  binding: bindingSchema,
} as const;

/** Schema of `BridgePort`. */
export const bridgePortSchema = {
  type: "object",
  description: "A port of a bridge",
  additionalProperties: false,
  required: ["kind", "id", "tenant", "isUp", "deviceKind", "bridgeId"],
  properties: {
    ...portFields,
    deviceKind: { const: "bridge" },
    bridgeId: idField,
    vlan: { type: "integer", minimum: 1, maximum: 4094, description: "Access port of this VLAN" },
    allowedMacs: {
      type: "array",
      items: macField,
      minItems: 1,
      maxItems: ALLOWED_PER_PORT_MAX,
      uniqueItems: true,
      description: "Source MAC addresses that may enter; any when absent",
    },
    allowedAddresses: {
      type: "array",
      items: networkField,
      minItems: 1,
      maxItems: ALLOWED_PER_PORT_MAX,
      uniqueItems: true,
      description:
        "Prefixes of source IP addresses that may enter, beside the unspecified and the link-local address of the source MAC; any when absent",
    },
    isExternal: {
      type: "boolean",
      description:
        "Its interface leads to a physical network, not to a VM: nothing leaves by it for a host of the underlay; false when absent",
    },
  },
} as const;

/** The addresses of a router port. */
export const addressesField = {
  type: "array",
  items: { type: "string", format: "prefix", description: "Address and prefix length" },
  maxItems: ADDRESSES_PER_PORT_MAX,
  uniqueItems: true,
  description: "Addresses of the port, ADDRESS/LENGTH of either family",
} as const;

/** Schema of `RouterPort`. */
export const routerPortSchema = {
  type: "object",
  description: "A port of a router",
  additionalProperties: false,
  required: ["kind", "id", "tenant", "isUp", "deviceKind", "routerId", "mac", "addresses", "mtu"],
  properties: {
    ...portFields,
    deviceKind: { const: "router" },
    routerId: idField,
    mac: macField,
    addresses: addressesField,
    mtu: mtuField,
  },
} as const;

/** Schema of `Port`. */
export const portSchema = {
  description: "A vport",
  discriminator: { propertyName: "deviceKind" },
  anyOf: [bridgePortSchema, routerPortSchema],
} as const;
