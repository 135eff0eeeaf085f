import { FRAME_IP4 } from "../flow/layout.ts";
import { ETHERNET_LENGTH } from "../wire/ethernet.ts";
import { Ipv4View } from "../wire/ipv4.ts";
import { IPV6_LENGTH, Ipv6View } from "../wire/ipv6.ts";
import { VLAN_LENGTH } from "../wire/vlan.ts";
import type { ForwardResult } from "./result.ts";
import type { Walk } from "./walk.ts";

/** Whether the frame of a walk that forwards may go out with the action: has it TTL enough, and is it short enough. */
export function fitOf(walk: Walk): ForwardResult["fit"] {
  const { frame, packet } = walk;
  if (frame === undefined || packet.ttlDecrement === 0) return "fits";
  const at = frame.offset + ETHERNET_LENGTH + VLAN_LENGTH * packet.originalVlanCount;
  if (packet.frameClass === FRAME_IP4) {
    const header = new Ipv4View(frame.bytes, at);
    if (header.ttl <= packet.ttlDecrement) return "ttl-expired";
    return frame.gsoSize === 0 && header.totalLength > packet.maxLength ? "too-big" : "fits";
  }
  const header = new Ipv6View(frame.bytes, at);
  if (header.hopLimit <= packet.ttlDecrement) return "ttl-expired";
  return frame.gsoSize === 0 && IPV6_LENGTH + header.payloadLength > packet.maxLength ? "too-big" : "fits";
}
