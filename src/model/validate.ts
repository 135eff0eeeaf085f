import { isV4, parseIp } from "../addr/ip.ts";
import { unreachable } from "../base/assert.ts";
import { CHAINS_PER_FILTER_MAX, JUMP_DEPTH_MAX } from "./limits.ts";
import type { ModelError, ModelErrorKind } from "./model-error.ts";
import type { Host, Id, Route, Rule, TopologyObject, TunnelZone } from "./objects.ts";
import { deviceOf, referencesOf } from "./references.ts";
import { MODEL_REGISTRY } from "./registry.ts";
import { checkSchema } from "./schema/check.ts";
import { conditionProblems } from "./validate-condition.ts";
import { isOnLink, isUnicastIp, prefixOf, validatePortAlone, validatePortAmong } from "./validate-port.ts";
import { uselessAfter } from "./validate-use.ts";
import type { TopologyView } from "./view.ts";

/**
 * Everything that is wrong with an object by itself: its schema, then what a schema cannot say. Empty when it may be stored,
 * as far as the object alone can tell.
 */
export function validateObject(object: TopologyObject): readonly ModelError[] {
  const { schema } = MODEL_REGISTRY[object.kind];
  const problems = checkSchema(schema, object, { canonical: true });
  if (problems.length === 0) return validateAlone(object);
  return problems.map((problem) => ({ ...problem, object: { kind: object.kind, id: object.id } }));
}

/** What must hold of an object of its schema by itself. */
export function validateAlone(object: TopologyObject): readonly ModelError[] {
  switch (object.kind) {
    case "port":
      return validatePortAlone(object);
    case "route":
      return validateRouteAlone(object);
    case "rule":
      return conditionProblems(object.condition).map(({ field, expected }) =>
        problem(object, { kind: "bad-condition", field: `condition.${field}`, expected }),
      );
    case "tunnel-zone":
      return validateZoneAlone(object);
    case "host":
    case "bridge":
    case "router":
    case "chain":
      return [];
    default:
      return unreachable(object);
  }
}

/**
 * Everything that is wrong with an object in the topology that it would be part of, back-references and symmetric links
 * already in step. Assumes `validateObject` found nothing.
 */
export function validateAmong(object: TopologyObject, view: TopologyView): readonly ModelError[] {
  const dangling = danglingReferences(object, view);
  if (dangling.length > 0) return dangling;
  const taken = takenName(object, view);
  return taken === undefined ? validateLinks(object, view) : [taken, ...validateLinks(object, view)];
}

/** What an update may not change, and what it may not bring in. */
export function validateUpdate(before: TopologyObject, after: TopologyObject): readonly ModelError[] {
  const fixed = IMMUTABLE_FIELDS.filter((field) => fieldOf(before, field) !== fieldOf(after, field)).map((field) =>
    problem(after, { kind: "immutable-field", field, expected: `${String(fieldOf(before, field))}, as created` }),
  );
  return fixed.length > 0 ? fixed : uselessAfter(before, after);
}

/** Fields that say what an object is. Another value is another object. */
export const IMMUTABLE_FIELDS: readonly string[] = [
  "kind",
  "id",
  "tenant",
  "deviceKind",
  "bridgeId",
  "routerId",
  "chainId",
];

function fieldOf(object: TopologyObject, field: string): unknown {
  return (object as unknown as Readonly<Record<string, unknown>>)[field];
}

interface Finding {
  readonly kind: ModelErrorKind;
  readonly field: string;
  readonly expected: string;
}

function problem(object: TopologyObject, finding: Finding): ModelError {
  return { ...finding, object: { kind: object.kind, id: object.id } };
}

function danglingReferences(object: TopologyObject, view: TopologyView): readonly ModelError[] {
  return referencesOf(object)
    .filter(({ row, id }) => view.get(row.to, id) === undefined)
    .map(({ row, id }) =>
      problem(object, {
        kind: "dangling-reference",
        field: row.field,
        expected: `a ${row.to} that exists; ${id} does not`,
      }),
    );
}

function takenName(object: TopologyObject, view: TopologyView): ModelError | undefined {
  const { nameScope } = MODEL_REGISTRY[object.kind];
  if (nameScope === "none" || !("name" in object) || object.name === undefined) return undefined;
  const tenant = nameScope === "tenant" && "tenant" in object ? object.tenant : "";
  const holder = view.idOfName({ kind: object.kind, tenant, name: object.name });
  if (holder === undefined || holder === object.id) return undefined;
  return problem(object, { kind: "duplicate-name", field: "name", expected: `another name; ${holder} has this one` });
}

function validateLinks(object: TopologyObject, view: TopologyView): readonly ModelError[] {
  switch (object.kind) {
    case "port":
      return [...validatePortAmong(object, view), ...validateRoutesThrough(object.id, view)];
    case "route":
      return validateRouteAmong(object, view);
    case "rule":
      return validateJump(object, view);
    case "tunnel-zone":
    case "host":
    case "bridge":
    case "router":
    case "chain":
      return [];
    default:
      return unreachable(object);
  }
}

function validateZoneAlone(zone: TunnelZone): readonly ModelError[] {
  const errors: ModelError[] = [];
  const hosts = new Set<Host["id"]>();
  const addresses = new Set<string>();
  for (const [i, { hostId, address }] of zone.members.entries()) {
    const field = `members[${i}]`;
    const ip = parseIp(address);
    if (hosts.has(hostId)) {
      errors.push(problem(zone, { kind: "duplicate-item", field: `${field}.hostId`, expected: "each host once" }));
    }
    if (addresses.has(address)) {
      errors.push(problem(zone, { kind: "duplicate-item", field: `${field}.address`, expected: "each address once" }));
    }
    if (ip.ok && !isUnicastIp(ip.value)) {
      errors.push(problem(zone, { kind: "bad-value", field: `${field}.address`, expected: "a unicast address" }));
    }
    hosts.add(hostId);
    addresses.add(address);
  }
  return errors;
}

function validateRouteAlone(route: Route): readonly ModelError[] {
  const errors: ModelError[] = [];
  const destination = prefixOf(route.destination);
  const source = prefixOf(route.source);
  if (destination === undefined || source === undefined) return errors;
  const family = isV4(destination.ip) ? 4 : 6;
  if (isV4(source.ip) !== isV4(destination.ip)) {
    errors.push(
      problem(route, { kind: "bad-value", field: "source", expected: `an IPv${family} prefix, as destination is` }),
    );
  }
  const gateway = route.nextHop.type === "port" ? route.nextHop.gateway : undefined;
  if (gateway === undefined) return errors;
  const ip = parseIp(gateway);
  const isRight = ip.ok && isV4(ip.value) === isV4(destination.ip) && isUnicastIp(ip.value);
  if (!isRight) {
    const expected = `a unicast IPv${family} address, as destination is`;
    errors.push(problem(route, { kind: "bad-value", field: "nextHop.gateway", expected }));
  }
  return errors;
}

function validateRouteAmong(route: Route, view: TopologyView): readonly ModelError[] {
  if (route.nextHop.type !== "port") return [];
  const port = view.get("port", route.nextHop.portId);
  if (port === undefined) return [];
  const device = deviceOf(port);
  if (port.deviceKind !== "router" || device.id !== route.routerId) {
    const expected = `a port of router ${route.routerId}; this one is of ${device.kind} ${device.id}`;
    return [problem(route, { kind: "next-hop-elsewhere", field: "nextHop.portId", expected })];
  }
  const { gateway } = route.nextHop;
  if (gateway === undefined || isOnLink(port, gateway)) return [];
  const expected = `another address in a subnet of the port (${port.addresses.join(", ") || "it has none"})`;
  return [problem(route, { kind: "gateway-off-link", field: "nextHop.gateway", expected })];
}

/** A port that loses an address must not strand the routes whose gateways lie behind it. */
function validateRoutesThrough(portId: Id, view: TopologyView): readonly ModelError[] {
  const port = view.get("port", portId);
  if (port?.deviceKind !== "router") return [];
  const routes = (view.get("router", port.routerId)?.routeIds ?? []).map((id) => view.get("route", id));
  return routes.flatMap((route) => {
    if (route?.nextHop.type !== "port" || route.nextHop.portId !== portId) return [];
    const { gateway } = route.nextHop;
    if (gateway === undefined || isOnLink(port, gateway)) return [];
    const expected = `a subnet that holds ${gateway}, the gateway of route ${route.id}`;
    return [problem(port, { kind: "gateway-off-link", field: "addresses", expected })];
  });
}

/** Follows jumps from the rule: a way back to its own chain, a way deeper than the limit, or too many ways, are refused. */
function validateJump(rule: Rule, view: TopologyView): readonly ModelError[] {
  if (rule.action.type !== "jump") return [];
  const loop = (expected: string): readonly ModelError[] => [
    problem(rule, { kind: "chain-loop", field: "action.chainId", expected }),
  ];
  let level: readonly Id[] = [rule.action.chainId];
  const seen = new Set<Id>();
  for (let depth = 1; level.length > 0; depth++) {
    if (level.includes(rule.chainId)) return loop("a chain from which no jump leads back here");
    if (depth > JUMP_DEPTH_MAX) return loop(`jumps that are nested at most ${JUMP_DEPTH_MAX} deep`);
    for (const id of level) seen.add(id);
    level = jumpTargets(level, view).filter((id) => !seen.has(id));
  }
  return validateReach(rule, view);
}

/** A chain with more chains behind it than a packet may look at is refused. One that jumps to it may still be too much: that drops. */
function validateReach(rule: Rule, view: TopologyView): readonly ModelError[] {
  const reached = new Set<Id>([rule.chainId]);
  for (let level: readonly Id[] = [rule.chainId]; level.length > 0 && reached.size <= CHAINS_PER_FILTER_MAX; ) {
    level = jumpTargets(level, view).filter((id) => !reached.has(id));
    for (const id of level) reached.add(id);
  }
  if (reached.size <= CHAINS_PER_FILTER_MAX) return [];
  const expected = `a chain from which jumps lead to at most ${CHAINS_PER_FILTER_MAX - 1} others`;
  return [problem(rule, { kind: "too-many", field: "action.chainId", expected })];
}

function jumpTargets(chains: readonly Id[], view: TopologyView): readonly Id[] {
  const rules = chains.flatMap((id) => view.get("chain", id)?.ruleIds ?? []);
  const targets = rules.map((id) => {
    const action = view.get("rule", id)?.action;
    return action?.type === "jump" ? action.chainId : undefined;
  });
  return [...new Set(targets.filter((id) => id !== undefined))];
}
