import { readFileSync, writeFileSync } from "node:fs";
import { err, ok, type Result } from "../base/result.ts";
import { errnoNumber, fileError, type LinuxError, linuxError } from "./errno.ts";
import type { Netns } from "./netns.ts";

/** Where a sysctl lives. */
export interface SysctlPlace {
  /**
   * Parts of its path below /proc/sys: `["net", "ipv6", "conf", "eth0", "disable_ipv6"]`. Interface names hold dots.
   */
  readonly path: readonly string[];
  /** The namespace whose value is meant; undefined = the calling thread's. */
  readonly netns?: Netns;
}

/**
 * Writes a kernel setting. Those below `net` belong to the namespace of the thread that opens the file, which is
 * why this
 * enters it first; the file is opened, written and closed inside.
 */
export function writeSysctl({ path, netns }: SysctlPlace, value: string | number): Result<undefined, LinuxError> {
  return inside(netns, path, (file) => {
    writeFileSync(file, `${value}\n`);
    return undefined;
  });
}

/** Reads a kernel setting, without its line end. */
export function readSysctl({ path, netns }: SysctlPlace): Result<string, LinuxError> {
  return inside(netns, path, (file) => readFileSync(file, "utf8").trim());
}

/**
 * Makes an interface silent: no IPv6 addresses, router solicitations or MLD of its own. `name` is the interface,
 * `all` or
 * `default` (of interfaces to come). On kernels without IPv6 there is nothing to silence: that is success.
 */
export function disableIpv6(name: string, netns?: Netns): Result<undefined, LinuxError> {
  const place = { path: ["net", "ipv6", "conf", name, "disable_ipv6"] };
  const written = writeSysctl(netns === undefined ? place : { ...place, netns }, 1);
  if (written.ok || written.error.errno !== "ENOENT") return written;
  const present = readSysctl(netns === undefined ? ipv6Present : { ...ipv6Present, netns });
  return present.ok ? written : ok(undefined);
}

const ipv6Present = { path: ["net", "ipv6", "conf", "all", "disable_ipv6"] };

function inside<T>(
  netns: Netns | undefined,
  path: readonly string[],
  body: (file: string) => T,
): Result<T, LinuxError> {
  const name = path.join("/");
  if (path.some((part) => part === "" || part === "." || part === ".." || part.includes("/"))) {
    return err(linuxError(`sysctl ${name}`, errnoNumber("EINVAL"), "not a path below /proc/sys"));
  }
  const attempt = (): Result<T, LinuxError> => {
    try {
      return ok(body(`/proc/sys/${name}`));
    } catch (cause) {
      return err(fileError(`sysctl ${name}`, cause));
    }
  };
  return netns === undefined ? attempt() : netns.runResult(attempt);
}
