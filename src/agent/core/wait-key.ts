import type { WaitOn } from "../../sim/result.ts";
import type { NeighborKey } from "../../state/neighbor-resolver.ts";

/** The name under which packets wait. */
export function waitKey(on: WaitOn): string {
  if (on.kind === "topology") return on.ids[0] as string;
  return neighborWaitKey({ table: on.router, ip: on.ip });
}

/** The name under which packets wait for a neighbor. */
export function neighborWaitKey(key: NeighborKey): string {
  const { w0, w1, w2, w3 } = key.ip;
  return `neighbor ${key.table} ${w0} ${w1} ${w2} ${w3}`;
}

/** True for the name under which packets wait for a neighbor. */
export function isNeighborWait(on: string): boolean {
  return on.startsWith("neighbor ");
}
