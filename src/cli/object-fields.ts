import { fieldsOf, RESOURCES, type ResourceOf } from "../api-schema/resources.ts";
import type { Condition, Kind, NextHop, RuleAction } from "../model/objects.ts";
import { actionText, conditionText, nextHopText, stateOf } from "./columns.ts";
import type { Names } from "./names.ts";

/** Fields that hold ids of other objects, and of which kind those are. */
const REFERENCES: Readonly<Record<string, Kind>> = {
  hostId: "host",
  portIds: "port",
  tunnelZoneIds: "tunnel-zone",
  bridgeId: "bridge",
  routerId: "router",
  routeIds: "route",
  chainId: "chain",
  ruleIds: "rule",
  peerId: "port",
  inboundFilterId: "chain",
  outboundFilterId: "chain",
};

/** Where fields stand when not in the schema's order: the name before all, what no person looks for behind. */
const FIRST = ["name", "tenant"];
const LAST = ["id", "version"];

/**
 * Every field that the API has answered of an object, as names and values for people: an id of another object by its name. The
 * order is the schema's, so that a new field of the API is shown without being named here.
 */
export async function objectFields<K extends Kind>(
  kind: K,
  object: ResourceOf<K>,
  names: Names,
): Promise<readonly (readonly [string, string])[]> {
  const all = fieldsOf(RESOURCES[kind].read);
  const between = all.filter((field) => !FIRST.includes(field) && !LAST.includes(field));
  const values = object as Readonly<Record<string, unknown>>;
  const lines: (readonly [string, string])[] = [];
  for (const field of [...FIRST, ...between, ...LAST]) {
    const value = values[field];
    if (value === undefined) continue;
    const text = field === "state" ? stateOf(object as ResourceOf<"port">) : await valueText(field, value, names);
    lines.push([labelOf(field), text === "" ? "none" : text]);
  }
  return lines;
}

/** `isUp` is shown as `up`, `inboundFilterId` as `inbound filter`, `portIds` as `ports`. */
export function labelOf(field: string): string {
  const words = field
    .replace(/^is(?=[A-Z])/, "")
    .replace(/Id(s?)$/, "$1")
    .replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return words.trim();
}

async function valueText(field: string, value: unknown, names: Names): Promise<string> {
  if (field === "condition") return conditionText(value as Condition, names);
  if (field === "action") return actionText(value as RuleAction, names);
  if (field === "nextHop") return nextHopText(value as NextHop, names);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return (await Promise.all(value.map((item) => valueText(field, item, names)))).join(" ");
  if (typeof value === "object" && value !== null) return partsText(value, names);
  const kind = REFERENCES[field];
  return kind === undefined ? String(value) : names.nameOf(kind, String(value));
}

/** A binding as `host1:veth0`, a member of a tunnel zone as `host1=192.0.2.1`, what else there may be as its fields. */
async function partsText(value: object, names: Names): Promise<string> {
  const host = "hostId" in value ? await names.nameOf("host", String(value.hostId)) : undefined;
  if (host !== undefined && "interfaceName" in value) return `${host}:${String(value.interfaceName)}`;
  if (host !== undefined && "address" in value) return `${host}=${String(value.address)}`;
  const parts = Object.entries(value).map(
    async ([field, part]) => `${labelOf(field)} ${await valueText(field, part, names)}`,
  );
  return (await Promise.all(parts)).join(" ");
}
