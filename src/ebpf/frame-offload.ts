/** Where a frame's TCP or UDP checksum is computed from, and where it goes. */
export interface ChecksumPlace {
  /** Offset of the IP header. */
  l3: number;
  /** Offset of the transport header. */
  start: number;
  /** Offset of the checksum in it. */
  offset: number;
  protocol: number;
  isIpv6: boolean;
}

const TPID = 0x8100;
const TPID_SERVICE = 0x88a8;
const TCP = 6;
const UDP = 17;

/**
 * Finds the transport checksum of the frame at `offset` of `bytes` and writes it to `place`. False when there is none: not TCP or UDP
 * directly behind the IP header (extension headers included: what the kernel offloads has none but for rare cases).
 */
export function findChecksum(bytes: Uint8Array, offset: number, place: ChecksumPlace): boolean {
  let at = 12;
  let type = u16(bytes, offset + at);
  for (let tags = 0; tags < 2 && (type === TPID || type === TPID_SERVICE); tags++) {
    at += 4;
    type = u16(bytes, offset + at);
  }
  const l3 = at + 2;
  place.l3 = l3;
  place.isIpv6 = type === 0x86dd;
  if (type === 0x0800) {
    place.start = l3 + ((bytes[offset + l3] as number) & 15) * 4;
    place.protocol = bytes[offset + l3 + 9] as number;
  } else if (place.isIpv6) {
    place.start = l3 + 40;
    place.protocol = bytes[offset + l3 + 6] as number;
  } else return false;
  if (place.protocol !== TCP && place.protocol !== UDP) return false;
  place.offset = place.protocol === TCP ? 16 : 6;
  return true;
}

/** Whether every supported kernel cuts frames of this protocol that come from a packet socket: it does so for TCP alone. */
export function isCutByKernel({ protocol }: ChecksumPlace): boolean {
  return protocol === TCP;
}

/** Whether frames of this protocol can be cut before they are sent. */
export function isCutHere({ protocol }: ChecksumPlace): boolean {
  return protocol === UDP;
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}
