import { replacedAtOnceMax } from "../limits.ts";
import type { Opinion } from "./opinion-table.ts";

/** What an owner wants the store to say about a key. */
export interface WantedOpinion {
  readonly value: string;
  /**
   * The newest sequence number known when it was wanted, or that of its node since it has one. What others learned after that
   * is newer than the wish.
   */
  readonly seen: number;
}

/** What an owner wants about a key, and its opinions that are in the store. */
export interface OwnOpinion {
  readonly wanted: WantedOpinion | undefined;
  readonly nodes: ReadonlyMap<string, Opinion>;
}

/**
 * What to do next. `create`: and in the same write remove the own nodes `instead` of which it is there.
 * `yield`: another owner has learned something newer; give up the wish.
 */
export type OwnStep =
  | { readonly do: "rest" }
  | { readonly do: "create"; readonly value: string; readonly instead: readonly string[] }
  | { readonly do: "remove"; readonly names: readonly string[] }
  | { readonly do: "yield"; readonly to: Opinion };

/**
 * The next step of an owner for one key. Pure: repeated until it says `rest`, after every change of what is wanted, of the own
 * nodes and of what others say. The new opinion is created, and the old one removed after it in the same write: the key is never
 * without one, and a change costs the store one commit.
 */
export function nextOwnStep(own: OwnOpinion, foreign: Opinion | undefined): OwnStep {
  const newest = newestOf(own.nodes.values());
  const { wanted } = own;
  if (wanted === undefined)
    return own.nodes.size === 0 ? { do: "rest" } : { do: "remove", names: [...own.nodes.keys()] };
  const known = Math.max(newest?.sequence ?? -1, wanted.seen);
  if (foreign !== undefined && foreign.sequence > known) return { do: "yield", to: foreign };
  const isSaid = newest?.value === wanted.value && (foreign === undefined || foreign.sequence < newest.sequence);
  if (!isSaid) return { do: "create", value: wanted.value, instead: [...own.nodes.keys()].slice(0, replacedAtOnceMax) };
  const superseded = [...own.nodes.keys()].filter((name) => name !== newest.name);
  return superseded.length === 0 ? { do: "rest" } : { do: "remove", names: superseded };
}

/** The newest of some opinions of one origin. */
export function newestOf(opinions: Iterable<Opinion>): Opinion | undefined {
  let newest: Opinion | undefined;
  for (const opinion of opinions) if (newest === undefined || opinion.sequence > newest.sequence) newest = opinion;
  return newest;
}
