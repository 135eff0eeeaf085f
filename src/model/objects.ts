/**
 * The objects of a virtual topology, as stored. Addresses and prefixes are canonical text; ids are UUIDs made by the client
 * or the API. A list that ends in `Ids` and is marked *kept by the store* is a back-reference: no client writes it.
 * Absent is a missing field, never null. The references between objects and what a deletion does stand in `references.ts`.
 */
export type TopologyObject = Host | TunnelZone | Bridge | Router | Port | Route | Chain | Rule;

/** The name of a kind of object. */
export type Kind = TopologyObject["kind"];

/** A UUID in lower case. */
export type Id = string;

/** A machine that runs an agent (OVN: chassis). Created by its agent at first start, or beforehand by an operator. */
export interface Host {
  readonly kind: "host";
  readonly id: Id;
  readonly name: string;
  /** Kept by the store: ports bound to an interface of this host. */
  readonly portIds: readonly Id[];
  /** Kept by the store. */
  readonly tunnelZoneIds: readonly Id[];
}

/** Hosts that tunnel to each other, each with its address on the underlay. */
export interface TunnelZone {
  readonly kind: "tunnel-zone";
  readonly id: Id;
  readonly name: string;
  /** `mtu`: largest IP packet that the underlay carries, outer headers included; default 1500. */
  readonly mtu: number;
  readonly members: readonly { readonly hostId: Id; readonly address: string }[];
}

/** A virtual switch. VLAN-aware as soon as one of its ports has a `vlan`. */
export interface Bridge {
  readonly kind: "bridge";
  readonly id: Id;
  readonly tenant: string;
  readonly name: string;
  readonly isUp: boolean;
  readonly inboundFilterId?: Id;
  readonly outboundFilterId?: Id;
  /** Kept by the store. */
  readonly portIds: readonly Id[];
}

/** A virtual router. Routes IPv4 and IPv6. */
export interface Router {
  readonly kind: "router";
  readonly id: Id;
  readonly tenant: string;
  readonly name: string;
  readonly isUp: boolean;
  readonly inboundFilterId?: Id;
  readonly outboundFilterId?: Id;
  /** Kept by the store. */
  readonly portIds: readonly Id[];
  /** Kept by the store: static routes. Connected and local routes follow from the ports and are not stored. */
  readonly routeIds: readonly Id[];
}

/**
 * A vport. Linked (has `peerId`), bound (has `binding`), or unplugged (neither); never both.
 * Inbound filters see packets that enter the device through the port, outbound filters those that leave it.
 */
export type Port = BridgePort | RouterPort;

/** What bridge ports and router ports share. */
export interface PortBase {
  readonly kind: "port";
  readonly id: Id;
  readonly tenant: string;
  readonly name?: string;
  readonly isUp: boolean;
  readonly inboundFilterId?: Id;
  readonly outboundFilterId?: Id;
  /** The port at the other end of a link; symmetric, kept so by the store. */
  readonly peerId?: Id;
  readonly binding?: Binding;
}

/** Where a bound port is. `generation` grows with every new binding and fences the older ones. */
export interface Binding {
  readonly hostId: Id;
  readonly interfaceName: string;
  readonly generation: number;
}

/** A port of a bridge. On a VLAN-aware bridge a port with `vlan` is an access port, one without is a trunk. */
export interface BridgePort extends PortBase {
  readonly deviceKind: "bridge";
  readonly bridgeId: Id;
  /** 1..4094. */
  readonly vlan?: number;
}

/** A port of a router: its MAC, its addresses as ADDRESS/LENGTH of either family, and the largest IP packet it carries. */
export interface RouterPort extends PortBase {
  readonly deviceKind: "router";
  readonly routerId: Id;
  readonly mac: string;
  readonly addresses: readonly string[];
  readonly mtu: number;
}

/**
 * A static route. Longest destination prefix first, then the source prefix must match, then the lowest weight wins;
 * equal weights share the flows (ECMP).
 */
export interface Route {
  readonly kind: "route";
  readonly id: Id;
  readonly routerId: Id;
  readonly source: string;
  readonly destination: string;
  readonly weight: number;
  readonly nextHop: NextHop;
}

/** `blackhole` drops silently, `reject` answers with an ICMP error, `local` means the router itself. */
export type NextHop =
  | { readonly type: "port"; readonly portId: Id; readonly gateway?: string }
  | { readonly type: "blackhole" }
  | { readonly type: "reject" }
  | { readonly type: "local" };

/** An ordered list of rules. Falling off the end accepts (at top level) or returns (from a jump). */
export interface Chain {
  readonly kind: "chain";
  readonly id: Id;
  readonly tenant: string;
  readonly name: string;
  /** In order of evaluation; kept by the store, positions chosen at rule creation. */
  readonly ruleIds: readonly Id[];
}

/** A condition and what to do when it holds. */
export interface Rule {
  readonly kind: "rule";
  readonly id: Id;
  readonly chainId: Id;
  readonly condition: Condition;
  readonly action: RuleAction;
}

/** `reject` drops and, at a router, answers "administratively prohibited"; at a bridge it is a drop. */
export type RuleAction =
  | { readonly type: "accept" }
  | { readonly type: "drop" }
  | { readonly type: "reject" }
  | { readonly type: "return" }
  | { readonly type: "jump"; readonly chainId: Id };

/**
 * All fields that are present must match (AND); `negated` then inverts the whole conjunction. Each field can be inverted
 * by naming it in `inverted`. An empty condition matches everything. `fragments` is tested outside the inversion.
 */
export interface Condition {
  readonly negated?: boolean;
  readonly inverted?: readonly ConditionField[];
  /** Port by which the packet entered / leaves the device at which the chain is evaluated; any of the list. */
  readonly inPortIds?: readonly Id[];
  readonly outPortIds?: readonly Id[];
  /** Ethertype, 0..65535. */
  readonly etherType?: number;
  readonly sourceMac?: MacMatch;
  readonly destinationMac?: MacMatch;
  /** Outermost VLAN id; 0 means untagged. */
  readonly vlan?: number;
  /** Prefix of either family. */
  readonly source?: string;
  readonly destination?: string;
  /** IP protocol number. */
  readonly protocol?: number;
  /** DSCP 0..63. */
  readonly dscp?: number;
  /** TCP, UDP or SCTP port; ICMP type (source) and code (destination). Inclusive. */
  readonly sourcePorts?: PortRange;
  readonly destinationPorts?: PortRange;
  /** `any` (default), `whole` = not fragmented, `header` = first fragment or whole, `later` = all but the first. */
  readonly fragments?: "any" | "whole" | "header" | "later";
}

/** A field of a condition that can be inverted. */
export type ConditionField = Exclude<keyof Condition, "negated" | "inverted" | "fragments">;

/** A MAC address compared under a mask (default all ones). */
export interface MacMatch {
  readonly mac: string;
  readonly mask?: string;
}

/** An inclusive range of port numbers. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
}
