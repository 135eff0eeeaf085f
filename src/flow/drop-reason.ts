/** One reason for which a packet was dropped. */
export interface DropReasonEntry {
  /** Stable number, used by the datapath and in the API. */
  readonly code: number;
  /** Stable name, shown to people. */
  readonly name: string;
  /** What happened. */
  readonly meaning: string;
  /** What an operator can do. */
  readonly remedy: string;
}

/**
 * Every reason for which weft drops a packet. Codes are stable; 0 is never used. `bpf/layout.h` has those that the datapath
 * itself gives, as WEFT_DROP_<NAME in upper case with underscores>.
 */
export const DROP_REASONS = [
  { code: 1, name: "filter", meaning: "a rule of a filter said drop", remedy: "see the rule that the trace names" },
  {
    code: 2,
    name: "rejected",
    meaning: "a rule said reject; routers answer with an ICMP error, bridges do not",
    remedy: "see the rule that the trace names",
  },
  {
    code: 3,
    name: "admin-down",
    meaning: "a port or device on the way is administratively down",
    remedy: "set isUp of the object that the trace names",
  },
  {
    code: 4,
    name: "unplugged",
    meaning: "the way ends at a port that is neither linked nor bound",
    remedy: "link or bind the port",
  },
  {
    code: 5,
    name: "port-inactive",
    meaning: "the egress port is bound, but its host or interface is down",
    remedy: "look at the host's state and the interface",
  },
  { code: 6, name: "no-route", meaning: "no route matches the destination", remedy: "add a route" },
  { code: 7, name: "blackhole", meaning: "the route says blackhole", remedy: "change the route" },
  { code: 8, name: "reject-route", meaning: "the route says reject", remedy: "change the route" },
  {
    code: 9,
    name: "ttl-expired",
    meaning: "TTL or hop limit reached zero at a router",
    remedy: "look for a routing loop",
  },
  {
    code: 10,
    name: "neighbor-failed",
    meaning: "nobody answered for the next hop's MAC address",
    remedy: "check that the next hop exists and answers ARP or ND",
  },
  {
    code: 11,
    name: "too-big",
    meaning: "the packet is larger than the path and may not be fragmented",
    remedy: "lower the sender's MTU; path MTU discovery does so",
  },
  {
    code: 12,
    name: "not-for-me",
    meaning: "a router port got a frame for another MAC address",
    remedy: "none; ordinary after a flood",
  },
  { code: 13, name: "bad-source-mac", meaning: "the source MAC address is multicast", remedy: "repair the sender" },
  {
    code: 14,
    name: "vlan-mismatch",
    meaning: "the frame's VLAN is not one of this bridge's ports",
    remedy: "check the VLANs of the ports",
  },
  {
    code: 15,
    name: "hairpin",
    meaning: "the frame would leave by the port by which it came",
    remedy: "none; ordinary for a learned MAC address on the same segment",
  },
  {
    code: 16,
    name: "no-recipient",
    meaning: "a flood found no port to go to",
    remedy: "none; the bridge has no other active port",
  },
  {
    code: 17,
    name: "loop",
    meaning: "the packet passed more devices than the limit",
    remedy: "look for a loop in the topology",
  },
  { code: 18, name: "unsupported", meaning: "the device does not handle this protocol", remedy: "none" },
  { code: 19, name: "malformed", meaning: "a header is malformed or cut off", remedy: "repair the sender" },
  {
    code: 20,
    name: "local-unhandled",
    meaning: "addressed to the router itself, which has no such service",
    remedy: "none",
  },
  {
    code: 21,
    name: "bad-neighbor-message",
    meaning: "an ARP or ND message that a router must ignore",
    remedy: "repair the sender",
  },
  {
    code: 22,
    name: "topology-missing",
    meaning:
      "an object that the walk needs did not arrive in time, is damaged, or is one more than the host may follow",
    remedy: "look at the store's state and the agent's log",
  },
  {
    code: 23,
    name: "parked-too-long",
    meaning: "the packet waited longer than the limit",
    remedy: "see what the trace waits for",
  },
  {
    code: 24,
    name: "parking-full",
    meaning: "too many packets wait already",
    remedy: "see the agent's parking metrics",
  },
  {
    code: 25,
    name: "group-limit",
    meaning: "a flood has more outputs than a group can hold",
    remedy: "split the bridge",
  },
  { code: 26, name: "table-full", meaning: "no slot of the flow table could be taken", remedy: "raise the flow limit" },
  {
    code: 27,
    name: "upcall-budget",
    meaning: "the port has more packets waiting for simulation than its budget",
    remedy: "none if the port floods; else raise the budget",
  },
  {
    code: 28,
    name: "upcall-ring-full",
    meaning: "the ring to the agent is full",
    remedy: "see the agent's load; raise the number of workers",
  },
  {
    code: 29,
    name: "unknown-tunnel-key",
    meaning: "a tunnelled frame names a port that is not here",
    remedy: "ordinary while a port moves; else compare the hosts' bindings",
  },
  {
    code: 30,
    name: "unknown-peer",
    meaning: "a tunnelled frame from an address that is no peer",
    remedy: "close the underlay; check the tunnel zone",
  },
  {
    code: 31,
    name: "reserved-tunnel-kind",
    meaning: "a tunnelled frame of a reserved kind",
    remedy: "upgrade this host",
  },
  { code: 32, name: "vport-down", meaning: "the flow's local egress port is down", remedy: "set the interface up" },
  {
    code: 33,
    name: "peer-down",
    meaning: "the flow's egress host is not reachable",
    remedy: "look at that host and the underlay",
  },
  {
    code: 34,
    name: "bad-mark",
    meaning: "a frame on the inject device did not come from the agent",
    remedy: "none; the host's own stack made it",
  },
  { code: 35, name: "stale-upcall", meaning: "the packet had waited in the ring across a restart", remedy: "none" },
  {
    code: 36,
    name: "first-gso",
    meaning:
      "first packet of a flow in an offload form that can neither be sent again nor be cut into packets: many UDP datagrams in one frame of a TAP; the flow is installed",
    remedy: "none; the sender retransmits, and what follows goes by the flow",
  },
  {
    code: 37,
    name: "rewrite-failed",
    meaning: "the kernel refused to rewrite the frame",
    remedy: "report it with the trace",
  },
  {
    code: 38,
    name: "inject-failed",
    meaning: "the kernel refused the frame on the inject device",
    remedy: "see the agent's log",
  },
  {
    code: 39,
    name: "host-originated",
    meaning: "the host's own stack tried to send through a bound interface",
    remedy: "remove addresses from the interface",
  },
  {
    code: 40,
    name: "underlay-guard",
    meaning:
      "a packet for a host of the underlay at an uplink, or a tunnelled frame for another address than our end of the tunnels",
    remedy: "none; a steady count may be somebody who tries to pass for a peer",
  },
  {
    code: 41,
    name: "spoofed",
    meaning: "source address that the port may not use",
    remedy: "correct the sender or the port's addresses",
  },
  { code: 42, name: "slot-retry", meaning: "the flow was being rewritten and the ring was full", remedy: "none" },
  {
    code: 43,
    name: "keep-alive-refused",
    meaning: "a keep-alive that is malformed, meant for another host, or not made with the cloud's secret",
    remedy: "ordinary for a moment while a host joins; else close the underlay",
  },
  {
    code: 44,
    name: "chain-limit",
    meaning: "the filter jumps to more chains than one packet may look at: what the rest would say is not known",
    remedy: "join chains; the trace shows which are entered",
  },
] as const satisfies readonly DropReasonEntry[];

/** The name of a drop reason. */
export type DropReason = (typeof DROP_REASONS)[number]["name"];

const codes = new Map<string, number>(DROP_REASONS.map((r) => [r.name, r.code]));
const names = new Map<number, DropReason>(DROP_REASONS.map((r) => [r.code, r.name]));

/** The number of a reason. */
export function dropCode(reason: DropReason): number {
  return codes.get(reason) as number;
}

/** The reason of a number; undefined for a number that this version does not know. */
export function dropReasonOf(code: number): DropReason | undefined {
  return names.get(code);
}
