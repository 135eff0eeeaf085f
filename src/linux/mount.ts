import type { Result } from "../base/result.ts";
import type { LinuxError } from "./errno.ts";
import { checked, libc } from "./libc.ts";

/** Flags of mount(2) and umount2(2) in use. */
export const mountFlags = { bind: 0x1000, recursive: 0x4000, private: 1 << 18, shared: 1 << 20 } as const;

const detach = 2;

/** A mount: `source` is a device, a directory to bind, or a name that nobody reads. */
export interface Mount {
  readonly source: string;
  readonly target: string;
  /** The file system (`bpf`); undefined for a bind or a change of propagation. */
  readonly kind: string | undefined;
  readonly flags: number;
}

/** Mounts. */
export function mount({ source, target, kind, flags }: Mount): Result<number, LinuxError> {
  return checked(`mount ${kind ?? source} at ${target}`, libc().mount(source, target, kind ?? null, flags, null));
}

/** Takes a mount away as soon as nobody uses it. */
export function unmountLazily(target: string): Result<number, LinuxError> {
  return checked(`unmount ${target}`, libc().umount2(target, detach));
}
