import { readFileSync } from "node:fs";

/** What an interface received since it was made. */
export interface Received {
  readonly packets: number;
  readonly bytes: number;
}

/** Received packets and bytes of the interfaces of this process's network namespace, by name. Empty where there is no /proc. */
export function readInterfaceCounters(): ReadonlyMap<string, Received> {
  try {
    return parseInterfaceCounters(readFileSync("/proc/self/net/dev", "utf8"));
  } catch {
    return new Map();
  }
}

/** Reads the text of /proc/net/dev. */
export function parseInterfaceCounters(text: string): ReadonlyMap<string, Received> {
  const found = new Map<string, Received>();
  for (const line of text.split("\n")) {
    const [, name, bytes, packets] = /^\s*([^:\s]+):\s*(\d+)\s+(\d+)/.exec(line) ?? [];
    if (name !== undefined) found.set(name, { bytes: Number(bytes), packets: Number(packets) });
  }
  return found;
}
