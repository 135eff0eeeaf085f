import { pseudoSumV4, pseudoSumV6 } from "./checksum.ts";
import { IP_PROTOCOL } from "./ip-protocol.ts";
import { Ipv4View } from "./ipv4.ts";
import { IPV6_LENGTH, Ipv6View } from "./ipv6.ts";
import { UDP_LENGTH, UdpView } from "./udp.ts";

/**
 * A frame with one UDP header and the payload of many datagrams: what a sender leaves to its device to cut (UDP segmentation
 * offload). `length` bytes from `offset`; without IPv6 extension headers, which no such sender writes.
 */
export interface UdpTrain {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly length: number;
  /** Where the IP header and the UDP header begin, from the beginning of the frame. */
  readonly l3: number;
  readonly l4: number;
  readonly isIpv6: boolean;
  /** Payload of each datagram but the last, in bytes. */
  readonly segmentBytes: number;
}

/** How many datagrams it is; 0 when there is nothing to cut, or no size to cut it to. */
export function udpSegmentCount({ length, l4, segmentBytes }: UdpTrain): number {
  const payload = length - l4 - UDP_LENGTH;
  return payload > 0 && segmentBytes > 0 ? Math.ceil(payload / segmentBytes) : 0;
}

/** Length of the frame of datagram `index`, in bytes. */
export function udpSegmentLength({ length, l4, segmentBytes }: UdpTrain, index: number): number {
  const headers = l4 + UDP_LENGTH;
  return headers + Math.min(segmentBytes, length - headers - index * segmentBytes);
}

/** Where a frame is written: from `at` of `bytes`. */
export interface FramePlace {
  readonly bytes: Uint8Array;
  readonly at: number;
}

/**
 * Writes datagram `index` as a frame of its own to a place, as the kernel's segmentation does: headers copied, lengths and
 * checksums its own, identifications of IPv4 counted on.
 */
export function writeUdpSegment(train: UdpTrain, index: number, { bytes: into, at }: FramePlace): void {
  const { bytes, offset, l3, l4, segmentBytes } = train;
  const headers = l4 + UDP_LENGTH;
  const length = udpSegmentLength(train, index);
  const from = offset + headers + index * segmentBytes;
  into.set(bytes.subarray(offset, offset + headers), at);
  into.set(bytes.subarray(from, from + length - headers), at + headers);
  const udp = new UdpView(into, at + l4);
  udp.length = length - l4;
  const whole = { protocol: IP_PROTOCOL.udp, length: udp.length };
  if (train.isIpv6) {
    const ip = new Ipv6View(into, at + l3);
    ip.payloadLength = length - l3 - IPV6_LENGTH;
    udp.fillChecksum(pseudoSumV6({ src: ip.src, dst: ip.dst, ...whole }));
  } else {
    const ip = new Ipv4View(into, at + l3);
    ip.totalLength = length - l3;
    ip.identification = (ip.identification + index) & 0xffff;
    ip.fillChecksum();
    udp.fillChecksum(pseudoSumV4({ src: ip.src, dst: ip.dst, ...whole }));
  }
}
