/** Message types of rtnetlink in use (linux/rtnetlink.h). */
export const routeMessage = {
  newLink: 16,
  delLink: 17,
  getLink: 18,
  setLink: 19,
  newAddress: 20,
  delAddress: 21,
  getAddress: 22,
  newRoute: 24,
  delRoute: 25,
  getRoute: 26,
  newNeighbor: 28,
  delNeighbor: 29,
  getNeighbor: 30,
  newQdisc: 36,
  delQdisc: 37,
  getQdisc: 38,
  newFilter: 44,
  delFilter: 45,
  getFilter: 46,
} as const;

/** Notification groups of rtnetlink in use. */
export const routeGroup = {
  link: 1,
  neighbor: 3,
  trafficControl: 4,
  address4: 5,
  route4: 7,
  address6: 9,
  route6: 11,
} as const;

/** Address families as the messages write them. */
export const addressFamily = { unspecified: 0, inet: 2, bridge: 7, inet6: 10 } as const;

/** An IP address as its 4 or 16 bytes, in network order. */
export type IpBytes = Uint8Array;

/** A MAC address as its 6 bytes. */
export type MacBytes = Uint8Array;

/** The family of an address, by its length. */
export function familyOf(address: IpBytes): number {
  return address.length === 16 ? addressFamily.inet6 : addressFamily.inet;
}
