import { parentPort, workerData } from "node:worker_threads";
import { ACTION_VPORT } from "../../../src/flow/layout.ts";
import { testRun } from "../../../src/linux/bpf/program.ts";

/** What the reader is given: the program, its frames (one for each key), and a word that turns 1 when it shall end. */
export interface SlotReaderTask {
  readonly programFd: number;
  readonly frames: readonly Uint8Array[];
  readonly stop: Int32Array;
}

/** What it saw. `wrong`: the first frames that left with something else than one whole action of their own key. */
export interface SlotReaderFindings {
  hits: number;
  misses: number;
  readonly versions: number;
  readonly wrong: readonly string[];
}

const { programFd, frames, stop } = workerData as SlotReaderTask;
const versions = new Set<number>();
const findings = { hits: 0, misses: 0 };
const wrong: string[] = [];

while (Atomics.load(stop, 0) === 0) {
  for (const [key, frame] of frames.entries()) {
    const run = testRun(programFd, { frame });
    if (!run.ok) throw new Error(run.error.text);
    if (run.value.context.cb[0] !== ACTION_VPORT) {
      findings.misses++;
      continue;
    }
    findings.hits++;
    const version = versionOf(run.value.frame, key);
    if (version >= 0) versions.add(version);
    else if (wrong.length < 3) wrong.push(`key ${key}: ${Buffer.from(run.value.frame).toString("hex")}`);
  }
}
const told: SlotReaderFindings = { ...findings, versions: versions.size, wrong };
parentPort?.postMessage(told);

/**
 * The version of the action that made this frame, if one whole action of the key did: the key's number stands in one byte of both MAC
 * addresses, both IP addresses and both ports, the version in all others. -1: a mixture, or another key's action.
 */
function versionOf(frame: Uint8Array, key: number): number {
  const version = frame[1] as number;
  const macs = [0, 6].every(
    (at) => frame[at] === key * 2 && allAre(frame, { from: at + 1, to: at + 6, value: version }),
  );
  const ips = [26, 30].every(
    (at) => frame[at] === key * 2 && allAre(frame, { from: at + 1, to: at + 4, value: version }),
  );
  const ports = [34, 36].every((at) => frame[at] === key * 2 && frame[at + 1] === version);
  return macs && ips && ports ? version : -1;
}

function allAre(
  bytes: Uint8Array,
  range: { readonly from: number; readonly to: number; readonly value: number },
): boolean {
  for (let i = range.from; i < range.to; i++) if (bytes[i] !== range.value) return false;
  return true;
}
