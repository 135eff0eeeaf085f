import { formatIp, type Ip } from "../addr/ip.ts";
import { macFrom, macHigh, macLow, parseMac } from "../addr/mac.ts";
import { parsePrefix } from "../addr/prefix.ts";
import { unwrap } from "../base/result.ts";
import { FRAME_ARP, FRAME_IP6 } from "../flow/layout.ts";
import type { BridgePort } from "../model/objects.ts";
import { IP_PROTOCOL } from "../wire/ip-protocol.ts";
import { NDP_TYPE } from "../wire/ndp.ts";
import { headerOf } from "./frame-layers.ts";
import { IpMask, isUnspecified } from "./ip-words.ts";
import type { Step } from "./step.ts";
import type { Walk } from "./walk.ts";

/** Which sources may enter by a port, prepared. An empty list allows any. */
export interface SourceGuard {
  readonly macs: readonly { readonly high: number; readonly low: number }[];
  readonly prefixes: readonly IpMask[];
}

/** The guard of a port; undefined when it allows everything. */
export function compileGuard({ allowedMacs = [], allowedAddresses = [] }: BridgePort): SourceGuard | undefined {
  if (allowedMacs.length + allowedAddresses.length === 0) return undefined;
  const macs = allowedMacs.map((text) => {
    const mac = unwrap(parseMac(text));
    return { high: macHigh(mac), low: macLow(mac) | 0 };
  });
  const prefixes = allowedAddresses.map((text) => {
    const { ip, length } = unwrap(parsePrefix(text));
    return new IpMask(ip, length);
  });
  return { macs, prefixes };
}

/**
 * Drops a frame whose source the port may not use: Ethernet source, IP source, and who an ARP message or a neighbor advertisement
 * speaks for. The unspecified address may ask (DHCP, RFC 5227 probes, RFC 4862 duplicate detection), and an interface has the
 * link-local address made from its MAC.
 */
export function checkSource(walk: Walk, { macs, prefixes }: SourceGuard): Step | undefined {
  const { packet } = walk;
  if (macs.length > 0) {
    const { srcMacHigh, srcMacLow } = packet;
    if (!macs.some(({ high, low }) => high === srcMacHigh && low === srcMacLow))
      return walk.drop("spoofed", walk.macText(srcMacHigh, srcMacLow));
  }
  if (prefixes.length === 0 || !(packet.isIp || packet.frameClass === FRAME_ARP)) return undefined;
  const source = packet.src;
  if (!mayUse(walk, prefixes, source)) return walk.drop("spoofed", formatIp(copyOf(source)));
  const isIcmp = packet.frameClass === FRAME_IP6 && packet.protocol === IP_PROTOCOL.icmpv6;
  return isIcmp ? checkAdvertisement(walk, prefixes) : undefined;
}

/** The target of an advertisement is in the payload: each is looked at, and there is no flow. */
function checkAdvertisement(walk: Walk, prefixes: readonly IpMask[]): Step | undefined {
  if (walk.packet.icmpType !== NDP_TYPE.neighborAdvertisement) return undefined;
  if (walk.isCheck) return walk.needFrame();
  walk.isTransient = true;
  const message = headerOf(walk, "ndp")?.fields;
  if (message?.kind !== "neighbor-advertisement") return walk.dropOnce("malformed");
  return mayUse(walk, prefixes, message.target) ? undefined : walk.drop("spoofed", formatIp(message.target));
}

function mayUse(walk: Walk, prefixes: readonly IpMask[], ip: Ip): boolean {
  return isUnspecified(ip) || isOwnLinkLocal(walk, ip) || prefixes.some((prefix) => prefix.contains(ip));
}

/** fe80::/64 and the modified EUI-64 of the frame's own source MAC (RFC 4291 appendix A). */
function isOwnLinkLocal({ packet }: Walk, ip: Ip): boolean {
  if ((ip.w0 ^ 0xfe80_0000) !== 0 || ip.w1 !== 0) return false;
  const mac = macFrom(packet.srcMacHigh, packet.srcMacLow >>> 0);
  const high = macHigh(mac);
  const low = macLow(mac);
  const w2 = ((high ^ 0x0200) << 16) | ((low >>> 24) << 8) | 0xff;
  const w3 = 0xfe00_0000 | (low & 0xff_ffff);
  return ((ip.w2 ^ w2) | (ip.w3 ^ w3)) === 0;
}

function copyOf(ip: Ip): Ip {
  return { w0: ip.w0 >>> 0, w1: ip.w1 >>> 0, w2: ip.w2 >>> 0, w3: ip.w3 >>> 0 };
}
