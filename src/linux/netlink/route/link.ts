import type { Attributes, MessageReader } from "../message-reader.ts";
import type { MessageWriter } from "../message-writer.ts";
import { netlinkFlags } from "../protocol.ts";
import { collectAll, collectNothing, collectOne, type NetlinkRequest } from "../request.ts";
import { type MacBytes, routeMessage } from "./types.ts";

/** Attribute types of a link message (IFLA_*). */
export const linkAttribute = {
  address: 1,
  name: 3,
  mtu: 4,
  peerIndex: 5,
  qdisc: 6,
  master: 10,
  txQueueLength: 13,
  operState: 16,
  kindAndOptions: 18,
  netnsPid: 19,
  alias: 20,
  stats64: 23,
  protocolOptions: 26,
  netnsFd: 28,
  txQueues: 31,
  rxQueues: 32,
  carrier: 33,
  peerNetnsId: 37,
  gsoMaxSize: 41,
  newIfindex: 49,
} as const;

/** Bits of `flags` of a link (IFF_*). */
export const linkFlags = {
  up: 1,
  broadcast: 2,
  loopback: 8,
  running: 0x40,
  noArp: 0x80,
  promiscuous: 0x100,
  allMulticast: 0x200,
  multicast: 0x1000,
  lowerUp: 0x10000,
} as const;

/**
 * RFC 2863 operational state: `up` is the only one in which frames pass; veths without carrier are `lowerlayerdown`.
 */
export type OperState = "unknown" | "notpresent" | "down" | "lowerlayerdown" | "testing" | "dormant" | "up";

/** Frames and bytes of an interface since it was made, exact up to 2^53. */
export interface LinkStats {
  readonly rxPackets: number;
  readonly txPackets: number;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly rxErrors: number;
  readonly txErrors: number;
  readonly rxDropped: number;
  readonly txDropped: number;
}

/** A network interface of the namespace that was asked. */
export interface Link {
  readonly ifindex: number;
  readonly name: string;
  /** ARPHRD_*: 1 Ethernet, 772 loopback, 65534 none. */
  readonly hardwareType: number;
  /** Bits of `linkFlags`. */
  readonly flags: number;
  readonly mac: MacBytes | undefined;
  readonly mtu: number;
  readonly operState: OperState;
  readonly hasCarrier: boolean;
  /** The bridge or bond that it belongs to. */
  readonly masterIfindex: number | undefined;
  /** The other end of a veth, or the lower device; numbered in the namespace `peerNetnsId` when that is set. */
  readonly peerIfindex: number | undefined;
  /** The other end's namespace, as a number that only this namespace knows; undefined = the same namespace. */
  readonly peerNetnsId: number | undefined;
  /** Kind of virtual device: `veth`, `vxlan`, `bridge`, `tun`; undefined for hardware and loopback. */
  readonly kind: string | undefined;
  readonly stats: LinkStats | undefined;
}

const operStates: readonly OperState[] = [
  "unknown",
  "notpresent",
  "down",
  "lowerlayerdown",
  "testing",
  "dormant",
  "up",
];
/** Bytes of struct ifinfomsg. */
export const linkHeaderBytes = 16;

/** True when the administrator has set the link up. */
export function isAdminUp(link: Link): boolean {
  return (link.flags & linkFlags.up) !== 0;
}

/** Reads a RTM_NEWLINK or RTM_DELLINK message; undefined for any other, and for bridge-port notifications. */
export function readLink(message: MessageReader): Link | undefined {
  const unspecified = 0;
  if (message.type !== routeMessage.newLink && message.type !== routeMessage.delLink) return undefined;
  if (message.headerU8(0) !== unspecified) return undefined;
  const attributes = message.attributes(linkHeaderBytes);
  return {
    ifindex: message.headerU32(4) | 0,
    name: attributes.string(linkAttribute.name) ?? "",
    hardwareType: message.headerU16(2),
    flags: message.headerU32(8),
    mac: attributes.bytes(linkAttribute.address),
    mtu: attributes.u32(linkAttribute.mtu) ?? 0,
    operState: operStates[attributes.u8(linkAttribute.operState) ?? 0] ?? "unknown",
    hasCarrier: attributes.u8(linkAttribute.carrier) === 1,
    masterIfindex: attributes.u32(linkAttribute.master),
    peerIfindex: attributes.u32(linkAttribute.peerIndex),
    peerNetnsId: attributes.i32(linkAttribute.peerNetnsId),
    kind: attributes.nested(linkAttribute.kindAndOptions)?.string(1),
    stats: readStats(attributes),
  };
}

/** All links of the namespace. */
export function listLinks(): NetlinkRequest<readonly Link[]> {
  return {
    name: "list the links",
    type: routeMessage.getLink,
    flags: netlinkFlags.dump,
    write: (writer) => writeLinkHeader(writer, {}),
    collector: collectAll(readLink),
  };
}

/** One link by name or index; ENODEV when there is none. */
export function getLink(which: LinkRef): NetlinkRequest<Link | undefined> {
  return {
    name: `find the link ${showRef(which)}`,
    type: routeMessage.getLink,
    flags: 0,
    write: (writer) => writeTarget(writer, which),
    collector: collectOne(readLink),
  };
}

/** Removes a virtual link; of a veth pair both ends go. */
export function deleteLink(which: LinkRef): NetlinkRequest<undefined> {
  return {
    name: `delete the link ${showRef(which)}`,
    type: routeMessage.delLink,
    flags: 0,
    write: (writer) => writeTarget(writer, which),
    collector: collectNothing,
  };
}

/** A link, by the name it has now or by its index. */
export type LinkRef = { readonly name: string } | { readonly ifindex: number };

/** What to change of a link; what is absent stays. All of it happens in one request, the move to a namespace last. */
export interface LinkChange {
  readonly isUp?: boolean;
  /** Answers and sends ARP (the NOARP flag, inverted). */
  readonly usesArp?: boolean;
  readonly isMulticast?: boolean;
  readonly isPromiscuous?: boolean;
  readonly mtu?: number;
  readonly mac?: MacBytes;
  readonly newName?: string;
  /** Index of the bridge to join; 0 leaves the present one. */
  readonly masterIfindex?: number;
  readonly txQueueLength?: number;
  readonly alias?: string;
  /** Descriptor of the namespace to move to. The link is down afterwards and may have another index. */
  readonly netnsFd?: number;
}

/** Changes a link. */
export function changeLink(which: LinkRef, change: LinkChange): NetlinkRequest<undefined> {
  return {
    name: `change the link ${showRef(which)}`,
    type: routeMessage.setLink,
    flags: 0,
    write(writer) {
      const ifindex = "ifindex" in which ? which.ifindex : 0;
      const { flags, mask } = flagChange(change);
      writeLinkHeader(writer, { ifindex, flags, mask });
      // With an index in the header a name is the new name; without, it says which link is meant.
      if ("name" in which) writer.attributeString(linkAttribute.name, which.name);
      else if (change.newName !== undefined) writer.attributeString(linkAttribute.name, change.newName);
      writeChange(writer, change);
    },
    collector: collectNothing,
  };
}

interface LinkHeader {
  readonly ifindex?: number;
  readonly flags?: number;
  readonly mask?: number;
}

/** Writes struct ifinfomsg. */
export function writeLinkHeader(writer: MessageWriter, { ifindex = 0, flags = 0, mask = 0 }: LinkHeader): void {
  writer.u8(0).u8(0).u16(0).u32(ifindex).u32(flags).u32(mask);
}

function writeTarget(writer: MessageWriter, which: LinkRef): void {
  writeLinkHeader(writer, "ifindex" in which ? { ifindex: which.ifindex } : {});
  if ("name" in which) writer.attributeString(linkAttribute.name, which.name);
}

/** The header's flags and their mask for a change. */
export function flagChange(change: LinkChange): { readonly flags: number; readonly mask: number } {
  const bits: readonly (readonly [boolean | undefined, number])[] = [
    [change.isUp, linkFlags.up],
    [change.usesArp === undefined ? undefined : !change.usesArp, linkFlags.noArp],
    [change.isMulticast, linkFlags.multicast],
    [change.isPromiscuous, linkFlags.promiscuous],
  ];
  let flags = 0;
  let mask = 0;
  for (const [isSet, bit] of bits) {
    if (isSet === undefined) continue;
    mask |= bit;
    if (isSet) flags |= bit;
  }
  return { flags, mask };
}

/** Writes the attributes of a change, except names and flags. */
export function writeChange(writer: MessageWriter, change: LinkChange): void {
  const { mtu, mac, masterIfindex, txQueueLength, alias, netnsFd } = change;
  if (mtu !== undefined) writer.attributeU32(linkAttribute.mtu, mtu);
  if (mac !== undefined) writer.attribute(linkAttribute.address, mac);
  if (masterIfindex !== undefined) writer.attributeU32(linkAttribute.master, masterIfindex);
  if (txQueueLength !== undefined) writer.attributeU32(linkAttribute.txQueueLength, txQueueLength);
  if (alias !== undefined) writer.attributeString(linkAttribute.alias, alias);
  if (netnsFd !== undefined) writer.attributeU32(linkAttribute.netnsFd, netnsFd);
}

function showRef(which: LinkRef): string {
  return "name" in which ? which.name : `number ${which.ifindex}`;
}

// struct rtnl_link_stats64 begins with eight 64-bit counters.
function readStats(attributes: Attributes): LinkStats | undefined {
  const bytes = attributes.bytes(linkAttribute.stats64);
  if (bytes === undefined || bytes.length < 64) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const counter = (i: number): number => Number(view.getBigUint64(8 * i, true));
  return {
    rxPackets: counter(0),
    txPackets: counter(1),
    rxBytes: counter(2),
    txBytes: counter(3),
    rxErrors: counter(4),
    txErrors: counter(5),
    rxDropped: counter(6),
    txDropped: counter(7),
  };
}
