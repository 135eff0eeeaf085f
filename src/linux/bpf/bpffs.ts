import { existsSync, mkdirSync, statfsSync } from "node:fs";
import { err, ok, type Result } from "../../base/result.ts";
import { fileError, type LinuxError, linuxError } from "../errno.ts";
import { mount } from "../mount.ts";

/** Where the BPF file system is expected. */
export const bpffsRoot = "/sys/fs/bpf";

// BPF_FS_MAGIC of linux/magic.h.
const bpffsMagic = 0xcafe4a11;

/** Mounts the BPF file system at `/sys/fs/bpf` unless it is there. Needs root in the first user namespace. */
export function ensureBpffs(): Result<undefined, LinuxError> {
  if (!existsSync(bpffsRoot)) {
    return err(linuxError(`mount bpf at ${bpffsRoot}`, 2, "the kernel has no BPF file system, or /sys is not mounted"));
  }
  if (isBpffs(bpffsRoot)) return ok(undefined);
  const mounted = mount({ source: "bpf", target: bpffsRoot, kind: "bpf", flags: 0 });
  return mounted.ok ? ok(undefined) : mounted;
}

/** Makes a directory for pins, and its parents below the root, readable by root only. */
export function ensurePinDirectory(path: string): Result<undefined, LinuxError> {
  const ready = ensureBpffs();
  if (!ready.ok) return ready;
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return ok(undefined);
  } catch (cause) {
    return err(fileError(`make the pin directory ${path}`, cause));
  }
}

function isBpffs(path: string): boolean {
  return statfsSync(path).type >>> 0 === bpffsMagic;
}
