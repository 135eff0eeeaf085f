/** Tunnel keys of one host, in use and resting: half of the 20-bit space, so that a random choice soon finds a free one. */
export const TUNNEL_KEYS_MAX = 1 << 19;
/** How long a freed tunnel key rests: twice the longest life of a flow. */
export const KEY_REST_MS = 600_000;
/** Topology objects of one host: what a snapshot of the largest size holds. What a chain or route beyond them may forbid or divert is dropped. */
export const SLICE_OBJECTS_MAX = 100_000;
/** Share of these that must be free again before what was left out is looked for. */
export const SLICE_REFILL_SHARE = 1 / 100;
/** Longest life of a forwarding flow before it is simulated again. */
export const FLOW_LIFE_S = 60;
/**
 * Life of a drop flow whose reason may pass by itself. One second, not the five of the design: each packet of an unanswered
 * ping or a traceroute should get its ICMP error, as a kernel gives it; a flood still costs one upcall a second and flow.
 */
export const TEMPORARY_DROP_LIFE_S = 1;
/** Packets that may wait for topology or neighbors, per worker. */
export const PARKED_MAX = 4096;
/** Bytes that may wait, per worker. */
export const PARKED_BYTES_MAX = 16 << 20;
/** Packets of one port that may wait, so that one port cannot fill the room. */
export const PARKED_PER_PORT_MAX = 256;
/** How long a packet may wait for topology. Neighbors have the resolver's own time-out on top, which ends first. */
export const PARKED_MS = 5_000;
/** How long a packet may wait for a neighbor. */
export const PARKED_NEIGHBOR_MS = 60_000;
/** Upcalls handled between two looks into the inbox. */
export const UPCALL_BATCH = 256;
/** Flows simulated again between two batches of upcalls. */
export const RESIMULATION_CHUNK = 256;
/** Tag sets without flows that are kept for the next flow of the same way. */
export const IDLE_TAG_SETS_MAX = 16_384;
/** ICMP errors that a worker makes in a second for one ingress port (RFC 1812 4.3.2.8, RFC 4443 2.4 f). */
export const ICMP_ERRORS_PER_SECOND = 100;
/** Upcalls of all ports together that may wait in a shard's ring: small ones fill 3/4 of its default 512 KB. */
export const UPCALL_CREDITS_PER_SHARD = 1024;
/** Least credit of a port per shard, in packets. */
export const UPCALL_CREDIT_MIN = 8;
/** First flood group that control uses for what peers send; workers share those below for their own floods. */
export const CONTROL_GROUP_FIRST = 128;
/** Ports of a bridge on one host from which on a flood group saves copies. */
export const FLOOD_PORTS_MIN = 2;
/** Flows listed in one answer of the agent's API. */
export const FLOW_LIST_MAX = 10_000;
/** Age at which an upcall is no longer worth executing: it waited across a restart. */
export const STALE_UPCALL_MS = 2_000;
/** Answers to answers that one frame of the network may cause (a request answered by the next device, and so on). */
export const EMIT_DEPTH_MAX = 4;
/** Expired flows looked at in one turn. */
export const EXPIRY_CHUNK = 256;
/** Bytes of upcall credit for each packet of it: a share of large frames among small ones. */
export const CREDIT_BYTES_PER_PACKET = 512;
/** Objects asked for and not answered yet, per worker. */
export const WANTED_MAX = 10_000;
/** How long a flood group keeps its content after it was last used: longer than a frame takes from a worker through the kernel. */
export const GROUP_REST_MS = 1_000;
/** Share of a worker's slots that one port's flows may fill before they are the first to be thrown out: a scan evicts itself. */
export const PORT_FLOW_SHARE = 1 / 8;
/** How long wishes for ports are gathered while others follow each other: a thousand bindings take a few passes over all ports. */
export const GATHER_MS = 20;
/** A used peer that was not heard of for this long is asked. */
export const PEER_QUIET_MS = 250;
/** Time that a peer has for an answer before it is asked again. */
export const PEER_RETRY_MS = 120;
/** Unanswered questions after which a peer is dead: a used one is known to be dead 250 + 5 x 120 = 850 ms after its last frame. */
export const PEER_MISSES = 5;
/** A peer to which nothing is sent is asked this often, or up to twice as often; it is known to be dead in less than 11 s. */
export const PEER_IDLE_MS = 10_000;
/** How often a dead peer is asked, if something is to be sent to it. */
export const PEER_DEAD_MS = 500;
/** A peer counts as used for this long after the last frame to it. */
export const PEER_USED_MS = 10_000;
/** Used peers that are asked at full pace; with more of them, each is asked less often, in proportion. */
export const PEERS_AT_FULL_PACE = 512;
/** Time between two looks at the peers. */
export const PEER_LOOK_MS = {
  /** When nothing is sent to any peer: a first frame to one may wait that long before its peer is watched closely. */
  idle: 1_000,
  /** When something is sent to some: what they answered is noted by the datapath meanwhile. */
  used: 250,
  /** When a peer is dead to which something is to be sent: it is sent to again this soon after it is heard of. */
  dead: 100,
  /** At least, so that many peers with many deadlines cost few looks. */
  least: 20,
} as const;
/** How long ports of a host are forwarded to that lost its session but answers keep-alives, unless configured (decisions.md 6). */
export const UNCONFIRMED_MS = 600_000;
/** A flow of an earlier agent that was used within this time says where its source is, as its packets did: the FDB's linger time. */
export const ADOPT_EVIDENCE_MS = 15_000;
/** Flows of an earlier agent that were used within this time are simulated again before the others: those that forward now. */
export const ADOPT_FIRST_MS = 2_000;
/** Time between two looks of an idle worker at installed flows: it wakes about once a second anyway. */
export const AUDIT_TURN_MS = 1_000;
/** Flows of one such look, which cost it about 0.2 ms: a thousand flows are gone through in a minute. */
export const AUDIT_FLOWS = 16;
/** Slots that one look may pass over to find them: a nearly empty table is gone through in some seconds. */
export const AUDIT_SLOTS = 16_384;
/** How long a worker leaves its rings alone while the world of a restarted agent is not complete: then the oldest are stale anyway. */
export const RINGS_HELD_MS = 2_000;
/**
 * How long a port of which an earlier agent knew is sent to before its host is heard of: every peer is asked within PEER_IDLE_MS, and
 * then dead or heard of after PEER_MISSES questions.
 */
export const UNHEARD_MS = 12_000;
/**
 * How long an entry of a replicated map that went without a successor is kept, until it is known whether its owner only lost its
 * session: what goes with one session is told within moments, and what begins with the next within few seconds.
 */
export const ORPHAN_GRACE_MS = 3_000;
/** Such entries of one host, 200 bytes each: more go at once. */
export const ORPHANS_MAX = 20_000;
