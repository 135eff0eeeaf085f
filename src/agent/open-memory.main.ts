import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../base/log.ts";
import { err, type Result } from "../base/result.ts";
import type { Scheduler } from "../base/scheduler.ts";
import type { Id } from "../model/objects.ts";
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
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return err(`state-folder: ${why}; give a path that can be written`);
  }
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
