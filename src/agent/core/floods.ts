import type { WantedTunnelKey } from "../../datapath/datapath.ts";
import { GROUP_MAX, GROUP_OUTPUTS } from "../../flow/layout.ts";
import type { Bridge, BridgePort, Id } from "../../model/objects.ts";
import { CONTROL_GROUP_FIRST, FLOOD_PORTS_MIN } from "./limits.ts";

/** A bridge's flood group on this host: the key that peers use, the group that it names, and its local ports. */
export interface FloodGroup {
  readonly key: number;
  readonly group: number;
  readonly vports: readonly number[];
}

/** What became of a bridge's flood group. */
export type FloodChange =
  | { readonly kind: "set"; readonly flood: FloodGroup; readonly isNew: boolean }
  | { readonly kind: "gone" }
  | { readonly kind: "same" };

/** Where local ports of a bridge are, and how a key is taken. */
export interface FloodMembers {
  readonly bridge: Bridge | undefined;
  /** Ports of the bridge that are known here, wherever they are bound. */
  readonly ports: readonly BridgePort[];
  /** The vport of a port that forwards on this host. */
  vportOf(portId: Id): number | undefined;
  takeKey(): number | undefined;
}

/**
 * Flood groups of this host: peers send one copy of a flooded frame for all of a bridge's unfiltered ports here, instead of one
 * for each port. Ports with an outbound filter, those on physical networks, and bridges with VLANs, are not in: what they let through
 * depends on the frame, so its sender decides and names them one by one.
 */
export class Floods {
  readonly #groups = new Map<Id, FloodGroup>();
  readonly #free: number[] = Array.from({ length: GROUP_MAX - CONTROL_GROUP_FIRST }, (_, i) => CONTROL_GROUP_FIRST + i);

  /** Computes a bridge's group anew. */
  update(bridgeId: Id, members: FloodMembers): FloodChange {
    const vports = floodable(members);
    const known = this.#groups.get(bridgeId);
    if (vports.length < FLOOD_PORTS_MIN || vports.length > GROUP_OUTPUTS) return this.#drop(bridgeId, known);
    if (known !== undefined && sameList(known.vports, vports)) return { kind: "same" };
    const key = known?.key ?? members.takeKey();
    const group = known?.group ?? this.#free.shift();
    if (key === undefined || group === undefined) return { kind: "same" };
    const flood = { key, group, vports };
    this.#groups.set(bridgeId, flood);
    return { kind: "set", flood, isNew: known === undefined };
  }

  /** The wanted tunnel keys of all groups, for the datapath. */
  wantedKeys(): readonly WantedTunnelKey[] {
    return [...this.#groups.values()].map(({ key, group }) => ({ key, target: { kind: "group", group } }));
  }

  /** Groups by bridge. */
  entries(): Iterable<readonly [Id, FloodGroup]> {
    return this.#groups;
  }

  #drop(bridgeId: Id, known: FloodGroup | undefined): FloodChange {
    if (known === undefined) return { kind: "same" };
    this.#groups.delete(bridgeId);
    this.#free.push(known.group);
    return { kind: "gone" };
  }
}

function floodable(members: FloodMembers): readonly number[] {
  const { bridge, ports } = members;
  const isPlain =
    bridge?.isUp === true && bridge.outboundFilterId === undefined && ports.every((port) => port.vlan === undefined);
  if (!isPlain) return [];
  return ports
    .filter((port) => port.isUp && port.outboundFilterId === undefined && port.isExternal !== true)
    .map((port) => members.vportOf(port.id))
    .filter((vport) => vport !== undefined)
    .sort((a, b) => a - b);
}

function sameList(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
