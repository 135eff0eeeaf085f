import type { Id, TopologyObject } from "../../model/objects.ts";
import type { WorldChange } from "../../sim/world-change.ts";
import type { MapName } from "./messages.ts";
import type { ObjectName } from "./slice.ts";

/** Replicated maps that belong to a device of this kind. */
export function mapsOf(kind: ObjectName["kind"]): readonly MapName[] {
  if (kind === "bridge") return ["fdb", "bridge-neighbor"];
  return kind === "router" ? ["neighbor"] : [];
}

/**
 * What the workers are told of an object that exists and cannot be told: it is damaged, or the host has no room for it. Walks go on
 * without a port, which at worst is not reached. They never do without what may forbid or divert a packet.
 */
export function lacking({ kind, id }: ObjectName): WorldChange {
  const decides = kind === "chain" || kind === "rule" || kind === "route";
  return { kind: decides ? "unknown" : "absent", id };
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
