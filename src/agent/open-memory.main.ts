import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../base/log.ts";
import { makeFolder } from "../base/make-folder.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Scheduler } from "../base/scheduler.ts";
import type { Id } from "../model/objects.ts";
import { decodeRecords } from "../store/local-records.ts";
import { decodeKept } from "./core/kept.ts";
import { HostMemory } from "./host-memory.ts";
import { FileJournal } from "./journal-file.ts";

/** What a state folder is opened with. */
export interface OpenMemoryOptions {
  readonly hostId: Id;
  readonly path: string;
  readonly scheduler: Scheduler;
  readonly log: Log;
}

/**
 * Opens the state folder, made when it is not there, and locks it: two processes must never speak under one session. The error is a
 * sentence that says what to do.
 */
export async function openMemory({
  hostId,
  path,
  scheduler,
  log,
}: OpenMemoryOptions): Promise<Result<HostMemory, string>> {
  const folder = makeFolder(path);
  if (!folder.ok) return err(`state-folder: ${folder.error}; give a path that can be written`);
  const { LockFile } = await import("../linux/flock.ts");
  const lock = LockFile.take(join(path, "lock"), `agent of host ${hostId}`);
  if (!lock.ok)
    return err(`state-folder: ${lock.error.error.text}; stop that agent, or give every host a folder of its own`);
  const journal = new FileJournal(join(path, "journal"));
  const snapshots = new FileJournal(join(path, "snapshot"));
  const release = async (): Promise<void> => {
    await Promise.all([journal.close(), snapshots.close()]);
    lock.value.release();
  };
  const memory = await HostMemory.open({ hostId, journal, snapshots, scheduler, log, release });
  if (memory.ok) return memory;
  await release();
  return err(`state-folder ${path}: ${memory.error}`);
}

/** What can be seen of a state folder that another process holds. */
export interface MemorySeen {
  /** There is a snapshot to begin from when the store is away. */
  readonly hasSnapshot: boolean;
  /** An agent of this host has seen the store's layout: a store without one was emptied. */
  readonly hasMark: boolean;
}

/** Reads a state folder without its lock and changes nothing in it. The error is a sentence that says what to do. */
export function readMemory(hostId: Id, path: string): Result<MemorySeen, string> {
  const folder = makeFolder(path);
  if (!folder.ok) return err(`state-folder: ${folder.error}; give a path that can be written`);
  const sizeOf = (name: string): number => statSync(join(path, name), { throwIfNoEntry: false })?.size ?? 0;
  try {
    // What is being written at this moment looks like a damaged tail, and is left out.
    const { records } = sizeOf("journal") > 0 ? decodeRecords(readFileSync(join(path, "journal"))) : { records: [] };
    const kept = decodeKept(records, hostId);
    if (!kept.ok) return err(`state-folder ${path}: ${kept.error}`);
    return ok({ hasSnapshot: sizeOf("snapshot") > 0, hasMark: kept.value.layoutMadeBy !== undefined });
  } catch (error) {
    return err(`state-folder: ${error instanceof Error ? error.message : String(error)}`);
  }
}
