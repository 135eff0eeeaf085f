import type { Ip } from "../addr/ip.ts";
import { type Mac, macFrom } from "../addr/mac.ts";
import {
  ACTION_DEC_TTL,
  ACTION_POP_SHIFT,
  ACTION_PUSH_SHIFT,
  ACTION_SET_MAC,
  ACTION_WORDS,
  CLASS_FULL,
  CLASS_L2,
  CLASS_L3_DST,
  CLASS_L3_PAIR,
  CLASS_PORT,
  CLASS_PROTO,
  FRAME_IP4,
  FRAME_IP6,
  W0_FRAGMENT_SHIFT,
  W0_FRAME_SHIFT,
  W0_PARSE_SHIFT,
  W0_VLAN_SHIFT,
} from "../flow/layout.ts";
import { IP_PROTOCOL } from "../wire/ip-protocol.ts";
import { IpWords } from "./ip-words.ts";

const VLAN_ID = 0xfff;

/**
 * The packet on its way: header fields as they are now. Reused for every walk.
 *
 * Reading a field raises `level`, so the mask of the flow follows from what was read and no device can forget it. What word
 * 0 of the key says (family, fragment, parse state) is exact in every class and free to read.
 */
export class Packet {
  /** Largest mask class of a field that was read. */
  level = CLASS_PORT;
  /** FRAME_* of `flow/layout.ts`. */
  frameClass = 0;
  /** FRAGMENT_* of `flow/layout.ts`. */
  fragment = 0;
  /** PARSE_* of `flow/layout.ts`. */
  parseState = 0;
  /** Vport index in the key. */
  vport = 0;
  /** VLAN tags with which the frame came, at most two counted. */
  originalVlanCount = 0;
  /** TTL or hop limit that routers took so far. */
  ttlDecrement = 0;
  /** Largest L3 packet that every router port on the way carries; 0: no limit. */
  maxLength = 0;

  #dstHigh = 0;
  #dstLow = 0;
  #srcHigh = 0;
  #srcLow = 0;
  #isMacSet = false;
  #etherType = 0;
  #outerVlan = 0;
  #innerVlan = 0;
  #popped = 0;
  #pushed = 0;
  #pushedVlan = 0;
  readonly #dst = new IpWords();
  readonly #src = new IpWords();
  #protocol = 0;
  #dscp = 0;
  #l4 = 0;
  #hasPorts = false;
  #portOrType = 0;
  #portOrCode = 0;

  /** Takes the fields of a key; everything else starts anew. */
  load(key: Uint32Array, at: number): void {
    const w0 = key[at] as number;
    this.vport = w0 & 0xffff;
    this.frameClass = (w0 >>> W0_FRAME_SHIFT) & 3;
    this.fragment = (w0 >>> W0_FRAGMENT_SHIFT) & 3;
    this.parseState = (w0 >>> W0_PARSE_SHIFT) & 7;
    this.originalVlanCount = (w0 >>> W0_VLAN_SHIFT) & 3;
    this.level = CLASS_PORT;
    this.ttlDecrement = 0;
    this.maxLength = 0;
    this.#loadLink(key, at);
    this.#loadNetwork(key, at);
  }

  #loadLink(key: Uint32Array, at: number): void {
    const w2 = key[at + 2] as number;
    const dst = swap32(key[at + 1] as number);
    this.#dstHigh = dst >>> 16;
    this.#dstLow = (dst << 16) | swap16(w2);
    this.#srcHigh = swap16(w2 >>> 16);
    this.#srcLow = swap32(key[at + 3] as number);
    const w4 = key[at + 4] as number;
    this.#etherType = swap16(w4);
    this.#outerVlan = w4 >>> 16;
    this.#innerVlan = (key[at + 5] as number) & 0xffff;
    this.#isMacSet = false;
    this.#popped = 0;
    this.#pushed = 0;
    this.#pushedVlan = 0;
  }

  #loadNetwork(key: Uint32Array, at: number): void {
    const dst = this.#dst;
    const src = this.#src;
    if (this.frameClass === FRAME_IP6) {
      dst.w0 = swap32(key[at + 6] as number);
      dst.w1 = swap32(key[at + 7] as number);
      dst.w2 = swap32(key[at + 8] as number);
      dst.w3 = swap32(key[at + 9] as number);
      src.w0 = swap32(key[at + 10] as number);
      src.w1 = swap32(key[at + 11] as number);
      src.w2 = swap32(key[at + 12] as number);
      src.w3 = swap32(key[at + 13] as number);
    } else {
      dst.w0 = dst.w1 = src.w0 = src.w1 = 0;
      dst.w2 = src.w2 = 0xffff;
      dst.w3 = swap32(key[at + 6] as number);
      src.w3 = swap32(key[at + 10] as number);
    }
    const w14 = key[at + 14] as number;
    this.#protocol = w14 & 0xff;
    this.#dscp = (w14 >>> 8) & 0x3f;
    this.#l4 = key[at + 15] as number;
    this.#loadPorts();
  }

  #loadPorts(): void {
    const protocol = this.#protocol;
    const l4 = this.#l4;
    this.#hasPorts = false;
    if (!this.isIp) return;
    if (protocol === IP_PROTOCOL.tcp || protocol === IP_PROTOCOL.udp || protocol === IP_PROTOCOL.sctp) {
      this.#portOrType = swap16(l4);
      this.#portOrCode = swap16(l4 >>> 16);
      this.#hasPorts = true;
    } else if (protocol === IP_PROTOCOL.icmpv4 || protocol === IP_PROTOCOL.icmpv6) {
      this.#portOrType = l4 & 0xff;
      this.#portOrCode = (l4 >>> 8) & 0xff;
      this.#hasPorts = true;
    }
  }

  /** True for IPv4 and IPv6. */
  get isIp(): boolean {
    return this.frameClass === FRAME_IP4 || this.frameClass === FRAME_IP6;
  }

  /** Upper 16 bits of the destination MAC address. */
  get dstMacHigh(): number {
    if (this.level < CLASS_L2) this.level = CLASS_L2;
    return this.#dstHigh;
  }

  /** Lower 32 bits of the destination MAC address, signed. */
  get dstMacLow(): number {
    if (this.level < CLASS_L2) this.level = CLASS_L2;
    return this.#dstLow;
  }

  /** Upper 16 bits of the source MAC address. */
  get srcMacHigh(): number {
    if (this.level < CLASS_L2) this.level = CLASS_L2;
    return this.#srcHigh;
  }

  /** Lower 32 bits of the source MAC address, signed. */
  get srcMacLow(): number {
    if (this.level < CLASS_L2) this.level = CLASS_L2;
    return this.#srcLow;
  }

  /** Destination MAC address; allocates, off the common path. */
  get dstMac(): Mac {
    return macFrom(this.dstMacHigh, this.dstMacLow);
  }

  /** Source MAC address; allocates, off the common path. */
  get srcMac(): Mac {
    return macFrom(this.srcMacHigh, this.srcMacLow);
  }

  /** Ethertype behind all tags. */
  get etherType(): number {
    if (this.level < CLASS_L2) this.level = CLASS_L2;
    return this.#etherType;
  }

  /** VLAN tags that the frame has now; of its own at most two are counted. */
  get vlanCount(): number {
    return this.originalVlanCount - this.#popped + this.#pushed;
  }

  /** Outermost VLAN id as the frame is now; 0: untagged or priority tag. */
  get vlan(): number {
    if (this.level < CLASS_L2) this.level = CLASS_L2;
    if (this.#pushed > 0) return this.#pushedVlan;
    if (this.#popped === 0) return this.#outerVlan & VLAN_ID;
    return this.#popped === 1 ? this.#innerVlan & VLAN_ID : 0;
  }

  /** Destination address (ARP: target). Belongs to the packet. */
  get dst(): Ip {
    if (this.level < CLASS_L3_DST) this.level = CLASS_L3_DST;
    return this.#dst;
  }

  /** Source address (ARP: sender). Belongs to the packet. */
  get src(): Ip {
    if (this.level < CLASS_L3_PAIR) this.level = CLASS_L3_PAIR;
    return this.#src;
  }

  /** IP protocol, of IPv6 after the extension headers. */
  get protocol(): number {
    if (this.level < CLASS_PROTO) this.level = CLASS_PROTO;
    return this.#protocol;
  }

  /** DSCP. */
  get dscp(): number {
    if (this.level < CLASS_PROTO) this.level = CLASS_PROTO;
    return this.#dscp;
  }

  /** Word 15 of the key as it stands: for hashing only. */
  get l4Word(): number {
    if (this.level < CLASS_FULL) this.level = CLASS_FULL;
    return this.#l4;
  }

  /** True for IP packets of protocols with ports, or with type and code; also for later fragments, which show none. */
  get hasPorts(): boolean {
    if (this.level < CLASS_PROTO) this.level = CLASS_PROTO;
    return this.#hasPorts;
  }

  /** Source port of TCP, UDP and SCTP; type of ICMP and ICMPv6. Only with `hasPorts`. */
  get portOrType(): number {
    if (this.level < CLASS_FULL) this.level = CLASS_FULL;
    return this.#portOrType;
  }

  /** Destination port of TCP, UDP and SCTP; code of ICMP and ICMPv6. Only with `hasPorts`. */
  get portOrCode(): number {
    if (this.level < CLASS_FULL) this.level = CLASS_FULL;
    return this.#portOrCode;
  }

  /** Type of ICMP and ICMPv6. */
  get icmpType(): number {
    return this.l4Word & 0xff;
  }

  /** Code of ICMP and ICMPv6. */
  get icmpCode(): number {
    return (this.l4Word >>> 8) & 0xff;
  }

  /** ARP operation. */
  get arpOperation(): number {
    return this.l4Word & 0xffff;
  }

  /** The packet has passed the TTL check of a router: one less to live. */
  spendTtl(): void {
    this.ttlDecrement++;
  }

  /** A router sends the packet on: new MAC addresses. */
  route(src: MacWords, dst: MacWords): void {
    this.#srcHigh = src.macHigh;
    this.#srcLow = src.macLow;
    this.#dstHigh = dst.macHigh;
    this.#dstLow = dst.macLow;
    this.#isMacSet = true;
  }

  /** Takes the outermost tag off. */
  popVlan(): void {
    if (this.#pushed > 0) this.#pushed = 0;
    else this.#popped++;
  }

  /** Puts a tag on: at most one at a time, since no bridge lets a tagged frame in where it would push. */
  pushVlan(vlan: number): void {
    this.#pushed = 1;
    this.#pushedVlan = vlan;
  }

  /** State of the tags in one number, for `restoreVlan`; a flood's branches start from the same tags. */
  saveVlan(): number {
    return this.#popped | (this.#pushed << 2) | (this.#pushedVlan << 3);
  }

  /** Goes back to saved tags. */
  restoreVlan(saved: number): void {
    this.#popped = saved & 3;
    this.#pushed = (saved >>> 2) & 1;
    this.#pushedVlan = saved >>> 3;
  }

  /** Tags to pop and to push, as in word 0 of an action. */
  get vlanOp(): number {
    return (this.#popped << ACTION_POP_SHIFT) | (this.#pushed << ACTION_PUSH_SHIFT);
  }

  /** Tags to push, as in word 7 of an action. */
  get vlanTags(): number {
    return this.#pushed > 0 ? this.#pushedVlan : 0;
  }

  /** Writes what changed into an action: flags, largest packet and TTL, MAC addresses. VLAN operation and output are not set. */
  writeAction(action: Uint32Array): void {
    for (let i = 0; i < ACTION_WORDS; i++) action[i] = 0;
    let flags = 0;
    if (this.ttlDecrement > 0) flags |= ACTION_DEC_TTL;
    if (this.#isMacSet) {
      flags |= ACTION_SET_MAC;
      action[4] = swap32((this.#dstHigh << 16) | (this.#dstLow >>> 16));
      action[5] = swap16(this.#dstLow) | (swap16(this.#srcHigh) << 16);
      action[6] = swap32(this.#srcLow);
    }
    action[0] = flags;
    action[3] = this.maxLength | (this.ttlDecrement << 16);
  }
}

/** A MAC address in two words. */
export interface MacWords {
  readonly macHigh: number;
  /** Signed. */
  readonly macLow: number;
}

/** Reverses the bytes of a word; signed. */
function swap32(w: number): number {
  return (w << 24) | ((w & 0xff00) << 8) | ((w >>> 8) & 0xff00) | (w >>> 24);
}

/** Reverses the lower two bytes. */
function swap16(w: number): number {
  return ((w & 0xff) << 8) | ((w >>> 8) & 0xff);
}
