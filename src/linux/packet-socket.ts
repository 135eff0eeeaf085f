import { ok, type Result } from "../base/result.ts";
import type { LinuxError } from "./errno.ts";
import { closeFd } from "./fd.ts";
import { allocate, checked, libc } from "./libc.ts";
import { configured, openSocket, socketFamily, socketOption, socketType } from "./socket.ts";

/** Where a packet socket is bound. */
export interface PacketSocketKind {
  readonly ifindex: number;
  /**
   * The EtherType of frames to receive: 3 (ETH_P_ALL) for all, 0 (the default) for none. With 0 the kernel takes the
   * protocol of a sent frame from its own header, which is what a sender of mixed frames wants.
   */
  readonly protocol?: number;
  /** Each frame is preceded by a `virtio_net_hdr` in both directions: checksum and segmentation offload. */
  readonly hasVnetHeader?: boolean;
  /** Reports the VLAN tag, which the kernel keeps beside a received frame (PACKET_AUXDATA). */
  readonly hasAuxdata?: boolean;
  /** Bytes of socket buffers, beyond the system's limit (SO_SNDBUFFORCE). Undefined leaves the default. */
  readonly sendBufferBytes?: number;
  readonly receiveBufferBytes?: number;
  /** Hides frames that this machine sends from a receiver (PACKET_IGNORE_OUTGOING). */
  readonly ignoresOutgoing?: boolean;
}

/** Bytes of `struct virtio_net_hdr`. */
export const vnetHeaderBytes = 10;

/** EtherType for every protocol. */
export const allProtocols = 3;

const packetLevel = 263;
const packetOption = { auxdata: 8, vnetHeader: 15, ignoreOutgoing: 23 };

/** Opens a raw packet socket (AF_PACKET, non-blocking) on one interface of the calling thread's namespace. */
export function openPacketSocket(kind: PacketSocketKind): Result<number, LinuxError> {
  // Protocol 0 at socket(2): nothing may arrive before it is bound to its interface.
  const opened = openSocket({ family: socketFamily.packet, type: socketType.raw, protocol: 0 });
  if (!opened.ok) return opened;
  const ready = configured(opened.value, optionsOf(kind));
  if (!ready.ok) return ready;
  const address = linkAddress(kind.ifindex, kind.protocol ?? 0);
  const what = `bind of a packet socket to interface ${kind.ifindex}`;
  const bound = checked(what, libc().bind(ready.value, address, address.length));
  if (bound.ok) return ready;
  closeFd(ready.value);
  return bound;
}

function optionsOf(kind: PacketSocketKind) {
  const { level, sendBufferForce, receiveBufferForce } = socketOption;
  const options = [
    { level: packetLevel, name: packetOption.vnetHeader, value: kind.hasVnetHeader === true ? 1 : undefined },
    { level: packetLevel, name: packetOption.auxdata, value: kind.hasAuxdata === true ? 1 : undefined },
    { level: packetLevel, name: packetOption.ignoreOutgoing, value: kind.ignoresOutgoing === true ? 1 : undefined },
    { level, name: sendBufferForce, value: kind.sendBufferBytes },
    { level, name: receiveBufferForce, value: kind.receiveBufferBytes },
  ];
  return options.flatMap(({ value, ...option }) => (value === undefined ? [] : [{ ...option, value }]));
}

// struct sockaddr_ll: family, protocol in network order, ifindex.
function linkAddress(ifindex: number, protocol: number): Uint8Array {
  const address = allocate(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, socketFamily.packet, true);
  view.setUint16(2, protocol, false);
  view.setInt32(4, ifindex, true);
  return address;
}

/** Turns promiscuous mode on for as long as the socket is open, so that frames to other MACs arrive too. */
export function setPromiscuous(fd: number, ifindex: number): Result<undefined, LinuxError> {
  const addMembership = 1;
  const promiscuous = 1;
  const membership = allocate(16);
  const view = new DataView(membership.buffer);
  view.setInt32(0, ifindex, true);
  view.setUint16(4, promiscuous, true);
  const what = `promiscuous mode on interface ${ifindex}`;
  const set = checked(what, libc().setsockopt(fd, packetLevel, addMembership, membership, membership.length));
  return set.ok ? ok(undefined) : set;
}
