import { sleep } from "../../base/scheduler.ts";
import { childOf, nameOf } from "../data-tree-path.ts";
import { reconnectWaitMs, removedAgainMs, retryWaitMs } from "../limits.ts";
import type { Tree, TreeError, TreeWatch } from "../tree.ts";
import type { StoreConnection } from "./connection.ts";
import { fenceOf, termPathOf } from "./fences.ts";
import { makeContainers } from "./open-layout.ts";
import { Signal } from "./signal.ts";

/** A queue and who stands in it. Callbacks are synchronous and must not throw. */
export interface QueueOptions {
  readonly folder: string;
  /** Stands in the node, for whoever looks. */
  readonly label: string;
  /**
   * This place is the first of the queue now, by this session. `fence` is the number of its node (see `fenceOf`): it grows
   * from each first to the next.
   */
  onFirst(tree: Tree, fence: bigint): void;
  /** It is the first no more: its session has ended, or somebody removed its node. It queues again behind all others. */
  onGone(): void;
}

interface OwnNode {
  readonly path: string;
  readonly czxid: bigint;
  /** Known from the first turn on. */
  fence?: bigint;
}

/**
 * A place in a queue of ephemeral sequential nodes, the core of locks and elections. Who has the lowest number is first; everybody
 * else watches the one before, so that one departure wakes one. When the session ends it queues again by the next one, until
 * it leaves. What a lost reply left behind is found by its name.
 */
export class QueuePlace {
  /** Resolves when the place was left and its node is gone, or goes with its session. */
  readonly over: Promise<void>;
  readonly #connection: StoreConnection;
  readonly #options: QueueOptions;
  readonly #signal = new Signal();
  readonly #stopListening: () => void;
  #isLeft = false;
  #isFirst = false;
  #watched: string | undefined;
  #watch: TreeWatch | undefined;

  constructor(connection: StoreConnection, options: QueueOptions) {
    this.#connection = connection;
    this.#options = options;
    const stops = [
      connection.onRenewed(() => this.#sessionEnded()),
      connection.onState((state) => {
        if (state === "closed") this.#sessionEnded();
      }),
    ];
    this.#stopListening = () => {
      for (const stop of stops) stop();
    };
    this.over = this.#run();
  }

  /** Leaves: nothing is called back from now on. Idempotent. */
  leave(): void {
    this.#isLeft = true;
    this.#signal.raise();
  }

  #sessionEnded(): void {
    this.#gone();
    this.#signal.raise();
  }

  async #run(): Promise<void> {
    while (!this.#isLeft && !this.#connection.isClosed) {
      const { tree } = this.#connection;
      const name = await this.#name();
      if (name === undefined || !this.#isOf(tree)) continue;
      const own = await this.#enter(tree, name);
      if (own === undefined) continue;
      await this.#stand(tree, own);
      this.#unwatch();
      this.#gone();
      await this.#remove(tree, own.path);
      this.#names().live.delete(name);
    }
    this.#stopListening();
  }

  /** The name of a new node without its number; undefined when there is no connection. */
  async #name(): Promise<string | undefined> {
    if (!(await this.#connection.untilConnected(reconnectWaitMs))) return undefined;
    const names = this.#names();
    names.count += 1;
    const name = `${this.#sessionName()}${names.since}-${names.count},`;
    names.live.add(name);
    return name;
  }

  #names(): Names {
    const since = this.#connection.scheduler.clock.wall().toString(36);
    const known = namesOf.get(this.#connection) ?? { since, count: 0, live: new Set<string>() };
    namesOf.set(this.#connection, known);
    return known;
  }

  #sessionName(): string {
    return `${this.#connection.tree.session.id.toString(16)}-`;
  }

  /** Makes the node; undefined when the session has ended or the place was left meanwhile, and there is none. */
  async #enter(tree: Tree, name: string): Promise<OwnNode | undefined> {
    const { folder, label } = this.#options;
    const data = new TextEncoder().encode(label);
    let path: string | undefined;
    let isUnknown = false;
    while (this.#isOf(tree)) {
      if (isUnknown) {
        const found = await this.#find(tree, name);
        isUnknown = found === "unknown";
        if (isUnknown) continue;
        path = found;
      }
      if (path !== undefined) {
        const stat = await tree.exists(path);
        if (stat.ok) return stat.value === undefined ? undefined : { path, czxid: stat.value.czxid };
        await this.#recover(stat.error);
        continue;
      }
      if (this.#isLeft) return undefined;
      const made = await tree.create(childOf(folder, name), data, { mode: "ephemeral-sequential" });
      if (made.ok) path = made.value;
      else if (made.error.kind === "no-node") await this.#makeFolder(folder);
      else {
        isUnknown = made.error.kind === "connection-loss";
        await this.#recover(made.error);
      }
    }
    return undefined;
  }

  /** In a store that is being emptied, of which the layout is not the first to go, there is no place before it is whole again. */
  async #makeFolder(folder: string): Promise<void> {
    const { scheduler, guard } = this.#connection;
    if (guard !== undefined) await sleep(scheduler, removedAgainMs);
    const made = await makeContainers(this.#connection, folder);
    if (made.ok) return;
    await sleep(scheduler, retryWaitMs);
    await guard?.untilWhole();
  }

  /** The reply was lost: the name tells whether the node was made. */
  async #find(tree: Tree, name: string): Promise<string | undefined | "unknown"> {
    const { folder } = this.#options;
    const synced = await tree.sync(folder);
    const read = synced.ok ? await tree.children(folder) : synced;
    if (read.ok) {
      const found = read.value.names.find((child) => child.startsWith(name));
      return found === undefined ? undefined : childOf(folder, found);
    }
    if (read.error.kind === "no-node") return undefined;
    await this.#recover(read.error);
    return "unknown";
  }

  /** Waits for the turn and keeps it, until it is left or gone. */
  async #stand(tree: Tree, own: OwnNode): Promise<void> {
    while (!this.#isLeft && this.#isOf(tree)) {
      this.#signal.lower();
      const read = await tree.children(this.#options.folder);
      if (!read.ok) {
        if (read.error.kind === "no-node") return;
        await this.#recover(read.error);
        continue;
      }
      const names = [...read.value.names].sort((a, b) => sequenceOf(a) - sequenceOf(b));
      const index = names.indexOf(nameOf(own.path));
      if (index < 0 || this.#isLeft || !this.#isOf(tree)) return;
      const before = names[index - 1];
      // A process before this one had the session, and is no more: nobody else would take its place away.
      if (before !== undefined && this.#isLeftBehind(before)) {
        await this.#remove(tree, childOf(this.#options.folder, before));
        continue;
      }
      if (before === undefined && !(await this.#turn(tree, own))) continue;
      const watched = before === undefined ? own.path : childOf(this.#options.folder, before);
      // What happened between the list and the watch is seen by looking once more.
      if (watched !== this.#watched) await this.#watchInstead(tree, watched);
      else await this.#signal.wait();
    }
  }

  /** Says that it is this place's turn; false when that has to be looked at again. */
  async #turn(tree: Tree, own: OwnNode): Promise<boolean> {
    if (own.fence === undefined) {
      const fence = await fenceOf(this.#connection, tree, {
        termPath: termPathOf(this.#options.folder, 2),
        czxid: own.czxid,
      });
      if (!fence.ok) {
        await this.#recover(fence.error);
        return false;
      }
      own.fence = fence.value;
      if (this.#isLeft || !this.#isOf(tree)) return false;
    }
    this.#first(tree, own.fence);
    return true;
  }

  #isLeftBehind(name: string): boolean {
    return name.startsWith(this.#sessionName()) && !this.#names().live.has(name.slice(0, name.lastIndexOf(",") + 1));
  }

  async #watchInstead(tree: Tree, path: string): Promise<void> {
    this.#unwatch();
    const wake = (): void => this.#signal.raise();
    const watch = await tree.watch(path, { recursive: false, onEvent: wake, onResync: wake });
    if (!watch.ok) return this.#recover(watch.error);
    this.#watched = path;
    this.#watch = watch.value;
  }

  #unwatch(): void {
    this.#watch?.close();
    this.#watch = undefined;
    this.#watched = undefined;
  }

  #first(tree: Tree, fence: bigint): void {
    if (this.#isFirst) return;
    this.#isFirst = true;
    this.#options.onFirst(tree, fence);
  }

  #gone(): void {
    if (!this.#isFirst) return;
    this.#isFirst = false;
    if (!this.#isLeft) this.#options.onGone();
  }

  async #remove(tree: Tree, path: string): Promise<void> {
    while (this.#isOf(tree)) {
      const removed = await tree.remove(path);
      if (removed.ok || removed.error.kind === "no-node") return;
      await this.#recover(removed.error);
    }
  }

  #isOf(tree: Tree): boolean {
    return tree === this.#connection.tree && !this.#connection.isClosed;
  }

  /** Waits until it makes sense to ask again. */
  async #recover(error: TreeError): Promise<void> {
    if (error.kind === "session-expired" || error.kind === "closed") return;
    if (this.#connection.tree.session.state === "connected") await sleep(this.#connection.scheduler, retryWaitMs);
    else await this.#connection.untilConnected(reconnectWaitMs);
  }
}

/** Names given over a connection: those whose places are still taken, without the store's number. */
interface Names {
  /** Tells this process from one that had its session before. */
  readonly since: string;
  count: number;
  readonly live: Set<string>;
}

const namesOf = new WeakMap<StoreConnection, Names>();

/** The number that the store gave a node: the last ten digits of its name. */
export function sequenceOf(name: string): number {
  return Number(name.slice(name.lastIndexOf(",") + 1));
}
