import type { Port } from "./objects.ts";

/** Whether a port leads to another network than VMs once it is bound: an uplink, or a bridge port that is said to. */
export function leadsOut(port: Port): boolean {
  return port.deviceKind === "router" || port.isExternal === true;
}
