import type { FlowLine } from "../api-schema/agent-api.ts";
import { FLOWS_SHOWN } from "./limits.ts";

/** The busiest flows of a host, a line each. */
export function flowLines(flows: readonly FlowLine[]): readonly string[] {
  return [...flows]
    .sort((a, b) => b.packets - a.packets)
    .slice(0, FLOWS_SHOWN)
    .map(formatFlow);
}

/** Without the MAC addresses where more is compared, and without the length check: `weft flows` shows all. */
function formatFlow({ key, packets, action }: FlowLine): string {
  const compared = key.replace(/ \S{17} > \S{17}(?= )/, "");
  return `${compared}: ${packets} packets, ${action.replace(/^max_len\(\d+\),/, "")}`;
}
