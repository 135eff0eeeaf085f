import { assert } from "../../base/assert.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { Id, Kind } from "../../model/objects.ts";
import { KINDS } from "../../model/registry.ts";
import type { NameQuery } from "../../model/view.ts";
import { nodeBytesMax, transactionAttemptsMax, transactionOperationsMax } from "../limits.ts";
import type { TreeOperation } from "../tree.ts";
import { CommitMarks } from "./commit-marks.ts";
import type { StoreConnection } from "./connection.ts";
import { DeletionCounts, deletionCounterOf } from "./deletion-counts.ts";
import { DocumentCache } from "./document-cache.ts";
import { Layout } from "./layout.ts";
import { type OpenedLayout, openLayout, writeRefusal } from "./open-layout.ts";
import { each, steadily, storeError } from "./steadily.ts";
import type { StoreError } from "./store-error.ts";
import { TopologyDraft } from "./topology-draft.ts";
import { type ReadDocument, TopologyRead } from "./topology-read.ts";
import { TopologyReader } from "./topology-reader.ts";
import type {
  KindWatcher,
  ObjectList,
  ObjectWatcher,
  StoredObject,
  StoreWatch,
  TopologyChange,
  TopologyStore,
  TransactionResult,
} from "./topology-store.ts";
import { KindWatch, ObjectWatch, type TopologyWatchContext } from "./topology-watch.ts";
import { raisedCounters, writesOf } from "./topology-writes.ts";

/** Rounds of reading for one attempt: each round follows references one step further. */
const readRoundsMax = 256;

/** No node has this version, and it is not ZooKeeper's "any". */
const neverVersion = -2;

/** The topology store over a tree, of any driver. */
export class TreeTopologyStore implements TopologyStore {
  readonly #connection: StoreConnection;
  readonly #layout: Layout;
  readonly #reader: TopologyReader;
  readonly #marks: CommitMarks;
  readonly #context: TopologyWatchContext;
  readonly #deletions: DeletionCounts;
  /** Made at the first transaction: who only reads needs none. */
  #cache: DocumentCache | undefined;
  #opening: Promise<Result<OpenedLayout, StoreError>> | undefined;
  /** A layout was found once: when it is gone later, the store was emptied. */
  #wasOpen: boolean;

  /** `wasOpen`: an earlier process has found a layout here; when there is none now, the store was emptied. */
  constructor(connection: StoreConnection, layout: Layout = new Layout(), wasOpen = false) {
    this.#connection = connection;
    this.#layout = layout;
    this.#wasOpen = wasOpen;
    this.#reader = new TopologyReader(connection, layout);
    this.#marks = new CommitMarks(connection, layout.transactions);
    this.#deletions = new DeletionCounts(connection, layout);
    this.#context = { connection, layout, reader: this.#reader };
    connection.onRenewed(() => {
      this.#opening = undefined;
    });
  }

  /** Checks that the layout is one to be written and makes its folders; everything else does this by itself at first use. */
  async open(): Promise<Result<void, StoreError>> {
    const opened = await this.#openToWrite();
    return opened.ok ? ok(undefined) : opened;
  }

  async #openToWrite(): Promise<Result<OpenedLayout, StoreError>> {
    const opened = await this.#openToRead();
    if (!opened.ok) return opened;
    const refusal = writeRefusal(this.#layout, opened.value);
    if (refusal === undefined) return opened;
    // It may have been migrated meanwhile.
    this.#opening = undefined;
    return err(refusal);
  }

  async #openToRead(): Promise<Result<OpenedLayout, StoreError>> {
    this.#opening ??= openLayout(this.#connection, this.#layout, { kinds: KINDS, mayCreate: !this.#wasOpen });
    const opened = await this.#opening;
    if (opened.ok) this.#wasOpen = true;
    else this.#opening = undefined;
    return opened;
  }

  async get<K extends Kind>(kind: K, id: Id): Promise<Result<StoredObject<K> | undefined, StoreError>> {
    const document = await this.#ofWholeStore(() => this.#reader.document(kind, id));
    if (!document.ok) return document;
    if (document.value.found === "damaged") return err({ kind: "damaged", error: document.value.error });
    return ok(document.value.found === "nothing" ? undefined : document.value);
  }

  async list<K extends Kind>(kind: K): Promise<Result<ObjectList<K>, StoreError>> {
    return this.#ofWholeStore(async () => {
      const ids = await this.#reader.ids(kind);
      if (!ids.ok) return ids;
      const objects: StoredObject<K>[] = [];
      const damaged: ObjectList<K>["damaged"][number][] = [];
      for (const document of await each(ids.value, (id) => this.#reader.document(kind, id))) {
        if (!document.ok) return document;
        if (document.value.found === "object") objects.push(document.value);
        else if (document.value.found === "damaged") damaged.push(document.value.error);
      }
      return ok({ objects, damaged });
    });
  }

  async idOfName(query: NameQuery): Promise<Result<Id | undefined, StoreError>> {
    return this.#ofWholeStore(() => this.#reader.idOfName(query));
  }

  /**
   * Reads what counts only when the layout stood throughout: a store that was emptied, or is being restored, would look like a cloud
   * without objects, and whoever compares it with what he wants would make everything anew.
   */
  async #ofWholeStore<T>(read: () => Promise<Result<T, StoreError>>): Promise<Result<T, StoreError>> {
    for (let attempt = 0; attempt < transactionAttemptsMax; attempt++) {
      const opened = await this.#openToRead();
      if (!opened.ok) return opened;
      const outcome = await read();
      if (!outcome.ok) return outcome;
      const layout = await steadily(this.#connection, (tree) => tree.exists(this.#layout.version));
      if (!layout.ok) return err(storeError(layout.error));
      if (layout.value?.mzxid === opened.value.mzxid) return outcome;
      this.#opening = undefined;
    }
    return err({ kind: "busy", attempts: transactionAttemptsMax });
  }

  async transact(changes: readonly TopologyChange[]): Promise<Result<TransactionResult, StoreError>> {
    for (let attempt = 0; attempt < transactionAttemptsMax; attempt++) {
      const opened = await this.#openToWrite();
      if (!opened.ok) return opened;
      const draft = await this.#confirmedDraft(changes);
      if (!draft.ok) return draft;
      const writes = writesOf(draft.value, this.#layout);
      if (writes.length === 0) return ok(resultOf(draft.value));
      const operations = [this.#layoutCheck(opened.value), ...writes];
      const tooLarge = sizeFault(operations);
      if (tooLarge !== undefined) return err(tooLarge);
      const outcome = await this.#marks.commit(operations);
      if (!outcome.ok) return outcome;
      if (outcome.value === "done") {
        this.#deletions.raise(draft.value.read.deletions, raisedCounters(draft.value));
        return ok(resultOf(draft.value));
      }
      if (outcome.value === "conflict") await this.#lookAgain();
    }
    return err({ kind: "busy", attempts: transactionAttemptsMax });
  }

  watchObject<K extends Kind>(kind: K, id: Id, watcher: ObjectWatcher<K>): StoreWatch {
    return new ObjectWatch(this.#context, { kind, id }, watcher);
  }

  watchKind<K extends Kind>(kind: K, watcher: KindWatcher<K>): StoreWatch {
    return new KindWatch(this.#context, kind, watcher);
  }

  /** Nothing is written into a store that was emptied, or whose layout has changed, since it was opened. */
  #layoutCheck({ nodeVersion }: OpenedLayout): TreeOperation {
    return { op: "check", path: this.#layout.version, version: nodeVersion };
  }

  /** Works a transaction out. Only one that writes may stand on guesses, because only writes are checked. */
  async #confirmedDraft(changes: readonly TopologyChange[]): Promise<Result<TopologyDraft, StoreError>> {
    this.#cache ??= new DocumentCache(this.#connection, this.#layout);
    const guessed: TopologyRead = new TopologyRead((kind, id) => this.#guess(guessed, kind, id));
    const draft = await this.#draft(changes, guessed);
    const isCertain = !guessed.usesGuesses || (draft.ok && writesOf(draft.value, this.#layout).length > 0);
    return isCertain ? draft : this.#draft(changes, new TopologyRead(() => undefined));
  }

  /** Reads whatever the transaction turns out to depend on, round by round. */
  async #draft(changes: readonly TopologyChange[], read: TopologyRead): Promise<Result<TopologyDraft, StoreError>> {
    for (let round = 0; round < readRoundsMax; round++) {
      const draft = new TopologyDraft(read);
      const outcome = applyAll(draft, changes);
      if (read.missing.size === 0) return outcome.ok ? ok(draft) : outcome;
      const filled = await this.#fill(read);
      if (!filled.ok) return filled;
    }
    return err({ kind: "too-large", what: "operations", size: readRoundsMax, limit: readRoundsMax });
  }

  /** A document as an earlier transaction read it, with the counter that was known before that. */
  #guess(read: TopologyRead, kind: Kind, id: Id): ReadDocument | undefined {
    const document = this.#cache?.get(this.#layout.object(kind, id));
    const counter = deletionCounterOf(kind, id);
    const count = this.#deletions.known(counter);
    if (document === undefined || count === undefined) return undefined;
    if (!read.deletions.has(counter)) read.deletions.set(counter, count);
    return document;
  }

  async #fill(read: TopologyRead): Promise<Result<void, StoreError>> {
    const wanted = [...read.missing.values()].filter((request) => request.read === "object");
    const counters = wanted.map(({ kind, id }) => deletionCounterOf(kind, id));
    const learned = await this.#deletions.learn(counters);
    if (!learned.ok) return learned;
    for (const counter of counters) {
      const count = this.#deletions.known(counter);
      // Forgotten meanwhile by a transaction that met a conflict: this one will meet it too.
      if (!read.deletions.has(counter)) read.deletions.set(counter, count ?? neverVersion);
    }
    const found = () => wanted.map(({ kind, id }) => [this.#layout.object(kind, id), read.document(kind, id)] as const);
    const fill = (): Promise<Result<void, StoreError>> => this.#reader.fill(read);
    return this.#cache === undefined ? fill() : this.#cache.reading(fill, found);
  }

  /** Ends what the store holds in the background: the watch that keeps its transactions fast. Watches of callers stay. */
  close(): void {
    this.#cache?.close();
    this.#cache = undefined;
  }

  /** After a conflict: see what the others wrote, and that the folders are still there. */
  async #lookAgain(): Promise<void> {
    this.#opening = undefined;
    this.#cache?.clear();
    this.#deletions.clear();
    await steadily(this.#connection, (tree) => tree.sync(this.#layout.root));
  }
}

function applyAll(draft: TopologyDraft, changes: readonly TopologyChange[]): Result<void, StoreError> {
  for (const change of changes) {
    const applied = draft.apply(change);
    if (!applied.ok) return applied;
  }
  return draft.verdict();
}

function resultOf(draft: TopologyDraft): TransactionResult {
  const objects = draft.subjects.flatMap(({ kind, id }): StoredObject[] => {
    const object = draft.get(kind, id);
    return object === undefined ? [] : [{ object, version: draft.versionAfter(kind, id) }];
  });
  return { objects, deleted: draft.deleted };
}

function sizeFault(operations: readonly TreeOperation[]): StoreError | undefined {
  if (operations.length > transactionOperationsMax) {
    return { kind: "too-large", what: "operations", size: operations.length, limit: transactionOperationsMax };
  }
  let bytes = 0;
  for (const operation of operations) {
    assert(operation.path.length > 1, "a transaction writes below the root");
    bytes += operation.path.length + ("data" in operation ? operation.data.length : 0) + operationOverheadBytes;
  }
  return bytes > nodeBytesMax ? { kind: "too-large", what: "bytes", size: bytes, limit: nodeBytesMax } : undefined;
}

/** What one operation adds to a multi's packet besides path and data: headers, lengths and an ACL of one entry. */
const operationOverheadBytes = 64;
