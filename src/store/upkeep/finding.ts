import type { TreeOperation } from "../tree.ts";

/** What a person does by hand. The command line of ZooKeeper shows our secret like every client. */
function withCommandLine(command: string): string {
  return `remove it with ZooKeeper's command line: addauth digest weft:SECRET, then ${command}`;
}

/** What can be wrong in a store: what it means, and what to do about it. `isHarmless`: nothing works worse for it. */
export const FINDINGS = {
  "no-layout": {
    meaning: "there is no layout node",
    remedy: "the store is empty or was emptied: weft store restore FILE",
  },
  "damaged-layout": { meaning: "the layout node says no version", remedy: "weft store restore FILE writes it anew" },
  "newer-layout": { meaning: "a later release wrote the store", remedy: "use that release, on every host" },
  "older-layout": { meaning: "an earlier release wrote the store", remedy: "weft store migrate --backup FILE" },
  incomplete: { meaning: "a copy or restore into the store has not ended", remedy: "run it again: it goes on" },
  "damaged-term": {
    meaning: "it holds no term: nobody is elected, gets a lock or leases ports, because fencing numbers would go back",
    remedy: "--repair begins a new term, above every one that was given out",
  },
  "damaged-secret": {
    meaning: "it holds no secret of the cloud: agents that start or look for it cannot speak to the others",
    remedy: `weft store restore FILE --replace brings it back; without a backup ${withCommandLine("delete PATH")}, and restart every agent`,
  },
  unreadable: {
    meaning: "its access list keeps us out",
    remedy: "give --store-secret-file, or remove it as its owner",
  },
  foreign: {
    meaning: "the layout has no such node",
    remedy: `weft leaves it alone; when nobody needs it, ${withCommandLine("deleteall PATH")}`,
  },
  "damaged-document": {
    meaning: "the object cannot be read; agents go on with what they knew of it",
    remedy: "weft delete KIND ID and create it again, or weft store restore FILE --dry-run to see what a backup has",
  },
  "newer-document": { meaning: "a later release wrote the object", remedy: "use that release, on every host" },
  "dangling-reference": {
    meaning: "it refers to an object that is not there",
    remedy: "--repair clears references that a deletion would clear; else weft delete it, or create what it refers to",
  },
  inconsistent: { meaning: "it contradicts another object", remedy: "weft update one of the two" },
  "list-out-of-step": { meaning: "a list that the store keeps does not say who refers to it", remedy: "--repair" },
  "missing-referrer": {
    meaning: "a reference is not noted at its target: deleting that would not follow it",
    remedy: "--repair",
  },
  "stale-referrer": { meaning: "a reference is noted that does not exist", remedy: "--repair" },
  "missing-name": { meaning: "the object's name is not noted: another could take it", remedy: "--repair" },
  "stale-name": { meaning: "a name is noted of an object that does not have it", remedy: "--repair" },
  "taken-name": { meaning: "two objects have the same name", remedy: "weft update one of them by its id" },
  "damaged-opinion": {
    meaning: "it is no entry of its map; everybody skips it",
    remedy: withCommandLine("delete PATH"),
  },
  "map-of-nothing": { meaning: "entries of a device that is gone", remedy: "the recycler removes it, or --repair" },
  "ports-of-nothing": {
    meaning: "leases of ports of a device that is gone",
    remedy: "the recycler removes it, or --repair",
  },
  "ownerless-opinion": {
    meaning: "a learned entry that no session holds",
    remedy: "the recycler removes it, or --repair",
  },
  "ownerless-key": { meaning: "a state that no session holds", remedy: "the recycler removes it, or --repair" },
  "empty-folder": { meaning: "nothing has been in it for an hour", remedy: "the recycler removes it, or --repair" },
  "key-of-nothing": {
    meaning: "a state of an object that is gone",
    remedy: "none: it goes with the session that holds it",
  },
} as const satisfies Readonly<Record<string, { readonly meaning: string; readonly remedy: string }>>;

/** A kind of finding. */
export type FindingKind = keyof typeof FINDINGS;

/** One thing that is not as it should be. */
export interface Finding {
  readonly kind: FindingKind;
  /** Full path of the node. */
  readonly path: string;
  /** What exactly: the field, the id, what was expected. */
  readonly detail: string;
  /** One transaction that puts it right without a choice of anybody's; fails when something has changed since. */
  readonly repair?: readonly TreeOperation[];
}

/** Kinds that need nobody: the recycler or a session's end deals with them. */
export const harmlessFindings: ReadonlySet<FindingKind> = new Set<FindingKind>([
  "map-of-nothing",
  "ports-of-nothing",
  "ownerless-opinion",
  "ownerless-key",
  "empty-folder",
  "key-of-nothing",
]);
