import { formatMac, type Mac, macFrom } from "../addr/mac.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Condition, Id, Kind, ObjectOf, Port, TopologyObject } from "../model/objects.ts";
import { MODEL_REGISTRY } from "../model/registry.ts";
import { checkSchema, expectedOf } from "../model/schema/check.ts";
import type { JsonSchema } from "../model/schema/json-schema.ts";
import { readsL4 } from "../model/validate-condition.ts";
import { canonicalize } from "./canonical.ts";
import { type ApiError, apiError, type ErrorCode, type FieldError } from "./errors.ts";
import { RESOURCES, type ResourceOf, shapesOf } from "./resources.ts";

/** What a resource shows beyond its stored object. Fields that do not apply to the kind are ignored. */
export interface ResourceFacts {
  readonly version: number;
  /** Host: its agent holds a session. */
  readonly isAlive?: boolean;
  /** Host: where its agent serves. */
  readonly agentAddress?: string;
  /** Bound port: its host forwards for it. */
  readonly isActive?: boolean;
  /** Rule: place in its chain, from 1. */
  readonly position?: number;
}

/** What a creation needs that the body may leave out. */
export interface CreateDefaults {
  readonly newId: Id;
  /** Tenant of the device that a port belongs to. */
  readonly deviceTenant?: string;
}

/** An object to be stored, and where in the ordered list that it belongs to. */
export interface Wanted {
  readonly object: TopologyObject;
  readonly position?: number;
}

type Fields = Readonly<Record<string, unknown>>;

/** Tenant of objects whose creator names none. */
export const DEFAULT_TENANT = "default";

/** MTU of router ports and underlays whose creator names none: Ethernet's. */
export const DEFAULT_MTU = 1500;

/** Weight of routes whose creator names none. */
export const DEFAULT_WEIGHT = 100;

/** An object as a client sees it. */
export function toResource<K extends Kind>(object: ObjectOf<K>, facts: ResourceFacts): ResourceOf<K> {
  const { kind: _kind, ...fields } = object as TopologyObject;
  return {
    ...fields,
    ...shownFacts(object as TopologyObject, facts),
    version: facts.version,
  } as unknown as ResourceOf<K>;
}

/** The object that a creation's body describes, canonical and with defaults; what is wrong with the body otherwise. */
export function fromCreate(kind: Kind, body: unknown, defaults: CreateDefaults): Result<Wanted, ApiError> {
  const resource = RESOURCES[kind];
  const prepared = withDeviceKind(kind, body);
  const refused = refusedFields(prepared, resource.readOnly);
  if (refused !== undefined) return err(refused);
  const checked = parseBody(resource.create, prepared);
  if (!checked.ok) return checked;
  const { position, ...fields } = checked.value;
  const object = withDefaults(kind, fields, defaults) as unknown as TopologyObject;
  return ok({ object, ...(typeof position === "number" ? { position } : {}) });
}

/**
 * The object after a PATCH (RFC 7396): absent fields stay, null takes an optional one away. Fields that a client cannot write
 * may be sent as they are, so that what was read can be sent back.
 */
export function fromPatch(object: TopologyObject, body: unknown, facts: ResourceFacts): Result<Wanted, ApiError> {
  const writable = writableFields(object, body, facts);
  if (!writable.ok) return writable;
  const { patch } = RESOURCES[object.kind];
  const cleared = Object.keys(writable.value).filter((field) => writable.value[field] === null);
  const set = Object.fromEntries(Object.entries(writable.value).filter(([, value]) => value !== null));
  const checked = parseBody(patch, set);
  if (!checked.ok) return checked;
  const stuck = cleared.find((field) => patch.properties[field] === undefined || isRequired(object, field));
  if (stuck !== undefined) return err(cannotClear(patch.properties[stuck], stuck));
  return ok(changed(object, checked.value, cleared));
}

/** The object after a PUT: writable fields that are absent are taken away, and must not be the ones that are needed. */
export function fromPut(object: TopologyObject, body: unknown, facts: ResourceFacts): Result<Wanted, ApiError> {
  const writable = writableFields(object, body, facts);
  if (!writable.ok) return writable;
  const { patch } = RESOURCES[object.kind];
  const own = Object.keys(patch.properties).filter((field) => field !== "position");
  const required = own.filter((field) => isRequired(object, field));
  const checked = parseBody({ ...patch, required }, writable.value);
  if (!checked.ok) return checked;
  return ok(
    changed(
      object,
      checked.value,
      own.filter((field) => checked.value[field] === undefined),
    ),
  );
}

/** A value of a schema, canonical, or what is wrong with it: the first problem in full, the others listed. */
export function parseBody(schema: JsonSchema, body: unknown): Result<Fields, ApiError> {
  const problems = checkSchema(schema, body, { canonical: false });
  const errors = problems.map(({ kind, field, expected }): FieldError => ({ code: kind, field, expected }));
  const [first, ...more] = errors;
  if (first === undefined) return ok(canonicalize(schema, body) as Fields);
  const { code, field, expected } = first;
  return err(apiError(code, { field, expected, ...(more.length === 0 ? {} : { more }) }));
}

function shownFacts(object: TopologyObject, facts: ResourceFacts): Fields {
  switch (object.kind) {
    case "host": {
      const { agentAddress } = facts;
      return { isAlive: facts.isAlive ?? false, ...(agentAddress === undefined ? {} : { agentAddress }) };
    }
    case "port":
      return { state: stateOf(object), ...(object.binding === undefined ? {} : { isActive: facts.isActive ?? false }) };
    case "rule":
      return { position: facts.position ?? 1 };
    default:
      return {};
  }
}

function stateOf(port: Port): "linked" | "bound" | "unplugged" {
  if (port.peerId !== undefined) return "linked";
  return port.binding === undefined ? "unplugged" : "bound";
}

/** A port's device tells its kind, so a client need not say it. */
function withDeviceKind(kind: Kind, body: unknown): unknown {
  if (kind !== "port" || typeof body !== "object" || body === null || "deviceKind" in body) return body;
  if ("bridgeId" in body) return { ...body, deviceKind: "bridge" };
  return "routerId" in body ? { ...body, deviceKind: "router" } : body;
}

function refusedFields(body: unknown, names: readonly string[]): ApiError | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const field = names.find((name) => Object.hasOwn(body, name));
  return field === undefined
    ? undefined
    : apiError("read-only-field", { field, expected: "no such field in a creation" });
}

/** The body without fields that repeat what weft keeps or what creation fixed; an error when one says something else. */
function writableFields(object: TopologyObject, body: unknown, facts: ResourceFacts): Result<Fields, ApiError> {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    return err(apiError("bad-value", { field: "", expected: "an object" }));
  }
  const { readOnly, fixed } = RESOURCES[object.kind];
  const present = toResource(object, facts) as unknown as Fields;
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(body)) {
    const isGuarded = readOnly.includes(name) || fixed.includes(name);
    if (!isGuarded) kept[name] = value;
    else if (JSON.stringify(value) !== JSON.stringify(present[name])) return err(guarded(fixed, name, present[name]));
  }
  return ok(kept);
}

function guarded(fixed: readonly string[], field: string, present: unknown): ApiError {
  const code: ErrorCode = fixed.includes(field) ? "immutable-field" : "read-only-field";
  const expected = present === undefined ? "no such field" : `${JSON.stringify(present)}, as it is`;
  return apiError(code, { field, expected });
}

function changed(object: TopologyObject, set: Fields, cleared: readonly string[]): Wanted {
  const { position, ...fields } = set;
  const kept = Object.entries({ ...object, ...fields }).filter(([name]) => !cleared.includes(name));
  const next = withHeaderFragments(Object.fromEntries(kept)) as unknown as TopologyObject;
  return { object: next, ...(typeof position === "number" ? { position } : {}) };
}

function cannotClear(schema: JsonSchema | undefined, field: string): ApiError {
  if (schema === undefined) return apiError("unknown-field", { field, expected: "a field of the object" });
  return apiError("bad-value", { field, expected: `${expectedOf(schema)}; the field cannot be taken away` });
}

/** True when the stored form of this very object demands the field. */
function isRequired(object: TopologyObject, field: string): boolean {
  const shapes = shapesOf(MODEL_REGISTRY[object.kind].schema);
  const own = object as unknown as Fields;
  const shape = shapes.find(({ properties }) =>
    Object.entries(properties).every(([name, property]) => !("const" in property) || property.const === own[name]),
  );
  return shape?.required.includes(field) ?? false;
}

function withDefaults(kind: Kind, fields: Fields, { newId, deviceTenant }: CreateDefaults): Fields {
  const id = typeof fields["id"] === "string" ? fields["id"] : newId;
  const base = { kind, id };
  const tenant = DEFAULT_TENANT;
  switch (kind) {
    case "host":
      return { ...base, portIds: [], tunnelZoneIds: [], ...fields };
    case "tunnel-zone":
      return { ...base, mtu: DEFAULT_MTU, members: [], ...fields };
    case "bridge":
      return { ...base, tenant, isUp: true, portIds: [], ...fields };
    case "router":
      return { ...base, tenant, isUp: true, portIds: [], routeIds: [], ...fields };
    case "port": {
      const shared = { ...base, tenant: deviceTenant ?? tenant, isUp: true };
      if (fields["deviceKind"] === "bridge") return { ...shared, ...fields };
      return { ...shared, mac: macOfId(id), addresses: [], mtu: DEFAULT_MTU, ...fields };
    }
    case "route":
      return { ...base, source: anySource(fields["destination"]), weight: DEFAULT_WEIGHT, ...fields };
    case "chain":
      return { ...base, tenant, ruleIds: [], ...fields };
    case "rule":
      return withHeaderFragments({ ...base, condition: {}, ...fields });
  }
}

function anySource(destination: unknown): string {
  return typeof destination === "string" && destination.includes(":") ? "::/0" : "0.0.0.0/0";
}

/** Later fragments have no ports: a condition that compares them means, unless it says otherwise, packets that carry them. */
function withHeaderFragments(fields: Fields): Fields {
  const condition = fields["condition"] as Condition | undefined;
  if (fields["kind"] !== "rule" || condition === undefined) return fields;
  if (!readsL4(condition) || condition.fragments !== undefined) return fields;
  return { ...fields, condition: { ...condition, fragments: "header" } };
}

/** A locally administered unicast address that follows from the id, so that a repeated creation is the same one. */
export function macOfId(id: Id): string {
  const digits = id.replaceAll("-", "");
  // The first group of a UUID is random in version 4; of the last one we take what is random in all versions.
  const low = Number.parseInt(digits.slice(0, 8), 16) ^ Number.parseInt(digits.slice(-8), 16);
  const mac: Mac = macFrom(0x0200 | (Number.parseInt(digits.slice(-10, -8), 16) & 0xff), low >>> 0);
  return formatMac(mac);
}
