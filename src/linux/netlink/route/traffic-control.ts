import type { MessageReader } from "../message-reader.ts";
import type { MessageWriter } from "../message-writer.ts";
import { netlinkFlags } from "../protocol.ts";
import { collectAll, collectNothing, type NetlinkRequest } from "../request.ts";
import { routeMessage } from "./types.ts";

/** The side of a device at which a filter of its clsact qdisc sees frames. */
export type FilterHook = "ingress" | "egress";

/** Where a filter sits: the same place is the same filter, so that a second attach replaces the first. */
export interface FilterPlace {
  readonly ifindex: number;
  readonly hook: FilterHook;
  /** Lower ones run first; 1 to 65535. */
  readonly preference: number;
  /** Number of the filter within its preference; 1 or more. */
  readonly handle: number;
}

/** A cls_bpf filter to be attached. */
export interface BpfFilter extends FilterPlace {
  /** Descriptor of a loaded program of the tc kind. The filter keeps the program; the descriptor may be closed. */
  readonly programFd: number;
  /** Shown by `tc filter show`; how an agent knows its own. */
  readonly name: string;
  /**
   * Number that the program reads as `tc_classid` (its lower 16 bits), so that one program can tell its devices
   * apart.
   */
  readonly classId?: number;
}

/** A filter that is attached. */
export interface AttachedFilter extends FilterPlace {
  readonly kind: string;
  /** Of a cls_bpf filter: its name and the kernel's number of its program. */
  readonly name: string | undefined;
  readonly programId: number | undefined;
}

/** A queueing discipline of a device. */
export interface Qdisc {
  readonly ifindex: number;
  readonly kind: string;
  readonly handle: number;
  readonly parent: number;
}

const clsactParent = 0xffff_fff1;
const clsactHandle = 0xffff_0000;
const hookParent: Readonly<Record<FilterHook, number>> = { ingress: 0xffff_fff2, egress: 0xffff_fff3 };
// ETH_P_ALL in network order, the lower half of tcm_info.
const everyProtocol = 0x0300;
const headerBytes = 20;
const attributeKind = 1;
const attributeOptions = 2;
const bpfAttribute = { classId: 3, fd: 6, name: 7, flags: 8, id: 11 };
const directAction = 1;

/** Gives a device the clsact qdisc, which holds ingress and egress filters. EEXIST when it has it. */
export function addClsact(ifindex: number): NetlinkRequest<undefined> {
  return clsact(ifindex, {
    name: `add clsact to interface ${ifindex}`,
    type: routeMessage.newQdisc,
    flags: netlinkFlags.create | netlinkFlags.exclusive,
  });
}

/** Takes clsact and every filter in it away. EINVAL or ENOENT when there is none. */
export function deleteClsact(ifindex: number): NetlinkRequest<undefined> {
  const name = `delete clsact of interface ${ifindex}`;
  return clsact(ifindex, { name, type: routeMessage.delQdisc, flags: 0 });
}

/**
 * Attaches a program in direct-action mode (its return value is the verdict). When the place is taken, the old program
 * is replaced in one step: each frame meets one of the two.
 */
export function attachBpf(filter: BpfFilter): NetlinkRequest<undefined> {
  return {
    name: `attach ${filter.name} to ${filter.hook} of interface ${filter.ifindex}`,
    type: routeMessage.newFilter,
    flags: netlinkFlags.create,
    write(writer) {
      writePlace(writer, filter);
      writer.attributeString(attributeKind, "bpf");
      writer.nested(attributeOptions, (options) => {
        options.attributeU32(bpfAttribute.fd, filter.programFd);
        if (filter.classId !== undefined) options.attributeU32(bpfAttribute.classId, filter.classId);
        options.attributeString(bpfAttribute.name, filter.name);
        options.attributeU32(bpfAttribute.flags, directAction);
      });
    },
    collector: collectNothing,
  };
}

/** Removes a filter; ENOENT when the place is empty. */
export function deleteFilter(place: FilterPlace): NetlinkRequest<undefined> {
  return {
    name: `delete a filter of ${place.hook} of interface ${place.ifindex}`,
    type: routeMessage.delFilter,
    flags: 0,
    write(writer) {
      writePlace(writer, place);
      writer.attributeString(attributeKind, "bpf");
    },
    collector: collectNothing,
  };
}

/** All filters of one hook of a device; an error (EINVAL, ENOENT) or none when it has no clsact. */
export function listFilters(ifindex: number, hook: FilterHook): NetlinkRequest<readonly AttachedFilter[]> {
  return {
    name: `list the ${hook} filters of interface ${ifindex}`,
    type: routeMessage.getFilter,
    flags: netlinkFlags.dump,
    write: (writer) => writeHeader(writer, { ifindex, handle: 0, parent: hookParent[hook], info: 0 }),
    collector: collectAll((message) => readFilter(message, hook)),
  };
}

/** All queueing disciplines of the namespace. */
export function listQdiscs(): NetlinkRequest<readonly Qdisc[]> {
  return {
    name: "list the qdiscs",
    type: routeMessage.getQdisc,
    flags: netlinkFlags.dump,
    write: (writer) => writeHeader(writer, { ifindex: 0, handle: 0, parent: 0, info: 0 }),
    collector: collectAll(readQdisc),
  };
}

function clsact(
  ifindex: number,
  order: Pick<NetlinkRequest<undefined>, "name" | "type" | "flags">,
): NetlinkRequest<undefined> {
  return {
    ...order,
    write(writer) {
      writeHeader(writer, { ifindex, handle: clsactHandle, parent: clsactParent, info: 0 });
      writer.attributeString(attributeKind, "clsact");
    },
    collector: collectNothing,
  };
}

function writePlace(writer: MessageWriter, { ifindex, hook, preference, handle }: FilterPlace): void {
  const info = ((preference << 16) | everyProtocol) >>> 0;
  writeHeader(writer, { ifindex, handle, parent: hookParent[hook], info });
}

interface TcHeader {
  readonly ifindex: number;
  readonly handle: number;
  readonly parent: number;
  readonly info: number;
}

function writeHeader(writer: MessageWriter, { ifindex, handle, parent, info }: TcHeader): void {
  writer.u8(0).u8(0).u16(0).u32(ifindex).u32(handle).u32(parent).u32(info);
}

function readFilter(message: MessageReader, hook: FilterHook): AttachedFilter | undefined {
  if (message.type !== routeMessage.newFilter) return undefined;
  const attributes = message.attributes(headerBytes);
  const handle = message.headerU32(8);
  // A preference that holds filters is listed itself, as a filter without number.
  if (handle === 0) return undefined;
  const options = attributes.nested(attributeOptions);
  return {
    ifindex: message.headerU32(4),
    hook,
    preference: message.headerU32(16) >>> 16,
    handle,
    kind: attributes.string(attributeKind) ?? "",
    name: options?.string(bpfAttribute.name),
    programId: options?.u32(bpfAttribute.id),
  };
}

function readQdisc(message: MessageReader): Qdisc | undefined {
  if (message.type !== routeMessage.newQdisc) return undefined;
  return {
    ifindex: message.headerU32(4),
    kind: message.attributes(headerBytes).string(attributeKind) ?? "",
    handle: message.headerU32(8),
    parent: message.headerU32(12),
  };
}
