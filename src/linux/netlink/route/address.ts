import type { MessageReader } from "../message-reader.ts";
import { netlinkFlags } from "../protocol.ts";
import { collectAll, collectNothing, type NetlinkRequest } from "../request.ts";
import { addressFamily, familyOf, type IpBytes, routeMessage } from "./types.ts";

/** An address of an interface. */
export interface InterfaceAddress {
  readonly ifindex: number;
  readonly address: IpBytes;
  readonly prefixLength: number;
  /** True while duplicate address detection runs (RFC 4862): it cannot be used as a source yet. */
  readonly isTentative: boolean;
}

/** An address to be given to an interface. */
export interface NewAddress {
  readonly ifindex: number;
  readonly address: IpBytes;
  readonly prefixLength: number;
}

const headerBytes = 8;
const attribute = { address: 1, local: 2, broadcast: 4, flags: 8 };
const noDuplicateDetection = 0x02;
const tentative = 0x40;

/** Adds an address, at once usable (IPv6 without duplicate address detection). EEXIST when it is there. */
export function addAddress(given: NewAddress): NetlinkRequest<undefined> {
  return order(given, `add an address to interface ${given.ifindex}`, {
    type: routeMessage.newAddress,
    flags: netlinkFlags.create | netlinkFlags.exclusive,
  });
}

/** Removes an address; EADDRNOTAVAIL when it is not there. */
export function deleteAddress(given: NewAddress): NetlinkRequest<undefined> {
  const name = `delete an address of interface ${given.ifindex}`;
  return order(given, name, { type: routeMessage.delAddress, flags: 0 });
}

/** All addresses of the namespace, IPv4 and IPv6, or those of one interface. */
export function listAddresses(ifindex = 0): NetlinkRequest<readonly InterfaceAddress[]> {
  return {
    name: "list the addresses",
    type: routeMessage.getAddress,
    flags: netlinkFlags.dump,
    write: (writer) => writer.u8(addressFamily.unspecified).u8(0).u8(0).u8(0).u32(ifindex),
    collector: collectAll(readAddress),
  };
}

/** Reads a RTM_NEWADDR or RTM_DELADDR message. */
export function readAddress(message: MessageReader): InterfaceAddress | undefined {
  if (message.type !== routeMessage.newAddress && message.type !== routeMessage.delAddress) return undefined;
  const attributes = message.attributes(headerBytes);
  // On point-to-point links `address` is the peer's and `local` ours.
  const address = attributes.bytes(attribute.local) ?? attributes.bytes(attribute.address);
  if (address === undefined) return undefined;
  const flags = attributes.u32(attribute.flags) ?? message.headerU8(2);
  return {
    ifindex: message.headerU32(4),
    address,
    prefixLength: message.headerU8(1),
    isTentative: (flags & tentative) !== 0,
  };
}

function order(
  { ifindex, address, prefixLength }: NewAddress,
  name: string,
  { type, flags }: { readonly type: number; readonly flags: number },
): NetlinkRequest<undefined> {
  return {
    name,
    type,
    flags,
    write(writer) {
      writer.u8(familyOf(address)).u8(prefixLength).u8(noDuplicateDetection).u8(0).u32(ifindex);
      writer.attribute(attribute.local, address).attribute(attribute.address, address);
      if (address.length === 4 && prefixLength < 31)
        writer.attribute(attribute.broadcast, broadcast(address, prefixLength));
    },
    collector: collectNothing,
  };
}

function broadcast(address: IpBytes, prefixLength: number): Uint8Array {
  return address.map((byte, i) => byte | (0xff >> Math.max(0, Math.min(8, prefixLength - 8 * i))));
}
