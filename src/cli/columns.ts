import type { ResourceOf } from "../api-schema/resources.ts";
import type { Condition, Kind, NextHop, RuleAction } from "../model/objects.ts";
import { type Names, shortId } from "./names.ts";
import { protocolName } from "./protocols.ts";
import type { Column } from "./table.ts";

/** A row of a listing: what each column shows, by heading, in order. */
export type Row = Readonly<Record<string, string>>;

type Shower<K extends Kind> = (object: ResourceOf<K>, names: Names) => Promise<Row>;

const SHOWERS: { readonly [K in Kind]: Shower<K> } = {
  host: async (host, names) => ({
    NAME: host.name,
    ALIVE: yesNo(host.isAlive),
    PORTS: String(host.portIds.length),
    ZONES: await all(host.tunnelZoneIds, (id) => names.nameOf("tunnel-zone", id)),
    AGENT: host.agentAddress ?? "",
  }),
  "tunnel-zone": async (zone, names) => ({
    NAME: zone.name,
    MTU: String(zone.mtu),
    MEMBERS: await all(zone.members, async ({ hostId, address }) => `${await names.nameOf("host", hostId)}=${address}`),
  }),
  bridge: async (bridge, names) => ({ NAME: bridge.name, ...(await deviceColumns(bridge, names)) }),
  router: async (router, names) => ({
    NAME: router.name,
    ...(await deviceColumns(router, names)),
    ROUTES: String(router.routeIds.length),
  }),
  port: async (port, names) => ({
    NAME: port.name ?? "",
    DEVICE:
      port.deviceKind === "bridge"
        ? `bridge ${await names.nameOf("bridge", port.bridgeId)}`
        : `router ${await names.nameOf("router", port.routerId)}`,
    STATE: stateOf(port),
    AT: await placeOf(port, names),
    VLAN: port.deviceKind === "bridge" && port.vlan !== undefined ? String(port.vlan) : "",
    MAC: port.deviceKind === "router" ? port.mac : "",
    ADDRESSES: port.deviceKind === "router" ? port.addresses.join(" ") : "",
    ...(await filterColumns(port, names)),
  }),
  route: async (route, names) => ({
    ROUTER: await names.nameOf("router", route.routerId),
    DESTINATION: route.destination,
    SOURCE: route.source.endsWith("/0") ? "" : route.source,
    "NEXT HOP": await nextHopText(route.nextHop, names),
    WEIGHT: String(route.weight),
  }),
  chain: async (chain) => ({ NAME: chain.name, TENANT: chain.tenant, RULES: String(chain.ruleIds.length) }),
  rule: async (rule, names) => ({
    CHAIN: await names.nameOf("chain", rule.chainId),
    "#": String(rule.position),
    CONDITION: await conditionText(rule.condition, names),
    ACTION: await actionText(rule.action, names),
  }),
};

/** What a listing shows of an object; its id comes last. */
export async function rowOf<K extends Kind>(kind: K, object: ResourceOf<K>, names: Names): Promise<Row> {
  const show: Shower<K> = SHOWERS[kind];
  return { ...(await show(object, names)), ID: shortId(object.id) };
}

/** Columns for rows that all have the same headings. */
export function columnsOf(rows: readonly Row[]): readonly Column<Row>[] {
  return Object.keys(rows[0] ?? {}).map((title) => ({
    title,
    ...(NUMBERS.has(title) ? { isNumber: true as const } : {}),
    show: (row) => row[title] ?? "",
  }));
}

const NUMBERS = new Set([
  "PORTS",
  "ROUTES",
  "RULES",
  "MTU",
  "WEIGHT",
  "#",
  "VLAN",
  "PACKETS",
  "BYTES",
  "FLOWS",
  "TAGS",
  "VALUE",
]);

/** A condition as people read it. */
export async function conditionText(condition: Condition, names: Names): Promise<string> {
  const not = (field: string): string => (condition.inverted?.includes(field as never) === true ? "not " : "");
  const parts: string[] = [];
  const add = (field: keyof Condition, text: string | undefined): void => {
    if (text !== undefined) parts.push(`${not(field)}${text}`);
  };
  const portNames = async (ids: readonly string[] | undefined) =>
    ids === undefined ? undefined : all(ids, (id) => names.nameOf("port", id));
  add("inPortIds", prefixed("in-port", await portNames(condition.inPortIds)));
  add("outPortIds", prefixed("out-port", await portNames(condition.outPortIds)));
  add(
    "etherType",
    prefixed(
      "ethertype",
      condition.etherType === undefined ? undefined : `0x${condition.etherType.toString(16).padStart(4, "0")}`,
    ),
  );
  add("sourceMac", prefixed("source-mac", macText(condition.sourceMac)));
  add("destinationMac", prefixed("destination-mac", macText(condition.destinationMac)));
  add("vlan", prefixed("vlan", condition.vlan));
  add("protocol", condition.protocol === undefined ? undefined : protocolName(condition.protocol));
  add("source", prefixed("from", condition.source));
  add("sourcePorts", prefixed("from-port", rangeText(condition.sourcePorts)));
  add("destination", prefixed("to", condition.destination));
  add("destinationPorts", prefixed("to-port", rangeText(condition.destinationPorts)));
  add("dscp", prefixed("dscp", condition.dscp));
  if (condition.fragments !== undefined && condition.fragments !== "any")
    parts.push(`fragments ${condition.fragments}`);
  const text = parts.length === 0 ? "any packet" : parts.join(" ");
  return condition.negated === true ? `not (${text})` : text;
}

async function deviceColumns(device: ResourceOf<"bridge" | "router">, names: Names): Promise<Row> {
  return {
    TENANT: device.tenant,
    UP: yesNo(device.isUp),
    PORTS: String(device.portIds.length),
    ...(await filterColumns(device, names)),
  };
}

async function filterColumns(
  object: { readonly inboundFilterId?: string; readonly outboundFilterId?: string },
  names: Names,
): Promise<Row> {
  return {
    "IN FILTER": await names.nameOf("chain", object.inboundFilterId),
    "OUT FILTER": await names.nameOf("chain", object.outboundFilterId),
  };
}

/** What a bound port does, or why it is not bound, and that it is down. */
export function stateOf(port: ResourceOf<"port">): string {
  const state = port.state === "bound" ? (port.isActive === true ? "active" : "inactive") : port.state;
  return port.isUp ? state : `${state}, down`;
}

async function placeOf(port: ResourceOf<"port">, names: Names): Promise<string> {
  if (port.binding !== undefined)
    return `${await names.nameOf("host", port.binding.hostId)}:${port.binding.interfaceName}`;
  return port.peerId === undefined ? "" : `port ${await names.nameOf("port", port.peerId)}`;
}

/** A next hop as people read it. */
export async function nextHopText(hop: NextHop, names: Names): Promise<string> {
  if (hop.type !== "port") return hop.type;
  const port = await names.nameOf("port", hop.portId);
  return hop.gateway === undefined ? `port ${port}` : `${hop.gateway} by port ${port}`;
}

/** What a rule does, as people read it. */
export async function actionText(action: RuleAction, names: Names): Promise<string> {
  return action.type === "jump" ? `jump ${await names.nameOf("chain", action.chainId)}` : action.type;
}

function prefixed(word: string, value: string | number | undefined): string | undefined {
  return value === undefined ? undefined : `${word} ${value}`;
}

function macText(match: Condition["sourceMac"]): string | undefined {
  if (match === undefined) return undefined;
  return match.mask === undefined ? match.mac : `${match.mac}/${match.mask}`;
}

function rangeText(range: Condition["sourcePorts"]): string | undefined {
  if (range === undefined) return undefined;
  return range.from === range.to ? String(range.from) : `${range.from}-${range.to}`;
}

function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}

async function all<T>(items: readonly T[], show: (item: T) => Promise<string>): Promise<string> {
  return (await Promise.all(items.map(show))).join(" ");
}
