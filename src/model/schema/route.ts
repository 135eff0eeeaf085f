import { ROUTE_WEIGHT_MAX } from "../limits.ts";
import { idField, networkField } from "./fields.ts";

/** Schema of `NextHop`. */
export const nextHopSchema = {
  description: "Where a route leads",
  discriminator: { propertyName: "type" },
  anyOf: [
    {
      type: "object",
      additionalProperties: false,
      required: ["type", "portId"],
      properties: {
        type: { const: "port" },
        portId: { ...idField, description: "Port of the same router" },
        gateway: { type: "string", format: "ip", description: "Next router; absent means on link" },
      },
    },
    { type: "object", additionalProperties: false, required: ["type"], properties: { type: { const: "blackhole" } } },
    { type: "object", additionalProperties: false, required: ["type"], properties: { type: { const: "reject" } } },
    { type: "object", additionalProperties: false, required: ["type"], properties: { type: { const: "local" } } },
  ],
} as const;

/** The weight of a route. */
export const weightField = {
  type: "integer",
  minimum: 0,
  maximum: ROUTE_WEIGHT_MAX,
  description: "The lowest weight wins; equal weights share the flows",
} as const;

/** Schema of `Route`. */
export const routeSchema = {
  type: "object",
  description: "A static route",
  additionalProperties: false,
  required: ["kind", "id", "routerId", "source", "destination", "weight", "nextHop"],
  properties: {
    kind: { const: "route" },
    id: idField,
    routerId: idField,
    source: { ...networkField, description: "Source prefix that must match" },
    destination: { ...networkField, description: "Destination prefix" },
    weight: weightField,
    nextHop: nextHopSchema,
  },
} as const;
