/** Netlink families (linux/netlink.h): which part of the kernel a socket talks to. */
export const netlinkProtocol = { route: 0, generic: 16 } as const;

/**
 * Flags of a message header. `dump` asks for every object; `replace`, `exclusive`, `create`, `append` belong to NEW.
 */
export const netlinkFlags = {
  request: 1,
  multi: 2,
  ack: 4,
  echo: 8,
  dumpInterrupted: 0x10,
  dump: 0x300,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  append: 0x800,
} as const;

/** Message types that every family shares. */
export const netlinkControl = { noop: 1, error: 2, done: 3, overrun: 4 } as const;

/** Flags in an error message's header: its request is cut off, and attributes with words follow. */
export const acknowledgeFlags = { capped: 0x100, extended: 0x200 } as const;

/** Bytes of the header of a message: length, type, flags, sequence, port. */
export const headerBytes = 16;

/** Bytes of the header of an attribute: length and type. */
export const attributeHeaderBytes = 4;

/** Set in the type of an attribute that holds attributes. */
export const nestedFlag = 0x8000;

/** The bits of an attribute's type that name it. */
export const attributeTypeMask = 0x3fff;

/** Rounds a length up to the 4 bytes on which messages and attributes begin. */
export function aligned(length: number): number {
  return (length + 3) & ~3;
}
