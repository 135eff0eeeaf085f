import { unreachable } from "../base/assert.ts";
import type { Result } from "../base/result.ts";
import { ARP_LENGTH, type ArpFields, formatArp, parseArp } from "./arp.ts";
import { type Dhcpv4Fields, formatDhcpv4, parseDhcpv4 } from "./dhcpv4.ts";
import { ETHER_TYPE, ETHERNET_LENGTH, type EthernetFields, formatEthernet, parseEthernet } from "./ethernet.ts";
import { ICMP_LENGTH } from "./icmp-view.ts";
import { formatIcmpv4, type Icmpv4Fields, isIcmpv4Error, parseIcmpv4 } from "./icmpv4.ts";
import { formatIcmpv6, type Icmpv6Fields, isIcmpv6Error, parseIcmpv6 } from "./icmpv6.ts";
import { IP_PROTOCOL } from "./ip-protocol.ts";
import { formatIpv4Header, type Ipv4Fields, Ipv4View, isIpv4Fragment, parseIpv4, parseQuotedIpv4 } from "./ipv4.ts";
import { formatIpv6Header, IPV6_LENGTH, type Ipv6Fields, parseIpv6, parseQuotedIpv6 } from "./ipv6.ts";
import {
  formatIpv6Extension,
  IPV6_EXTENSIONS_MAX,
  type Ipv6ExtensionFields,
  Ipv6ExtensionView,
  isIpv6Extension,
  parseIpv6Extension,
} from "./ipv6-extension.ts";
import { formatNdp, isNdpType, type NdpFields, parseNdp } from "./ndp.ts";
import { formatParseError, type HeaderName, type ParseError } from "./parse-error.ts";
import { formatTcp, parseTcp, type TcpFields, TcpView } from "./tcp.ts";
import { formatUdp, parseUdp, UDP_LENGTH, UDP_PORT, type UdpFields } from "./udp.ts";
import { formatVlan, isVlanTpid, parseVlan, VLAN_LENGTH, type VlanFields } from "./vlan.ts";
import { formatVxlan, parseVxlan, VXLAN_LENGTH, type VxlanFields } from "./vxlan.ts";

interface FieldsOf {
  readonly ethernet: EthernetFields;
  readonly vlan: VlanFields;
  readonly arp: ArpFields;
  readonly ipv4: Ipv4Fields;
  readonly ipv6: Ipv6Fields;
  readonly "ipv6-extension": Ipv6ExtensionFields;
  readonly icmpv4: Icmpv4Fields;
  readonly icmpv6: Icmpv6Fields;
  readonly ndp: NdpFields;
  readonly udp: UdpFields;
  readonly tcp: TcpFields;
  readonly dhcpv4: Dhcpv4Fields;
  readonly vxlan: VxlanFields;
}

type LayerTable = {
  readonly [Header in HeaderName]: {
    readonly header: Header;
    /** First byte. */
    readonly offset: number;
    /** First byte after the header; the next layer or the payload starts here. */
    readonly end: number;
    readonly fields: FieldsOf[Header];
  };
};

/** One header of a frame: which, from which byte to which, and what it says. */
export type Layer = LayerTable[HeaderName];

/** The layer with a given header. */
export type LayerOf<Header extends HeaderName> = LayerTable[Header];

/** A frame as a stack of headers, outermost first, and what follows the last of them. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly layers: readonly Layer[];
  /** What no header claims, padding of the link excluded. Empty when the frame is malformed. */
  readonly payload: { readonly offset: number; readonly end: number };
  /** Why reading stopped before the end, or undefined. `layers` holds what was read until then. */
  readonly malformed: ParseError | undefined;
}

/**
 * Reads a whole frame, VXLAN on port 4789 and its inner frame included. Never throws and never fails: a malformed frame
 * gives the layers before the trouble. Of later fragments only the IP header is read, of the first one what fits. A UDP
 * port is a hint, not a promise: what is no DHCP or VXLAN there is payload, not malformed.
 * The packet quoted by an ICMP error is payload (see `formatFrame`).
 */
export function parseFrame(bytes: Uint8Array): Frame {
  const reader = new FrameReader(bytes);
  reader.readEthernet(0, bytes.length);
  return reader.frame();
}

/** The outermost layer with a given header, or undefined. */
export function layerOf<Header extends HeaderName>(frame: Frame, header: Header): LayerOf<Header> | undefined {
  for (const layer of frame.layers) if (isLayer(layer, header)) return layer;
  return undefined;
}

/** One line for a whole frame, much as tcpdump -e prints it. */
export function formatFrame(bytes: Uint8Array): string {
  const frame = parseFrame(bytes);
  const parts = frame.layers.map(formatLayer);
  const last = frame.layers.at(-1);
  if (last !== undefined && quotesPacket(last)) parts.push(formatQuoted(last, frame));
  if (frame.malformed !== undefined) parts.push(`malformed: ${formatParseError(frame.malformed)}`);
  return parts.join(" | ");
}

/** One line for one header. */
export function formatLayer(layer: Layer): string {
  switch (layer.header) {
    case "ethernet":
      return formatEthernet(layer.fields);
    case "vlan":
      return formatVlan(layer.fields);
    case "arp":
      return formatArp(layer.fields);
    case "ipv4":
      return formatIpv4Header(layer.fields);
    case "ipv6":
      return formatIpv6Header(layer.fields);
    case "ipv6-extension":
      return formatIpv6Extension(layer.fields);
    case "icmpv4":
      return formatIcmpv4(layer.fields);
    case "icmpv6":
      return formatIcmpv6(layer.fields);
    case "ndp":
      return formatNdp(layer.fields);
    case "udp":
      return formatUdp(layer.fields);
    case "tcp":
      return formatTcp(layer.fields);
    case "dhcpv4":
      return formatDhcpv4(layer.fields);
    case "vxlan":
      return formatVxlan(layer.fields);
    default:
      return unreachable(layer);
  }
}

/** How an IP packet is cut, as far as its upper layer is concerned. */
type Fragment = "no" | "first" | "later";

/** Reads header after header; each method reads one and calls the one for what follows. */
class FrameReader {
  readonly #bytes: Uint8Array;
  readonly #layers: Layer[] = [];
  #payload = { offset: 0, end: 0 };
  #malformed: ParseError | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  frame(): Frame {
    return { bytes: this.#bytes, layers: this.#layers, payload: this.#payload, malformed: this.#malformed };
  }

  readEthernet(offset: number, end: number): void {
    const fields = this.#accept(parseEthernet(this.#bytes, offset, end));
    if (fields === undefined) return;
    const next = offset + ETHERNET_LENGTH;
    this.#layers.push({ header: "ethernet", offset, end: next, fields });
    this.#readEtherType(fields.etherType, next, end);
  }

  #readEtherType(etherType: number, offset: number, end: number): void {
    if (isVlanTpid(etherType)) this.#readVlan(offset, end);
    else if (etherType === ETHER_TYPE.ipv4) this.#readIpv4(offset, end);
    else if (etherType === ETHER_TYPE.ipv6) this.#readIpv6(offset, end);
    else if (etherType === ETHER_TYPE.arp) this.#readArp(offset, end);
    else this.#payload = { offset, end };
  }

  #readVlan(offset: number, end: number): void {
    const fields = this.#accept(parseVlan(this.#bytes, offset, end));
    if (fields === undefined) return;
    const next = offset + VLAN_LENGTH;
    this.#layers.push({ header: "vlan", offset, end: next, fields });
    this.#readEtherType(fields.etherType, next, end);
  }

  #readArp(offset: number, end: number): void {
    const fields = this.#accept(parseArp(this.#bytes, offset, end));
    if (fields === undefined) return;
    const next = offset + ARP_LENGTH;
    this.#layers.push({ header: "arp", offset, end: next, fields });
    this.#payload = { offset: next, end: next };
  }

  #readIpv4(offset: number, end: number): void {
    const fields = this.#accept(parseIpv4(this.#bytes, offset, end));
    if (fields === undefined) return;
    const next = offset + new Ipv4View(this.#bytes, offset).headerLength;
    this.#layers.push({ header: "ipv4", offset, end: next, fields });
    const region = { offset: next, end: next + fields.payloadLength };
    const fragment = fields.fragmentOffset > 0 ? "later" : isIpv4Fragment(fields) ? "first" : "no";
    this.#readUpperLayer(fields.protocol === IP_PROTOCOL.icmpv6 ? -1 : fields.protocol, region, fragment);
  }

  #readIpv6(offset: number, end: number): void {
    const fields = this.#accept(parseIpv6(this.#bytes, offset, end));
    if (fields === undefined) return;
    const next = offset + IPV6_LENGTH;
    this.#layers.push({ header: "ipv6", offset, end: next, fields });
    this.#readIpv6Extensions(fields.nextHeader, { offset: next, end: next + fields.payloadLength });
  }

  #readIpv6Extensions(nextHeader: number, packet: { readonly offset: number; readonly end: number }): void {
    const { end } = packet;
    let { offset } = packet;
    let protocol = nextHeader;
    let fragment: Fragment = "no";
    for (let i = 0; i < IPV6_EXTENSIONS_MAX && fragment !== "later" && isIpv6Extension(protocol); i++) {
      const fields = this.#accept(parseIpv6Extension(this.#bytes, { offset, end }, protocol));
      if (fields === undefined) return;
      const next = offset + new Ipv6ExtensionView(this.#bytes, offset).headerLength(protocol);
      this.#layers.push({ header: "ipv6-extension", offset, end: next, fields });
      if (fields.kind === "fragment") {
        if (fields.fragmentOffset > 0) fragment = "later";
        else if (fields.moreFragments) fragment = "first";
      }
      offset = next;
      protocol = fields.nextHeader;
    }
    this.#readUpperLayer(protocol === IP_PROTOCOL.icmpv4 ? -1 : protocol, { offset, end }, fragment);
  }

  #readUpperLayer(protocol: number, region: { offset: number; end: number }, fragment: Fragment): void {
    this.#payload = region;
    if (fragment === "later") return;
    const { offset, end } = region;
    if (protocol === IP_PROTOCOL.udp) this.#readUdp(offset, end);
    else if (protocol === IP_PROTOCOL.tcp) this.#readTcp(offset, end);
    else if (protocol === IP_PROTOCOL.icmpv4) this.#readIcmpv4(offset, end);
    else if (protocol === IP_PROTOCOL.icmpv6) this.#readIcmpv6(offset, end);
    // The rest of a first fragment is elsewhere, so that it ends early says nothing against it.
    if (fragment === "first" && this.#malformed?.kind === "truncated") {
      this.#malformed = undefined;
      this.#payload = region;
    }
  }

  #readUdp(offset: number, end: number): void {
    const fields = this.#accept(parseUdp(this.#bytes, offset, end));
    if (fields === undefined) return;
    const next = offset + UDP_LENGTH;
    const payloadEnd = next + fields.payloadLength;
    this.#layers.push({ header: "udp", offset, end: next, fields });
    this.#payload = { offset: next, end: payloadEnd };
    const { srcPort, dstPort } = fields;
    if (dstPort === UDP_PORT.vxlan) this.#readVxlan(next, payloadEnd);
    else if (isDhcp(srcPort, dstPort)) this.#readDhcpv4(next, payloadEnd);
  }

  #readTcp(offset: number, end: number): void {
    const fields = this.#accept(parseTcp(this.#bytes, offset, end));
    if (fields === undefined) return;
    const next = offset + new TcpView(this.#bytes, offset).headerLength;
    this.#layers.push({ header: "tcp", offset, end: next, fields });
    this.#payload = { offset: next, end };
  }

  #readIcmpv4(offset: number, end: number): void {
    const fields = this.#accept(parseIcmpv4(this.#bytes, offset, end));
    if (fields === undefined) return;
    this.#layers.push({ header: "icmpv4", offset, end: offset + ICMP_LENGTH, fields });
    this.#payload = { offset: offset + ICMP_LENGTH, end };
  }

  #readIcmpv6(offset: number, end: number): void {
    if (end > offset && isNdpType(this.#bytes[offset] ?? 0)) {
      this.#readNdp(offset, end);
      return;
    }
    const fields = this.#accept(parseIcmpv6(this.#bytes, offset, end));
    if (fields === undefined) return;
    this.#layers.push({ header: "icmpv6", offset, end: offset + ICMP_LENGTH, fields });
    this.#payload = { offset: offset + ICMP_LENGTH, end };
  }

  #readNdp(offset: number, end: number): void {
    const fields = this.#accept(parseNdp(this.#bytes, offset, end));
    if (fields === undefined) return;
    this.#layers.push({ header: "ndp", offset, end, fields });
    this.#payload = { offset: end, end };
  }

  #readDhcpv4(offset: number, end: number): void {
    const parsed = parseDhcpv4(this.#bytes, offset, end);
    if (!parsed.ok) return;
    this.#layers.push({ header: "dhcpv4", offset, end, fields: parsed.value });
    this.#payload = { offset: end, end };
  }

  #readVxlan(offset: number, end: number): void {
    const parsed = parseVxlan(this.#bytes, offset, end);
    if (!parsed.ok) return;
    this.#layers.push({ header: "vxlan", offset, end: offset + VXLAN_LENGTH, fields: parsed.value });
    this.readEthernet(offset + VXLAN_LENGTH, end);
  }

  #accept<Fields>(result: Result<Fields, ParseError>): Fields | undefined {
    if (result.ok) return result.value;
    this.#malformed = result.error;
    this.#payload = { offset: this.#bytes.length, end: this.#bytes.length };
    return undefined;
  }
}

function isLayer<Header extends HeaderName>(layer: Layer, header: Header): layer is LayerOf<Header> {
  return layer.header === header;
}

function isDhcp(srcPort: number, dstPort: number): boolean {
  return (
    (srcPort === UDP_PORT.dhcpClient && dstPort === UDP_PORT.dhcpServer) ||
    (srcPort === UDP_PORT.dhcpServer && (dstPort === UDP_PORT.dhcpClient || dstPort === UDP_PORT.dhcpServer))
  );
}

function quotesPacket(layer: Layer): boolean {
  if (layer.header === "icmpv4") return isIcmpv4Error(layer.fields);
  return layer.header === "icmpv6" && isIcmpv6Error(layer.fields);
}

function formatQuoted(layer: Layer, frame: Frame): string {
  const { offset, end } = frame.payload;
  if (layer.header === "icmpv4") {
    const quoted = parseQuotedIpv4(frame.bytes, offset, end);
    return `quoting ${quoted.ok ? formatIpv4Header(quoted.value) : formatParseError(quoted.error)}`;
  }
  const quoted = parseQuotedIpv6(frame.bytes, offset, end);
  return `quoting ${quoted.ok ? formatIpv6Header(quoted.value) : formatParseError(quoted.error)}`;
}
