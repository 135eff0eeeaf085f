import type { Ip } from "../addr/ip.ts";
import type { Mac } from "../addr/mac.ts";
import type { Id, TopologyObject } from "../model/objects.ts";
import type { NeighborEntry } from "../state/neighbor-table.ts";

/**
 * What the control thread tells a world. Order matters only per object and per key. Structured-cloneable.
 */
export type WorldChange =
  /** A topology object as it is now; replaces the older version. Objects may come in any order. */
  | { readonly kind: "object"; readonly object: TopologyObject }
  /** An object that does not exist: deleted, or never existed. The walk goes on without it. */
  | { readonly kind: "absent"; readonly id: Id }
  /** An object that exists and cannot be told, damaged or one too many. What needs it waits for it, and is dropped in the end. */
  | { readonly kind: "unknown"; readonly id: Id }
  /** Where a bound vport is; undefined: nowhere that is known. */
  | { readonly kind: "placement"; readonly portId: Id; readonly placement: Placement | undefined }
  /** The winning opinion of a bridge's FDB; undefined: none. `vlan` 0: untagged, or bridge not VLAN-aware. */
  | {
      readonly kind: "fdb";
      readonly bridgeId: Id;
      readonly vlan: number;
      readonly mac: Mac;
      readonly portId: Id | undefined;
    }
  /** The winning opinion of a router's neighbor table; undefined: none. Goes to the neighbor resolver's private queue. */
  | {
      readonly kind: "router-neighbor";
      readonly routerId: Id;
      readonly ip: Ip;
      readonly entry: NeighborEntry | undefined;
    }
  /** The winning opinion of a bridge's address table (configured, or learned from gratuitous ARP). */
  | { readonly kind: "bridge-neighbor"; readonly bridgeId: Id; readonly ip: Ip; readonly mac: Mac | undefined };

/** Where a bound vport is, as far as a worker needs it to translate an output. */
export type Placement =
  /** On this host, as vport `vport` of the datapath (see `flow/layout.ts`). */
  | { readonly at: "local"; readonly vport: number; readonly isActive: boolean }
  /** On another host, which chose the key under which it accepts frames for the port. */
  | { readonly at: "remote"; readonly hostId: Id; readonly tunnelKey: number; readonly isActive: boolean };
