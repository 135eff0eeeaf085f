export { formatKey, KeyView } from "./key-view.ts";

import { IP_PROTOCOL } from "../wire/ip-protocol.ts";
import {
  FRAGMENT_FIRST,
  FRAGMENT_LATER,
  FRAME_ARP,
  FRAME_IP4,
  FRAME_IP6,
  KEY_WORDS,
  PARSE_BAD,
  PARSE_EXTENSIONS,
  PARSE_OK,
  PARSE_OPTIONS,
  PARSE_SHORT,
  W0_FRAGMENT_SHIFT,
  W0_FRAME_SHIFT,
  W0_PARSE_SHIFT,
  W0_VLAN_SHIFT,
} from "./layout.ts";

/**
 * Frame to flow key by the parse rules of `layout.ts`: the twin of `bpf/parse.h`, which must give the same words for the
 * same bytes. It is a parser of its own beside `wire`, because it stops where the datapath stops and judges as the
 * datapath judges; whoever wants to know what a packet says asks `wire`. Used by the memory datapath, by traces of
 * described packets and by the differential fuzz; the agent installs flows under the key of the upcall, never under this.
 */

/** What the datapath knows of a frame beside its bytes, and where the key goes. */
export interface FrameMeta {
  /** Index of the vport by which the frame came, 0..65535. */
  readonly vportIndex: number;
  /** Tag control information of the outer VLAN tag when the kernel has taken it out of the bytes. */
  readonly vlanTci?: number | undefined;
  /** Word at which the key starts; 0 unless given. */
  readonly keyOffset?: number;
}

/** Extension headers that are walked; with one more the parse state is `extensions`. */
const EXTENSIONS_MAX = 8;

const ETHERNET = { dst: 0, middle: 4, src: 8, type: 12, end: 14 } as const;
const VLAN = { tci: 0, type: 2, end: 4 } as const;
const IPV4 = { ihl: 0, tos: 1, totalLength: 2, fragment: 6, protocol: 9, src: 12, dst: 16, end: 20 } as const;
const IPV6 = { versionClass: 0, payloadLength: 4, nextHeader: 6, src: 8, dst: 24, end: 40 } as const;
const ARP = { hardware: 0, protocol: 2, lengths: 4, operation: 6, senderIp: 14, targetIp: 24, end: 28 } as const;
const EXTENSION = { nextHeader: 0, length: 1, fragment: 2, end: 8 } as const;
const ICMP = { identifier: 4, end: 8 } as const;
const PORTS_END = 4;

const TYPE = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100, ipv6: 0x86dd, serviceVlan: 0x88a8, min: 0x0600 } as const;
const ARP_ETHERNET = 1;
const ARP_LENGTHS = 0x0604;
const FRAGMENT_OFFSET = 0x1fff;
const MORE_FRAGMENTS = 0x2000;
const V6_FRAGMENT_OFFSET = 0xfff8;

/**
 * Writes the sixteen words of the key of a frame; reads nothing outside the frame and accepts any bytes. Returns where the
 * transport header begins; 0 when there is none, when it is cut off, or when the frame is a later fragment.
 */
export function extractKey(frame: Uint8Array, meta: FrameMeta, words: Uint32Array): number {
  return new KeyExtraction(frame, words, meta.keyOffset ?? 0).run(meta);
}

/** One frame on its way to a key. `#word0` and the words grow; a method returns when the rules say stop. */
class KeyExtraction {
  readonly #frame: Uint8Array;
  readonly #words: Uint32Array;
  readonly #base: number;
  #word0 = 0;
  #transportAt = 0;

  constructor(frame: Uint8Array, words: Uint32Array, base: number) {
    this.#frame = frame;
    this.#words = words;
    this.#base = base;
  }

  run(meta: FrameMeta): number {
    this.#words.fill(0, this.#base, this.#base + KEY_WORDS);
    this.#word0 = meta.vportIndex & 0xffff;
    this.#link(meta.vlanTci);
    this.#set(0, this.#word0);
    return this.#transportAt;
  }

  #link(vlanTci: number | undefined): void {
    if (this.#frame.length < ETHERNET.end) return this.#state(PARSE_SHORT);
    this.#set(1, this.#wire32(ETHERNET.dst));
    this.#set(2, this.#wire32(ETHERNET.middle));
    this.#set(3, this.#wire32(ETHERNET.src));
    let tags = vlanTci === undefined ? 0 : 1;
    let outer = (vlanTci ?? 0) & 0xfff;
    let inner = 0;
    let type = this.#u16(ETHERNET.type);
    let at: number = ETHERNET.end;
    let isCut = false;
    while (tags < 2 && isVlan(type)) {
      isCut = at + VLAN.end > this.#frame.length;
      if (isCut) break;
      const vid = this.#u16(at + VLAN.tci) & 0xfff;
      if (tags === 0) outer = vid;
      else inner = vid;
      tags++;
      type = this.#u16(at + VLAN.type);
      at += VLAN.end;
    }
    this.#word0 |= tags << W0_VLAN_SHIFT;
    if (isCut) {
      this.#set(4, outer << 16);
      return this.#state(PARSE_SHORT);
    }
    const etherType = type < TYPE.min ? 0 : type;
    this.#set(4, swap16(etherType) | (outer << 16));
    this.#set(5, inner);
    this.#network(etherType, at);
  }

  #network(etherType: number, at: number): void {
    if (etherType === TYPE.ipv4) {
      this.#word0 |= FRAME_IP4 << W0_FRAME_SHIFT;
      this.#ipv4(at);
    } else if (etherType === TYPE.ipv6) {
      this.#word0 |= FRAME_IP6 << W0_FRAME_SHIFT;
      this.#ipv6(at);
    } else if (etherType === TYPE.arp) {
      this.#word0 |= FRAME_ARP << W0_FRAME_SHIFT;
      this.#arp(at);
    }
  }

  #arp(at: number): void {
    if (at + ARP.end > this.#frame.length) return this.#state(PARSE_SHORT);
    const isKnown =
      this.#u16(at + ARP.hardware) === ARP_ETHERNET &&
      this.#u16(at + ARP.protocol) === TYPE.ipv4 &&
      this.#u16(at + ARP.lengths) === ARP_LENGTHS;
    if (!isKnown) return this.#state(PARSE_BAD);
    this.#set(6, this.#wire32(at + ARP.targetIp));
    this.#set(10, this.#wire32(at + ARP.senderIp));
    this.#set(15, this.#u16(at + ARP.operation));
  }

  #ipv4(at: number): void {
    const { length } = this.#frame;
    if (at + IPV4.end > length) return this.#state(PARSE_SHORT);
    const versionAndLength = this.#u8(at + IPV4.ihl);
    const headerLength = (versionAndLength & 0xf) * 4;
    const totalLength = this.#u16(at + IPV4.totalLength);
    if (versionAndLength >>> 4 !== 4 || headerLength < IPV4.end) return this.#state(PARSE_BAD);
    if (at + headerLength > length) return this.#state(PARSE_SHORT);
    if (totalLength < headerLength || at + totalLength > length) return this.#state(PARSE_BAD);
    const protocol = this.#u8(at + IPV4.protocol);
    const fragment = this.#u16(at + IPV4.fragment);
    this.#set(6, this.#wire32(at + IPV4.dst));
    this.#set(10, this.#wire32(at + IPV4.src));
    this.#set(14, protocol | ((this.#u8(at + IPV4.tos) >>> 2) << 8));
    let state = headerLength > IPV4.end ? PARSE_OPTIONS : PARSE_OK;
    if ((fragment & FRAGMENT_OFFSET) !== 0) {
      this.#word0 |= FRAGMENT_LATER << W0_FRAGMENT_SHIFT;
    } else {
      if ((fragment & MORE_FRAGMENTS) !== 0) this.#word0 |= FRAGMENT_FIRST << W0_FRAGMENT_SHIFT;
      const isRead =
        protocol === IP_PROTOCOL.icmpv4
          ? this.#icmp(at + headerLength, { end: at + totalLength, echoReply: 0, echoRequest: 8 })
          : this.#ports(protocol, at + headerLength, at + totalLength);
      if (isRead) this.#transportAt = at + headerLength;
      else state = PARSE_SHORT;
    }
    this.#state(state);
  }

  #ipv6(at: number): void {
    if (at + IPV6.end > this.#frame.length) return this.#state(PARSE_SHORT);
    const versionClass = this.#u16(at + IPV6.versionClass);
    const end = at + IPV6.end + this.#u16(at + IPV6.payloadLength);
    if (versionClass >>> 12 !== 6 || end > this.#frame.length) return this.#state(PARSE_BAD);
    for (let i = 0; i < 4; i++) {
      this.#set(6 + i, this.#wire32(at + IPV6.dst + 4 * i));
      this.#set(10 + i, this.#wire32(at + IPV6.src + 4 * i));
    }
    this.#set(14, ((versionClass >>> 6) & 0x3f) << 8);
    this.#extensions(this.#u8(at + IPV6.nextHeader), at + IPV6.end, end);
  }

  #extensions(firstHeader: number, firstAt: number, end: number): void {
    let protocol = firstHeader;
    let at = firstAt;
    let state: number = PARSE_OK;
    let fragment = 0;
    for (let count = 0; isExtension(protocol) && fragment !== FRAGMENT_LATER; count++) {
      if (count === EXTENSIONS_MAX) {
        state = PARSE_EXTENSIONS;
        break;
      }
      if (at + EXTENSION.end > end) {
        state = PARSE_SHORT;
        break;
      }
      if (protocol === IP_PROTOCOL.fragment) {
        const isLater = (this.#u16(at + EXTENSION.fragment) & V6_FRAGMENT_OFFSET) !== 0;
        fragment = isLater ? FRAGMENT_LATER : FRAGMENT_FIRST;
      }
      const length = extensionLength(protocol, this.#u8(at + EXTENSION.length));
      protocol = this.#u8(at + EXTENSION.nextHeader);
      at += length;
    }
    this.#word0 |= fragment << W0_FRAGMENT_SHIFT;
    this.#set(14, this.#word(14) | protocol);
    if (state === PARSE_OK && fragment !== FRAGMENT_LATER) state = this.#upperV6(protocol, at, end);
    this.#state(state);
  }

  #upperV6(protocol: number, at: number, end: number): number {
    if (protocol === IP_PROTOCOL.esp || protocol === IP_PROTOCOL.noNextHeader) return PARSE_EXTENSIONS;
    if (at > end) return PARSE_SHORT;
    const isRead =
      protocol === IP_PROTOCOL.icmpv6
        ? this.#icmp(at, { end, echoReply: 129, echoRequest: 128 })
        : this.#ports(protocol, at, end);
    if (isRead) this.#transportAt = at;
    return isRead ? PARSE_OK : PARSE_SHORT;
  }

  /** False when the header of a protocol with ports is cut off before their end. */
  #ports(protocol: number, at: number, end: number): boolean {
    const hasPorts = protocol === IP_PROTOCOL.tcp || protocol === IP_PROTOCOL.udp || protocol === IP_PROTOCOL.sctp;
    if (!hasPorts) return true;
    if (at + PORTS_END > end) return false;
    this.#set(15, this.#wire32(at));
    return true;
  }

  #icmp(at: number, rule: { end: number; echoReply: number; echoRequest: number }): boolean {
    if (at + ICMP.end > rule.end) return false;
    const type = this.#u8(at);
    const isEcho = type === rule.echoRequest || type === rule.echoReply;
    const identifier = isEcho ? this.#wire32(at + ICMP.identifier) << 16 : 0;
    this.#set(15, (this.#wire32(at) & 0xffff) | identifier);
    return true;
  }

  #state(state: number): void {
    this.#word0 |= state << W0_PARSE_SHIFT;
  }

  #set(word: number, value: number): void {
    this.#words[this.#base + word] = value;
  }

  #word(word: number): number {
    return this.#words[this.#base + word] ?? 0;
  }

  #u8(at: number): number {
    return this.#frame[at] ?? 0;
  }

  #u16(at: number): number {
    return (this.#u8(at) << 8) | this.#u8(at + 1);
  }

  /** Four bytes in wire order: as they lie, loaded little-endian. */
  #wire32(at: number): number {
    return this.#u8(at) | (this.#u8(at + 1) << 8) | (this.#u8(at + 2) << 16) | (this.#u8(at + 3) << 24);
  }
}

function isVlan(type: number): boolean {
  return type === TYPE.vlan || type === TYPE.serviceVlan;
}

function isExtension(protocol: number): boolean {
  return (
    protocol === IP_PROTOCOL.hopByHop ||
    protocol === IP_PROTOCOL.routing ||
    protocol === IP_PROTOCOL.fragment ||
    protocol === IP_PROTOCOL.ah ||
    protocol === IP_PROTOCOL.destinationOptions
  );
}

function extensionLength(protocol: number, lengthField: number): number {
  if (protocol === IP_PROTOCOL.fragment) return EXTENSION.end;
  return protocol === IP_PROTOCOL.ah ? (lengthField + 2) * 4 : (lengthField + 1) * 8;
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8);
}
