import { parentOf } from "./data-tree-path.ts";
import type { TreeEvent } from "./tree.ts";

/** An event for one session. It must be sent before any later reply to that session. */
export interface WatchNotice {
  readonly session: bigint;
  readonly event: TreeEvent;
}

/** `once` watches fire one time (ZooKeeper's classic ones); the others stay until removed (ZooKeeper 3.6). */
export type WatchMode = "once" | "persistent" | "recursive";

/** `data` watches see created, changed and deleted of a node, `child` watches its list of children and its deletion. */
export type WatchTarget = "data" | "child";

const bitOf: Readonly<Record<WatchMode, number>> = { once: 1, persistent: 2, recursive: 4 };

/** Who watches what: as ZooKeeper's two watch managers. A session's watches live as long as its connection. */
export class WatchTable {
  readonly #targets: Readonly<Record<WatchTarget, WatchIndex>> = { data: new WatchIndex(), child: new WatchIndex() };

  /** Watches held, a path watched in two ways by one session counted twice. */
  get size(): number {
    return this.#targets.data.size + this.#targets.child.size;
  }

  /** Adds a watch. Adding it again changes nothing. */
  add(target: WatchTarget, session: bigint, watch: { readonly path: string; readonly mode: WatchMode }): void {
    this.#targets[target].add(watch.path, session, bitOf[watch.mode]);
  }

  /** Adds a persistent watch of the node or of everything under it, as ZooKeeper's addWatch. */
  addPersistent(session: bigint, path: string, recursive: boolean): void {
    this.#targets.data.add(path, session, recursive ? bitOf.recursive : bitOf.persistent);
    if (!recursive) this.#targets.child.add(path, session, bitOf.persistent);
  }

  /** Removes a session's watches of a path; false when there were none. `any` takes data, child and persistent ones. */
  remove(target: WatchTarget | "any", session: bigint, path: string): boolean {
    if (target !== "any") return this.#targets[target].remove(path, session);
    const data = this.#targets.data.remove(path, session);
    const child = this.#targets.child.remove(path, session);
    return data || child;
  }

  /** Removes one persistent watch; false when there was none. One-shot watches of the same path stay. */
  removePersistent(session: bigint, path: string, recursive: boolean): boolean {
    const bit = recursive ? bitOf.recursive : bitOf.persistent;
    const data = this.#targets.data.remove(path, session, bit);
    const child = this.#targets.child.remove(path, session, bit);
    return data || child;
  }

  /** Forgets everything of a session: its connection has gone. */
  drop(session: bigint): void {
    this.#targets.data.drop(session);
    this.#targets.child.drop(session);
  }

  /** Tells that a node was created. */
  created(path: string, notices: WatchNotice[]): void {
    this.#targets.data.fire({ kind: "created", path }, notices);
    this.#targets.child.fire({ kind: "children", path: parentOf(path) }, notices);
  }

  /** Tells that a node's content changed. */
  changed(path: string, notices: WatchNotice[]): void {
    this.#targets.data.fire({ kind: "changed", path }, notices);
  }

  /** Tells that a node was deleted: each session hears it once, however many of its watches see it. */
  deleted(path: string, notices: WatchNotice[]): void {
    const told = this.#targets.data.fire({ kind: "deleted", path }, notices);
    this.#targets.child.fire({ kind: "deleted", path }, notices, told);
    this.#targets.child.fire({ kind: "children", path: parentOf(path) }, notices);
  }
}

/** Watches of one target by path, and the paths by session. */
class WatchIndex {
  readonly #byPath = new Map<string, Map<bigint, number>>();
  readonly #bySession = new Map<bigint, Set<string>>();
  #recursive = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(path: string, session: bigint, bit: number): void {
    const sessions = getOrAdd(this.#byPath, path, () => new Map<bigint, number>());
    const bits = sessions.get(session) ?? 0;
    if ((bits & bit) !== 0) return;
    sessions.set(session, bits | bit);
    this.#count(bit, 1);
    getOrAdd(this.#bySession, session, () => new Set<string>()).add(path);
  }

  remove(path: string, session: bigint, mask = 7): boolean {
    const sessions = this.#byPath.get(path);
    const bits = sessions?.get(session) ?? 0;
    if (sessions === undefined || (bits & mask) === 0) return false;
    for (const bit of [1, 2, 4]) if ((bits & mask & bit) !== 0) this.#count(bit, -1);
    const rest = bits & ~mask;
    if (rest !== 0) sessions.set(session, rest);
    else this.#forget(path, session);
    return true;
  }

  drop(session: bigint): void {
    for (const path of [...(this.#bySession.get(session) ?? [])]) this.remove(path, session);
  }

  /** Fires at the path and, for recursive watches, at every node above it. The sessions told. */
  fire(event: TreeEvent, notices: WatchNotice[], told: ReadonlySet<bigint> = new Set()): ReadonlySet<bigint> {
    const here = this.#byPath.get(event.path);
    if (here === undefined && this.#recursive === 0) return told;
    const heard = new Set(told);
    const tell = (session: bigint): void => {
      if (heard.has(session)) return;
      heard.add(session);
      notices.push({ session, event });
    };
    for (const session of [...(here?.keys() ?? [])]) {
      tell(session);
      this.remove(event.path, session, bitOf.once);
    }
    if (this.#recursive > 0) this.#fireAbove(event.path, tell);
    return heard;
  }

  #fireAbove(path: string, tell: (session: bigint) => void): void {
    for (let above = path; above !== "/"; ) {
      above = parentOf(above);
      for (const [session, bits] of this.#byPath.get(above) ?? []) {
        if ((bits & bitOf.recursive) !== 0) tell(session);
      }
    }
  }

  #forget(path: string, session: bigint): void {
    const sessions = this.#byPath.get(path);
    sessions?.delete(session);
    if (sessions?.size === 0) this.#byPath.delete(path);
    const paths = this.#bySession.get(session);
    paths?.delete(path);
    if (paths?.size === 0) this.#bySession.delete(session);
  }

  #count(bit: number, by: 1 | -1): void {
    this.#size += by;
    if (bit === bitOf.recursive) this.#recursive += by;
  }
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const old = map.get(key);
  if (old !== undefined) return old;
  const made = make();
  map.set(key, made);
  return made;
}
