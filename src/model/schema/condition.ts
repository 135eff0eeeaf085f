import { PORTS_PER_CONDITION_MAX } from "../limits.ts";
import { idField, macField, networkField } from "./fields.ts";

const portListField = {
  type: "array",
  items: idField,
  minItems: 1,
  maxItems: PORTS_PER_CONDITION_MAX,
  uniqueItems: true,
} as const;

const macMatchField = {
  type: "object",
  description: "MAC address compared under a mask (default all ones)",
  additionalProperties: false,
  required: ["mac"],
  properties: { mac: macField, mask: { ...macField, description: "Bits that are compared" } },
} as const;

const portNumberField = {
  type: "integer",
  minimum: 0,
  maximum: 65_535,
  description: "Port number, ICMP type or code",
} as const;

const portRangeField = {
  type: "object",
  description: "Inclusive range",
  additionalProperties: false,
  required: ["from", "to"],
  properties: { from: portNumberField, to: portNumberField },
} as const;

/** Fields of a condition that can be inverted one by one. */
export const INVERTIBLE_FIELDS = [
  "inPortIds",
  "outPortIds",
  "etherType",
  "sourceMac",
  "destinationMac",
  "vlan",
  "source",
  "destination",
  "protocol",
  "dscp",
  "sourcePorts",
  "destinationPorts",
] as const;

/** Schema of `Condition`. */
export const conditionSchema = {
  type: "object",
  description: "What a packet must be; all fields that are present must match",
  additionalProperties: false,
  required: [],
  properties: {
    negated: { type: "boolean", description: "Inverts the conjunction of all fields but `fragments`" },
    inverted: {
      type: "array",
      items: { enum: INVERTIBLE_FIELDS },
      maxItems: INVERTIBLE_FIELDS.length,
      uniqueItems: true,
      description: "Names of the fields that are inverted each",
    },
    inPortIds: { ...portListField, description: "Port by which the packet entered the device; any of these" },
    outPortIds: { ...portListField, description: "Port by which the packet leaves the device; any of these" },
    etherType: { type: "integer", minimum: 0, maximum: 65_535, description: "Ethertype" },
    sourceMac: macMatchField,
    destinationMac: macMatchField,
    vlan: { type: "integer", minimum: 0, maximum: 4095, description: "Outermost VLAN id; 0 means untagged" },
    source: { ...networkField, description: "Source prefix" },
    destination: { ...networkField, description: "Destination prefix" },
    protocol: { type: "integer", minimum: 0, maximum: 255, description: "IP protocol number" },
    dscp: { type: "integer", minimum: 0, maximum: 63, description: "DSCP" },
    sourcePorts: { ...portRangeField, description: "Source ports, or ICMP types" },
    destinationPorts: { ...portRangeField, description: "Destination ports, or ICMP codes" },
    fragments: {
      enum: ["any", "whole", "header", "later"],
      description: "whole: not fragmented; header: first fragment or whole; later: all but the first",
    },
  },
} as const;
