import { assert } from "../base/assert.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type LinuxError, linuxError } from "./errno.ts";
import { checked, libc } from "./libc.ts";

/** What may be done with mapped bytes. A store into a `read` mapping kills the process (SIGSEGV): no type stops it. */
export type Protection = "read" | "read-write";

/**
 * Mapped memory as plain values that survive a `postMessage`: another thread of the same process turns it into a view
 * of the same bytes with `viewMapping`. It does not own the mapping: that is the `Mapping` it came from.
 */
export interface MappingHandle {
  readonly address: bigint;
  readonly length: number;
}

/** What to map: `length` bytes from `offset` (a multiple of the page size, 4096) of the file behind `fd`. */
export interface MappingSource {
  readonly fd: number;
  readonly length: number;
  readonly protection: Protection;
  readonly offset?: number;
}

const mapShared = 1;
const protectionBits: Readonly<Record<Protection, number>> = { read: 1, "read-write": 3 };

/**
 * A shared memory mapping of a file: a BPF map, a ring, a memfd. The descriptor may be closed afterwards.
 * `buffer` is no SharedArrayBuffer: `Atomics.load` and `Atomics.store` work on typed arrays over it and are seen by the
 * kernel and by other threads; `Atomics.wait` and `Atomics.notify` do not.
 */
export class Mapping {
  readonly handle: MappingHandle;
  readonly #buffer: ArrayBuffer;
  #isMapped = true;

  constructor(handle: MappingHandle) {
    this.handle = handle;
    this.#buffer = viewMapping(handle);
  }

  /** The bytes. After `unmap` any use of a view made from it is a segmentation fault. */
  get buffer(): ArrayBuffer {
    assert(this.#isMapped, "use of a mapping that was unmapped");
    return this.#buffer;
  }

  /** Gives the memory back. Only when no thread can touch a view of it any more; a second call does nothing. */
  unmap(): void {
    if (!this.#isMapped) return;
    this.#isMapped = false;
    const { address, length } = this.handle;
    assert(libc().munmap(address, length) === 0, "munmap of a live mapping failed", { length });
  }
}

/** Maps a file's bytes, shared with everybody who maps the same file. */
export function mmapFile(source: MappingSource): Result<Mapping, LinuxError> {
  const { fd, length, protection, offset = 0 } = source;
  const address = libc().mmap(0n, length, protectionBits[protection], mapShared, fd, offset);
  if (address === null || BigInt.asIntN(64, address) === -1n) {
    return err(linuxError(`mmap of ${length} bytes at ${offset} of descriptor ${fd}`, libc().errno()));
  }
  return ok(new Mapping({ address, length }));
}

/** The bytes of a mapping that another thread of this process made and keeps mapped. */
export function viewMapping(handle: MappingHandle): ArrayBuffer {
  return libc().koffi.view(handle.address, handle.length);
}

/** An anonymous file of `length` zero bytes, to be mapped by several threads or passed to a child. Returns its fd. */
export function anonymousFile(name: string, length: number): Result<number, LinuxError> {
  const closeOnExec = 1;
  const fd = checked(`memfd_create ${name}`, libc().memfd_create(name, closeOnExec));
  if (!fd.ok) return fd;
  const sized = checked(`ftruncate of memfd ${name}`, libc().ftruncate(fd.value, length));
  if (sized.ok) return fd;
  libc().close(fd.value);
  return sized;
}
