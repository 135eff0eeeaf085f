import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { assert } from "../base/assert.ts";
import { err, ok, type Result } from "../base/result.ts";
import { fileError, type LinuxError } from "./errno.ts";
import { closeFd, openFile } from "./fd.ts";
import { checked, libc } from "./libc.ts";
import { mount, mountFlags, unmountLazily } from "./mount.ts";

/** Where named namespaces are bound, as iproute2 does it: `ip netns` and this code see the same ones. */
export const netnsDirectory = "/run/netns";

const cloneNewNet = 0x40000000;
const ownNamespace = "/proc/thread-self/ns/net";

/**
 * A network namespace, held open by a descriptor: it lives at least as long as this. Sockets, TAPs and netlink sockets
 * made inside stay in it for ever, so that nearly everything is done once, in `run`, and then from outside.
 */
export class Netns {
  readonly fd: number;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** The namespace bound at `/run/netns/NAME`. */
  static named(name: string): Result<Netns, LinuxError> {
    return Netns.#at(`${netnsDirectory}/${name}`);
  }

  /** The namespace of a process. */
  static ofProcess(pid: number): Result<Netns, LinuxError> {
    return Netns.#at(`/proc/${pid}/ns/net`);
  }

  /** The namespace of the calling thread. */
  static current(): Result<Netns, LinuxError> {
    return Netns.#at(ownNamespace);
  }

  /**
   * Runs `body` with the calling thread inside this namespace, then returns. `body` must be synchronous: a promise or
   * a callback that runs later would run outside (a promise is refused). It must start no thread, worker or
   * asynchronous file operation: threads inherit the namespace they are born in. So do processes: `spawn` in the body
   * starts a program inside. `/sys` still shows the devices of the namespace in which it was mounted;
   * `/proc/thread-self/net` is right.
   */
  run<T>(body: () => T): Result<T, LinuxError> {
    const home = openFile(ownNamespace, 0);
    if (!home.ok) return home;
    const entered = checked("setns", libc().setns(this.fd, cloneNewNet));
    if (!entered.ok) {
      closeFd(home.value);
      return entered;
    }
    try {
      const value = body();
      assert(!isThenable(value), "a namespace may be entered by synchronous code only");
      return ok(value);
    } finally {
      // A thread that cannot come back would do everything else in a stranger's namespace.
      assert(libc().setns(home.value, cloneNewNet) === 0, "cannot return to the home namespace");
      closeFd(home.value);
    }
  }

  /** As `run`, for a body whose own failure is a value. */
  runResult<T>(body: () => Result<T, LinuxError>): Result<T, LinuxError> {
    const outcome = this.run(body);
    return outcome.ok ? outcome.value : outcome;
  }

  /** Lets go of the descriptor. */
  close(): void {
    closeFd(this.fd);
  }

  static #at(path: string): Result<Netns, LinuxError> {
    const fd = openFile(path, 0);
    return fd.ok ? ok(new Netns(fd.value)) : fd;
  }
}

/** Makes a new, empty namespace under a name (its loopback is down). EEXIST when the name is taken. */
export function createNetns(name: string): Result<undefined, LinuxError> {
  const path = `${netnsDirectory}/${name}`;
  const ready = prepareDirectory();
  if (!ready.ok) return ready;
  const made = makeMountPoint(path);
  if (!made.ok) return made;
  const bound = bindNewNamespace(path);
  if (!bound.ok) rmSync(path, { force: true });
  return bound;
}

/** Removes a name; the namespace ends when nobody holds or uses it any more. ENOENT when there is none. */
export function deleteNetns(name: string): Result<undefined, LinuxError> {
  const path = `${netnsDirectory}/${name}`;
  const gone = unmountLazily(path);
  // EINVAL: a name without a namespace, left by somebody who died between the two steps.
  if (!gone.ok && gone.error.errno !== "EINVAL") return gone;
  rmSync(path, { force: true });
  return ok(undefined);
}

/** The names of all named namespaces, sorted. */
export function listNetns(): readonly string[] {
  try {
    return readdirSync(netnsDirectory).sort();
  } catch {
    return [];
  }
}

function prepareDirectory(): Result<undefined, LinuxError> {
  try {
    mkdirSync(netnsDirectory, { recursive: true, mode: 0o755 });
  } catch (cause) {
    return err(fileError(`make ${netnsDirectory}`, cause));
  }
  if (isMountPoint(netnsDirectory)) return ok(undefined);
  // As iproute2 does: shared, so that a delete in one mount namespace is a delete in all.
  const bind = {
    source: netnsDirectory,
    target: netnsDirectory,
    kind: undefined,
    flags: mountFlags.bind | mountFlags.recursive,
  };
  const bound = mount(bind);
  if (!bound.ok) return bound;
  const flags = mountFlags.shared | mountFlags.recursive;
  const shared = mount({ source: "none", target: netnsDirectory, kind: undefined, flags });
  return shared.ok ? ok(undefined) : shared;
}

function isMountPoint(path: string): boolean {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return lines.some((line) => line.split(" ")[4] === path);
}

function makeMountPoint(path: string): Result<undefined, LinuxError> {
  try {
    writeFileSync(path, "", { flag: "wx", mode: 0o444 });
    return ok(undefined);
  } catch (cause) {
    return err(fileError(`make the namespace ${path}`, cause));
  }
}

function bindNewNamespace(path: string): Result<undefined, LinuxError> {
  const home = Netns.current();
  if (!home.ok) return home;
  const left = checked("unshare", libc().unshare(cloneNewNet));
  if (!left.ok) {
    home.value.close();
    return left;
  }
  const bound = mount({ source: ownNamespace, target: path, kind: undefined, flags: mountFlags.bind });
  assert(libc().setns(home.value.fd, cloneNewNet) === 0, "cannot return to the home namespace");
  home.value.close();
  return bound.ok ? ok(undefined) : bound;
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && "then" in value;
}
