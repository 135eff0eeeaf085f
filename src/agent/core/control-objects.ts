import type { Id, TopologyObject } from "../../model/objects.ts";
import type { MapName } from "./messages.ts";
import type { ObjectName } from "./slice.ts";

/** Replicated maps that belong to a device of this kind. */
export function mapsOf(kind: ObjectName["kind"]): readonly MapName[] {
  if (kind === "bridge") return ["fdb", "bridge-neighbor"];
  return kind === "router" ? ["neighbor"] : [];
}

/** Objects that walks read; hosts are control's own, and a host names all of its ports. */
export function isWalked(kind: ObjectName["kind"]): boolean {
  return kind !== "host";
}

/** The bridge that an object is or belongs to. */
export function bridgeOf(object: TopologyObject | undefined): Id | undefined {
  if (object?.kind === "bridge") return object.id;
  return object?.kind === "port" && object.deviceKind === "bridge" ? object.bridgeId : undefined;
}
