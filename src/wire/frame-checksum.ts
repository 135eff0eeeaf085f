import { unreachable } from "../base/assert.ts";
import { pseudoSumV4, pseudoSumV6 } from "./checksum.ts";
import type { Frame, Layer, LayerOf } from "./frame.ts";
import { IcmpView } from "./icmp-view.ts";
import { IP_PROTOCOL } from "./ip-protocol.ts";
import { Ipv4View, isIpv4Fragment } from "./ipv4.ts";
import { TcpView } from "./tcp.ts";
import { UdpView } from "./udp.ts";

/** A header above IP whose checksum covers its payload. */
export type ChecksummedHeader = "udp" | "tcp" | "icmpv4" | "icmpv6";

/**
 * The headers of a parsed frame whose checksum is wrong, outermost first, inner frames included. Fragments have none
 * above IP that could be checked, and a frame that parsed has good IPv4 header checksums already.
 */
export function badChecksumsOf(frame: Frame): readonly ChecksummedHeader[] {
  const bad: ChecksummedHeader[] = [];
  for (const cover of coversOf(frame)) if (!isGood(frame.bytes, cover)) bad.push(headerOf(cover));
  return bad;
}

/**
 * Writes every checksum of a parsed frame anew, innermost first: what hardware does for frames whose checksum was left
 * to it. Fragments keep what they have; an absent UDP checksum (zero) is computed as well.
 */
export function fillChecksums(frame: Frame): void {
  for (const layer of frame.layers) if (layer.header === "ipv4") new Ipv4View(frame.bytes, layer.offset).fillChecksum();
  for (const cover of coversOf(frame).reverse()) fill(frame.bytes, cover);
}

type TransportLayer = LayerOf<"udp"> | LayerOf<"tcp"> | LayerOf<"icmpv4"> | LayerOf<"icmpv6"> | LayerOf<"ndp">;

/** A checksum and what it covers: the sum of the pseudo header, and the bytes from the layer's start to `end`. */
interface Cover {
  readonly layer: TransportLayer;
  readonly pseudoSum: number;
  readonly end: number;
}

const PROTOCOL: Readonly<Record<TransportLayer["header"], number>> = {
  udp: IP_PROTOCOL.udp,
  tcp: IP_PROTOCOL.tcp,
  icmpv4: IP_PROTOCOL.icmpv4,
  icmpv6: IP_PROTOCOL.icmpv6,
  ndp: IP_PROTOCOL.icmpv6,
};

function coversOf(frame: Frame): Cover[] {
  const covers: Cover[] = [];
  let ip: LayerOf<"ipv4"> | LayerOf<"ipv6"> | undefined;
  let isWhole = true;
  for (const layer of frame.layers) {
    if (layer.header === "ipv4" || layer.header === "ipv6") {
      ip = layer;
      isWhole = layer.header === "ipv6" || !isIpv4Fragment(layer.fields);
    } else if (hidesChecksum(layer)) {
      isWhole = false;
    } else if (isTransport(layer) && ip !== undefined && isWhole) {
      covers.push(coverOf(layer, ip));
    }
  }
  return covers;
}

function coverOf(layer: TransportLayer, ip: LayerOf<"ipv4"> | LayerOf<"ipv6">): Cover {
  const end = layer.header === "udp" ? layer.end + layer.fields.payloadLength : ip.end + ip.fields.payloadLength;
  const covered = { protocol: PROTOCOL[layer.header], length: end - layer.offset };
  if (ip.header === "ipv4") {
    const { src, dst } = ip.fields;
    return { layer, pseudoSum: pseudoSumV4({ src, dst, ...covered }), end };
  }
  const { src, dst } = ip.fields;
  return { layer, pseudoSum: pseudoSumV6({ src, dst, ...covered }), end };
}

function headerOf({ layer }: Cover): ChecksummedHeader {
  return layer.header === "ndp" ? "icmpv6" : layer.header;
}

function isGood(bytes: Uint8Array, { layer, pseudoSum, end }: Cover): boolean {
  switch (layer.header) {
    case "udp":
      return new UdpView(bytes, layer.offset).checksumIsGood(pseudoSum);
    case "tcp":
      return new TcpView(bytes, layer.offset).checksumIsGood(pseudoSum, end);
    case "icmpv4":
      return new IcmpView(bytes, layer.offset).checksumIsGood(0, end);
    case "icmpv6":
    case "ndp":
      return new IcmpView(bytes, layer.offset).checksumIsGood(pseudoSum, end);
    default:
      return unreachable(layer);
  }
}

function fill(bytes: Uint8Array, { layer, pseudoSum, end }: Cover): void {
  switch (layer.header) {
    case "udp":
      new UdpView(bytes, layer.offset).fillChecksum(pseudoSum);
      break;
    case "tcp":
      new TcpView(bytes, layer.offset).fillChecksum(pseudoSum, end);
      break;
    case "icmpv4":
      new IcmpView(bytes, layer.offset).fillChecksum(0, end);
      break;
    case "icmpv6":
    case "ndp":
      new IcmpView(bytes, layer.offset).fillChecksum(pseudoSum, end);
      break;
    default:
      unreachable(layer);
  }
}

/**
 * True for extension headers behind which no checksum can be checked: a fragment (but an atomic one is whole, RFC 6946),
 * and a routing header on its way, because the pseudo header has the final destination (RFC 8200 8.1).
 */
function hidesChecksum(layer: Layer): boolean {
  if (layer.header !== "ipv6-extension") return false;
  const { fields } = layer;
  if (fields.kind === "routing") return fields.segmentsLeft > 0;
  return fields.kind === "fragment" && (fields.moreFragments || fields.fragmentOffset > 0);
}

function isTransport(layer: Layer): layer is TransportLayer {
  return layer.header in PROTOCOL;
}
