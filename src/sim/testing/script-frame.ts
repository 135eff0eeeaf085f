import { type Ip, isV4 } from "../../addr/ip.ts";
import { macFrom } from "../../addr/mac.ts";
import { ARP_OPERATION, type ArpFields } from "../../wire/arp.ts";
import { buildFrame, type FrameSpec, type Ipv4PayloadSpec, type Ipv6PayloadSpec } from "../../wire/build-frame.ts";
import { ICMPV4_UNREACHABLE } from "../../wire/icmpv4.ts";
import { ICMPV6_UNREACHABLE } from "../../wire/icmpv6.ts";
import type { NdpFields } from "../../wire/ndp.ts";
import { solicitedNodeOf } from "../sim-bridge.ts";
import { ipOf, macOf, type ScriptLine } from "./script-text.ts";

/**
 * Reads the description of a frame, from the Ethernet addresses to the end of the line:
 *
 *     02:1 > 02:2 ip 10.0.0.1 > 10.0.0.2 udp 1000 > 80 ttl=3 len=100 df dscp=46 vlan=10
 *     02:1 > 02:2 ip fd00::1 > fd00::2 echo | echo-reply | tcp A > B | proto N | icmp-error
 *     02:1 > all arp request 10.0.0.1 > 10.0.0.2        (arp reply likewise; thw=MAC, shw=MAC)
 *     02:1 > nd ns fd00::1 > fd00::2                    (nd: the target's group; also na, rs)
 *     02:1 > 02:2 type 0x88cc
 */
export function frameOf(line: ScriptLine): Uint8Array {
  const src = macOf(line.next("source MAC"));
  line.skip(">");
  const dstText = line.next("destination MAC");
  const kind = line.next("ip, arp, ns, na, rs or type");
  const vlans = (line.option("vlan")?.split(",") ?? []).map((vid) => ({ vid: Number(vid) }));
  const isNd = kind === "ns" || kind === "na" || kind === "rs";
  if (isNd) return buildFrame(ndSpec(line, { kind, src, dst: dstText, vlans }));
  const eth = { src, dst: macOf(dstText) };
  if (kind === "arp") return buildFrame({ eth, vlans, arp: arpOf(line, src) });
  if (kind === "type") {
    return buildFrame({ eth, vlans, etherType: Number(line.next("ethertype")), payload: new Uint8Array(46) });
  }
  if (kind !== "ip") throw new Error(`${line.text}: unknown kind of frame ${kind}`);
  return buildFrame(ipSpec(line, { eth, vlans }));
}

type Link = {
  readonly eth: { readonly src: number; readonly dst: number };
  readonly vlans: readonly { vid: number }[];
};

function pairOf(line: ScriptLine): { readonly src: Ip; readonly dst: Ip } {
  const src = ipOf(line.next("source address"));
  line.skip(">");
  return { src, dst: ipOf(line.next("destination address")) };
}

function ipSpec(line: ScriptLine, link: Link): FrameSpec {
  const { src, dst } = pairOf(line);
  const ttl = line.number("ttl") ?? 64;
  const dscp = line.number("dscp") ?? 0;
  const payload = new Uint8Array(line.number("len") ?? 0);
  const fragment = line.option("frag");
  if (!isV4(dst)) {
    const ipv6 = { src, dst, hopLimit: ttl, dscp };
    if (fragment === undefined) return { ...link, ipv6, ...upperOf(line, payload, false) };
    const offset = fragment === "later" ? 1480 : 0;
    const cut = {
      kind: "fragment",
      nextHeader: 0,
      fragmentOffset: offset,
      moreFragments: true,
      identification: 7,
    } as const;
    return { ...link, ipv6: { ...ipv6, extensions: [cut] }, ...upperOf(line, payload, false) };
  }
  const ipv4 = {
    src: src.w3,
    dst: dst.w3,
    ttl,
    dscp,
    dontFragment: line.flag("df"),
    identification: 7,
    moreFragments: fragment !== undefined,
    fragmentOffset: fragment === "later" ? 1480 : 0,
  };
  const upper = upperOf(line, payload, true);
  return { ...link, ipv4, ...upper };
}

function upperOf(line: ScriptLine, payload: Uint8Array, isIpv4: true): Ipv4PayloadSpec;
function upperOf(line: ScriptLine, payload: Uint8Array, isIpv4: false): Ipv6PayloadSpec;
function upperOf(line: ScriptLine, payload: Uint8Array, isIpv4: boolean): Ipv4PayloadSpec | Ipv6PayloadSpec {
  const kind = line.next("tcp, udp, echo, echo-reply, icmp-error or proto");
  if (kind === "tcp" || kind === "udp") {
    const srcPort = Number(line.next("source port"));
    line.skip(">");
    const ports = { srcPort, dstPort: Number(line.next("destination port")) };
    return kind === "tcp" ? { tcp: ports, payload } : { udp: ports, payload };
  }
  if (kind === "proto") return { protocol: Number(line.next("protocol")), payload };
  if (kind === "icmp-error") {
    const quoted = new Uint8Array(28);
    if (isIpv4)
      return { icmpv4: { kind: "unreachable", code: ICMPV4_UNREACHABLE.host, nextHopMtu: 0 }, payload: quoted };
    return { icmpv6: { kind: "unreachable", code: ICMPV6_UNREACHABLE.address }, payload: quoted };
  }
  if (kind !== "echo" && kind !== "echo-reply") throw new Error(`${line.text}: unknown protocol ${kind}`);
  const echo = { kind: kind === "echo" ? "echo-request" : "echo-reply", identifier: 9, sequence: 1 } as const;
  return isIpv4 ? { icmpv4: echo, payload } : { icmpv6: echo, payload };
}

function arpOf(line: ScriptLine, senderMac: number): ArpFields {
  const operation = line.next("request or reply") === "request" ? ARP_OPERATION.request : ARP_OPERATION.reply;
  const { src, dst } = pairOf(line);
  const sender = line.option("shw");
  const target = line.option("thw");
  return {
    operation,
    senderMac: sender === undefined ? senderMac : macOf(sender),
    senderIp: src.w3,
    targetMac: target === undefined ? 0 : macOf(target),
    targetIp: dst.w3,
  };
}

function ndSpec(
  line: ScriptLine,
  link: {
    readonly kind: string;
    readonly src: number;
    readonly dst: string;
    readonly vlans: readonly { vid: number }[];
  },
): FrameSpec {
  const { src, dst } = pairOf(line);
  const group = solicitedNodeOf(dst);
  const isGroup = link.dst === "nd";
  const target = line.option("target");
  const message = ndOf(line, link.kind, { mac: link.src, target: target === undefined ? dst : ipOf(target) });
  const to = isGroup ? macFrom(0x3333, group.w3) : macOf(link.dst);
  return {
    eth: { src: link.src, dst: to },
    vlans: link.vlans,
    ipv6: { src, dst: isGroup ? group : dst, hopLimit: line.number("ttl") ?? 255 },
    ndp: message,
  };
}

function ndOf(line: ScriptLine, kind: string, from: { readonly mac: number; readonly target: Ip }): NdpFields {
  const { mac, target } = from;
  const isBare = line.flag("bare");
  if (kind === "rs") return { kind: "router-solicitation", options: isBare ? [] : [{ kind: "source-mac", mac }] };
  if (kind === "ns") {
    return { kind: "neighbor-solicitation", target, options: isBare ? [] : [{ kind: "source-mac", mac }] };
  }
  const flags = { isRouter: false, isSolicited: line.flag("solicited"), isOverride: line.flag("override") };
  return { kind: "neighbor-advertisement", ...flags, target, options: isBare ? [] : [{ kind: "target-mac", mac }] };
}
