import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Prng } from "../base/prng.ts";
import { err, ok, type Result } from "../base/result.ts";
import { LockFile } from "../linux/flock.ts";
import { type ProcessIdentity, processStart } from "../linux/process.ts";
import { ID_ATTEMPTS } from "./limits.ts";
import type { User } from "./serving-user.ts";

/** Where labs of this machine live, each in a folder with its id. */
export const runRoot = "/run/weft";

const lockName = "lab.lock";
const processesName = "processes";

/**
 * The folder of one lab, `/run/weft/ID`: sockets, token, the store's data, and a lock that the kernel gives up when the owner
 * dies. Whoever can take the lock of a folder knows that its lab is dead.
 */
export class RunFolder {
  readonly id: string;
  readonly path: string;
  readonly #lock: LockFile;
  readonly #processes: ProcessIdentity[] = [];

  private constructor(id: string, lock: LockFile) {
    this.id = id;
    this.path = join(runRoot, id);
    this.#lock = lock;
  }

  /** Makes a folder under an id that nobody has. */
  static create(prng: Prng): Result<RunFolder, string> {
    // Store and API, which are not root, reach their own folder in it; names cannot be listed.
    const mode = 0o711;
    mkdirSync(runRoot, { recursive: true, mode });
    chmodSync(runRoot, mode);
    for (let attempt = 0; attempt < ID_ATTEMPTS; attempt++) {
      const id = (prng.u32() & 0xffff).toString(16).padStart(4, "0");
      const path = join(runRoot, id);
      if (existsSync(path)) continue;
      mkdirSync(path, { mode, recursive: true });
      const lock = LockFile.take(join(path, lockName), `lab ${id}`);
      if (lock.ok) return ok(new RunFolder(id, lock.value));
    }
    return err(`no free id for a lab below ${runRoot}: remove what is left there`);
  }

  /** The folders of labs whose owners are dead, each taken over: the caller removes what they left, then the folder. */
  static dead(): readonly RunFolder[] {
    return labIds().flatMap((id) => {
      const lock = LockFile.take(join(runRoot, id, lockName), `removal of lab ${id}`);
      return lock.ok ? [new RunFolder(id, lock.value)] : [];
    });
  }

  /** Makes a folder in it that only one user can enter: ours when there is none. */
  makeFolder(name: string, user: User | undefined): void {
    mkdirSync(this.of(name), { mode: 0o700 });
    if (user !== undefined) chownSync(this.of(name), user.uid, user.gid);
  }

  /** Path of a file in it. */
  of(name: string): string {
    return join(this.path, name);
  }

  /** Remembers a process that was started, so that a later start can end it if we cannot. */
  addProcess(pid: number): void {
    const startTicks = processStart(pid);
    if (startTicks === undefined) return;
    this.#processes.push({ pid, startTicks });
    const lines = this.#processes.map((known) => `${known.pid} ${known.startTicks}\n`);
    writeFileSync(this.of(processesName), lines.join(""), { mode: 0o600 });
  }

  /** The processes that were started, dead ones included. */
  processes(): readonly ProcessIdentity[] {
    let text: string;
    try {
      text = readFileSync(this.of(processesName), "utf8");
    } catch {
      return [];
    }
    return text.split("\n").flatMap((line) => {
      const [pid = 0, startTicks = 0] = line.split(" ").map(Number);
      return pid > 1 && startTicks > 0 ? [{ pid, startTicks }] : [];
    });
  }

  /** Removes the folder and gives the lock up. */
  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
    this.#lock.release();
  }
}

function labIds(): readonly string[] {
  try {
    return readdirSync(runRoot).filter((id) => /^[0-9a-f]{4}$/.test(id) && existsSync(join(runRoot, id, lockName)));
  } catch {
    return [];
  }
}
