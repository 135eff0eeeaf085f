import { readFileSync } from "node:fs";
import { err, ok, type Result } from "../base/result.ts";
import { errnoNumber, type LinuxError, linuxError } from "./errno.ts";
import { closeFd, openFile, openFlags } from "./fd.ts";
import { checked, libc } from "./libc.ts";
import { isAlive, ownIdentity, type ProcessIdentity } from "./process.ts";

const exclusive = 2;
const withoutWaiting = 4;

/** Who holds a lock, as its file says. */
export interface LockOwner extends ProcessIdentity {
  /** What the owner is, for people: `agent of host h1`. */
  readonly what: string;
}

/** A lock that somebody else has: the sentence names the owner when it could be read. */
export interface LockRefusal {
  readonly owner: LockOwner | undefined;
  readonly error: LinuxError;
}

/**
 * An exclusive lock on a file (flock(2)): the kernel gives it up when the owner dies, however it dies. The file names
 * its owner and stays when the lock is released, so that no two processes ever lock different files of one name.
 * A child that inherits the descriptor would hold the lock too; it is closed on exec.
 */
export class LockFile {
  readonly path: string;
  readonly #fd: number;
  #isHeld = true;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  /** Takes the lock without waiting; EAGAIN when somebody has it, in this process or another. */
  static take(path: string, what: string): Result<LockFile, LockRefusal> {
    const fd = openFile(path, openFlags.readWrite | openFlags.create, 0o600);
    if (!fd.ok) return err({ owner: undefined, error: fd.error });
    const locked = checked(`lock ${path}`, libc().flock(fd.value, exclusive | withoutWaiting));
    if (!locked.ok) {
      closeFd(fd.value);
      const owner = lockOwner(path);
      const detail = owner === undefined ? "held by another process" : `held by ${owner.what}, process ${owner.pid}`;
      return err({ owner, error: linuxError(`lock ${path}`, locked.error.number, detail) });
    }
    const written = writeOwner(fd.value, { ...ownIdentity(), what });
    if (written.ok) return ok(new LockFile(path, fd.value));
    closeFd(fd.value);
    return err({ owner: undefined, error: written.error });
  }

  /** True until `release`. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Gives the lock up; a second call does nothing. */
  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    libc().ftruncate(this.#fd, 0);
    closeFd(this.#fd);
  }
}

/**
 * Who a lock file says took it last; undefined when it is free, absent or unreadable. Whether the owner still lives is
 * `isAlive(owner)`.
 */
export function lockOwner(path: string): LockOwner | undefined {
  try {
    const [pid, startTicks, ...what] = readFileSync(path, "utf8").trim().split(" ");
    const owner = { pid: Number(pid), startTicks: Number(startTicks), what: what.join(" ") };
    return Number.isInteger(owner.pid) && owner.pid > 0 && Number.isInteger(owner.startTicks) ? owner : undefined;
  } catch {
    return undefined;
  }
}

/** The owner of a lock if it lives: of a dead one only leftovers are there to be removed. */
export function livingLockOwner(path: string): LockOwner | undefined {
  const owner = lockOwner(path);
  return owner !== undefined && isAlive(owner) ? owner : undefined;
}

function writeOwner(fd: number, owner: LockOwner): Result<undefined, LinuxError> {
  const bytes = new TextEncoder().encode(`${owner.pid} ${owner.startTicks} ${owner.what}\n`);
  const emptied = checked("empty a lock file", libc().ftruncate(fd, 0));
  if (!emptied.ok) return emptied;
  const written = checked("write a lock file", libc().write(fd, bytes, bytes.length));
  if (!written.ok) return written;
  return written.value === bytes.length ? ok(undefined) : err(linuxError("write a lock file", errnoNumber("ENOSPC")));
}
