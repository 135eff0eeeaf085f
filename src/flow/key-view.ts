import { formatIp, formatIpv4, type Ip, type Ipv4, ipFromV4, ipFromWords } from "../addr/ip.ts";
import { formatMac, type Mac, macFrom } from "../addr/mac.ts";
import { formatEtherType } from "../wire/ethernet.ts";
import { formatIpProtocol, IP_PROTOCOL } from "../wire/ip-protocol.ts";
import {
  CLASS_FULL,
  CLASS_WORDS,
  FRAGMENT_LATER,
  FRAGMENT_NO,
  FRAME_ARP,
  FRAME_IP4,
  FRAME_IP6,
  KEY_WORDS,
  PARSE_OK,
  W0_CLASS_SHIFT,
  W0_FRAGMENT_SHIFT,
  W0_FRAME_SHIFT,
  W0_PARSE_SHIFT,
  W0_VLAN_SHIFT,
} from "./layout.ts";

const FRAME_NAME: readonly string[] = ["other", "ip4", "ip6", "arp"];
const FRAGMENT_NAME: readonly string[] = ["whole", "first-fragment", "later-fragment"];
const PARSE_NAME: readonly string[] = ["ok", "short", "bad", "options", "extensions"];
const ARP_NAME: readonly string[] = ["operation 0", "request", "reply"];

/**
 * The fields of a flow key by name, over the words where they lie. What a field means follows from the frame class and the
 * protocol; a field that the frame has not is 0. Nothing is checked: a key is made by a datapath or by `extractKey`.
 */
export class KeyView {
  readonly #words: Uint32Array;
  readonly #base: number;

  /** The key whose first word is `words[offset]`. */
  constructor(words: Uint32Array, offset = 0) {
    this.#words = words;
    this.#base = offset;
  }

  /** Index of the vport by which the packet came. */
  get vportIndex(): number {
    return this.#word(0) & 0xffff;
  }

  /** One of FRAME_OTHER, FRAME_IP4, FRAME_IP6, FRAME_ARP. */
  get frameClass(): number {
    return (this.#word(0) >>> W0_FRAME_SHIFT) & 3;
  }

  /** One of FRAGMENT_NO, FRAGMENT_FIRST, FRAGMENT_LATER. */
  get fragment(): number {
    return (this.#word(0) >>> W0_FRAGMENT_SHIFT) & 3;
  }

  /** One of PARSE_OK, PARSE_SHORT, PARSE_BAD, PARSE_OPTIONS, PARSE_EXTENSIONS. */
  get parseState(): number {
    return (this.#word(0) >>> W0_PARSE_SHIFT) & 7;
  }

  /** VLAN tags read, 0..2. */
  get vlanCount(): number {
    return (this.#word(0) >>> W0_VLAN_SHIFT) & 3;
  }

  /** Mask class of a flow's key; 0 in a packet's key and for CLASS_PORT. */
  get maskClass(): number {
    return this.#word(0) >>> W0_CLASS_SHIFT;
  }

  get dstMac(): Mac {
    const word = this.#word(1);
    return macFrom(swap16(word), ((swap16(word >>> 16) << 16) | swap16(this.#word(2))) >>> 0);
  }

  get srcMac(): Mac {
    return macFrom(swap16(this.#word(2) >>> 16), swap32(this.#word(3)));
  }

  /** EtherType behind all tags; 0 for LLC. */
  get etherType(): number {
    return swap16(this.#word(4));
  }

  get outerVlan(): number {
    return this.#word(4) >>> 16;
  }

  get innerVlan(): number {
    return this.#word(5) & 0xffff;
  }

  /** Destination as an IPv4 number; of ARP the target. */
  get dstIpv4(): Ipv4 {
    return swap32(this.#word(6));
  }

  /** Source as an IPv4 number; of ARP the sender. */
  get srcIpv4(): Ipv4 {
    return swap32(this.#word(10));
  }

  /** Destination in either family; of ARP the target. */
  get dstIp(): Ip {
    return this.#ip(6);
  }

  /** Source in either family; of ARP the sender. */
  get srcIp(): Ip {
    return this.#ip(10);
  }

  /** IP protocol, behind the extension headers. */
  get protocol(): number {
    return this.#word(14) & 0xff;
  }

  get dscp(): number {
    return (this.#word(14) >>> 8) & 0x3f;
  }

  /** Source port of TCP, UDP and SCTP. */
  get srcPort(): number {
    return swap16(this.#word(15));
  }

  /** Destination port of TCP, UDP and SCTP. */
  get dstPort(): number {
    return swap16(this.#word(15) >>> 16);
  }

  get icmpType(): number {
    return this.#word(15) & 0xff;
  }

  get icmpCode(): number {
    return (this.#word(15) >>> 8) & 0xff;
  }

  /** Identifier of an ICMP echo, else 0. */
  get icmpIdentifier(): number {
    return swap16(this.#word(15) >>> 16);
  }

  get arpOperation(): number {
    return this.#word(15) & 0xffff;
  }

  /** Words that belong to the key: those of its mask class, or all sixteen for the key of a packet. */
  get wordCount(): number {
    if (this.maskClass > 0) return CLASS_WORDS[this.maskClass] ?? KEY_WORDS;
    // A flow of CLASS_PORT has the class number of a packet's key, but no packet is all zero behind word 0.
    for (let i = 1; i < KEY_WORDS; i++) if (this.#word(i) !== 0) return KEY_WORDS;
    return 1;
  }

  #word(index: number): number {
    return this.#words[this.#base + index] ?? 0;
  }

  #ip(first: number): Ip {
    const word = (i: number): number => swap32(this.#word(first + i));
    return this.frameClass === FRAME_IP6 ? ipFromWords(word(0), word(1), [word(2), word(3)]) : ipFromV4(word(0));
  }
}

/** One line. Of a flow's key only what its mask class has: `*` stands for what every value matches. */
export function formatKey(words: Uint32Array, offset = 0): string {
  const key = new KeyView(words, offset);
  const count = key.wordCount;
  const parts = [`vport ${key.vportIndex} ${FRAME_NAME[key.frameClass] ?? "?"}`];
  if (key.fragment !== FRAGMENT_NO) parts.push(FRAGMENT_NAME[key.fragment] ?? `fragment ${key.fragment}`);
  if (key.parseState !== PARSE_OK) parts.push(PARSE_NAME[key.parseState] ?? `parse ${key.parseState}`);
  if (count >= CLASS_WORDS_L2) parts.push(formatLink(key));
  if (key.frameClass !== 0 && count > CLASS_WORDS_L2) parts.push(formatNetwork(key, count));
  if (isIp(key) && count >= CLASS_WORDS_PROTO) parts.push(formatTransport(key, count));
  return parts.join(" ");
}

const CLASS_WORDS_L2 = CLASS_WORDS[1] ?? KEY_WORDS;
const CLASS_WORDS_PAIR = CLASS_WORDS[3] ?? KEY_WORDS;
const CLASS_WORDS_PROTO = CLASS_WORDS[4] ?? KEY_WORDS;
const CLASS_WORDS_FULL = CLASS_WORDS[CLASS_FULL] ?? KEY_WORDS;

function formatLink(key: KeyView): string {
  const macs = `${formatMac(key.srcMac)} > ${formatMac(key.dstMac)}`;
  const type = key.frameClass === 0 ? ` ${formatEtherType(key.etherType)}` : "";
  if (key.vlanCount === 0) return `${macs}${type}`;
  return `${macs}${type} vlan ${key.outerVlan}${key.vlanCount > 1 ? `,${key.innerVlan}` : ""}`;
}

function formatNetwork(key: KeyView, count: number): string {
  const format = key.frameClass === FRAME_IP6 ? formatIp : formatV4;
  const pair = `${count >= CLASS_WORDS_PAIR ? format(key.srcIp) : "*"} > ${format(key.dstIp)}`;
  if (key.frameClass !== FRAME_ARP || count < CLASS_WORDS_FULL) return pair;
  return `${ARP_NAME[key.arpOperation] ?? `operation ${key.arpOperation}`} ${pair}`;
}

function formatV4(ip: Ip): string {
  return formatIpv4(ip.w3);
}

function formatTransport(key: KeyView, count: number): string {
  const dscp = key.dscp === 0 ? "" : ` dscp ${key.dscp}`;
  const name = `${formatIpProtocol(key.protocol)}${dscp}`;
  if (count < CLASS_WORDS_FULL || key.fragment === FRAGMENT_LATER) return name;
  const { protocol } = key;
  if (protocol === (key.frameClass === FRAME_IP4 ? IP_PROTOCOL.icmpv4 : IP_PROTOCOL.icmpv6)) {
    const id = key.icmpIdentifier === 0 ? "" : ` id ${key.icmpIdentifier}`;
    return `${name} type ${key.icmpType} code ${key.icmpCode}${id}`;
  }
  const hasPorts = protocol === IP_PROTOCOL.tcp || protocol === IP_PROTOCOL.udp || protocol === IP_PROTOCOL.sctp;
  return hasPorts ? `${name} ${key.srcPort} > ${key.dstPort}` : name;
}

function isIp(key: KeyView): boolean {
  return key.frameClass === FRAME_IP4 || key.frameClass === FRAME_IP6;
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | ((value >>> 8) & 0xff);
}

function swap32(value: number): number {
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}
