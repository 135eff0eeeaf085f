import type { chainSchema, ruleActionSchema, ruleSchema } from "./schema/chain.ts";
import type { conditionSchema, INVERTIBLE_FIELDS } from "./schema/condition.ts";
import type { bridgeSchema, routerSchema } from "./schema/device.ts";
import type { hostSchema, tunnelZoneSchema } from "./schema/host.ts";
import type { FromSchema } from "./schema/json-schema.ts";
import type { bindingSchema, bridgePortSchema, routerPortSchema } from "./schema/port.ts";
import type { nextHopSchema, routeSchema } from "./schema/route.ts";

/**
 * The objects of a virtual topology. Their fields stand in `schema/`, one schema a kind, from which these types follow;
 * addresses and prefixes are canonical text; ids are UUIDs made by the client or the API. A field whose description says
 * *kept by the store* is a back-reference: no client writes it. Absent is a missing field, never null. The references between
 * objects and what a deletion does stand in `references.ts`, what must hold among objects in `validate.ts`.
 */
export type TopologyObject = Host | TunnelZone | Bridge | Router | Port | Route | Chain | Rule;

/** The name of a kind of object. */
export type Kind = TopologyObject["kind"];

/** The object type of a kind. */
export type ObjectOf<K extends Kind> = Extract<TopologyObject, { readonly kind: K }>;

/** A UUID in lower case. */
export type Id = string;

/** A machine that runs an agent (OVN: chassis). Created by its agent at first start, or beforehand by an operator. */
export type Host = FromSchema<typeof hostSchema>;

/** Hosts that tunnel to each other, each with its address on the underlay, and the MTU of that underlay. */
export type TunnelZone = FromSchema<typeof tunnelZoneSchema>;

/** A virtual switch. VLAN-aware as soon as one of its ports has a `vlan`. */
export type Bridge = FromSchema<typeof bridgeSchema>;

/** A virtual router of IPv4 and IPv6. `routeIds`: static routes; connected and local ones follow from the ports, unstored. */
export type Router = FromSchema<typeof routerSchema>;

/**
 * A vport. Linked (has `peerId`), bound (has `binding`), or unplugged (neither); never both. A link is symmetric.
 * Inbound filters see packets that enter the device through the port, outbound filters those that leave it.
 */
export type Port = BridgePort | RouterPort;

/** What bridge ports and router ports share. */
export type PortBase = Pick<
  BridgePort,
  Extract<keyof BridgePort, keyof RouterPort> & Exclude<keyof BridgePort, "deviceKind">
>;

/** Where a bound port is. `generation` grows with every new binding and fences the older ones. */
export type Binding = FromSchema<typeof bindingSchema>;

/** A port of a bridge. On a VLAN-aware bridge a port with `vlan` is an access port, one without is a trunk. */
export type BridgePort = FromSchema<typeof bridgePortSchema>;

/** A port of a router: its MAC, its addresses as ADDRESS/LENGTH of either family, and the largest IP packet it carries. */
export type RouterPort = FromSchema<typeof routerPortSchema>;

/**
 * A static route. Longest destination prefix first, then the source prefix must match, then the lowest weight wins;
 * equal weights share the flows (ECMP). Both prefixes are of one family.
 */
export type Route = FromSchema<typeof routeSchema>;

/** `blackhole` drops silently, `reject` answers with an ICMP error, `local` means the router itself. */
export type NextHop = FromSchema<typeof nextHopSchema>;

/** An ordered list of rules. Falling off the end accepts (at top level) or returns (from a jump). */
export type Chain = FromSchema<typeof chainSchema>;

/** A condition and what to do when it holds. */
export type Rule = FromSchema<typeof ruleSchema>;

/** `reject` drops and, at a router, answers "administratively prohibited"; at a bridge it is a drop. */
export type RuleAction = FromSchema<typeof ruleActionSchema>;

/**
 * All fields that are present must match (AND); `negated` then inverts the whole conjunction. Each field can be inverted
 * by naming it in `inverted`. An empty condition matches everything. `fragments` (default `any`) is tested outside the
 * inversion. `sourcePorts` and `destinationPorts` are TCP, UDP or SCTP ports, or ICMP type and code.
 */
export type Condition = FromSchema<typeof conditionSchema>;

/** A field of a condition that can be inverted. */
export type ConditionField = (typeof INVERTIBLE_FIELDS)[number];

/** A MAC address compared under a mask (default all ones). */
export type MacMatch = NonNullable<Condition["sourceMac"]>;

/** An inclusive range of port numbers. */
export type PortRange = NonNullable<Condition["sourcePorts"]>;
