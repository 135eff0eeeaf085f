import { unreachable } from "../../base/assert.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { escapeName, unescapeName } from "./layout.ts";
import type { MapKind, Precedence } from "./map-kind.ts";

/** One opinion, as its name says it: key and value as text of the map's kind. */
export interface Opinion {
  readonly name: string;
  readonly key: string;
  readonly value: string;
  readonly origin: "learned" | "configured";
  /** The parent's count of children when it was created: the higher, the newer. */
  readonly sequence: number;
}

/** The winner of a key before and after. */
export interface WinnerChange {
  readonly key: string;
  readonly before: Opinion | undefined;
  readonly after: Opinion | undefined;
}

/** Beginning of the name of an opinion; the store appends the sequence number. */
export function opinionPrefix(key: string, value: string, origin: Opinion["origin"]): string {
  return `${escapeName(key)},${escapeName(value)},${origin === "configured" ? "c" : ""}`;
}

/** Reads the name of an opinion of a kind, or says what was expected. Key and value come out in their canonical writing. */
export function parseOpinion<K, V>(kind: MapKind<K, V>, name: string): Result<Opinion, string> {
  const [keyPart, valuePart, tail, ...rest] = name.split(",");
  const digits = tail === undefined ? null : /^(c?)(-?\d{9,10})$/.exec(tail);
  if (keyPart === undefined || valuePart === undefined || digits === null || rest.length > 0) {
    return err("a name key,value,sequence");
  }
  const [keyText, valueText] = [unescapeName(keyPart), unescapeName(valuePart)];
  if (keyText === undefined || valueText === undefined) return err("a key and a value in percent-encoding");
  const key = kind.key.parse(keyText);
  if (!key.ok) return err(`a key that is ${key.error}`);
  const value = kind.value.parse(valueText);
  if (!value.ok) return err(`a value that is ${value.error}`);
  const origin = digits[1] === "c" ? "configured" : "learned";
  const sequence = Number(digits[2]);
  return ok({ name, key: kind.key.format(key.value), value: kind.value.format(value.value), origin, sequence });
}

/**
 * All opinions of one replicated map, and who wins each key. Pure: names in, changes of winners out. The outcome depends on the
 * set of names only, so every copy that has seen the same names agrees, whatever the order. An update costs as much as there
 * are opinions about its key.
 */
export class OpinionTable {
  readonly #precedence: Precedence;
  readonly #byName = new Map<string, Opinion>();
  readonly #byKey = new Map<string, Set<Opinion>>();
  readonly #winners = new Map<string, Opinion>();
  /** The highest sequence number ever seen, -1 when none. */
  #newest = -1;

  constructor(precedence: Precedence) {
    this.#precedence = precedence;
  }

  /** The highest sequence number ever seen, -1 when none. */
  get newest(): number {
    return this.#newest;
  }

  /** How many keys have a winner. */
  get size(): number {
    return this.#winners.size;
  }

  /** The winning opinion about a key. */
  winner(key: string): Opinion | undefined {
    return this.#winners.get(key);
  }

  /** All winners by key. */
  winners(): IterableIterator<[string, Opinion]> {
    return this.#winners.entries();
  }

  /** Every opinion about a key, in no particular order. */
  opinions(key: string): Iterable<Opinion> {
    return this.#byKey.get(key) ?? [];
  }

  /** Whether an opinion is there. */
  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** An opinion appeared. Undefined when the winner stays as it was. */
  add(opinion: Opinion): WinnerChange | undefined {
    if (this.#byName.has(opinion.name)) return undefined;
    this.#newest = Math.max(this.#newest, opinion.sequence);
    this.#byName.set(opinion.name, opinion);
    const others = this.#byKey.get(opinion.key);
    if (others === undefined) this.#byKey.set(opinion.key, new Set([opinion]));
    else others.add(opinion);
    return this.#judge(opinion.key);
  }

  /** An opinion disappeared. Undefined when the winner stays as it was. */
  remove(name: string): WinnerChange | undefined {
    const opinion = this.#byName.get(name);
    if (opinion === undefined) return undefined;
    this.#byName.delete(name);
    const others = this.#byKey.get(opinion.key);
    others?.delete(opinion);
    if (others?.size === 0) this.#byKey.delete(opinion.key);
    return this.#judge(opinion.key);
  }

  /** Replaces everything: what a full read found. One change a key at most. */
  load(opinions: readonly Opinion[]): readonly WinnerChange[] {
    const names = new Set(opinions.map(({ name }) => name));
    const before = new Map<string, Opinion | undefined>();
    const note = (change: WinnerChange | undefined): void => {
      if (change !== undefined && !before.has(change.key)) before.set(change.key, change.before);
    };
    for (const name of [...this.#byName.keys()]) if (!names.has(name)) note(this.remove(name));
    for (const opinion of opinions) note(this.add(opinion));
    const changes = [...before].map(([key, old]) => ({ key, before: old, after: this.#winners.get(key) }));
    return changes.filter((change) => change.before !== change.after);
  }

  /** The map's node was made anew: sequence numbers start again. */
  forgetSequence(): void {
    this.#newest = -1;
    for (const { sequence } of this.#byName.values()) this.#newest = Math.max(this.#newest, sequence);
  }

  #judge(key: string): WinnerChange | undefined {
    const before = this.#winners.get(key);
    let after: Opinion | undefined;
    for (const opinion of this.opinions(key)) {
      if (!counts(opinion, this.#precedence)) continue;
      if (after === undefined || beats(opinion, after, this.#precedence)) after = opinion;
    }
    if (after === before) return undefined;
    if (after === undefined) this.#winners.delete(key);
    else this.#winners.set(key, after);
    return { key, before, after };
  }
}

function counts(opinion: Opinion, precedence: Precedence): boolean {
  return precedence !== "newest-learned" || opinion.origin === "learned";
}

/** A total order: two opinions never beat each other, so the winner does not depend on the order of looking. */
function beats(a: Opinion, b: Opinion, precedence: Precedence): boolean {
  if (a.origin !== b.origin) return a.origin === preferred(precedence);
  if (a.sequence !== b.sequence) return a.sequence > b.sequence;
  return a.name > b.name;
}

function preferred(precedence: Precedence): Opinion["origin"] {
  switch (precedence) {
    case "newest-learned-then-configured":
    case "newest-learned":
      return "learned";
    case "configured-then-newest-learned":
      return "configured";
    default:
      return unreachable(precedence);
  }
}
