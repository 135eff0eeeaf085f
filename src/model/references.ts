import type { Condition, Id, Kind, ObjectOf, Port, Route, Rule, TopologyObject } from "./objects.ts";

/**
 * What a deletion of the object that is referred to does to the one that refers.
 * `cascade`: it is deleted too. `clear`: the reference is taken out; an object that means nothing without it is deleted.
 * `refuse`: the deletion fails as long as the reference stands.
 */
export type OnDelete = "cascade" | "clear" | "refuse";

/**
 * A field by which objects of one kind refer to objects of another: the row of a table, so that stores know nothing of kinds.
 * `read`: the ids that stand in the object, in order. `clear`: the object without `id`, or undefined when it cannot stand.
 */
export interface Reference {
  readonly from: Kind;
  /** Path of the field, as in errors. */
  readonly field: string;
  readonly to: Kind;
  readonly onDelete: OnDelete;
  /** List in the object referred to that the store keeps in step. */
  readonly backField?: BackField;
  /** The object referred to carries the same field with our id: kept so by the store. */
  readonly isSymmetric?: true;
  read(object: TopologyObject): readonly Id[];
  clear(object: TopologyObject, id: Id): TopologyObject | undefined;
}

/** Names of the lists that the store keeps. A new id goes to the end unless the write says where (rules of a chain). */
export type BackField = "portIds" | "routeIds" | "ruleIds" | "tunnelZoneIds";

interface Row<K extends Kind> {
  readonly field: string;
  readonly to: Kind;
  readonly onDelete: OnDelete;
  readonly backField?: BackField;
  readonly isSymmetric?: true;
  read(object: ObjectOf<K>): Id | readonly Id[] | undefined;
  clear?(object: ObjectOf<K>, id: Id): ObjectOf<K> | undefined;
}

/** Makes a row of one kind usable for a store that does not know kinds; an object of another kind has no such reference. */
function reference<K extends Kind>(from: K, row: Row<K>): Reference {
  const isOwn = (object: TopologyObject): object is ObjectOf<K> => object.kind === from;
  const { field, to, onDelete } = row;
  return {
    from,
    field,
    to,
    onDelete,
    ...(row.backField === undefined ? {} : { backField: row.backField }),
    ...(row.isSymmetric === undefined ? {} : { isSymmetric: row.isSymmetric }),
    read(object) {
      const ids = isOwn(object) ? row.read(object) : undefined;
      if (ids === undefined) return [];
      return typeof ids === "string" ? [ids] : ids;
    },
    clear(object, id) {
      if (!isOwn(object) || !this.read(object).includes(id)) return object;
      return row.clear?.(object, id);
    },
  };
}

/** Every reference of the model. A device that is new brings its rows here, and nothing else has to know. */
export const REFERENCES: readonly Reference[] = [
  reference("tunnel-zone", {
    field: "members",
    to: "host",
    onDelete: "clear",
    backField: "tunnelZoneIds",
    read: (zone) => zone.members.map((member) => member.hostId),
    clear: (zone, id) => ({ ...zone, members: zone.members.filter((member) => member.hostId !== id) }),
  }),
  ...filterReferences("bridge"),
  ...filterReferences("router"),
  ...filterReferences("port"),
  reference("port", {
    field: "bridgeId",
    to: "bridge",
    onDelete: "cascade",
    backField: "portIds",
    read: (port) => (port.deviceKind === "bridge" ? port.bridgeId : undefined),
  }),
  reference("port", {
    field: "routerId",
    to: "router",
    onDelete: "cascade",
    backField: "portIds",
    read: (port) => (port.deviceKind === "router" ? port.routerId : undefined),
  }),
  reference("port", {
    field: "peerId",
    to: "port",
    onDelete: "clear",
    isSymmetric: true,
    read: (port) => port.peerId,
    clear: (port) => withoutField(port, "peerId"),
  }),
  reference("port", {
    field: "binding.hostId",
    to: "host",
    onDelete: "clear",
    backField: "portIds",
    read: (port) => port.binding?.hostId,
    clear: (port) => withoutField(port, "binding"),
  }),
  reference("route", {
    field: "routerId",
    to: "router",
    onDelete: "cascade",
    backField: "routeIds",
    read: (route) => route.routerId,
  }),
  reference("route", { field: "nextHop.portId", to: "port", onDelete: "cascade", read: nextHopPort }),
  reference("rule", {
    field: "chainId",
    to: "chain",
    onDelete: "cascade",
    backField: "ruleIds",
    read: (rule) => rule.chainId,
  }),
  reference("rule", { field: "action.chainId", to: "chain", onDelete: "cascade", read: jumpTarget }),
  ...(["inPortIds", "outPortIds"] as const).map((field) =>
    reference("rule", {
      field: `condition.${field}`,
      to: "port",
      onDelete: "clear",
      read: (rule) => rule.condition[field],
      clear: (rule, id) => ruleWithoutPort({ rule, field, id }),
    }),
  ),
];

const byFrom = Map.groupBy(REFERENCES, (row) => row.from);
const byTo = Map.groupBy(REFERENCES, (row) => row.to);

/** The references that objects of this kind carry. */
export function referencesFrom(kind: Kind): readonly Reference[] {
  return byFrom.get(kind) ?? [];
}

/** The references that may point at objects of this kind. */
export function referencesTo(kind: Kind): readonly Reference[] {
  return byTo.get(kind) ?? [];
}

/** Every reference that stands in an object: by which row, to which id. */
export function referencesOf(object: TopologyObject): readonly { readonly row: Reference; readonly id: Id }[] {
  return referencesFrom(object.kind).flatMap((row) => row.read(object).map((id) => ({ row, id })));
}

/** The ids in a back-reference list, empty for an object that has no such list. */
export function readBackField(object: TopologyObject, field: BackField): readonly Id[] {
  const ids: unknown = (object as Partial<Record<BackField, readonly Id[]>>)[field];
  return Array.isArray(ids) ? ids : [];
}

/** The object with another back-reference list. Only for lists that the kind has. */
export function withBackField<T extends TopologyObject>(object: T, field: BackField, ids: readonly Id[]): T {
  return { ...object, [field]: ids };
}

function filterReferences(kind: "bridge" | "router" | "port"): readonly Reference[] {
  return (["inboundFilterId", "outboundFilterId"] as const).map((field) =>
    reference(kind, {
      field,
      to: "chain",
      onDelete: "clear",
      read: (object) => object[field],
      clear: (object) => withoutField(object, field),
    }),
  );
}

function withoutField<T extends TopologyObject>(object: T, field: string): T {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== field)) as unknown as T;
}

function nextHopPort(route: Route): Id | undefined {
  return route.nextHop.type === "port" ? route.nextHop.portId : undefined;
}

function jumpTarget(rule: Rule): Id | undefined {
  return rule.action.type === "jump" ? rule.action.chainId : undefined;
}

interface PortListCut {
  readonly rule: Rule;
  readonly field: "inPortIds" | "outPortIds";
  readonly id: Id;
}

/**
 * A rule without a port that is gone, matching what it matched before. An empty list would match every port, so when the
 * last one goes the field becomes what it now always is: false (the rule matches never, or when negated always), or, when it
 * was inverted, true (the field says nothing).
 */
function ruleWithoutPort({ rule, field, id }: PortListCut): Rule | undefined {
  const { condition } = rule;
  const left = condition[field]?.filter((portId) => portId !== id) ?? [];
  if (left.length > 0) return { ...rule, condition: { ...condition, [field]: left } };
  if (condition.inverted?.includes(field) === true) return { ...rule, condition: conditionWithout(condition, field) };
  if (condition.negated !== true) return undefined;
  return { ...rule, condition: condition.fragments === undefined ? {} : { fragments: condition.fragments } };
}

function conditionWithout(condition: Condition, field: "inPortIds" | "outPortIds"): Condition {
  const { [field]: _gone, inverted = [], ...rest } = condition;
  const stillInverted = inverted.filter((name) => name !== field);
  return stillInverted.length === 0 ? rest : { ...rest, inverted: stillInverted };
}

/** The device of a port: which kind, which id. */
export function deviceOf(port: Port): { readonly kind: "bridge" | "router"; readonly id: Id } {
  return port.deviceKind === "bridge" ? { kind: "bridge", id: port.bridgeId } : { kind: "router", id: port.routerId };
}
