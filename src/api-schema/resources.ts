import type { Kind } from "../model/objects.ts";
import type { FromSchema, JsonSchema, ObjectSchema } from "../model/schema/json-schema.ts";
import { chainCreate, chainPatch, chainRead, ruleCreate, rulePatch, ruleRead } from "./chain-resource.ts";
import { bridgeRead, deviceCreate, devicePatch, routerRead } from "./device-resource.ts";
import { hostCreate, hostPatch, hostRead, tunnelZoneCreate, tunnelZonePatch, tunnelZoneRead } from "./host-resource.ts";
import { portCreate, portPatch, portRead } from "./port-resource.ts";
import { routeCreate, routePatch, routeRead } from "./route-resource.ts";

/** Schemas of what a client reads and writes, by kind. */
const SCHEMAS = {
  host: { read: hostRead, create: hostCreate, patch: hostPatch },
  "tunnel-zone": { read: tunnelZoneRead, create: tunnelZoneCreate, patch: tunnelZonePatch },
  bridge: { read: bridgeRead, create: deviceCreate, patch: devicePatch },
  router: { read: routerRead, create: deviceCreate, patch: devicePatch },
  port: { read: portRead, create: portCreate, patch: portPatch },
  route: { read: routeRead, create: routeCreate, patch: routePatch },
  chain: { read: chainRead, create: chainCreate, patch: chainPatch },
  rule: { read: ruleRead, create: ruleCreate, patch: rulePatch },
} as const;

type Schemas = typeof SCHEMAS;

/** An object of a kind as a client sees it. */
export type ResourceOf<K extends Kind> = FromSchema<Schemas[K]["read"]>;

/** What a client sends to create an object of a kind. */
export type CreateOf<K extends Kind> = FromSchema<Schemas[K]["create"]>;

/** What a client sends to change an object of a kind: fields that are absent stay, null takes an optional field away. */
export type PatchOf<K extends Kind> = {
  readonly [F in keyof FromSchema<Schemas[K]["patch"]>]: FromSchema<Schemas[K]["patch"]>[F] | null;
};

/** A resource of the API: its schemas, and who may write which field when. */
export interface ResourceEntry {
  readonly kind: Kind;
  /** Last part of the path /v1/{plural}. */
  readonly plural: string;
  readonly read: JsonSchema;
  readonly create: JsonSchema;
  readonly patch: ObjectSchema;
  /** Fields that only weft writes. */
  readonly readOnly: readonly string[];
  /** Fields that only a creation writes. */
  readonly fixed: readonly string[];
  /** Fields by which a listing can be narrowed. */
  readonly filters: readonly string[];
}

/** All resources. */
export const RESOURCES: Readonly<Record<Kind, ResourceEntry>> = {
  host: entry("host", "hosts", ["name"]),
  "tunnel-zone": entry("tunnel-zone", "tunnel-zones", ["name"]),
  bridge: entry("bridge", "bridges", ["tenant", "name"]),
  router: entry("router", "routers", ["tenant", "name"]),
  port: entry("port", "ports", ["tenant", "name", "deviceKind", "bridgeId", "routerId", "peerId", "state"]),
  route: entry("route", "routes", ["routerId", "destination"]),
  chain: entry("chain", "chains", ["tenant", "name"]),
  rule: entry("rule", "rules", ["chainId"]),
};

/** The objects that a schema allows: itself, or its alternatives. */
export function shapesOf(schema: JsonSchema): readonly ObjectSchema[] {
  if ("anyOf" in schema) return schema.anyOf;
  return "properties" in schema ? [schema] : [];
}

/** Names of all fields that a schema knows. */
export function fieldsOf(schema: JsonSchema): readonly string[] {
  return [...new Set(shapesOf(schema).flatMap((shape) => Object.keys(shape.properties)))];
}

function entry(kind: Kind, plural: string, filters: readonly string[]): ResourceEntry {
  const { read, create, patch } = SCHEMAS[kind];
  const created = new Set(fieldsOf(create));
  const changed = new Set(fieldsOf(patch));
  const readOnly = fieldsOf(read).filter((field) => !created.has(field) && !changed.has(field));
  const fixed = [...created].filter((field) => !changed.has(field));
  return { kind, plural, read, create, patch, readOnly, fixed, filters };
}
