import type { MessageWriter } from "../message-writer.ts";
import { netlinkFlags } from "../protocol.ts";
import { collectNothing, type NetlinkRequest } from "../request.ts";
import { flagChange, type LinkChange, linkAttribute, writeChange, writeLinkHeader } from "./link.ts";
import { routeMessage } from "./types.ts";

const infoKind = 1;
const infoOptions = 2;
const vethPeer = 1;

/** Name and first settings of a link to be made. `netnsFd` makes it in another namespace. */
export interface NewLink extends Omit<LinkChange, "newName"> {
  readonly name: string;
  /** Index that it shall have; taken = EBUSY. */
  readonly ifindex?: number;
  /** Queues in each direction; a veth wants as many as CPUs work on it. */
  readonly queues?: number;
}

/** Two Ethernet interfaces joined back to back. Each may be made in a namespace of its own. */
export interface VethPair {
  readonly link: NewLink;
  /** Cannot be made up (ENOTCONN): the kernel configures the second end before it has joined the two. */
  readonly peer: Omit<NewLink, "isUp">;
}

/** Makes a veth pair. EEXIST when either name is taken. */
export function createVeth({ link, peer }: VethPair): NetlinkRequest<undefined> {
  return create(link, "veth", (writer) => {
    writer.nested(vethPeer, (inner) => writeNewLink(inner, peer));
  });
}

/** Settings of a VXLAN device whose tunnel addresses and key come with each packet (`external`, collect_md). */
export interface VxlanSettings extends NewLink {
  /** UDP port, ours and the peers': IANA's is 4789. */
  readonly port: number;
  /** UDP source ports, by flow hash (RFC 7348 section 4: 49152 to 65535). */
  readonly sourcePorts?: { readonly from: number; readonly to: number };
}

/**
 * The largest MTU of a VXLAN device: 65535 less outer IPv4, UDP, VXLAN and inner Ethernet headers (50 bytes),
 * which the kernel grants also to devices without a lower one.
 */
export const vxlanMtuMax = 65485;

/**
 * Makes a VXLAN device for metadata mode: it learns nothing, has no key, address or lower device of its own, and takes
 * IPv4 and IPv6 underlays alike, UDP checksum zero on IPv6 included in both directions (RFC 6935). EEXIST when the name
 * is taken or another metadata device has the port; EADDRINUSE when it is made or set up while another socket has the
 * port: then nothing is left behind.
 */
export function createVxlan(settings: VxlanSettings): NetlinkRequest<undefined> {
  const attribute = {
    learning: 7,
    portRange: 10,
    port: 15,
    udpChecksum: 18,
    zeroChecksum6Tx: 19,
    zeroChecksum6Rx: 20,
    metadata: 25,
  };
  const { port, sourcePorts } = settings;
  return create({ mtu: vxlanMtuMax, ...settings }, "vxlan", (writer) => {
    writer.attributeU8(attribute.metadata, 1);
    writer.attributeU8(attribute.learning, 0);
    writer.attributeU16Network(attribute.port, port);
    writer.attributeU8(attribute.zeroChecksum6Tx, 1);
    writer.attributeU8(attribute.zeroChecksum6Rx, 1);
    if (sourcePorts !== undefined) writer.attribute(attribute.portRange, portRange(sourcePorts));
  });
}

/** A VXLAN device with one fixed key and remote, for comparisons and gateways; the kernel learns remote MACs. */
export interface FixedVxlan extends NewLink {
  readonly port: number;
  /** 24 bits. */
  readonly vni: number;
  /** Our underlay address and the peer's, 4 bytes each, or 16 each. */
  readonly local: Uint8Array;
  readonly remote: Uint8Array;
}

/** Makes an ordinary VXLAN device. */
export function createFixedVxlan({ port, vni, local, remote, ...link }: FixedVxlan): NetlinkRequest<undefined> {
  const attribute = { vni: 1, remote4: 2, local4: 4, learning: 7, port: 15, remote6: 16, local6: 17 };
  return create(link, "vxlan", (writer) => {
    writer.attributeU32(attribute.vni, vni);
    writer.attribute(remote.length === 4 ? attribute.remote4 : attribute.remote6, remote);
    writer.attribute(local.length === 4 ? attribute.local4 : attribute.local6, local);
    writer.attributeU8(attribute.learning, 1);
    writer.attributeU16Network(attribute.port, port);
  });
}

/** A Linux bridge, for the lab's underlay and for comparisons. */
export interface BridgeSettings extends NewLink {
  /** Snooping drops unknown multicast until it has heard a querier; off by default here. */
  readonly isSnooping?: boolean;
}

/** Makes a bridge without spanning tree, whose ports forward at once. */
export function createBridge({ isSnooping = false, ...link }: BridgeSettings): NetlinkRequest<undefined> {
  const attribute = { forwardDelay: 1, spanningTree: 5, multicastSnooping: 23 };
  return create(link, "bridge", (writer) => {
    writer.attributeU32(attribute.forwardDelay, 0);
    writer.attributeU32(attribute.spanningTree, 0);
    writer.attributeU8(attribute.multicastSnooping, isSnooping ? 1 : 0);
  });
}

function create(link: NewLink, kind: string, options: (writer: MessageWriter) => void): NetlinkRequest<undefined> {
  return {
    name: `create the ${kind} ${link.name}`,
    type: routeMessage.newLink,
    flags: netlinkFlags.create | netlinkFlags.exclusive,
    write(writer) {
      writeNewLink(writer, link);
      writer.nested(linkAttribute.kindAndOptions, (info) => {
        info.attributeString(infoKind, kind);
        info.nested(infoOptions, options);
      });
    },
    collector: collectNothing,
  };
}

function writeNewLink(writer: MessageWriter, link: NewLink): void {
  writeLinkHeader(writer, { ifindex: link.ifindex ?? 0, ...flagChange(link) });
  writer.attributeString(linkAttribute.name, link.name);
  writeChange(writer, link);
  if (link.queues === undefined) return;
  writer.attributeU32(linkAttribute.txQueues, link.queues);
  writer.attributeU32(linkAttribute.rxQueues, link.queues);
}

// struct ifla_vxlan_port_range: two ports in network order.
function portRange({ from, to }: { readonly from: number; readonly to: number }): Uint8Array {
  return Uint8Array.of(from >> 8, from & 255, to >> 8, to & 255);
}
