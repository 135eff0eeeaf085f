/**
 * The memory that agent and datapath share, word by word. `bpf/layout.h` has the same constants under the same names with
 * the prefix WEFT_, and a test compares the two. Words are u32; "wire order" means the bytes as on the wire, loaded
 * little-endian, in both languages.
 *
 * FLOW KEY, 16 words. The order is the point: every mask class is a prefix of it, so one pass over the words yields the hash
 * of every class, and a masked key is a shorter key.
 *
 *   0      vport index (bits 0..15) | frame class (16..17) | fragment (18..19) | parse state (20..22) | VLAN count (23..24)
 *          | mask class (28..31: 0 in the key of a packet, the class in the key of a flow)
 *   1..3   destination MAC, source MAC, wire order (12 bytes)
 *   4      ethertype behind all VLAN tags (16, wire order) | outer VLAN id (16, host order, 0 without tag; no PCP, no DEI)
 *   5      inner VLAN id (16, host order) | 0
 *   6..9   destination IP, wire order; IPv4 in word 6, 7..9 zero; ARP: target protocol address in word 6
 *   10..13 source IP alike; ARP: sender protocol address in word 10
 *   14     IP protocol (bits 0..7; IPv6: after the extension headers; ARP: 0) | DSCP (8..13) | 0
 *   15     source port (16, wire order) | destination port (16, wire order)
 *          ICMP, ICMPv6: type (8) | code (8) | identifier of echo messages (16, wire order; else 0)
 *          ARP: opcode (16, host order)
 *          later fragments, other protocols: 0
 *
 * Parse rules, the same in BPF and in TypeScript (differential fuzz):
 *   frame class  ip4 / ip6 by ethertype 0x0800 / 0x86dd behind at most two VLAN tags (0x8100, 0x88a8), arp by 0x0806, else other.
 *                An ethertype field below 0x0600 is an 802.3 length: class other, ethertype 0. A third VLAN tag: class other.
 *   parse state  `short`: a header that the class promises is cut off by the end of the frame; words of what was cut are zero.
 *                `bad`: IP version wrong, IHL < 5, IPv4 total length < header or beyond the frame, IPv6 payload length beyond
 *                the frame, ARP that is not Ethernet/IPv4. `options`: IPv4 with IHL > 5 (addresses and protocol are set,
 *                L4 too). `extensions`: more than 8 IPv6 extension headers, or one that cannot be walked (ESP, no next header).
 *                Only `ok` and `options` may install a forwarding flow.
 *   fragment     IPv4: MF or offset; IPv6: fragment header. `first` has L4 words, `later` has none.
 *   L4           TCP, UDP, SCTP: ports. A TCP/UDP/SCTP header cut before its ports: `short`.
 */

/** Version of everything on this page. Maps of another version are left alone and replaced. */
export const LAYOUT_VERSION = 2;
/** First word of the control map. */
export const CONTROL_MAGIC = 0x77656674;

/** Words of a flow key. */
export const KEY_WORDS = 16;

/** Frame class in word 0. */
export const FRAME_OTHER = 0;
/** Frame class in word 0. */
export const FRAME_IP4 = 1;
/** Frame class in word 0. */
export const FRAME_IP6 = 2;
/** Frame class in word 0. */
export const FRAME_ARP = 3;
/** Fragment state in word 0: a whole packet. */
export const FRAGMENT_NO = 0;
/** Fragment state in word 0: the first fragment, with L4 header. */
export const FRAGMENT_FIRST = 1;
/** Fragment state in word 0: any other fragment, without L4 header. */
export const FRAGMENT_LATER = 2;
/** Parse state in word 0. */
export const PARSE_OK = 0;
/** Parse state in word 0: cut off. */
export const PARSE_SHORT = 1;
/** Parse state in word 0: malformed. */
export const PARSE_BAD = 2;
/** Parse state in word 0: IPv4 options present; forwards like ok. */
export const PARSE_OPTIONS = 3;
/** Parse state in word 0: extension headers that cannot be walked. */
export const PARSE_EXTENSIONS = 4;

/** Bit position of the frame class in word 0. */
export const W0_FRAME_SHIFT = 16;
/** Bit position of the fragment state in word 0. */
export const W0_FRAGMENT_SHIFT = 18;
/** Bit position of the parse state in word 0. */
export const W0_PARSE_SHIFT = 20;
/** Bit position of the number of VLAN tags (0..2) in word 0. */
export const W0_VLAN_SHIFT = 23;
/** Bit position of the mask class in word 0 of a flow's key. */
export const W0_CLASS_SHIFT = 28;

/** Number of mask classes. */
export const CLASS_COUNT = 6;
/** Mask class: word 0 only. */
export const CLASS_PORT = 0;
/** Mask class: port, MACs, ethertype, VLAN ids. */
export const CLASS_L2 = 1;
/** Mask class: L2 and destination IP. */
export const CLASS_L3_DST = 2;
/** Mask class: L2 and both IPs. */
export const CLASS_L3_PAIR = 3;
/** Mask class: L2, both IPs, protocol and DSCP. */
export const CLASS_PROTO = 4;
/** Mask class: everything. */
export const CLASS_FULL = 5;
/** Names of the mask classes, as people read them. */
export const CLASS_NAMES: readonly string[] = ["port", "l2", "l3-dst", "l3-pair", "proto", "full"];
/** Words of the key in each class. */
export const CLASS_WORDS: readonly number[] = [1, 6, 10, 14, 15, 16];

/**
 * HASHES. Two lanes over the words of a key, with four per-boot secrets s0..s3 (control map; s2 and s3 odd):
 *   a = s0, b = s1; for each word w: a = (a ^ w) * s2; a ^= a >>> 15; b = (b + w) * s3; b = rotl(b, 13)
 * After the words of class c: h1 = fmix(a ^ (c * 0x9e3779b1)), h2 = fmix(b + a), with murmur3's fmix32. Word 0 is hashed with
 * its class bits zero. Bucket 1 = mulhi(h1, buckets per shard), bucket 2 = mulhi(h2, buckets per shard) (mulhi = upper 32
 * bits of the 64-bit product), tag = h1 ^ rotl(h2, 16), 0 replaced by 1.
 * Shard of a packet: x = xor of words 6..13, ^ (word 15 & 0xffff) ^ (word 15 >>> 16) ^ (word 14 & 0xff) for ip4 and ip6
 * (ICMP: word 15 counts as 0 unless it is an echo, then identifier only); for others xor of words 1..4;
 * shard = fmix(x ^ s0) >>> 28. It is the same in both directions.
 */
export const SHARD_COUNT = 16;

/** Slots of a bucket. */
export const BUCKET_WAYS = 8;
/**
 * BUCKET, 352 words: tags[8] | generations[8] | last used[8] (coarse monotonic ms, u32) | cookies[8], then 8 slots of
 * 40 words: key (16) and action (24). Generation 0: empty; odd: being written or revoked, a miss for readers; even: valid.
 */
export const BUCKET_WORDS = 352;
/** Word of the first generation. */
export const BUCKET_GENERATION = 8;
/** Word of the first last-used time. */
export const BUCKET_USED = 16;
/** Word of the first cookie (reserved for the agent). */
export const BUCKET_COOKIE = 24;
/** Word of the first slot. */
export const BUCKET_SLOT = 32;
/** Words of a slot. */
export const SLOT_WORDS = 40;
/** Word of the action in a slot. */
export const SLOT_ACTION = 16;
/** FLOW COUNTERS, a parallel array, 32 words a bucket: packets u64[8], bytes u64[8]. Never reset; the agent keeps a base. */
export const COUNTER_WORDS = 32;

/**
 * ACTION, 24 words. One output. Rewrites happen before output; checksums are kept right, also of partial ones.
 *   0  kind (bits 0..3) | flags
 *   1  vport index | peer index | group index | drop reason
 *   2  tunnel key (24 bits: trace 1 | kind 3 | key 20)
 *   3  largest L3 packet (bits 0..15; 0 = no limit) | TTL decrement (16..23) | DSCP (24..29)
 *   4..6   new destination and source MAC, wire order
 *   7  VLAN ids to push, outer (bits 0..15) and inner (16..31), as TCI
 *   8..11  new source IP, wire order (IPv4: word 8)   12..15  new destination IP
 *   16 new source and destination port, wire order (as key word 15)
 *   17..23 zero
 * Order: length check (an L3 packet longer than the limit goes up as TOO_BIG), TTL check (TTL <= decrement goes up as
 * TTL_EXPIRED; a drop behind routers has the flag and their number for this check alone), VLAN pop, addresses, ports, TTL, DSCP, MACs,
 * VLAN push, output. GSO frames are judged by gso_size + headers.
 */
export const ACTION_WORDS = 24;
/** Action kind: nothing known, treat as a miss. */
export const ACTION_MISS = 0;
/** Action kind: drop with the reason in word 1. */
export const ACTION_DROP = 1;
/** Action kind: output to the local vport of word 1. */
export const ACTION_VPORT = 2;
/** Action kind: output to the peer of word 1 under the tunnel key of word 2. */
export const ACTION_TUNNEL = 3;
/** Action kind: output to every member of the group of word 1 except the vport by which the frame came. */
export const ACTION_GROUP = 4;
/** Mask of the kind in word 0. */
export const ACTION_KIND_MASK = 0xf;
/** Flag: set both MACs. */
export const ACTION_SET_MAC = 1 << 8;
/** Flag: set the source IP. */
export const ACTION_SET_SRC = 1 << 9;
/** Flag: set the destination IP. */
export const ACTION_SET_DST = 1 << 10;
/** Flag: set both L4 ports. */
export const ACTION_SET_PORTS = 1 << 11;
/** Flag: set the DSCP, ECN kept. */
export const ACTION_SET_DSCP = 1 << 12;
/** Flag: subtract from TTL or hop limit. */
export const ACTION_DEC_TTL = 1 << 13;
/** Position of the number of VLAN tags to pop (2 bits). */
export const ACTION_POP_SHIFT = 16;
/** Position of the number of VLAN tags to push (2 bits). The outer of two gets TPID 0x88a8, a single one 0x8100. */
export const ACTION_PUSH_SHIFT = 18;

/**
 * VPORT RECORD, 16 words, index = vport index; of 0 only the credits are used (traced frames of groups go up under it).
 *   0 generation (seqlock)  1 ifindex  2 kind (0 none, 1 veth, 2 tap, 3 other)  3 flags (1 up, 2 redirect_peer allowed)
 *   4 binding epoch  5 upcall credit in packets per shard  6 the same in bytes
 *   7 the mask class in which the datapath found the last frame of this vport, + 1 (0: none yet): where it looks first; written by
 *     the datapath  8..15 zero
 */
export const VPORT_WORDS = 16;
/** Word of the binding epoch in a vport record. */
export const VPORT_EPOCH = 4;
/** Word of the class in which a vport's last frame was found, + 1. */
export const VPORT_HINT = 7;
/** Vports of one host, index 0 included. */
export const VPORT_MAX = 4096;
/** Flag of a vport record: forwards. */
export const VPORT_UP = 1;
/** Flag of a vport record: veth whose peer is in another network namespace. */
export const VPORT_PEER_REDIRECT = 2;

/**
 * PEER RECORD, 16 words, index = peer index; 0 is never used.
 *   0 generation (seqlock)  1 family (4 or 6)  2..5 address (IPv4: host order number in word 2; IPv6: wire order)
 *   6 largest inner L3 packet over this path  7 flags (1 up: sent to; keep-alives go to peers that are down, too)  8 epoch
 *   9 coarse monotonic ms of the last frame that was sent to it, keep-alives left out; written by the datapath, about
 *     PEER_SENT_MS exact  10..15 zero
 */
export const PEER_WORDS = 16;
/** Word of the epoch in a peer record: names the host that the number was given to. */
export const PEER_EPOCH = 8;
/** Word of the address family in a peer record; 0: no peer. */
export const PEER_FAMILY = 1;
/** Word of the flags in a peer record. */
export const PEER_FLAGS = 7;
/** Word of the time of the last frame to a peer. */
export const PEER_SENT = 9;
/** How old that time may be before the datapath writes it anew, in ms: not each packet writes to memory that CPUs share. */
export const PEER_SENT_MS = 64;
/** Peers of one host, index 0 included. */
export const PEER_MAX = 2048;
/** Flag of a peer record: may be sent to. */
export const PEER_UP = 1;

/**
 * GROUP RECORD, 4 + 4 * GROUP_OUTPUTS words: 0 generation, 1 count, 2..3 zero; then outputs of 4 words:
 *   0 kind (ACTION_VPORT or ACTION_TUNNEL) | pop (bits 16..17) | push (18..19)  1 vport or peer index  2 tunnel key
 *   3 VLAN TCIs to push. Local outputs stand before tunnels.
 */
export const GROUP_OUTPUTS = 512;
/** Words before the outputs of a group. */
export const GROUP_HEADER_WORDS = 4;
/** Words of one output. */
export const GROUP_OUTPUT_WORDS = 4;
/** Groups of one host. */
export const GROUP_MAX = 256;

/** TUNNEL KEY: 24 bits = trace (bit 23) | kind (20..22) | key (0..19). Kinds 4..7 are dropped and counted. */
export const TUNNEL_KIND_SHIFT = 20;
/** Tunnel key kind: the key names a vport of the receiving host. */
export const TUNNEL_KIND_VPORT = 0;
/** Tunnel key kind: the key names a flood group of the receiving host. */
export const TUNNEL_KIND_GROUP = 1;
/** Tunnel key kind: flow state. */
export const TUNNEL_KIND_STATE = 2;
/** Tunnel key kind: keep-alive. */
export const TUNNEL_KIND_KEEPALIVE = 3;
/** Bit of the tunnel key that asks for a trace. */
export const TUNNEL_TRACE = 0x80_0000;
/** UDP port of the overlay; 4789 is left to VXLAN gateways. */
export const TUNNEL_UDP_PORT = 6677;

/**
 * KEEP-ALIVE: an inner frame under the tunnel key of that kind (key 0): Ethernet header with type KEEPALIVE_ETHERTYPE, then 8
 * words, little-endian, then padding (a request may be as long as the path is wide):
 *   0 version (bits 0..7) | request 0 or reply 1 (8..15) | in a reply: length of the request's inner frame (16..31); in a request:
 *     how many before it, in a row, the sender has heard nothing to (16..31, at most 65,535; releases that do not say write 0)
 *   1 epoch of the sender's host  2 epoch of the receiver's host  3..4 sequence, low and high  5 the request's time, µs (u32)
 *   6..7 SipHash-2-4 of words 0..5 under the cloud's secret, low and high
 * The receiver's datapath answers a request itself, without padding, with the epochs exchanged. What is malformed, tagged, not
 * for us or not authentic is dropped. A request or reply is news only when its sequence is above every one before it: then
 * it counts as a sign of life. An old request is answered all the same, or a host whose clock was set back would seem dead.
 *
 * KEEP-ALIVE RECORD, 16 words, index = peer index, written by the datapath:
 *   0..1 newest sequence of its requests  2..3 newest sequence of its replies to us  4 requests answered  5 replies taken
 *   6 refused  7 inner frame length of our newest request that was answered  8 round trip of that request, µs
 *   9 what its newest request said of requests to which nothing was heard  10..15 zero
 * Record 0 is this host's own, written by the agent:
 *   0 whether there is a secret (1)  1 epoch of this host  2..5 the secret, 16 bytes as in SipHash's key, loaded little-endian
 */
export const KEEPALIVE_WORDS = 16;
/** Version of keep-alive frames. */
export const KEEPALIVE_VERSION = 1;
/** EtherType of keep-alives: IEEE 802 Local Experimental EtherType 1. */
export const KEEPALIVE_ETHERTYPE = 0x88b5;
/** Keep-alive: a request. */
export const KEEPALIVE_REQUEST = 0;
/** Keep-alive: a reply. */
export const KEEPALIVE_REPLY = 1;
/** Bytes of a keep-alive without padding: Ethernet header and 8 words. */
export const KEEPALIVE_BYTES = 46;
/** Word of the count of answered requests in a keep-alive record. */
export const KEEPALIVE_REQUESTS = 4;
/** Word of the count of replies in a keep-alive record. */
export const KEEPALIVE_REPLIES = 5;
/** Word of the count of refused keep-alives in a keep-alive record. */
export const KEEPALIVE_REFUSED = 6;
/** Word of the length that got through in a keep-alive record. */
export const KEEPALIVE_LENGTH = 7;
/** Word of the round trip in a keep-alive record. */
export const KEEPALIVE_TRIP = 8;
/** Word of the number of requests to which a peer has heard nothing, in a keep-alive record. */
export const KEEPALIVE_UNHEARD = 9;
/** Word of the first of four words of the secret in record 0. */
export const KEEPALIVE_SECRET = 2;

/**
 * UPCALL RECORD: 32 words, then the captured frame.
 *   0 kind  1 frame length  2 captured length  3 vport index  4 VLAN TCI taken from the frame (bits 0..15) | present (bit 16)
 *     | TPID is 0x88a8 (bit 17)   5 gso_size  6 gso_segs  7 shard  8..9 monotonic ns, low and high
 *   10 flags (1: L4 checksum is partial)  11 largest L3 packet of the flow (TOO_BIG)  12 TTL decrement (TTL_EXPIRED)
 *   13 tunnel key with trace bit (TRACE)  14..15 zero  16..31 flow key
 */
export const UPCALL_HEADER_WORDS = 32;
/** Word of the flow key in an upcall record. */
export const UPCALL_KEY = 16;
/** Upcall kind: no flow. */
export const UPCALL_MISS = 0;
/** Upcall kind: TTL or hop limit too small for the flow. */
export const UPCALL_TTL_EXPIRED = 1;
/** Upcall kind: longer than the flow's limit. */
export const UPCALL_TOO_BIG = 2;
/** Upcall kind: copy of a traced frame. */
export const UPCALL_TRACE = 3;
/** Flag of an upcall: the L4 checksum in the frame is partial (pseudo-header sum only). */
export const UPCALL_CSUM_PARTIAL = 1;

/**
 * CREDITS, 4 words per (vport index * SHARD_COUNT + shard): issued packets, issued bytes (written by the datapath),
 * done packets, done bytes (written by the worker). A record is made only while issued - done is below the vport's credit.
 */
export const CREDIT_WORDS = 4;

/**
 * EXECUTION TABLE, per writer EXEC_ENTRIES entries of 32 words: 0 generation (12 bits), 1 ingress vport index (left out by
 * groups; 0 none), 8..31 action. A frame sent on the inject device has mark = 0xA (bits 28..31) | worker (24..27)
 * | generation (12..23) | entry (0..11).
 */
export const EXEC_WORDS = 32;
/** Word of the action in an execution entry. */
export const EXEC_ACTION = 8;
/** Entries of a worker. */
export const EXEC_ENTRIES = 256;
/** Largest number of workers. */
export const WORKER_MAX = 8;
/** Those who write into the execution table: the workers, and the control thread as the last. */
export const EXEC_WRITERS = 9;
/** Upper four bits of a valid mark. */
export const EXEC_MAGIC = 0xa;

/**
 * CONTROL MAP, 64 words: 0 magic  1 layout version  2 owner epoch  3 shards  4 buckets per shard  5..8 hash secrets s0..s3
 *   9 inject ifindex  10 tunnel ifindex  11 underlay UDP port  12 capture limit in bytes  13 owner pid  14 paused (1: no upcalls)
 *   16..31 per shard: the consumer sleeps and wants a wake-up, by the ring (1) or by a frame to the device of this ifindex (above 1);
 *          whoever wakes it sets the word back to 0
 *   32..47 per shard: the mask classes that hold flows, in the order in which they are looked through: nibbles from bit 0,
 *          each a class + 1, ended by 0 (or by CLASS_COUNT nibbles). 0 (never written): all classes, from CLASS_FULL down.
 *          ORDER_NONE: no flow at all. Kept by the worker that owns the shard: a class enters before its first flow is
 *          written. A class that is missing here is never found, so leaving the word 0 is always right, only slower.
 *   48 family of our address on the underlay (4, 6; 0 none)  49..52 that address, as in a peer record
 *   53..61 per writer of the execution table: frames that the kernel refused on the inject device
 *   62 upcalls dropped as stale   63 zero
 */
export const CONTROL_WORDS = 64;
/** Word of the owner's epoch. */
export const CONTROL_EPOCH = 2;
/** Word of the number of buckets per shard. */
export const CONTROL_BUCKETS = 4;
/** Word of the first hash secret. */
export const CONTROL_SECRETS = 5;
/** Word of the inject device's ifindex. */
export const CONTROL_INJECT = 9;
/** Word of the tunnel device's ifindex. */
export const CONTROL_TUNNEL = 10;
/** Word of the owner's pid. */
export const CONTROL_OWNER = 13;
/** Word of the first sleep flag. */
export const CONTROL_SLEEPING = 16;
/** Word of the first shard's class order. */
export const CONTROL_ORDER = 32;
/** Class order that ends at once: the shard holds no flow. */
export const ORDER_NONE = 0xf;
/** Word of the address family of the underlay, followed by the address. */
export const CONTROL_UNDERLAY = 48;
/** Word of the first writer's count of refused frames. */
export const CONTROL_INJECT_FAILED = 53;
/** Word of the count of stale upcalls. */
export const CONTROL_STALE = 62;
