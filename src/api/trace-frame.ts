import { type Ip, isMulticastIp, isV4, parseIp } from "../addr/ip.ts";
import { MAC_BROADCAST, type Mac, parseMac } from "../addr/mac.ts";
import { type ApiError, apiError } from "../api-schema/errors.ts";
import type { PacketDescription } from "../api-schema/trace-resource.ts";
import { err, ok, type Result } from "../base/result.ts";
import { ARP_OPERATION } from "../wire/arp.ts";
import { buildFrame, type FrameSpec, TTL_DEFAULT } from "../wire/build-frame.ts";
import { IP_PROTOCOL } from "../wire/ip-protocol.ts";
import { TCP_FLAG } from "../wire/tcp.ts";

/** MAC addresses of a packet whose description may have left them out. */
export interface FrameAddresses {
  readonly sourceMac: string;
  readonly destinationMac: string;
}

/** Ports of a packet that was described without: an ephemeral one to the discard service. */
const SOURCE_PORT = 40_000;
const DESTINATION_PORT = 9;

/** The frame of a described packet, all lengths and checksums right. Addresses are canonical already. */
export function frameOf(packet: PacketDescription, addresses: FrameAddresses): Result<Uint8Array, ApiError> {
  const link = linkOf(packet, addresses);
  const source = ipOf(packet.source);
  const destination = ipOf(packet.destination);
  if (source === undefined) return missing("packet.source", "the source address");
  if (destination === undefined) return missing("packet.destination", "the destination address");
  if (isV4(source) !== isV4(destination)) {
    return err(apiError("bad-value", { field: "packet.destination", expected: "an address of the source's family" }));
  }
  if (packet.arp !== undefined) return arpFrame(packet, { ...link, source, destination });
  return ok(
    buildFrame(
      isV4(source)
        ? v4Frame(packet, { ...link, source, destination })
        : v6Frame(packet, { ...link, source, destination }),
    ),
  );
}

/** The MAC address that a multicast destination has (RFC 1112 6.4, RFC 2464 7); undefined for any other. */
export function multicastMac(destination: string): Mac | undefined {
  const ip = ipOf(destination);
  if (ip === undefined || !isMulticastIp(ip)) {
    return ip !== undefined && isV4(ip) && ip.w3 === 0xffff_ffff ? MAC_BROADCAST : undefined;
  }
  return isV4(ip) ? 0x0100_5e00_0000 + (ip.w3 & 0x7f_ffff) : 0x3333_0000_0000 + ip.w3;
}

interface Link {
  readonly eth: { readonly src: Mac; readonly dst: Mac };
  readonly vlans?: readonly { readonly vid: number }[];
}

interface Ends extends Link {
  readonly source: Ip;
  readonly destination: Ip;
}

function linkOf(packet: PacketDescription, addresses: FrameAddresses): Link {
  const eth = { src: macOf(addresses.sourceMac), dst: macOf(addresses.destinationMac) };
  return { eth, ...(packet.vlan === undefined ? {} : { vlans: [{ vid: packet.vlan }] }) };
}

function arpFrame(packet: PacketDescription, { source, destination, ...link }: Ends): Result<Uint8Array, ApiError> {
  if (!isV4(source)) return err(apiError("bad-value", { field: "packet.arp", expected: "IPv4 addresses" }));
  const isReply = packet.arp === "reply";
  const arp = {
    operation: isReply ? ARP_OPERATION.reply : ARP_OPERATION.request,
    senderMac: link.eth.src,
    senderIp: source.w3,
    targetMac: isReply ? link.eth.dst : 0,
    targetIp: destination.w3,
  };
  return ok(buildFrame({ ...link, arp }));
}

function v4Frame(packet: PacketDescription, { source, destination, ...link }: Ends): FrameSpec {
  const ipv4 = {
    src: source.w3,
    dst: destination.w3,
    ttl: packet.ttl ?? TTL_DEFAULT,
    dscp: packet.dscp ?? 0,
    dontFragment: packet.dontFragment ?? true,
  };
  const protocol = packet.protocol ?? IP_PROTOCOL.icmpv4;
  if (protocol !== IP_PROTOCOL.icmpv4) return { ...link, ipv4, ...transport(packet, protocol) };
  return { ...link, ipv4, icmpv4: echo(packet), payload: payloadOf(packet) };
}

function v6Frame(packet: PacketDescription, { source, destination, ...link }: Ends): FrameSpec {
  const ipv6 = { src: source, dst: destination, hopLimit: packet.ttl ?? TTL_DEFAULT, dscp: packet.dscp ?? 0 };
  const protocol = packet.protocol ?? IP_PROTOCOL.icmpv6;
  if (protocol !== IP_PROTOCOL.icmpv6) return { ...link, ipv6, ...transport(packet, protocol) };
  return { ...link, ipv6, icmpv6: echo(packet), payload: payloadOf(packet) };
}

function transport(packet: PacketDescription, protocol: number) {
  const ports = { srcPort: packet.sourcePort ?? SOURCE_PORT, dstPort: packet.destinationPort ?? DESTINATION_PORT };
  const payload = payloadOf(packet);
  if (protocol === IP_PROTOCOL.tcp) return { tcp: { ...ports, flags: TCP_FLAG.syn }, payload };
  return protocol === IP_PROTOCOL.udp ? { udp: ports, payload } : { protocol, payload };
}

function echo(packet: PacketDescription) {
  return { kind: "echo-request", identifier: packet.sourcePort ?? 1, sequence: packet.destinationPort ?? 1 } as const;
}

function payloadOf(packet: PacketDescription): Uint8Array {
  return new Uint8Array(packet.payloadBytes ?? 0);
}

function ipOf(text: string | undefined): Ip | undefined {
  const ip = text === undefined ? undefined : parseIp(text);
  return ip?.ok === true ? ip.value : undefined;
}

function macOf(text: string): Mac {
  const mac = parseMac(text);
  if (!mac.ok) throw new Error(`unchecked address ${text}`);
  return mac.value;
}

function missing(field: string, expected: string): Result<never, ApiError> {
  return err(apiError("missing-field", { field, expected }));
}
