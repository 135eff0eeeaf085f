import type { ModelError } from "../../model/model-error.ts";
import type { Id, Kind, ObjectOf, TopologyObject } from "../../model/objects.ts";
import type { Reference } from "../../model/references.ts";
import type { NameQuery } from "../../model/view.ts";

/** What was found where an object's document should be. */
export type ReadDocument =
  | { readonly found: "object"; readonly object: TopologyObject; readonly version: number }
  | { readonly found: "damaged"; readonly error: ModelError; readonly version: number }
  | { readonly found: "nothing" };

/** Something to read before a transaction can be decided. */
export type ReadRequest =
  | { readonly read: "object"; readonly kind: Kind; readonly id: Id }
  | { readonly read: "name"; readonly query: NameQuery }
  | { readonly read: "referrers"; readonly kind: Kind; readonly id: Id }
  | { readonly read: "scan"; readonly row: Reference; readonly id: Id };

/** Name of the node under a document that says who refers to it where the document itself has no list for that. */
export function referrerName(row: Reference, from: Id): string {
  return `${row.from}.${row.field},${from}`;
}

/** Everything that one attempt of a transaction has read. Asked for something else, it notes it in `missing`. */
export class TopologyRead {
  readonly missing = new Map<string, ReadRequest>();
  /** Whether anything came from what was read for an earlier transaction: a guess that only a write confirms. */
  usesGuesses = false;
  readonly #guess: (kind: Kind, id: Id) => ReadDocument | undefined;
  /** Counters of deletions as they were before the documents were read. */
  readonly deletions = new Map<number, number>();
  readonly #documents = new Map<string, ReadDocument>();
  readonly #names = new Map<string, Id | undefined>();
  readonly #referrers = new Map<string, readonly string[]>();
  readonly #scans = new Map<string, readonly Id[]>();

  constructor(guess: (kind: Kind, id: Id) => ReadDocument | undefined) {
    this.#guess = guess;
  }

  /** A document, `nothing` also while it was not read yet. */
  document(kind: Kind, id: Id): ReadDocument {
    const key = `${kind}/${id}`;
    const document = this.#documents.get(key);
    if (document !== undefined) return document;
    const guessed = this.#guess(kind, id);
    if (guessed !== undefined) {
      this.usesGuesses = true;
      this.#documents.set(key, guessed);
      return guessed;
    }
    this.missing.set(`object ${key}`, { read: "object", kind, id });
    return { found: "nothing" };
  }

  /** An object that can be read. */
  object<K extends Kind>(kind: K, id: Id): ObjectOf<K> | undefined {
    const document = this.document(kind, id);
    return document.found === "object" ? (document.object as ObjectOf<K>) : undefined;
  }

  /** Who has a name. */
  name(query: NameQuery): Id | undefined {
    const key = nameKey(query);
    if (this.#names.has(key)) return this.#names.get(key);
    this.missing.set(`name ${key}`, { read: "name", query });
    return undefined;
  }

  /** Names of the referrer nodes under a document. */
  referrers(kind: Kind, id: Id): readonly string[] {
    const key = `${kind}/${id}`;
    const names = this.#referrers.get(key);
    if (names !== undefined) return names;
    this.missing.set(`referrers ${key}`, { read: "referrers", kind, id });
    return [];
  }

  /**
   * Who refers to an object whose own list of them cannot be read, found by reading every object of the kind. Nobody gets to refer to a
   * damaged object meanwhile: such a write is refused.
   */
  scanned(row: Reference, id: Id): readonly Id[] {
    const key = scanKey(row, id);
    const ids = this.#scans.get(key);
    if (ids !== undefined) return ids;
    this.missing.set(`scan ${key}`, { read: "scan", row, id });
    return [];
  }

  /** All documents that were read. */
  *documents(): Generator<{ readonly kind: Kind; readonly id: Id; readonly document: ReadDocument }> {
    for (const [key, document] of this.#documents) {
      const slash = key.indexOf("/");
      yield { kind: key.slice(0, slash) as Kind, id: key.slice(slash + 1), document };
    }
  }

  /** Notes a document that was read. */
  setDocument(kind: Kind, id: Id, document: ReadDocument): void {
    this.#documents.set(`${kind}/${id}`, document);
  }

  /** Notes who has a name. */
  setName(query: NameQuery, id: Id | undefined): void {
    this.#names.set(nameKey(query), id);
  }

  /** Notes who was found to refer to an object. */
  setScanned(row: Reference, id: Id, ids: readonly Id[]): void {
    this.#scans.set(scanKey(row, id), ids);
  }

  /** Notes the referrer nodes of a document. */
  setReferrers(kind: Kind, id: Id, names: readonly string[]): void {
    this.#referrers.set(`${kind}/${id}`, names);
  }
}

function scanKey({ from, field }: Reference, id: Id): string {
  return `${from}.${field} ${id}`;
}

function nameKey({ kind, tenant, name }: NameQuery): string {
  return JSON.stringify([kind, tenant, name]);
}
