import { ok, type Result } from "../base/result.ts";
import type { LinuxError } from "./errno.ts";
import { closeFd } from "./fd.ts";
import { allocate, checked, libc } from "./libc.ts";

/** Address families and types in use. */
export const socketFamily = { inet: 2, inet6: 10, netlink: 16, packet: 17 } as const;

/** Types of socket in use. */
export const socketType = { datagram: 2, raw: 3 } as const;

/** Options at SOL_SOCKET in use. */
export const socketOption = {
  level: 1,
  sendBuffer: 7,
  receiveBuffer: 8,
  receiveTimeout: 20,
  sendBufferForce: 32,
  receiveBufferForce: 33,
  mark: 36,
} as const;

const nonBlocking = 0o4000;
const closeOnExec = 0o2000000;

/** What socket to make, in the calling thread's namespace. */
export interface SocketKind {
  readonly family: number;
  readonly type: number;
  readonly protocol: number;
  /** Calls that would wait wait (set-up code only); otherwise they answer EAGAIN. */
  readonly isBlocking?: boolean;
}

/** Makes a socket, closed on exec. */
export function openSocket({ family, type, protocol, isBlocking = false }: SocketKind): Result<number, LinuxError> {
  const flags = closeOnExec | (isBlocking ? 0 : nonBlocking);
  return checked(`socket of family ${family}`, libc().socket(family, type | flags, protocol));
}

/** One integer option of a socket. */
export interface IntegerOption {
  readonly level: number;
  readonly name: number;
  readonly value: number;
}

/** Sets an integer option. */
export function setSocketOption(fd: number, { level, name, value }: IntegerOption): Result<undefined, LinuxError> {
  const bytes = allocate(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  const set = checked(`setsockopt ${level}/${name}`, libc().setsockopt(fd, level, name, bytes, 4));
  return set.ok ? ok(undefined) : set;
}

/** Sets several options in order; at the first that fails the descriptor is closed and the error returned. */
export function configured(fd: number, options: readonly IntegerOption[]): Result<number, LinuxError> {
  for (const option of options) {
    const set = setSocketOption(fd, option);
    if (set.ok) continue;
    closeFd(fd);
    return set;
  }
  return ok(fd);
}
