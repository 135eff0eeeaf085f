import { routeSchema } from "../model/schema/route.ts";
import { newIdField, versionField } from "./field-schemas.ts";

const { id, routerId, source, destination, weight, nextHop } = routeSchema.properties;
const written = { source, destination, weight, nextHop } as const;

/** A static route as a client sees it. */
export const routeRead = {
  type: "object",
  description: "A static route",
  additionalProperties: false,
  required: ["id", "routerId", "source", "destination", "weight", "nextHop", "version"],
  properties: { id, routerId, ...written, version: versionField },
} as const;

/** What creates a route: any source of the destination's family and weight 100 unless said otherwise. */
export const routeCreate = {
  type: "object",
  additionalProperties: false,
  required: ["routerId", "destination", "nextHop"],
  properties: { id: newIdField, routerId, ...written },
} as const;

/** What changes a route. */
export const routePatch = {
  type: "object",
  additionalProperties: false,
  required: [],
  properties: written,
} as const;
