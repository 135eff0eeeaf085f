import { ok, type Result } from "../base/result.ts";
import type { LinuxError } from "./errno.ts";
import { checked, libc } from "./libc.ts";

/** One setting of the calling thread or its process, by the numbers of linux/prctl.h. `what` is for the error. */
export function prctl(
  what: string,
  { option, value }: { readonly option: number; readonly value: number },
): Result<undefined, LinuxError> {
  const done = checked(what, libc().prctl(option, value, 0, 0, 0));
  return done.ok ? ok(undefined) : done;
}
