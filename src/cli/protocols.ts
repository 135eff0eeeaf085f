import { err, ok, type Result } from "../base/result.ts";

const PROTOCOLS: Readonly<Record<string, number>> = {
  icmp: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  gre: 47,
  esp: 50,
  ah: 51,
  icmp6: 58,
  icmpv6: 58,
  ospf: 89,
  sctp: 132,
};

const ETHER_TYPES: Readonly<Record<string, number>> = { ipv4: 0x0800, ip: 0x0800, arp: 0x0806, ipv6: 0x86dd };

/** An IP protocol by name or number (IANA); the error says what was expected. */
export function protocolOf(text: string): Result<number, string> {
  return nameOrNumber(text, { names: PROTOCOLS, max: 255 });
}

/** An EtherType by name or number (IANA); the error says what was expected. */
export function etherTypeOf(text: string): Result<number, string> {
  return nameOrNumber(text, { names: ETHER_TYPES, max: 0xffff });
}

/** The name of a protocol number, or the number. */
export function protocolName(number: number): string {
  return Object.entries(PROTOCOLS).find(([, value]) => value === number)?.[0] ?? String(number);
}

interface Names {
  readonly names: Readonly<Record<string, number>>;
  readonly max: number;
}

function nameOrNumber(text: string, { names, max }: Names): Result<number, string> {
  const lower = text.toLowerCase();
  const known = Object.hasOwn(names, lower) ? names[lower] : undefined;
  if (known !== undefined) return ok(known);
  const number = /^(?:[0-9]{1,5}|0x[0-9a-f]{1,4})$/.test(lower) ? Number(lower) : Number.NaN;
  return number <= max ? ok(number) : err(`one of ${Object.keys(names).join(", ")}, or a number up to ${max}`);
}
