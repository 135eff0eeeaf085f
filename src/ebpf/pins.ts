import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { err, ok, type Result } from "../base/result.ts";
import type { DatapathError } from "../datapath/datapath.ts";
import { bpffsRoot, ensurePinDirectory } from "../linux/bpf/bpffs.ts";
import { LockFile } from "../linux/flock.ts";
import { datapathError } from "./errors.ts";

/** Whose datapath it is. Hosts of one machine share one BPF file system: names keep them apart. */
export interface DatapathName {
  /** Id of the lab, or `system`. */
  readonly lab: string;
  readonly host: string;
}

/**
 * The directory in which one host's maps are pinned, so that they outlive the agent: `/sys/fs/bpf/weft/LAB/HOST`, for root only.
 * Its lock, `/run/weft/LAB/HOST.datapath.lock`, is held for as long as this object: nobody else touches maps or rings meanwhile.
 */
export class PinDirectory {
  readonly path: string;
  readonly #lock: LockFile;

  private constructor(path: string, lock: LockFile) {
    this.path = path;
    this.#lock = lock;
  }

  /** Makes the directory if need be and takes its lock. Busy: another agent has it; the sentence says which process. */
  static open(name: DatapathName): Result<PinDirectory, DatapathError> {
    const path = pinPath(name);
    const file = lockPath(name);
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const lock = LockFile.take(file, `agent of host ${name.host}`);
    if (!lock.ok)
      return err({ kind: "busy", message: `the datapath of host ${name.host} is in use: ${lock.error.error.text}` });
    const made = ensurePinDirectory(path);
    if (made.ok) return ok(new PinDirectory(path, lock.value));
    lock.value.release();
    return err(datapathError("device-refused", made.error));
  }

  /** Where a map is pinned. */
  of(map: string): string {
    return `${this.path}/${map}`;
  }

  /** Whether a map is pinned. */
  has(map: string): boolean {
    return existsSync(this.of(map));
  }

  /** Unpins everything, or what is named: maps live on only where programs still use them. */
  clear(isMeant: (entry: string) => boolean = () => true): void {
    for (const entry of readdirSync(this.path)) if (isMeant(entry)) rmSync(this.of(entry), { force: true });
  }

  /** Gives the lock up; with `keep` the pins stay, else they and the directory go. */
  close({ keep }: { readonly keep: boolean }): void {
    if (!keep) {
      this.clear();
      removeEmpty(this.path);
      removeEmpty(dirname(this.path));
    }
    this.#lock.release();
    if (!keep) {
      rmSync(this.#lock.path, { force: true });
      removeEmpty(dirname(this.#lock.path));
    }
  }
}

/**
 * Removes what a dead owner left pinned. False: there was nothing, or its owner lives. Interfaces that still have its programs go on
 * forwarding until those are taken off, or the interfaces go.
 */
export function discardPins(name: DatapathName): boolean {
  if (!existsSync(pinPath(name))) return false;
  const pins = PinDirectory.open(name);
  if (!pins.ok) return false;
  pins.value.close({ keep: false });
  return true;
}

/** The pin directory of a host. */
export function pinPath(name: DatapathName): string {
  return `${bpffsRoot}/weft/${checkedName(name.lab)}/${checkedName(name.host)}`;
}

/** The file whose lock says who has the datapath of a host. */
export function lockPath(name: DatapathName): string {
  return `/run/weft/${checkedName(name.lab)}/${checkedName(name.host)}.datapath.lock`;
}

function checkedName(name: string): string {
  // bpffs refuses dots; a slash would leave the directory.
  return name.replaceAll(/[^A-Za-z0-9_-]/g, "_") || "_";
}

function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Other hosts of the lab are still there.
  }
}
