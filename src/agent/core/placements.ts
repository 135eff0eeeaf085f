import type { Id } from "../../model/objects.ts";
import type { Placement, WorldChange } from "../../sim/world-change.ts";

/** Where every bound port of the slice is, as the workers were told last. */
export class Placements {
  readonly #placements = new Map<Id, Placement>();

  /** Takes where a port is now; false: that was known. */
  put(portId: Id, placement: Placement | undefined): boolean {
    if (samePlacement(this.#placements.get(portId), placement)) return false;
    if (placement === undefined) this.#placements.delete(portId);
    else this.#placements.set(portId, placement);
    return true;
  }

  /** All of them, as a worker is told. */
  changes(): readonly (WorldChange & { readonly kind: "placement" })[] {
    return [...this.#placements].map(([portId, placement]) => ({ kind: "placement", portId, placement }));
  }
}

/** Equality by value. */
function samePlacement(a: Placement | undefined, b: Placement | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.isActive !== b.isActive) return false;
  if (a.at === "local" && b.at === "local") return a.vport === b.vport;
  if (a.at === "remote" && b.at === "remote") return a.hostId === b.hostId && a.tunnelKey === b.tunnelKey;
  return false;
}
