import { err, ok, type Result } from "../../base/result.ts";
import { type LinuxError, linuxError } from "../errno.ts";
import { addressOf, allocate, cString, libc } from "../libc.ts";

/** Commands of bpf(2) in use (enum bpf_cmd). */
export const bpfCommand = {
  mapCreate: 0,
  mapLookup: 1,
  mapUpdate: 2,
  mapDelete: 3,
  mapNextKey: 4,
  progLoad: 5,
  objPin: 6,
  objGet: 7,
  progTestRun: 10,
  infoByFd: 15,
  mapFreeze: 22,
} as const;

const systemCall = process.arch === "arm64" ? 280 : 321;
const attributeBytes = 128;

/**
 * The argument of one bpf(2) call (union bpf_attr): fields by offset, addresses kept with the bytes they point to, so
 * that the collector cannot take these before the call. One is used again and again by its owner.
 */
export class BpfAttributes {
  readonly #bytes = allocate(attributeBytes);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #pointed = new Map<number, ArrayBufferView>();
  readonly #libc = libc();

  /** Sets a 32-bit field. */
  u32(offset: number, value: number): this {
    this.#view.setUint32(offset, value, true);
    return this;
  }

  /** Reads a 32-bit field that the kernel filled in. */
  readU32(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  /** Sets a 64-bit field to the address of `bytes`. */
  pointer(offset: number, bytes: ArrayBufferView): this {
    if (this.#pointed.get(offset) !== bytes) {
      this.#pointed.set(offset, bytes);
      this.#view.setBigUint64(offset, addressOf(bytes), true);
    }
    return this;
  }

  /** Sets bytes in place, such as a name. */
  bytes(offset: number, bytes: Uint8Array): this {
    this.#bytes.set(bytes, offset);
    return this;
  }

  /** Makes the call: the kernel's answer, 0 or a descriptor, or -1 with `errno` to be asked of libc. */
  call(command: number): number {
    return this.#libc.bpf(systemCall, command, this.#bytes, attributeBytes);
  }

  /** Makes the call; failure becomes an error whose sentence begins with `what`. */
  checked(command: number, what: string): Result<number, LinuxError> {
    const value = this.call(command);
    return value < 0 ? err(linuxError(what, this.#libc.errno())) : ok(value);
  }
}

/** Opens what is pinned at a path of a BPF file system: a new descriptor of the map, program or link. */
export function bpfGet(path: string): Result<number, LinuxError> {
  return new BpfAttributes().pointer(0, cString(path)).checked(bpfCommand.objGet, `open of the pinned object ${path}`);
}

/** Pins a map or program at a path of a BPF file system: it lives until unlinked. EEXIST when the path is taken. */
export function bpfPin(fd: number, path: string): Result<number, LinuxError> {
  const attributes = new BpfAttributes().pointer(0, cString(path)).u32(8, fd);
  return attributes.checked(bpfCommand.objPin, `pin at ${path}`);
}
