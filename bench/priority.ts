import { writeFileSync } from "node:fs";
import { setPriority } from "node:os";

/** What else runs on the machine disturbs less; weft and its rivals get it alike. */
const RAISED = -10;

/**
 * Raises the priority of a process and, where the kernel shares out processors by session (autogroup, sched(7)), of its session:
 * there the nice values of sessions are what counts. Returns what undoes it for the session.
 */
export function raisePriority(pid: number): () => void {
  setPriority(pid, RAISED);
  setSession(pid, RAISED);
  return () => setSession(pid, 0);
}

function setSession(pid: number, nice: number): void {
  try {
    writeFileSync(`/proc/${pid}/autogroup`, `${nice}`);
  } catch {
    // No autogroup in this kernel: the nice value is all there is. Or the process has ended.
  }
}
