import type { FlowTag } from "../flow/tag.ts";
import type { Id } from "../model/objects.ts";
import type { Placement, WorldChange } from "./world-change.ts";

/** Signatures of the world that the worker core needs (see the class). */
export interface WorldApi {
  /** Takes a change in. The answer is the caller's to read until the next call: tags whose flows must be looked at again. */
  apply(change: WorldChange): readonly FlowTag[];
  /** The handle of an id, made when new. Handles start at 1, are never reused while the world lives and never leave the thread. */
  handleOf(id: Id): number;
  /** The id of a handle. */
  idOf(handle: number): Id;
  /** Where a vport is. */
  placementOf(port: number): Placement | undefined;
  /** The port with this vport index on this host; 0: none. */
  portOfVport(vport: number): number;
}
