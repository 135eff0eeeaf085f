import type { Id, Kind } from "../../model/objects.ts";
import { nameOf, parentOf } from "../data-tree-path.ts";
import type { TreeEvent } from "../tree.ts";
import type { StoreConnection } from "./connection.ts";
import { DirtyWatch } from "./dirty-watch.ts";
import type { Layout } from "./layout.ts";
import { each } from "./steadily.ts";
import type { FoundDocument, TopologyReader } from "./topology-reader.ts";
import type { KindWatcher, ObjectWatcher, StoredObject } from "./topology-store.ts";

/** What the watches of a topology store share. */
export interface TopologyWatchContext {
  readonly connection: StoreConnection;
  readonly layout: Layout;
  readonly reader: TopologyReader;
}

/** Follows one object. */
export class ObjectWatch<K extends Kind> extends DirtyWatch {
  readonly #reader: TopologyReader;
  readonly #kind: K;
  readonly #id: Id;
  readonly #watcher: ObjectWatcher<K>;
  #isDirty = false;
  /** Transaction of what was told last; undefined before the first, 0n for "nothing". */
  #told: bigint | undefined;

  constructor(
    context: TopologyWatchContext,
    subject: { readonly kind: K; readonly id: Id },
    watcher: ObjectWatcher<K>,
  ) {
    super(context.connection);
    this.#reader = context.reader;
    this.#kind = subject.kind;
    this.#id = subject.id;
    this.#watcher = watcher;
    this.start(context.layout.object(subject.kind, subject.id), false);
  }

  protected noteEvent(event: TreeEvent): void {
    if (event.kind !== "children") this.#isDirty = true;
  }

  protected noteResync(): void {
    this.#isDirty = true;
  }

  protected hasWork(): boolean {
    return this.#isDirty;
  }

  protected async work(): Promise<boolean> {
    this.#isDirty = false;
    const read = await this.#reader.document(this.#kind, this.#id);
    if (this.isClosed) return true;
    if (!read.ok) this.#isDirty = true;
    else this.#tell(read.value);
    return read.ok;
  }

  #tell(document: FoundDocument<K>): void {
    const now = document.found === "nothing" ? 0n : document.mzxid;
    if (now === this.#told) return;
    this.#told = now;
    if (document.found === "damaged") this.#watcher.onDamaged(document.error);
    else this.#watcher.onObject(document.found === "nothing" ? undefined : document);
  }
}

/** Follows a kind. */
export class KindWatch<K extends Kind> extends DirtyWatch {
  readonly #reader: TopologyReader;
  readonly #kind: K;
  readonly #path: string;
  readonly #watcher: KindWatcher<K>;
  readonly #dirty = new Set<Id>();
  /** Transaction of what was told last of each object. */
  readonly #told = new Map<Id, bigint>();
  #isListDirty = false;
  #isLoaded = false;

  constructor(context: TopologyWatchContext, kind: K, watcher: KindWatcher<K>) {
    super(context.connection);
    this.#reader = context.reader;
    this.#kind = kind;
    this.#path = context.layout.kind(kind);
    this.#watcher = watcher;
    this.start(this.#path, true);
  }

  protected noteEvent({ path }: TreeEvent): void {
    if (path === this.#path) this.#isListDirty = true;
    else if (parentOf(path) === this.#path) this.#dirty.add(nameOf(path));
  }

  protected noteResync(): void {
    this.#isListDirty = true;
  }

  protected hasWork(): boolean {
    return this.#isListDirty || this.#dirty.size > 0;
  }

  protected async work(): Promise<boolean> {
    if (this.#isListDirty && !(await this.#readList())) return false;
    const ids = [...this.#dirty];
    this.#dirty.clear();
    const reads = await each(ids, (id) => this.#reader.document(this.#kind, id));
    if (this.isClosed) return true;
    const loaded: StoredObject<K>[] = [];
    let isComplete = true;
    for (const [i, read] of reads.entries()) {
      const id = ids[i] as Id;
      if (read.ok) this.#tell(id, read.value, loaded);
      else {
        this.#dirty.add(id);
        isComplete = false;
      }
    }
    this.#finish(loaded, isComplete);
    return isComplete;
  }

  async #readList(): Promise<boolean> {
    this.#isListDirty = false;
    const ids = await this.#reader.ids(this.#kind);
    if (!ids.ok) {
      this.#isListDirty = true;
      return false;
    }
    for (const id of ids.value) this.#dirty.add(id);
    for (const id of this.#told.keys()) this.#dirty.add(id);
    return true;
  }

  #tell(id: Id, document: FoundDocument<K>, loaded: StoredObject<K>[]): void {
    const before = this.#told.get(id);
    if (document.found === "nothing") {
      if (this.#told.delete(id) && this.#isLoaded) this.#watcher.onDeleted(id);
      return;
    }
    if (document.mzxid === before) return;
    this.#told.set(id, document.mzxid);
    if (document.found === "damaged") this.#watcher.onDamaged(document.error);
    else loaded.push(document);
  }

  /** The first content is told as a whole, only once all of it could be read. */
  #finish(objects: readonly StoredObject<K>[], isComplete: boolean): void {
    if (this.#isLoaded) for (const stored of objects) this.#watcher.onObject(stored);
    else if (isComplete) {
      this.#isLoaded = true;
      this.#watcher.onLoaded(objects);
    } else for (const { object } of objects) this.#forget(object.id);
  }

  #forget(id: Id): void {
    this.#told.delete(id);
    this.#dirty.add(id);
  }
}
