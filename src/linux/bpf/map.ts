import { readFileSync } from "node:fs";
import { assert } from "../../base/assert.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { type Errno, errnoName, type LinuxError, linuxError } from "../errno.ts";
import { closeFd } from "../fd.ts";
import { allocate, libc } from "../libc.ts";
import { type Mapping, mmapFile, type Protection } from "../memory.ts";
import { BpfAttributes, bpfCommand, bpfGet } from "./syscall.ts";

/** Kinds of map in use (enum bpf_map_type). */
export const bpfMapType = {
  hash: 1,
  array: 2,
  progArray: 3,
  percpuHash: 5,
  percpuArray: 6,
  lruHash: 9,
  lruPercpuHash: 10,
  lpmTrie: 11,
  ringbuf: 27,
} as const;

/** Flags of map creation: `mmapable` maps can be stored to and loaded from without a system call. */
export const bpfMapFlags = { noPrealloc: 1, readOnlyProgram: 0x80, mmapable: 0x400 } as const;

/** The shape of a map. Sizes in bytes; of a ring buffer only `maxEntries` counts, and it is the data size. */
export interface BpfMapShape {
  readonly type: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
  readonly flags: number;
  readonly name: string;
}

const nameBytes = 15;
const pageBytes = 4096;

/** Makes a map without an object file. The name is cut to 15 characters, as the kernel wants it. */
export function createMap(shape: BpfMapShape): Result<BpfMap, LinuxError> {
  const attributes = new BpfAttributes()
    .u32(0, shape.type)
    .u32(4, shape.keyBytes)
    .u32(8, shape.valueBytes)
    .u32(12, shape.maxEntries)
    .u32(16, shape.flags)
    .bytes(28, new TextEncoder().encode(shape.name).subarray(0, nameBytes));
  const fd = attributes.checked(bpfCommand.mapCreate, `create map ${shape.name}`);
  return fd.ok ? BpfMap.adopt(fd.value) : fd;
}

/** Opens a pinned map. */
export function openPinnedMap(path: string): Result<BpfMap, LinuxError> {
  const fd = bpfGet(path);
  return fd.ok ? BpfMap.adopt(fd.value) : fd;
}

/** Asks the kernel for the shape of the map behind a descriptor. */
export function mapShape(fd: number): Result<BpfMapShape, LinuxError> {
  const shape = allocate(88);
  const attributes = new BpfAttributes().u32(0, fd).u32(4, shape.length).pointer(8, shape);
  const asked = attributes.checked(bpfCommand.infoByFd, `shape of the map behind descriptor ${fd}`);
  if (!asked.ok) return asked;
  const view = new DataView(shape.buffer);
  const name = shape.subarray(24, 40);
  const end = name.indexOf(0);
  return ok({
    type: view.getUint32(0, true),
    keyBytes: view.getUint32(8, true),
    valueBytes: view.getUint32(12, true),
    maxEntries: view.getUint32(16, true),
    flags: view.getUint32(20, true),
    name: new TextDecoder().decode(name.subarray(0, end < 0 ? name.length : end)),
  });
}

/**
 * A map of the kernel by descriptor, which it owns. Keys are bytes of exactly the map's size, values of
 * `callValueBytes`. Each operation is one bpf(2) call of about 1 µs;
 * a table on the packet path is mapped into memory instead.
 */
export class BpfMap {
  readonly fd: number;
  readonly shape: BpfMapShape;
  /** Bytes of a value in `lookup` and `update`; per-CPU maps: one value for each possible CPU, `valueStride` apart. */
  readonly callValueBytes: number;
  readonly #attributes = new BpfAttributes();
  readonly #keyOnly = new BpfAttributes();
  readonly #libc = libc();

  private constructor(fd: number, shape: BpfMapShape) {
    this.fd = fd;
    this.shape = shape;
    this.callValueBytes = isPerCpu(shape) ? valueStride(shape) * possibleCpus() : shape.valueBytes;
    this.#attributes.u32(0, fd);
    this.#keyOnly.u32(0, fd);
  }

  /** Takes over a descriptor of a map; it is closed when it turns out to be something else. */
  static adopt(fd: number): Result<BpfMap, LinuxError> {
    const shape = mapShape(fd);
    if (shape.ok) return ok(new BpfMap(fd, shape.value));
    closeFd(fd);
    return shape;
  }

  /** Copies the value of `key` into `value`; false when there is none. */
  lookup(key: Uint8Array, value: Uint8Array): boolean {
    this.#assertKey(key);
    this.#assertValue(value);
    this.#attributes.pointer(8, key).pointer(16, value).u32(24, 0);
    return this.#found(this.#attributes.call(bpfCommand.mapLookup), "ENOENT");
  }

  /** Inserts or overwrites. Full maps answer E2BIG or ENOSPC. */
  update(key: Uint8Array, value: Uint8Array): Result<undefined, LinuxError> {
    this.#assertKey(key);
    this.#assertValue(value);
    this.#attributes.pointer(8, key).pointer(16, value).u32(24, 0);
    if (this.#attributes.call(bpfCommand.mapUpdate) === 0) return ok(undefined);
    return err(linuxError(`update of map ${this.shape.name}`, this.#libc.errno()));
  }

  /** Removes a key; false when it was not there. */
  delete(key: Uint8Array): boolean {
    this.#assertKey(key);
    // The kernel refuses a delete whose value field is not zero: lookups use another set of attributes.
    this.#keyOnly.pointer(8, key);
    return this.#found(this.#keyOnly.call(bpfCommand.mapDelete), "ENOENT");
  }

  /** Writes the key after `key` (undefined: the first) into `next`; false at the end. Order is the map's own. */
  nextKey(key: Uint8Array | undefined, next: Uint8Array): boolean {
    this.#assertKey(next);
    const attributes = new BpfAttributes().u32(0, this.fd).pointer(16, next);
    if (key !== undefined) attributes.pointer(8, key);
    return this.#found(attributes.call(bpfCommand.mapNextKey), "ENOENT");
  }

  /** All keys, copied. A map that changes meanwhile may give a key twice or miss one. */
  keys(): readonly Uint8Array[] {
    const found: Uint8Array[] = [];
    let key: Uint8Array | undefined;
    while (found.length < this.shape.maxEntries) {
      const next = allocate(this.shape.keyBytes);
      if (!this.nextKey(key, next)) break;
      found.push(next);
      key = next;
    }
    return found;
  }

  /** Maps an mmapable array: value `i` begins at `i * valueStride(shape)`. All of it is resident at once. */
  mmap(protection: Protection = "read-write"): Result<Mapping, LinuxError> {
    return mmapFile({ fd: this.fd, length: mappedBytes(this.shape), protection });
  }

  /** Closes the descriptor; the map lives on while it is pinned, attached or mapped. */
  close(): void {
    closeFd(this.fd);
  }

  #assertKey(key: Uint8Array): void {
    assert(key.length === this.shape.keyBytes, "key of the wrong size", { map: this.shape.name, length: key.length });
  }

  // The kernel writes as much as it wants: a short buffer would be overrun.
  #assertValue(value: Uint8Array): void {
    const { length } = value;
    assert(length >= this.callValueBytes, "value buffer too short", { map: this.shape.name, length });
  }

  #found(answer: number, absent: Errno): boolean {
    if (answer === 0) return true;
    const errno = errnoName(this.#libc.errno());
    assert(errno === absent, "bpf map operation failed", { map: this.shape.name, errno });
    return false;
  }
}

/** Bytes from one value of an mmapable array to the next: the kernel rounds values up to 8. */
export function valueStride(shape: BpfMapShape): number {
  return (shape.valueBytes + 7) & ~7;
}

/** Bytes of memory that a whole mmapable array takes. */
export function mappedBytes(shape: BpfMapShape): number {
  return Math.ceil((valueStride(shape) * shape.maxEntries) / pageBytes) * pageBytes;
}

/** CPUs that this machine may ever have, which is how many values a per-CPU map holds for each key. */
export function possibleCpus(): number {
  // A list of numbers and ranges, such as `0-3` or `0,2-5`.
  const ranges = readFileSync("/sys/devices/system/cpu/possible", "utf8").trim().split(",");
  return ranges.reduce((sum, range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return sum + last - first + 1;
  }, 0);
}

function isPerCpu({ type }: BpfMapShape): boolean {
  return type === bpfMapType.percpuHash || type === bpfMapType.percpuArray || type === bpfMapType.lruPercpuHash;
}
