/** Limits of the lab, each with its reason. */

/** How long a process may take until it serves, in milliseconds: ten times what a busy machine of two cores needs. */
export const READY_WITHIN_MS = 20_000;

/** How long hosts may take until they forward for every VM, in milliseconds: covers a store session that must expire first. */
export const ACTIVE_WITHIN_MS = 20_000;

/** How often a condition is looked at again, in milliseconds: short against what a person notices. */
export const POLL_EVERY_MS = 20;

/** How long a process may take to stop before it is killed, in milliseconds: removing programs and pins takes a tenth of it. */
export const STOP_WITHIN_MS = 5_000;

/** How long processes of a dead lab may take to die by themselves before they are killed, in milliseconds. */
export const ORPHANS_WITHIN_MS = 3_000;

/** How long `weft lab down` waits for the lab to end, in milliseconds: every process may use all of its time. */
export const DOWN_WITHIN_MS = 15_000;

/** How long one command of the tour may take, in milliseconds: the throughput step runs two seconds. */
export const COMMAND_WITHIN_MS = 20_000;

/** Bytes of a command's output that are kept, so that a command gone wild costs no memory. */
export const OUTPUT_BYTES_MAX = 256 * 1024;

/** Flows of each host that are read to find the busiest: all of a lab that only made its tour. */
export const FLOWS_LISTED = 1_000;

/** Flows of each host that the tour prints. */
export const FLOWS_SHOWN = 2;

/** Columns that a line of the tour may fill beyond its indent. */
export const LINE_WIDTH = 104;

/** Attempts to find an id that no other lab of this machine has, of 65,536. */
export const ID_ATTEMPTS = 16;
