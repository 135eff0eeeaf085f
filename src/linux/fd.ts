import type { Result } from "../base/result.ts";
import type { LinuxError } from "./errno.ts";
import { checked, libc, retried } from "./libc.ts";

/** Flags of `openFile` (x86-64 and arm64 agree on these). */
export const openFlags = {
  readOnly: 0,
  writeOnly: 1,
  readWrite: 2,
  create: 0o100,
  exclusive: 0o200,
  closeOnExec: 0o2000000,
};

const fcntlSetDescriptorFlags = 2;
const fcntlGetFlags = 3;
const fcntlSetFlags = 4;
const nonBlocking = 0o4000;

/** Opens a path; the descriptor is closed on exec. `mode` counts only when the file is made. */
export function openFile(path: string, flags: number, mode = 0o600): Result<number, LinuxError> {
  return retried(`open ${path}`, () => libc().open(path, flags | openFlags.closeOnExec, mode));
}

/** Closes a descriptor. A descriptor that is not open is a bug of the caller, and reported as EBADF. */
export function closeFd(fd: number): Result<number, LinuxError> {
  return checked(`close ${fd}`, libc().close(fd));
}

/** Makes reads and writes of a descriptor answer EAGAIN where they would wait. */
export function setNonBlocking(fd: number): Result<number, LinuxError> {
  const flags = checked(`fcntl ${fd}`, libc().fcntl(fd, fcntlGetFlags, 0));
  return flags.ok ? checked(`fcntl ${fd}`, libc().fcntl(fd, fcntlSetFlags, flags.value | nonBlocking)) : flags;
}

/** Leaves a descriptor open for the program that this process executes next. */
export function keepAcrossExec(fd: number): Result<number, LinuxError> {
  return checked(`fcntl ${fd}`, libc().fcntl(fd, fcntlSetDescriptorFlags, 0));
}
