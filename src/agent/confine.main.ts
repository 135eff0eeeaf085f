import { parentLink } from "../base/parent.ts";
import { err, ok, type Result } from "../base/result.ts";
import { DATAPATH_CAPABILITIES } from "../ebpf/rights.ts";
import { ensureBpffs } from "../linux/bpf/bpffs.ts";
import { capability, keepCapabilities, threadRights } from "../linux/capabilities.ts";
import { keepAcrossExec } from "../linux/fd.ts";
import { loadLibc } from "../linux/libc.ts";
import type { AgentValues } from "./config.ts";

/** What this process may do from now on. */
export interface Rights {
  /** Names of the capabilities of every thread, as capabilities(7) has them without CAP_. */
  readonly capabilities: readonly string[];
}

/**
 * Leaves this process with the capabilities that an agent needs and no others, for good: whoever takes it over gains no more than
 * the datapath. Only the calling thread can give its own up, and Node has started others by now: so the agent is executed anew,
 * under the same number and with the same words, and what had more rights is gone. Where nothing is to be given up (as under its
 * unit) it goes on at once. Call it before anything is opened. Undefined: this datapath needs no rights, or none can be seen, and
 * whoever opens it will say why. The error is a sentence.
 */
export function confine(values: AgentValues): Result<Rights | undefined, string> {
  if (values.datapath !== "ebpf" || !loadLibc().ok) return ok(undefined);
  const held = threadRights();
  const kept = needed(values).filter((number) => held.permitted.includes(number));
  const rights = { capabilities: kept.map(nameOf) };
  const isWithin = (numbers: readonly number[]): boolean => numbers.every((number) => kept.includes(number));
  if (held.isSealed && isWithin(held.permitted) && isWithin(held.bounding)) return ok(rights);
  // Mounting is what needs more than the rest, and is done once in the life of a machine.
  const mounted = held.effective.includes(capability.sysAdmin) ? ensureBpffs() : ok(undefined);
  if (!mounted.ok) return err(mounted.error.text);
  const dropped = keepCapabilities(kept);
  if (!dropped.ok) return err(`capabilities cannot be given up: ${dropped.error.text}`);
  // Another user than root keeps no capabilities across exec: there the other threads are Node's own helpers, and stay.
  if (process.geteuid?.() !== 0) return ok(rights);
  return executeAnew();
}

/** The datapath's, and the one for a store or files of another user. */
function needed(values: AgentValues): readonly number[] {
  const isStoreLocal = values.store.some((server) => server.startsWith("unix:"));
  return isStoreLocal ? [capability.dacOverride, ...DATAPATH_CAPABILITIES] : DATAPATH_CAPABILITIES;
}

function nameOf(number: number): string {
  const [name = `${number}`] = Object.entries(capability).find(([, each]) => each === number) ?? [];
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}

function executeAnew(): Result<Rights, string> {
  const link = parentLink();
  if (link !== undefined) keepAcrossExec(link);
  const [node = process.execPath, ...words] = process.argv;
  try {
    return process.execve?.(node, [node, ...process.execArgv, ...words], process.env) ?? err("this Node has no execve");
  } catch (error) {
    return err(`the agent cannot be executed anew with fewer rights: ${String(error)}`);
  }
}
