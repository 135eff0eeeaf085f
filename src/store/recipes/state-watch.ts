import { ok, type Result } from "../../base/result.ts";
import { childOf, nameOf } from "../data-tree-path.ts";
import type { TreeEvent } from "../tree.ts";
import type { StoreConnection } from "./connection.ts";
import { DirtyWatch } from "./dirty-watch.ts";
import { type Layout, unescapeName } from "./layout.ts";
import type { StateKey, StatePrefix, StateValue, StateWatch, StateWatcher } from "./state-keys.ts";
import { each, type LastingError, steadily, type Unavailable } from "./steadily.ts";

/** Names below the folder of all state keys: kind, name, id. */
const keyDepth = 3;

/** A state key as it was read. `mzxid` tells two readings apart. */
export interface ReadValue extends StateValue {
  readonly mzxid: bigint;
}

/** Follows the state keys under a prefix. */
export class TreeStateWatch extends DirtyWatch implements StateWatch {
  readonly #top: string;
  readonly #base: string;
  readonly #prefix: StatePrefix;
  readonly #watcher: StateWatcher;
  readonly #dirty = new Set<string>();
  /** Transaction that wrote what was told last, by path. */
  readonly #told = new Map<string, bigint>();
  #isListDirty = false;
  #isLoaded = false;

  constructor(connection: StoreConnection, layout: Layout, watching: StateWatching) {
    super(connection);
    const { prefix, watcher } = watching;
    const { kind, name, id } = prefix;
    this.#top = layout.state();
    this.#base =
      kind === undefined ? this.#top : name === undefined ? layout.state(kind) : layout.state(kind, name, id);
    this.#prefix = prefix;
    this.#watcher = watcher;
    this.start(this.#base, true);
  }

  protected noteEvent({ path, kind }: TreeEvent): void {
    if (this.#keyOf(path) !== undefined) this.#dirty.add(path);
    else if (kind === "deleted") this.#isListDirty = true;
  }

  protected noteResync(): void {
    this.#isListDirty = true;
  }

  protected hasWork(): boolean {
    return this.#isListDirty || this.#dirty.size > 0;
  }

  protected async work(): Promise<boolean> {
    if (this.#isListDirty && !(await this.#readList())) return false;
    const paths = [...this.#dirty];
    this.#dirty.clear();
    const reads = await each(paths, (path) => readValue(this.connection, path));
    if (this.isClosed) return true;
    const failed = paths.filter((_, i) => reads[i]?.ok !== true);
    for (const path of failed) this.#dirty.add(path);
    if (failed.length > 0 && !this.#isLoaded) {
      this.#isListDirty = true;
      return false;
    }
    this.#tellAll(paths, reads);
    return failed.length === 0;
  }

  #tellAll(paths: readonly string[], reads: readonly Result<ReadValue | undefined, unknown>[]): void {
    const first: (readonly [StateKey, StateValue])[] = [];
    for (const [i, path] of paths.entries()) {
      const read = reads[i];
      const key = this.#keyOf(path);
      if (read?.ok !== true || key === undefined || read.value?.mzxid === this.#told.get(path)) continue;
      if (read.value === undefined) this.#told.delete(path);
      else this.#told.set(path, read.value.mzxid);
      if (this.#isLoaded) this.#watcher.onChange(key, read.value);
      else if (read.value !== undefined) first.push([key, read.value]);
    }
    if (this.#isLoaded) return;
    this.#isLoaded = true;
    this.#watcher.onLoaded(first);
  }

  async #readList(): Promise<boolean> {
    this.#isListDirty = false;
    const paths = await this.#list(this.#base);
    if (paths === undefined) {
      this.#isListDirty = true;
      return false;
    }
    for (const path of [...paths, ...this.#told.keys()]) if (this.#keyOf(path) !== undefined) this.#dirty.add(path);
    return true;
  }

  /** Paths of the keys under a folder; undefined when the store does not answer. */
  async #list(path: string): Promise<readonly string[] | undefined> {
    const depth = this.#parts(path).length;
    if (depth === keyDepth) return [path];
    const read = await steadily(this.connection, (tree) => tree.children(path));
    if (!read.ok) return read.error.kind === "no-node" ? [] : undefined;
    const below = read.value.names.map((name) => childOf(path, name));
    if (depth === keyDepth - 1) return below;
    const lists = await each(below, (folder) => this.#list(folder));
    return lists.includes(undefined) ? undefined : lists.flatMap((list) => list ?? []);
  }

  #parts(path: string): readonly string[] {
    return path === this.#top ? [] : path.slice(this.#top.length + 1).split("/");
  }

  /** The key of a path that is one under the prefix. */
  #keyOf(path: string): StateKey | undefined {
    const parts = this.#parts(path);
    if (parts.length !== keyDepth) return undefined;
    const [kind, name, id] = parts.map(unescapeName);
    if (kind === undefined || name === undefined || id === undefined) return undefined;
    const wanted = this.#prefix;
    const isUnder =
      (wanted.kind ?? kind) === kind &&
      (wanted.name ?? name) === name &&
      (wanted.id ?? id) === id &&
      nameOf(path) !== "";
    return isUnder ? { kind, name, id } : undefined;
  }
}

/** What to watch and whom to tell. */
export interface StateWatching {
  readonly prefix: StatePrefix;
  readonly watcher: StateWatcher;
}

/** Reads one key; undefined when nobody holds it. */
export async function readValue(
  connection: StoreConnection,
  path: string,
): Promise<Result<ReadValue | undefined, LastingError | Unavailable>> {
  const read = await steadily(connection, (tree) => tree.get(path));
  if (!read.ok) return read.error.kind === "no-node" ? ok(undefined) : read;
  const { data, stat } = read.value;
  return ok({
    text: new TextDecoder().decode(data),
    owner: stat.ephemeralOwner,
    version: stat.version,
    mzxid: stat.mzxid,
  });
}
