import type { MessageReader } from "../message-reader.ts";
import { netlinkFlags } from "../protocol.ts";
import { collectAll, collectNothing, type NetlinkRequest } from "../request.ts";
import { addressFamily, familyOf, type IpBytes, type MacBytes, routeMessage } from "./types.ts";

/** States of a kernel neighbor (NUD_*), as bits. */
export const neighborState = {
  incomplete: 0x01,
  reachable: 0x02,
  stale: 0x04,
  delay: 0x08,
  probe: 0x10,
  failed: 0x20,
  noArp: 0x40,
  permanent: 0x80,
} as const;

/** An entry of the kernel's neighbor table (ARP and ND). */
export interface KernelNeighbor {
  readonly ifindex: number;
  readonly address: IpBytes;
  readonly mac: MacBytes | undefined;
  /** A bit of `neighborState`. */
  readonly state: number;
}

/** A neighbor to be added. */
export interface NewNeighbor {
  readonly ifindex: number;
  readonly address: IpBytes;
  readonly mac: MacBytes;
  /** Default: permanent. */
  readonly state?: number;
}

const headerBytes = 12;
const attribute = { address: 1, mac: 2 };

/** Adds a neighbor or replaces the one of the same address. */
export function addNeighbor({ ifindex, address, mac, state }: NewNeighbor): NetlinkRequest<undefined> {
  return {
    name: `add a neighbor to interface ${ifindex}`,
    type: routeMessage.newNeighbor,
    flags: netlinkFlags.create | netlinkFlags.replace,
    write(writer) {
      writer.u8(familyOf(address)).u8(0).u16(0).u32(ifindex);
      writer
        .u16(state ?? neighborState.permanent)
        .u8(0)
        .u8(0);
      writer.attribute(attribute.address, address).attribute(attribute.mac, mac);
    },
    collector: collectNothing,
  };
}

/** Removes a neighbor; ENOENT when there is none. */
export function deleteNeighbor({ ifindex, address }: Omit<NewNeighbor, "mac">): NetlinkRequest<undefined> {
  return {
    name: `delete a neighbor of interface ${ifindex}`,
    type: routeMessage.delNeighbor,
    flags: 0,
    write(writer) {
      writer.u8(familyOf(address)).u8(0).u16(0).u32(ifindex).u16(0).u8(0).u8(0);
      writer.attribute(attribute.address, address);
    },
    collector: collectNothing,
  };
}

/** All neighbors of one IP version. */
export function listNeighbors(version: "ipv4" | "ipv6"): NetlinkRequest<readonly KernelNeighbor[]> {
  const family = version === "ipv4" ? addressFamily.inet : addressFamily.inet6;
  return {
    name: `list the ${version} neighbors`,
    type: routeMessage.getNeighbor,
    flags: netlinkFlags.dump,
    write: (writer) => writer.u8(family).u8(0).u16(0).u32(0).u16(0).u8(0).u8(0),
    collector: collectAll(readNeighbor),
  };
}

/** Reads a RTM_NEWNEIGH or RTM_DELNEIGH message; undefined for those of bridges. */
export function readNeighbor(message: MessageReader): KernelNeighbor | undefined {
  if (message.type !== routeMessage.newNeighbor && message.type !== routeMessage.delNeighbor) return undefined;
  const attributes = message.attributes(headerBytes);
  const address = attributes.bytes(attribute.address);
  if (address === undefined || message.headerU8(0) === addressFamily.bridge) return undefined;
  return { ifindex: message.headerU32(4), address, mac: attributes.bytes(attribute.mac), state: message.headerU16(8) };
}
