import { rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { SOCKET_PROBE_MS } from "./limits.ts";
import { err, ok, type Result } from "./result.ts";

/**
 * Makes the path of a Unix socket free: one that a dead process left behind is taken away, one that anybody holds is left alone. A
 * full queue, or an owner that does not take connections, belongs to somebody who lives. The error is a clause with the path.
 */
export async function freeSocket(path: string): Promise<Result<void, string>> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return ok(undefined);
  if (!found.isSocket()) return err(`${path} is there and is no socket`);
  if (await isHeld(path)) return err(`${path} is in use by another process`);
  try {
    rmSync(path, { force: true });
    return ok(undefined);
  } catch (error) {
    return err(`${path} cannot be removed (${error instanceof Error ? error.message : String(error)})`);
  }
}

function isHeld(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path, timeout: SOCKET_PROBE_MS });
    const end = (isHeld: boolean): void => {
      probe.destroy();
      resolve(isHeld);
    };
    probe.once("connect", () => end(true));
    probe.once("timeout", () => end(true));
    probe.once("error", ({ code }: NodeJS.ErrnoException) => end(code === "EAGAIN"));
  });
}
