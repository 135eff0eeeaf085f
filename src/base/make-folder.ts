import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { err, ok, type Result } from "./result.ts";

/**
 * Makes a folder and those above it, where they are not there, with mode 0700. The error is a clause with the path. Step by step, for
 * Node's own way never comes back where the kernel says that a folder can neither be made nor be found, as below /proc.
 */
export function makeFolder(path: string): Result<void, string> {
  if (isFolder(path)) return ok(undefined);
  const above = dirname(path);
  const made = above === path ? ok(undefined) : makeFolder(above);
  if (!made.ok) return made;
  try {
    mkdirSync(path, { mode: 0o700 });
    return ok(undefined);
  } catch (error) {
    // Another process may have made it in between.
    if (isFolder(path)) return ok(undefined);
    return err(error instanceof Error ? error.message : `${path}: ${String(error)}`);
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
