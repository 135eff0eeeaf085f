import { ok, type Result } from "../../base/result.ts";
import { decodeObject } from "../../model/encoding.ts";
import type { ModelError } from "../../model/model-error.ts";
import type { Id, Kind, ObjectOf } from "../../model/objects.ts";
import type { Reference } from "../../model/references.ts";
import type { NameQuery } from "../../model/view.ts";
import type { NodeContent } from "../tree.ts";
import type { StoreConnection } from "./connection.ts";
import type { Layout } from "./layout.ts";
import { each, type LastingError, steadily, storeError, type Unavailable } from "./steadily.ts";
import type { StoreError } from "./store-error.ts";
import type { ReadDocument, ReadRequest, TopologyRead } from "./topology-read.ts";

/** A document as it was found, and the transaction that wrote it last. */
export type FoundDocument<K extends Kind> =
  | { readonly found: "object"; readonly object: ObjectOf<K>; readonly version: number; readonly mzxid: bigint }
  | { readonly found: "damaged"; readonly error: ModelError; readonly version: number; readonly mzxid: bigint }
  | { readonly found: "nothing" };

const decoder = new TextDecoder();

/** Reads documents, names and referrers of a topology, over lost connections. */
export class TopologyReader {
  readonly #connection: StoreConnection;
  readonly #layout: Layout;

  constructor(connection: StoreConnection, layout: Layout) {
    this.#connection = connection;
    this.#layout = layout;
  }

  /** One document. */
  async document<K extends Kind>(kind: K, id: Id): Promise<Result<FoundDocument<K>, StoreError>> {
    const path = this.#layout.object(kind, id);
    const read = await this.#orAbsent(steadily(this.#connection, (tree) => tree.get(path)));
    if (!read.ok) return read;
    return ok(read.value === undefined ? { found: "nothing" } : decoded(kind, id, read.value));
  }

  /** Ids of all documents of a kind, in order. */
  async ids(kind: Kind): Promise<Result<readonly Id[], StoreError>> {
    const path = this.#layout.kind(kind);
    const read = await this.#orAbsent(steadily(this.#connection, (tree) => tree.children(path)));
    return read.ok ? ok([...(read.value?.names ?? [])].sort()) : read;
  }

  /** Who has a name. */
  async idOfName(query: NameQuery): Promise<Result<Id | undefined, StoreError>> {
    const path = this.#layout.name(query);
    const read = await this.#orAbsent(steadily(this.#connection, (tree) => tree.get(path)));
    return read.ok ? ok(read.value === undefined ? undefined : decoder.decode(read.value.data)) : read;
  }

  /** Reads what a draft has missed. */
  async fill(read: TopologyRead): Promise<Result<void, StoreError>> {
    const requests = [...read.missing.values()];
    read.missing.clear();
    const results = await each(requests, (request) => this.#fillOne(read, request));
    return results.find((result) => !result.ok) ?? ok(undefined);
  }

  async #fillOne(read: TopologyRead, request: ReadRequest): Promise<Result<void, StoreError>> {
    if (request.read === "name") {
      const holder = await this.idOfName(request.query);
      if (holder.ok) read.setName(request.query, holder.value);
      return holder.ok ? ok(undefined) : holder;
    }
    if (request.read === "scan") {
      const found = await this.#scan(request.row, request.id);
      if (found.ok) read.setScanned(request.row, request.id, found.value);
      return found.ok ? ok(undefined) : found;
    }
    const { kind, id } = request;
    if (request.read === "object") {
      const document = await this.document(kind, id);
      if (document.ok) read.setDocument(kind, id, document.value satisfies ReadDocument);
      return document.ok ? ok(undefined) : document;
    }
    const path = this.#layout.object(kind, id);
    const children = await this.#orAbsent(steadily(this.#connection, (tree) => tree.children(path)));
    if (children.ok) read.setReferrers(kind, id, children.value?.names ?? []);
    return children.ok ? ok(undefined) : children;
  }

  async #scan(row: Reference, target: Id): Promise<Result<readonly Id[], StoreError>> {
    const ids = await this.ids(row.from);
    if (!ids.ok) return ids;
    const found: Id[] = [];
    for (const document of await each(ids.value, (id) => this.document(row.from, id))) {
      if (!document.ok) return document;
      const { value } = document;
      if (value.found === "object" && row.read(value.object).includes(target)) found.push(value.object.id);
    }
    return ok(found);
  }

  async #orAbsent<T>(
    reading: Promise<Result<T, LastingError | Unavailable>>,
  ): Promise<Result<T | undefined, StoreError>> {
    const read = await reading;
    if (read.ok) return read;
    return read.error.kind === "no-node" ? ok(undefined) : { ok: false, error: storeError(read.error) };
  }
}

function decoded<K extends Kind>(kind: K, id: Id, { data, stat }: NodeContent): FoundDocument<K> {
  const { version, mzxid } = stat;
  const object = decodeObject({ kind, id }, decoder.decode(data));
  return object.ok
    ? { found: "object", object: object.value, version, mzxid }
    : { found: "damaged", error: object.error, version, mzxid };
}
