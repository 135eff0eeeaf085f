import { FRAME_IP4 } from "../flow/layout.ts";
import { ETHERNET_LENGTH } from "../wire/ethernet.ts";
import { layerOf, parseFrame } from "../wire/frame.ts";
import { Ipv4View } from "../wire/ipv4.ts";
import { IPV6_LENGTH, Ipv6View } from "../wire/ipv6.ts";
import { VLAN_LENGTH } from "../wire/vlan.ts";
import { bytesOf } from "./frame-layers.ts";
import { TTL_AT } from "./frame-ttl.ts";
import type { Packet } from "./packet.ts";
import type { ForwardResult } from "./result.ts";
import type { FrameBytes } from "./sim-input.ts";
import type { Walk } from "./walk.ts";

/**
 * Whether the frame of a walk that forwards may go out with the walk's action: has it TTL enough, and is it short enough for
 * the routers' ports? The path to another host is not known here: `networkLength` of the result is for that.
 */
export function fitOf(walk: Walk): ForwardResult["fit"] {
  const { frame, packet } = walk;
  if (frame === undefined || !packet.isIp) return "fits";
  // Which of the two comes first on the way is for `Simulator.tooBig` to say.
  if (packet.maxLength !== 0 && networkLengthOf(walk) > packet.maxLength) return "too-big";
  return walk.isSpent ? "ttl-expired" : "fits";
}

/**
 * Length of the walked frame's IP packet, of one of its segments when it is offloaded: what limits are compared with, as the
 * datapath does. 0 for what is no IP packet, and without a frame.
 */
export function networkLengthOf(walk: Walk): number {
  const { frame, packet } = walk;
  if (frame === undefined || !packet.isIp) return 0;
  const at = networkAt(walk);
  if (frame.gsoSize > 0) return frame.gsoSize + headersOf(bytesOf(frame), at - frame.offset);
  if (packet.frameClass === FRAME_IP4) return new Ipv4View(frame.bytes, at).totalLength;
  return IPV6_LENGTH + new Ipv6View(frame.bytes, at).payloadLength;
}

/** TTL or hop limit with which the frame of an IP packet came: `frameTtl` for a packet that is parsed. */
export function ttlOf(packet: Packet, frame: FrameBytes): number {
  const at = frame.offset + ETHERNET_LENGTH + VLAN_LENGTH * packet.originalVlanCount;
  return frame.bytes[at + (packet.frameClass === FRAME_IP4 ? TTL_AT.ipv4 : TTL_AT.ipv6)] ?? 0;
}

function networkAt({ frame, packet }: Walk): number {
  return (frame?.offset ?? 0) + ETHERNET_LENGTH + VLAN_LENGTH * packet.originalVlanCount;
}

/** Bytes from the IP header to the payload of TCP or UDP: what each segment of an offloaded frame repeats. */
function headersOf(bytes: Uint8Array, at: number): number {
  const frame = parseFrame(bytes);
  const transport = layerOf(frame, "tcp") ?? layerOf(frame, "udp");
  return transport === undefined ? 0 : transport.end - at;
}
