import { unreachable } from "../base/assert.ts";
import { pseudoSumV4, pseudoSumV6 } from "./checksum.ts";
import type { Frame, Layer, LayerOf } from "./frame.ts";
import { Icmpv4View } from "./icmpv4.ts";
import { Icmpv6View } from "./icmpv6.ts";
import { IP_PROTOCOL } from "./ip-protocol.ts";
import { Ipv4View, isIpv4Fragment } from "./ipv4.ts";
import { TcpView } from "./tcp.ts";
import { UdpView } from "./udp.ts";

/** What of a frame's checksums is wrong: the headers, outermost first. Empty means all good. */
export type BadChecksums = readonly ("ipv4" | "udp" | "tcp" | "icmpv4" | "icmpv6")[];

/**
 * Checks every checksum of a parsed frame, inner frames included; fragments have none above IP that can be checked.
 * A frame that parsed has a good IPv4 header checksum already.
 */
export function badChecksumsOf(frame: Frame): BadChecksums {
  const bad: ("udp" | "tcp" | "icmpv4" | "icmpv6")[] = [];
  eachTransport(frame, (layer, pseudoSum, end) => {
    const name = layer.header === "ndp" ? "icmpv6" : layer.header;
    if (!checksumIsGood(frame.bytes, layer, { pseudoSum, end })) bad.push(name);
  });
  return bad;
}

/**
 * Writes every checksum of a parsed frame anew, innermost first: what hardware does for frames whose checksum was left
 * to it. Fragments keep what they have; an absent UDP checksum (zero) is computed as well.
 */
export function fillChecksums(frame: Frame): void {
  for (const layer of frame.layers) if (layer.header === "ipv4") new Ipv4View(frame.bytes, layer.offset).fillChecksum();
  const fills: (() => void)[] = [];
  eachTransport(frame, (layer, pseudoSum, end) => {
    fills.push(() => fillChecksum(frame.bytes, layer, { pseudoSum, end }));
  });
  for (const fill of fills.reverse()) fill();
}

type TransportLayer = LayerOf<"udp"> | LayerOf<"tcp"> | LayerOf<"icmpv4"> | LayerOf<"icmpv6"> | LayerOf<"ndp">;
type Cover = { readonly pseudoSum: number; readonly end: number };

function fillChecksums(frame: Frame): void {
  for (const layer of frame.layers) if (layer.header === "ipv4") new Ipv4View(frame.bytes, layer.offset).fillChecksum();
  const fills: (() => void)[] = [];
  eachTransport(frame, (layer, pseudoSum, end) => {
    fills.push(() => fillChecksum(frame.bytes, layer, { pseudoSum, end }));
  });
  for (const fill of fills.reverse()) fill();
}

type TransportLayer = LayerOf<"udp"> | LayerOf<"tcp"> | LayerOf<"icmpv4"> | LayerOf<"icmpv6"> | LayerOf<"ndp">;
type Cover = { readonly pseudoSum: number; readonly end: number };

function checksumIsGood(bytes: Uint8Array, layer: TransportLayer, { pseudoSum, end }: Cover): boolean {
  switch (layer.header) {
    case "udp":
      return new UdpView(bytes, layer.offset).checksumIsGood(pseudoSum);
    case "tcp":
      return new TcpView(bytes, layer.offset).checksumIsGood(pseudoSum, end);
    case "icmpv4":
      return new Icmpv4View(bytes, layer.offset).checksumIsGood(end);
    case "icmpv6":
    case "ndp":
      return new Icmpv6View(bytes, layer.offset).checksumIsGood(pseudoSum, end);
  }
}

function fillChecksum(bytes: Uint8Array, layer: TransportLayer, { pseudoSum, end }: Cover): void {
  switch (layer.header) {
    case "udp":
      new UdpView(bytes, layer.offset).fillChecksum(pseudoSum);
      break;
    case "tcp":
      new TcpView(bytes, layer.offset).fillChecksum(pseudoSum, end);
      break;
    case "icmpv4":
      new Icmpv4View(bytes, layer.offset).fillChecksum(end);
      break;
    case "icmpv6":
    case "ndp":
      new Icmpv6View(bytes, layer.offset).fillChecksum(pseudoSum, end);
      break;
    default:
      unreachable(layer);
  }
}

const PROTOCOL: Readonly<Record<TransportLayer["header"], number>> = {
  udp: IP_PROTOCOL.udp,
  tcp: IP_PROTOCOL.tcp,
  icmpv4: IP_PROTOCOL.icmpv4,
  icmpv6: IP_PROTOCOL.icmpv6,
  ndp: IP_PROTOCOL.icmpv6,
};

function eachTransport(frame: Frame, visit: (layer: TransportLayer, pseudoSum: number, end: number) => void): void {
  let ip: LayerOf<"ipv4"> | LayerOf<"ipv6"> | undefined;
  let isWhole = true;
  for (const layer of frame.layers) {
    if (layer.header === "ipv4" || layer.header === "ipv6") {
      ip = layer;
      isWhole = layer.header === "ipv6" || !isIpv4Fragment(layer.fields);
    } else if (isFragmentHeader(layer)) {
      isWhole = false;
    } else if (isTransport(layer) && ip !== undefined && isWhole) {
      const end = layer.header === "udp" ? layer.end + layer.fields.payloadLength : ip.end + ip.fields.payloadLength;
      const cover = { protocol: PROTOCOL[layer.header], length: end - layer.offset };
      const pseudoSum =
        ip.header === "ipv4" ? pseudoSumV4({ ...ip.fields, ...cover }) : pseudoSumV6({ ...ip.fields, ...cover });
      visit(layer, pseudoSum, end);
    }
  }
}

/** A fragment header that cuts nothing (an atomic fragment, RFC 6946) leaves the packet whole. */
function isFragmentHeader(layer: Layer): boolean {
  if (layer.header !== "ipv6-extension" || layer.fields.kind !== "fragment") return false;
  return layer.fields.moreFragments || layer.fields.fragmentOffset > 0;
}

function isTransport(layer: Layer): layer is TransportLayer {
  return layer.header in PROTOCOL;
}
