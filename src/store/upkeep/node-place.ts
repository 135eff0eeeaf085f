import type { Id, Kind } from "../../model/objects.ts";
import { KINDS, MODEL_REGISTRY } from "../../model/registry.ts";
import { unescapeName } from "../recipes/layout.ts";
import type { NodeStat } from "../tree.ts";

/**
 * What a node is by where it stands: the layout read backwards. `foreign`: the layout has no such node. Folders are nodes
 * without content that hold others.
 */
export type NodePlace =
  | { readonly place: "root" | "layout" | "incomplete" | "term" | "secret" | "folder" | "counter" | "mark" | "foreign" }
  | { readonly place: "document"; readonly kind: Kind; readonly id: Id }
  | { readonly place: "referrer"; readonly kind: Kind; readonly id: Id; readonly name: string }
  | { readonly place: "name"; readonly kind: Kind; readonly tenant: string; readonly name: string }
  | { readonly place: "map-folder"; readonly owner: string; readonly id: Id }
  | { readonly place: "opinion"; readonly owner: string; readonly id: Id; readonly map: string }
  | { readonly place: "state-folder" }
  | { readonly place: "state-key"; readonly kind: string; readonly name: string; readonly id: string }
  | { readonly place: "queue-folder" | "queue-place" | "owner" }
  | { readonly place: "block-folder"; readonly device: Id }
  | { readonly place: "block"; readonly device: Id }
  | { readonly place: "taken"; readonly device: Id };

/** The name of an opinion: key, value, and a number that the store gave; `c` before it says configured. */
export const opinionName = /^[^,]*,[^,]*,(c?)(-?\d{9,10})$/;

const foreign: NodePlace = { place: "foreign" };
const folder: NodePlace = { place: "folder" };
const kindOfPlural = new Map(KINDS.map((kind) => [MODEL_REGISTRY[kind].plural, kind]));

/** The place of a node, by its path below our root without a slash in front; empty for the root. */
export function placeOf(path: string): NodePlace {
  if (path === "") return { place: "root" };
  const [top = "", ...rest] = path.split("/");
  switch (top) {
    case "layout":
    case "incomplete":
    case "term":
    case "secret":
      return rest.length === 0 ? { place: top } : foreign;
    case "objects":
      return objectPlace(rest);
    case "names":
      return namePlace(rest);
    case "deletions":
      return rest.length === 0 ? folder : rest.length === 1 && /^\d{1,2}$/.test(rest[0] ?? "") ? counter : foreign;
    case "transactions":
      return rest.length === 0 ? folder : rest.length === 1 ? { place: "mark" } : foreign;
    case "maps":
      return mapPlace(rest);
    case "state":
      return statePlace(rest);
    case "locks":
    case "elections":
      return queuePlace(rest);
    case "owners":
      if (rest.length < 2) return { place: "queue-folder" };
      return rest.length === 2 ? { place: "owner" } : foreign;
    case "nat":
      return blockPlace(rest);
    default:
      return foreign;
  }
}

const counter: NodePlace = { place: "counter" };

function objectPlace([plural, idPart, name, ...rest]: readonly string[]): NodePlace {
  if (plural === undefined) return folder;
  const kind = kindOfPlural.get(plural);
  if (kind === undefined || rest.length > 0) return foreign;
  if (idPart === undefined) return folder;
  const id = unescapeName(idPart);
  if (id === undefined) return foreign;
  return name === undefined ? { place: "document", kind, id } : { place: "referrer", kind, id, name };
}

function namePlace([plural, text, ...rest]: readonly string[]): NodePlace {
  if (plural === undefined) return folder;
  const kind = kindOfPlural.get(plural);
  if (kind === undefined || rest.length > 0) return foreign;
  if (text === undefined) return folder;
  const [tenant, name, ...more] = text.split(",").map(unescapeName);
  if (tenant === undefined || name === undefined || more.length > 0) return foreign;
  return { place: "name", kind, tenant, name };
}

function mapPlace([owner, idPart, map, ...parts]: readonly string[]): NodePlace {
  const id = idPart === undefined ? undefined : unescapeName(idPart);
  if (owner === undefined || id === undefined) return idPart === undefined ? folder : foreign;
  const last = parts.at(-1);
  if (map === undefined || last === undefined) return { place: "map-folder", owner, id };
  return opinionName.test(last)
    ? { place: "opinion", owner, id, map: unescapeName(map) ?? map }
    : last.includes(",")
      ? foreign
      : { place: "map-folder", owner, id };
}

function statePlace(parts: readonly string[]): NodePlace {
  const [kind, name, id, ...rest] = parts.map(unescapeName);
  if (parts.length < 3) return { place: "state-folder" };
  if (kind === undefined || name === undefined || id === undefined || rest.length > 0) return foreign;
  return { place: "state-key", kind, name, id };
}

function queuePlace(rest: readonly string[]): NodePlace {
  if (rest.length < 2) return { place: "queue-folder" };
  return rest.length === 2 && /,-?\d{9,10}$/.test(rest[1] ?? "") ? { place: "queue-place" } : foreign;
}

function blockPlace([devicePart, address, block, last, ...rest]: readonly string[]): NodePlace {
  const device = devicePart === undefined ? undefined : unescapeName(devicePart);
  if (device === undefined) return devicePart === undefined ? folder : foreign;
  if (address === undefined || block === undefined) return { place: "block-folder", device };
  if (!/^\d{1,4}$/.test(block) || rest.length > 0) return foreign;
  if (last === undefined) return { place: "block", device };
  return last === "taken" ? { place: "taken", device } : foreign;
}

/** Whether a node goes with a session. Containers and nodes with a time to live carry marks where others carry their owner. */
export function isEphemeral({ ephemeralOwner }: Pick<NodeStat, "ephemeralOwner">): boolean {
  const owner = BigInt.asUintN(64, ephemeralOwner);
  const isTtl = owner >> 56n === 0xffn;
  return owner !== 0n && owner !== 1n << 63n && !isTtl;
}
