/**
 * Limits of the model, each with its reason. One stored document has to fit ZooKeeper's packet limit (1 MiB by default)
 * together with the rest of a transaction, and one entry of an id list is 39 bytes of JSON.
 */

/** Bytes of one stored document: half of ZooKeeper's packet limit, so that a transaction over it still fits. */
export const DOCUMENT_BYTES_MAX = 512 * 1024;

/** Characters of a name or tenant: what file systems and OpenStack allow. */
export const NAME_LENGTH_MAX = 255;

/** Ports of one device, bound ports of one host: 10,000 ids are 390 kB of the 512 kB of a document. */
export const PORTS_PER_OBJECT_MAX = 10_000;

/** Routes of one router, for the same reason. */
export const ROUTES_PER_ROUTER_MAX = 10_000;

/** Rules of one chain: a chain is evaluated linearly, once per flow. */
export const RULES_PER_CHAIN_MAX = 5_000;

/** Members of one tunnel zone, about 80 bytes each: hosts of the largest clouds that run one control plane. */
export const MEMBERS_PER_ZONE_MAX = 4_000;

/** Addresses of one router port: each costs a connected and a local route in every agent that routes by it. */
export const ADDRESSES_PER_PORT_MAX = 64;

/** Ports in one `inPortIds` or `outPortIds`: compared linearly. */
export const PORTS_PER_CONDITION_MAX = 256;

/** Weight of a route: 16 bits, the lower the better. */
export const ROUTE_WEIGHT_MAX = 65_535;

/** Characters of a Linux interface name (IFNAMSIZ less the terminating zero). */
export const INTERFACE_NAME_LENGTH_MAX = 15;

/** Depth of nested jumps: a walk of more chains than this is a mistake, and the walk has to end soon. */
export const JUMP_DEPTH_MAX = 32;

/** Chains that jumps lead to from a chain, itself included: a packet may have to look at all of them. */
export const CHAINS_PER_FILTER_MAX = 256;

/** Smallest MTU of a router port: every IPv4 module must forward 68 bytes (RFC 791). */
export const MTU_MIN = 68;

/** Smallest MTU of an underlay: what IPv6 asks of any link (RFC 8200 5). */
export const UNDERLAY_MTU_MIN = 1280;

/** Largest IP packet. */
export const MTU_MAX = 65_535;
/** MAC addresses, and prefixes, that a bridge port may be limited to: a VM with a few interfaces' worth of addresses. */
export const ALLOWED_PER_PORT_MAX = 64;
