import type { MessageReader } from "../message-reader.ts";
import { collectOne, type NetlinkRequest } from "../request.ts";
import { addressFamily, type IpBytes, routeMessage } from "./types.ts";

/** The way that the kernel would send a packet to an address. */
export interface RouteLookup {
  readonly ifindex: number | undefined;
  /** Address that the packet would have as its source, unless it has one. */
  readonly source: IpBytes | undefined;
  readonly gateway: IpBytes | undefined;
  /** Path MTU that the route or an ICMP message set; undefined: that of the interface. */
  readonly mtu: number | undefined;
}

const headerBytes = 12;
const attribute = { destination: 1, outInterface: 4, gateway: 5, preferredSource: 7, metrics: 8 };
const metricMtu = 2;

/** Asks for the way to an address, as `ip route get` does; ENETUNREACH when there is none. */
export function lookUpRoute(destination: IpBytes): NetlinkRequest<RouteLookup | undefined> {
  const family = destination.length === 4 ? addressFamily.inet : addressFamily.inet6;
  return {
    name: "look a route up",
    type: routeMessage.getRoute,
    flags: 0,
    write(writer) {
      writer
        .u8(family)
        .u8(8 * destination.length)
        .u8(0)
        .u8(0)
        .u32(0)
        .u32(0);
      writer.attribute(attribute.destination, destination);
    },
    collector: collectOne(readLookup),
  };
}

function readLookup(message: MessageReader): RouteLookup | undefined {
  if (message.type !== routeMessage.newRoute) return undefined;
  const attributes = message.attributes(headerBytes);
  return {
    ifindex: attributes.u32(attribute.outInterface),
    source: attributes.bytes(attribute.preferredSource),
    gateway: attributes.bytes(attribute.gateway),
    mtu: attributes.nested(attribute.metrics)?.u32(metricMtu),
  };
}
