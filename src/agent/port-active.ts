import type { PortActive } from "./core/control-events.ts";

/** Reads the text of a port's `active` state key; undefined when it is damaged or of a newer version. */
export function parsePortActive(text: string): PortActive | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { hostId, tunnelKey, generation } = value as Record<string, unknown>;
  if (typeof hostId !== "string" || !Number.isInteger(tunnelKey) || !Number.isInteger(generation)) return undefined;
  return { hostId, tunnelKey: tunnelKey as number, generation: generation as number };
}
