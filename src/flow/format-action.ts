import { formatIpv4 } from "../addr/ip.ts";
import { formatMac, type Mac, macFrom } from "../addr/mac.ts";
import { dropReasonOf } from "./drop-reason.ts";
import {
  ACTION_DEC_TTL,
  ACTION_DROP,
  ACTION_GROUP,
  ACTION_KIND_MASK,
  ACTION_POP_SHIFT,
  ACTION_PUSH_SHIFT,
  ACTION_SET_DSCP,
  ACTION_SET_DST,
  ACTION_SET_MAC,
  ACTION_SET_PORTS,
  ACTION_SET_SRC,
  ACTION_TUNNEL,
  ACTION_VPORT,
} from "./layout.ts";

/** An action as people read it, in the order in which it is executed: `ttl-1,set_mac(...),output:tunnel(peer=2,key=0x1234)`. */
export function formatAction(words: Uint32Array, offset: number): string {
  const flags = words[offset] as number;
  const limits = words[offset + 3] as number;
  const steps: string[] = [];
  if ((limits & 0xffff) !== 0) steps.push(`max_len(${limits & 0xffff})`);
  const pops = (flags >>> ACTION_POP_SHIFT) & 3;
  if (pops > 0) steps.push(`pop_vlan(${pops})`);
  if ((flags & ACTION_SET_SRC) !== 0) steps.push(`set_src(${addressAt(words, offset + 8)})`);
  if ((flags & ACTION_SET_DST) !== 0) steps.push(`set_dst(${addressAt(words, offset + 12)})`);
  if ((flags & ACTION_SET_PORTS) !== 0)
    steps.push(`set_ports(${swap16(words[offset + 16] as number)},${swap16((words[offset + 16] as number) >>> 16)})`);
  if ((flags & ACTION_DEC_TTL) !== 0) steps.push(`ttl-${(limits >>> 16) & 0xff}`);
  if ((flags & ACTION_SET_DSCP) !== 0) steps.push(`set_dscp(${(limits >>> 24) & 0x3f})`);
  if ((flags & ACTION_SET_MAC) !== 0)
    steps.push(`set_mac(${macAt(words, offset + 4, 0)},${macAt(words, offset + 4, 6)})`);
  const pushes = (flags >>> ACTION_PUSH_SHIFT) & 3;
  const tags = words[offset + 7] as number;
  if (pushes > 0) steps.push(`push_vlan(${[tags & 0xfff, (tags >>> 16) & 0xfff].slice(0, pushes).join(",")})`);
  return [...steps, output(words, offset)].join(",");
}

function output(words: Uint32Array, offset: number): string {
  const target = words[offset + 1] as number;
  switch ((words[offset] as number) & ACTION_KIND_MASK) {
    case ACTION_DROP:
      return `drop(${dropReasonOf(target) ?? target})`;
    case ACTION_VPORT:
      return `output:vport(${target})`;
    case ACTION_TUNNEL:
      return `output:tunnel(peer=${target},key=0x${(words[offset + 2] as number).toString(16)})`;
    case ACTION_GROUP:
      return `output:group(${target})`;
    default:
      return "miss";
  }
}

/** An address in an action is IPv4 when only its first word is set; ::/96 addresses do not occur in rewrites. */
function addressAt(words: Uint32Array, at: number): string {
  const [a, b, c, d] = [0, 1, 2, 3].map((i) => swap32(words[at + i] as number)) as [number, number, number, number];
  if (b === 0 && c === 0 && d === 0) return formatIpv4(a);
  return [a, b, c, d].flatMap((word) => [(word >>> 16).toString(16), (word & 0xffff).toString(16)]).join(":");
}

function macAt(words: Uint32Array, at: number, byte: number): string {
  const octet = (i: number): number => ((words[at + ((byte + i) >> 2)] as number) >>> (8 * ((byte + i) & 3))) & 0xff;
  const mac: Mac = macFrom(
    (octet(0) << 8) | octet(1),
    ((octet(2) << 24) | (octet(3) << 16) | (octet(4) << 8) | octet(5)) >>> 0,
  );
  return formatMac(mac);
}

function swap16(word: number): number {
  return ((word & 0xff) << 8) | ((word >>> 8) & 0xff);
}

function swap32(word: number): number {
  return (((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}
