import type { Attributes, MessageReader } from "./message-reader.ts";
import type { MessageWriter } from "./message-writer.ts";
import { netlinkFlags } from "./protocol.ts";
import { type Collector, collectAll, collectOne, type NetlinkRequest } from "./request.ts";

/** Bytes of the generic header after the common one: command, version, two reserved. */
export const genericHeaderBytes = 4;

/** A notification group of a family; sockets join it by number. */
export interface MulticastGroup {
  readonly name: string;
  readonly id: number;
}

/** A generic netlink family as this kernel has it: its number is given out at boot or when its module loads. */
export interface GenericFamily {
  readonly name: string;
  /** The message type of all its messages. */
  readonly id: number;
  readonly version: number;
  /** Bytes of the family's own header before the attributes (Open vSwitch has 4: the datapath's ifindex). */
  readonly headerBytes: number;
  readonly groups: readonly MulticastGroup[];
}

/** A request to a generic family. */
export interface GenericRequest<R> {
  readonly name: string;
  readonly family: Pick<GenericFamily, "id" | "version">;
  readonly command: number;
  /** Flags beside REQUEST and ACK: `netlinkFlags.dump` to list, `echo` to be shown what was done. */
  readonly flags: number;
  /** Writes the family's own header, if it has one, and the attributes. */
  readonly write: (writer: MessageWriter) => void;
  readonly collector: () => Collector<R>;
}

/** Makes a netlink request of it: broker and connection run it like any other. */
export function genericRequest<R>(request: GenericRequest<R>): NetlinkRequest<R> {
  const { name, family, command, flags, collector } = request;
  return {
    name,
    type: family.id,
    flags,
    write(writer) {
      writer.u8(command).u8(family.version).u16(0);
      request.write(writer);
    },
    collector,
  };
}

/** The command of a received message. */
export function genericCommand(message: MessageReader): number {
  return message.headerU8(0);
}

/** The attributes of a received message of a family whose own header has `familyHeaderBytes`. */
export function genericAttributes(message: MessageReader, familyHeaderBytes = 0): Attributes {
  return message.attributes(genericHeaderBytes + familyHeaderBytes);
}

/** The controller, the only family whose number is fixed: it knows the others (linux/genetlink.h). */
export const controllerFamily = { id: 16, version: 2 } as const;

const controllerCommand = { newFamily: 1, getFamily: 3 };
const attribute = { id: 1, name: 2, version: 3, headerBytes: 4, groups: 7 };
const groupAttribute = { name: 1, id: 2 };

/** The family of a name, such as `ovs_flow`; ENOENT when the kernel does not have it. */
export function resolveFamily(name: string): NetlinkRequest<GenericFamily | undefined> {
  return genericRequest({
    name: `resolve the generic netlink family ${name}`,
    family: controllerFamily,
    command: controllerCommand.getFamily,
    flags: 0,
    write: (writer) => writer.attributeString(attribute.name, name),
    collector: collectOne(readFamily),
  });
}

/** All families of this kernel with their notification groups. */
export function listFamilies(): NetlinkRequest<readonly GenericFamily[]> {
  return genericRequest({
    name: "list the generic netlink families",
    family: controllerFamily,
    command: controllerCommand.getFamily,
    flags: netlinkFlags.dump,
    write: () => undefined,
    collector: collectAll(readFamily),
  });
}

function readFamily(message: MessageReader): GenericFamily | undefined {
  if (message.type !== controllerFamily.id || genericCommand(message) !== controllerCommand.newFamily) return undefined;
  const attributes = genericAttributes(message);
  const id = attributes.u16(attribute.id);
  const name = attributes.string(attribute.name);
  if (id === undefined || name === undefined) return undefined;
  return {
    id,
    name,
    version: attributes.u32(attribute.version) ?? 0,
    headerBytes: attributes.u32(attribute.headerBytes) ?? 0,
    groups: attributes.list(attribute.groups).flatMap(readGroup),
  };
}

function readGroup(attributes: Attributes): readonly MulticastGroup[] {
  const name = attributes.string(groupAttribute.name);
  const id = attributes.u32(groupAttribute.id);
  return name === undefined || id === undefined ? [] : [{ name, id }];
}
