/** Protocol and next-header numbers that weft reads (IANA protocol-numbers). Others stay numbers. */
export const IP_PROTOCOL = {
  hopByHop: 0,
  icmpv4: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  routing: 43,
  fragment: 44,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  noNextHeader: 59,
  destinationOptions: 60,
  sctp: 132,
} as const;

/** The name of a protocol, or its number. */
export function formatIpProtocol(protocol: number): string {
  for (const [name, value] of Object.entries(IP_PROTOCOL)) if (value === protocol) return name;
  return `proto ${protocol}`;
}
