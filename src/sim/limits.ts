import { GROUP_OUTPUTS } from "../flow/layout.ts";

/** Devices that one packet may pass one after the other. A longer way is a loop. */
export const DEVICES_MAX = 12;

/** Devices that all branches of one packet pass together: bounds the work that a mesh of linked bridges can make. */
export const DEVICES_TOTAL_MAX = 256;

/** Outputs of one packet: what a group of the datapath holds. */
export const OUTPUTS_MAX = GROUP_OUTPUTS;

/** Flow tags of one walk. A walk that earned more is executed, but installs no flow. */
export const TAGS_MAX = 1024;

/** FDB entries that one packet teaches: at most one a bridge on its way. */
export const REFERENCES_MAX = DEVICES_MAX;

/** Frames that one packet makes the network send itself (ICMP error, ARP reply, fragments are counted apart). */
export const EMITTED_MAX = 8;

/** Largest part of an IPv6 packet that an ICMPv6 error quotes: the error stays within the smallest MTU (RFC 4443 2.4 c). */
export const ICMPV6_ERROR_MAX = 1280;

/** Largest ICMPv4 error, IP header included (RFC 1812 4.3.2.3). */
export const ICMPV4_ERROR_MAX = 576;
