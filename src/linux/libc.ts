import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { isMainThread } from "node:worker_threads";
import { err, ok, type Result } from "../base/result.ts";
import { type LinuxError, linuxError } from "./errno.ts";

type Koffi = typeof import("koffi");
/** A loaded shared library, as koffi gives it. */
export type Library = ReturnType<Koffi["load"]>;

/**
 * Memory handed to the kernel for the time of one call: bytes that JavaScript owns, or the address of such bytes
 * or of a mapping. Memory whose *address* was stored in a structure must be kept referenced by whoever stored it:
 * the collector does not see native pointers.
 */
export type Pointer = ArrayBufferView | bigint | null;

/**
 * The address of such memory as a number, for calls of the packet path: it crosses into C like any other number. Exact, because user
 * space ends below 2^53 on every machine that Linux runs on with pages of its usual size.
 */
export type Address = number;

/** The C functions in use. All are called on the thread of the caller and none of them may block for long. */
interface Bindings {
  open(path: string, flags: number, mode: number): number;
  close(fd: number): number;
  read(fd: number, bytes: Pointer, length: number): number;
  readTo(fd: number, bytes: Address, length: number): number;
  write(fd: number, bytes: Pointer, length: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  ioctl(fd: number, request: number, argument: Pointer): number;
  ioctlNumber(fd: number, request: number, argument: number): number;
  flock(fd: number, operation: number): number;
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Pointer, length: number): number;
  getsockname(fd: number, address: Pointer, length: Pointer): number;
  setsockopt(fd: number, level: number, name: number, value: Pointer, length: number): number;
  send(fd: number, bytes: Pointer, length: number, flags: number): number;
  sendmsg(fd: number, message: Pointer, flags: number): number;
  sendmmsg(fd: number, messages: Address, count: number, flags: number): number;
  recvfrom(fd: number, bytes: Pointer, length: number, flags: number, from: Pointer, fromLength: Pointer): number;
  recvmsg(fd: number, message: Pointer, flags: number): number;
  poll(fds: Pointer, count: number, timeoutMs: number): number;
  mmap(at: bigint, length: number, protection: number, flags: number, fd: number, offset: number): bigint | null;
  munmap(address: bigint, length: number): number;
  ftruncate(fd: number, length: number): number;
  memfd_create(name: string, flags: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: Pointer): number;
  epoll_wait(epoll: number, events: Address, max: number, timeoutMs: number): number;
  eventfd(initial: number, flags: number): number;
  setns(fd: number, kind: number): number;
  unshare(flags: number): number;
  mount(source: string | null, target: string, kind: string | null, flags: number, options: string | null): number;
  umount2(target: string, flags: number): number;
  mknod(path: string, mode: number, device: number): number;
  sched_getscheduler(thread: number): number;
  sched_setscheduler(thread: number, policy: number, parameters: Pointer): number;
  prctl(option: number, value: number, third: number, fourth: number, fifth: number): number;
  capset(header: Pointer, caps: Pointer): number;
  capget(header: Pointer, caps: Pointer): number;
  bpf(number: number, command: number, attributes: Pointer, size: number): number;
  sched_setattr(number: number, thread: number, attributes: Pointer, flags: number): number;
  vsnprintf(into: Pointer, length: number, format: Pointer, arguments_: Pointer): number;
}

// A wrong signature here is a segmentation fault. ssize_t is unknown to koffi: long stands for it.
const signatures: {
  readonly [name in keyof Bindings]: readonly [symbol: string, result: string, args: readonly string[]];
} = {
  open: ["open", "int", ["str", "int", "uint"]],
  close: ["close", "int", ["int"]],
  read: ["read", "long", ["int", "void *", "size_t"]],
  readTo: ["read", "long", ["int", "uint64", "size_t"]],
  write: ["write", "long", ["int", "void *", "size_t"]],
  fcntl: ["fcntl", "int", ["int", "int", "long"]],
  ioctl: ["ioctl", "int", ["int", "ulong", "void *"]],
  ioctlNumber: ["ioctl", "int", ["int", "ulong", "long"]],
  flock: ["flock", "int", ["int", "int"]],
  socket: ["socket", "int", ["int", "int", "int"]],
  bind: ["bind", "int", ["int", "void *", "uint"]],
  getsockname: ["getsockname", "int", ["int", "void *", "void *"]],
  setsockopt: ["setsockopt", "int", ["int", "int", "int", "void *", "uint"]],
  send: ["send", "long", ["int", "void *", "size_t", "int"]],
  sendmsg: ["sendmsg", "long", ["int", "void *", "int"]],
  sendmmsg: ["sendmmsg", "int", ["int", "uint64", "uint", "int"]],
  recvfrom: ["recvfrom", "long", ["int", "void *", "size_t", "int", "void *", "void *"]],
  recvmsg: ["recvmsg", "long", ["int", "void *", "int"]],
  poll: ["poll", "int", ["void *", "ulong", "int"]],
  mmap: ["mmap", "void *", ["uint64", "size_t", "int", "int", "int", "long"]],
  munmap: ["munmap", "int", ["uint64", "size_t"]],
  ftruncate: ["ftruncate", "int", ["int", "long"]],
  memfd_create: ["memfd_create", "int", ["str", "uint"]],
  epoll_create1: ["epoll_create1", "int", ["int"]],
  epoll_ctl: ["epoll_ctl", "int", ["int", "int", "int", "void *"]],
  epoll_wait: ["epoll_wait", "int", ["int", "uint64", "int", "int"]],
  eventfd: ["eventfd", "int", ["uint", "int"]],
  setns: ["setns", "int", ["int", "int"]],
  unshare: ["unshare", "int", ["int"]],
  mount: ["mount", "int", ["str", "str", "str", "ulong", "str"]],
  umount2: ["umount2", "int", ["str", "int"]],
  mknod: ["mknod", "int", ["str", "uint", "ulong"]],
  sched_getscheduler: ["sched_getscheduler", "int", ["int"]],
  sched_setscheduler: ["sched_setscheduler", "int", ["int", "int", "void *"]],
  prctl: ["prctl", "int", ["int", "ulong", "ulong", "ulong", "ulong"]],
  capset: ["capset", "int", ["void *", "void *"]],
  capget: ["capget", "int", ["void *", "void *"]],
  bpf: ["syscall", "long", ["long", "int", "void *", "uint"]],
  sched_setattr: ["syscall", "long", ["long", "int", "void *", "uint"]],
  vsnprintf: ["vsnprintf", "int", ["void *", "size_t", "void *", "void *"]],
};

/** koffi and libc, loaded. */
export interface Libc extends Bindings {
  readonly koffi: Koffi;
  /** The errno of the last call on this thread; ask before any other call. */
  errno(): number;
}

let loaded: Result<Libc, LinuxError> | undefined;

/**
 * Loads koffi and libc at the first call; later calls are free. The failure is one sentence that says what is missing
 * (not Linux, no koffi binary for this machine, musl). Processes ask this once at their start.
 */
export function loadLibc(): Result<Libc, LinuxError> {
  loaded ??= load();
  return loaded;
}

/** The loaded libc. To call this where `loadLibc` fails is a bug: it throws that sentence. */
export function libc(): Libc {
  const result = loadLibc();
  if (!result.ok) throw new Error(result.error.text);
  return result.value;
}

/** The value of a call that answers -1 and errno on failure; `call` names what was tried, for the error's sentence. */
export function checked(call: string, value: number): Result<number, LinuxError> {
  return value < 0 ? err(linuxError(call, libc().errno())) : ok(value);
}

/**
 * Repeats a call that a signal interrupted (EINTR); anything else is returned as `checked` does.
 */
export function retried(call: string, attempt: () => number): Result<number, LinuxError> {
  for (;;) {
    const result = checked(call, attempt());
    if (result.ok || result.error.errno !== "EINTR") return result;
  }
}

/** Bytes outside the JavaScript heap that never move, zeroed: what an address may be taken of. */
export function allocate(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length));
}

/** The address of the first byte. Valid while the caller keeps the bytes referenced. */
export function addressOf(bytes: ArrayBufferView): bigint {
  return libc().koffi.address(bytes);
}

/** A C string: the text's UTF-8 bytes and a zero. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  const encoded = new TextEncoder().encode(text);
  const bytes = allocate(encoded.length + 1);
  bytes.set(encoded);
  return bytes;
}

function load(): Result<Libc, LinuxError> {
  const fail = (detail: string): Result<Libc, LinuxError> => err(linuxError("loading native calls", 38, detail));
  if (process.platform !== "linux") return fail(`native calls need Linux, this is ${process.platform}`);
  let koffi: Koffi;
  try {
    koffi = createRequire(import.meta.url)("koffi") as Koffi;
  } catch (cause) {
    return fail(
      `koffi has no binary for ${process.platform}-${process.arch} (install with optional packages): ${firstLine(cause)}`,
    );
  }
  try {
    const library = koffi.load("libc.so.6");
    const entries = Object.entries(signatures).map(([name, [symbol, result, args]]) => [
      name,
      library.func(symbol, result, [...args]),
    ]);
    const bindings = Object.fromEntries(entries) as unknown as Bindings;
    if (!isMainThread) keepAddonLoaded(library);
    return ok({ ...bindings, koffi, errno: () => koffi.errno() });
  } catch (cause) {
    return fail(`libc.so.6 (glibc) does not load: ${cause}`);
  }
}

/** Of a module that is not found, Node tells who asked for it, line by line. */
function firstLine(cause: unknown): string {
  return String(cause).split("\n")[0] as string;
}

/**
 * Keeps koffi's binary in memory for good. Node unloads an addon with the last thread that uses it, and libuv calls
 * koffi's code once more after that, to release the handles that a terminated worker left open: a crash, if the main
 * thread has not loaded koffi too.
 */
function keepAddonLoaded(library: Library): void {
  const now = 2;
  const noDelete = 0x1000;
  const path = /\/.*koffi[^/]*\.node$/m.exec(readFileSync("/proc/self/maps", "utf8"))?.[0];
  if (path === undefined) return;
  const dlopen = library.func("dlopen", "void *", ["str", "int"]) as unknown as (
    path: string,
    flags: number,
  ) => bigint | null;
  dlopen(path, now | noDelete);
}
