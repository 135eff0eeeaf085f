import { u8At, u16At } from "../wire/bytes.ts";
import { ETHER_TYPE } from "../wire/ethernet.ts";
import type { FrameBytes } from "./sim-input.ts";

const MAC_BYTES = 12;
const TAG_BYTES = 4;
/** Offsets of TTL and hop limit in their headers (RFC 791 3.1, RFC 8200 3). */
export const TTL_AT = { ipv4: 8, ipv6: 7 };

/** TTL or hop limit of an IP frame, behind at most two VLAN tags; 255 for a frame that has none. */
export function frameTtl(frame: FrameBytes): number {
  const { bytes } = frame;
  let at = frame.offset + MAC_BYTES;
  for (let tags = 0; tags < 2 && isTag(u16At(bytes, at)); tags++) at += TAG_BYTES;
  const type = u16At(bytes, at);
  if (type === ETHER_TYPE.ipv4) return u8At(bytes, at + 2 + TTL_AT.ipv4);
  return type === ETHER_TYPE.ipv6 ? u8At(bytes, at + 2 + TTL_AT.ipv6) : 255;
}

function isTag(etherType: number): boolean {
  return etherType === ETHER_TYPE.vlan || etherType === ETHER_TYPE.serviceVlan;
}
