import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { err, ok, type Result } from "../base/result.ts";
import { type BpfObject, loadObject, type MapChange } from "../linux/bpf/libbpf.ts";
import { bpfGet, bpfPin } from "../linux/bpf/syscall.ts";
import { fileError, type LinuxError } from "../linux/errno.ts";
import { closeFd } from "../linux/fd.ts";
import type { PinDirectory } from "./pins.ts";

/** Programs and maps of one host by name, as descriptors that end with `close`. */
export interface Loaded {
  mapFd(name: string): number | undefined;
  programFd(name: string): number | undefined;
  close(): void;
}

/** Begins the names of pinned programs: this, some letters of the object file's hash, and the program. */
const PREFIX = "program_";
const HASH_LETTERS = 16;
/** Pinned last: the programs of its hash are all there. */
const COMPLETE = "complete";

/**
 * The programs of an object file. Those that an earlier process pinned are taken when they come from the same file, byte for byte:
 * the verifier takes a quarter of a second, which is most of a restart. `mayReuse`: the maps in the pin directory are those that
 * they work on. Otherwise the file is loaded, and its programs are pinned for the next process.
 */
export function loadPrograms(
  path: string,
  pins: PinDirectory,
  how: { readonly maps: Readonly<Record<string, MapChange>>; readonly mayReuse: boolean },
): Result<Loaded, LinuxError> {
  const prefix = prefixOf(path);
  const pinned = how.mayReuse && prefix.ok ? openPinned(pins, prefix.value) : undefined;
  if (pinned !== undefined) return ok(pinned);
  const loaded = loadObject({ path, maps: how.maps });
  if (loaded.ok && prefix.ok) pinAll(loaded.value, pins, prefix.value);
  return loaded;
}

function prefixOf(path: string): Result<string, LinuxError> {
  try {
    const hash = createHash("sha256").update(readFileSync(path)).digest("hex");
    return ok(`${PREFIX}${hash.slice(0, HASH_LETTERS)}_`);
  } catch (cause) {
    return err(fileError(`read ${path}`, cause));
  }
}

/** A pin that cannot be made costs the next start its quarter of a second, no more. */
function pinAll(object: BpfObject, pins: PinDirectory, prefix: string): void {
  pins.clear((entry) => entry.startsWith(PREFIX));
  const names = object.programNames();
  const pin = (program: string, as: string): boolean =>
    bpfPin(object.programFd(program) ?? -1, pins.of(prefix + as)).ok;
  if (names.every((name) => pin(name, name))) pin(names[0] ?? "", COMPLETE);
}

function openPinned(pins: PinDirectory, prefix: string): Loaded | undefined {
  if (!pins.has(prefix + COMPLETE)) return undefined;
  const open = new Map<string, number | undefined>();
  const fdOf = (name: string): number | undefined => {
    if (!open.has(name)) {
      const fd = bpfGet(pins.of(name));
      open.set(name, fd.ok ? fd.value : undefined);
    }
    return open.get(name);
  };
  return {
    mapFd: (name) => fdOf(name),
    programFd: (name) => fdOf(prefix + name),
    close() {
      for (const fd of open.values()) if (fd !== undefined) closeFd(fd);
      open.clear();
    },
  };
}
