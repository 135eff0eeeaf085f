import { getSystemErrorMessage } from "node:util";

const names = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  ENOEXEC: 8,
  EBADF: 9,
  ECHILD: 10,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  ENOTBLK: 15,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  EPIPE: 32,
  EDOM: 33,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EPROTO: 71,
  EOVERFLOW: 75,
  EBADFD: 77,
  ENOTSOCK: 88,
  EDESTADDRREQ: 89,
  EMSGSIZE: 90,
  EPROTOTYPE: 91,
  ENOPROTOOPT: 92,
  EPROTONOSUPPORT: 93,
  ESOCKTNOSUPPORT: 94,
  EOPNOTSUPP: 95,
  EPFNOSUPPORT: 96,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  EISCONN: 106,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTDOWN: 112,
  EHOSTUNREACH: 113,
  EALREADY: 114,
  EINPROGRESS: 115,
  ESTALE: 116,
  ECANCELED: 125,
  ENOTSUPP: 524,
} as const;

/**
 * The names of Linux error numbers that this code meets (asm-generic/errno.h), `ENOTSUPP` being the one that
 * the kernel leaks from BPF and tc. Any other number is `EUNKNOWN`, with the number beside it.
 */
export type Errno = keyof typeof names | "EUNKNOWN";

const byNumber = new Map<number, Errno>(Object.entries(names).map(([name, number]) => [number, name as Errno]));

/** The name of a positive errno value. */
export function errnoName(number: number): Errno {
  return byNumber.get(number) ?? "EUNKNOWN";
}

/** The positive errno value of a name; 0 for `EUNKNOWN`. */
export function errnoNumber(name: Errno): number {
  return name === "EUNKNOWN" ? 0 : names[name];
}

/**
 * A call to the kernel that failed. `call` is what was tried, with its object (`open /dev/net/tun`);
 * `text` is one sentence for people and already contains everything else.
 */
export interface LinuxError {
  readonly call: string;
  readonly errno: Errno;
  /** The positive errno value, also when it has no name here. */
  readonly number: number;
  readonly text: string;
}

/** Builds the error of a failed call; `detail` is what the kernel or a library said beyond the number. */
export function linuxError(call: string, number: number, detail?: string): LinuxError {
  const errno = errnoName(number);
  const reason = `${errno === "EUNKNOWN" ? `errno ${number}` : errno} (${describe(number)})`;
  const text = `${call} failed: ${reason}${detail === undefined || detail === "" ? "" : `: ${detail}`}`;
  return { call, errno, number, text };
}

/** The same for what a function of `node:fs` threw; anything but a system error is a bug and goes on being thrown. */
export function fileError(call: string, thrown: unknown): LinuxError {
  const number = (thrown as { readonly errno?: unknown } | undefined)?.errno;
  if (typeof number !== "number") throw thrown;
  return linuxError(call, -number);
}

function describe(number: number): string {
  if (number === names.ENOTSUPP) return "operation not supported by this kernel";
  const known = number > 0 && number < 134;
  return known ? getSystemErrorMessage(-number) : "unknown error";
}
