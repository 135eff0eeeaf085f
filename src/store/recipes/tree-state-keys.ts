import { err, ok, type Result } from "../../base/result.ts";
import { sleep } from "../../base/scheduler.ts";
import { parentOf } from "../data-tree-path.ts";
import { reconnectWaitMs, retryWaitMs } from "../limits.ts";
import type { TreeError } from "../tree.ts";
import type { StoreConnection } from "./connection.ts";
import { Layout } from "./layout.ts";
import { makeFolders } from "./open-layout.ts";
import type { KeyClaim, StateKey, StateKeys, StatePrefix, StateValue, StateWatch, StateWatcher } from "./state-keys.ts";
import { readValue, TreeStateWatch } from "./state-watch.ts";
import { mayPass, storeError, unavailable } from "./steadily.ts";
import { SteadyWatch } from "./steady-watch.ts";
import type { StoreError } from "./store-error.ts";

interface OwnKey {
  readonly path: string;
  wanted: { readonly text: string; readonly claim: KeyClaim } | undefined;
  /** Version and text of our node; undefined when it is not ours, or not yet. */
  held: { readonly version: number; readonly text: string } | undefined;
  /** The node may not be what `held` says: read it first. */
  mustLook: boolean;
  isBusy: boolean;
  isStale: boolean;
  /** Tells when somebody else takes or removes the key. */
  watch: SteadyWatch | undefined;
  readonly waiting: ((result: Result<void, StoreError>) => void)[];
}

type Progress = "again" | "rest" | StoreError;

const encoder = new TextEncoder();

/**
 * The owner before may have a write on its way, for the version that it knows. A node that takes the place of its own therefore
 * starts with the next version; beyond this many, at 0: no new owner writes so often before that write has arrived.
 */
const paddingMax = 8;

/** State keys over a tree, of any driver. */
export class TreeStateKeys implements StateKeys {
  readonly #connection: StoreConnection;
  readonly #layout: Layout;
  readonly #keys = new Map<string, OwnKey>();

  constructor(connection: StoreConnection, layout: Layout = new Layout()) {
    this.#connection = connection;
    this.#layout = layout;
    connection.onRenewed(() => this.#sessionEnded());
  }

  set(key: StateKey, text: string, claim: KeyClaim): Promise<Result<void, StoreError>> {
    const path = this.#layout.state(key.kind, key.name, key.id);
    const own = this.#keys.get(path) ?? this.#add(path);
    own.wanted = { text, claim };
    return this.#settled(own);
  }

  clear(key: StateKey): Promise<Result<void, StoreError>> {
    const own = this.#keys.get(this.#layout.state(key.kind, key.name, key.id));
    if (own === undefined) return Promise.resolve(ok(undefined));
    own.wanted = undefined;
    return this.#settled(own);
  }

  /** Whether a key is set by this process, or will be as soon as the store is back. */
  isWanted(key: StateKey): boolean {
    return this.#keys.get(this.#layout.state(key.kind, key.name, key.id))?.wanted !== undefined;
  }

  async get(key: StateKey): Promise<Result<StateValue | undefined, StoreError>> {
    const read = await readValue(this.#connection, this.#layout.state(key.kind, key.name, key.id));
    return read.ok ? read : err(storeError(read.error));
  }

  watch(prefix: StatePrefix, watcher: StateWatcher): StateWatch {
    return new TreeStateWatch(this.#connection, this.#layout, { prefix, watcher });
  }

  #add(path: string): OwnKey {
    const own: OwnKey = {
      ...{ path, wanted: undefined, held: undefined, mustLook: false, isBusy: false, isStale: false },
      ...{ watch: undefined, waiting: [] },
    };
    this.#keys.set(path, own);
    return own;
  }

  #settled(own: OwnKey): Promise<Result<void, StoreError>> {
    return new Promise((resolve) => {
      own.waiting.push(resolve);
      void this.#work(own);
    });
  }

  #sessionEnded(): void {
    for (const own of [...this.#keys.values()]) {
      own.held = undefined;
      own.mustLook = true;
      void this.#work(own);
    }
  }

  #lookAgain(own: OwnKey): void {
    own.mustLook = true;
    void this.#work(own);
  }

  async #work(own: OwnKey): Promise<void> {
    own.isStale = true;
    if (own.isBusy) return;
    own.isBusy = true;
    do {
      own.isStale = false;
      const progress = await this.#step(own);
      if (progress === "again") own.isStale = true;
      // What was reached once is answered: from here on somebody else's claim is newer.
      else if (progress === "rest") this.#answer(own, ok(undefined));
      else if (mayPass(progress) && (await this.#isBack(own, progress))) own.isStale = true;
      else {
        own.wanted = undefined;
        this.#answer(own, err(progress));
      }
    } while (own.isStale);
    own.isBusy = false;
    if (own.wanted === undefined) this.#drop(own);
  }

  /** Tells who waits that it takes long, and waits on: what is wanted stays wanted. False when nothing will come any more. */
  async #isBack(own: OwnKey, error: StoreError): Promise<boolean> {
    this.#answer(own, err(error));
    own.mustLook = true;
    while (this.#connection.tree.session.state !== "closed") {
      await sleep(this.#connection.scheduler, retryWaitMs);
      await this.#connection.guard?.untilWhole();
      if (await this.#connection.untilConnected(reconnectWaitMs)) return true;
    }
    return false;
  }

  #answer(own: OwnKey, result: Result<void, StoreError>): void {
    for (const resolve of own.waiting.splice(0)) resolve(result);
  }

  #drop(own: OwnKey): void {
    own.watch?.close();
    own.watch = undefined;
    this.#keys.delete(own.path);
  }

  async #step(own: OwnKey): Promise<Progress> {
    // A write that waited for a connection could meet a node that somebody else made meanwhile: look first.
    if (this.#connection.tree.session.state !== "connected") {
      own.mustLook ||= own.held !== undefined;
      return (await this.#connection.untilConnected(reconnectWaitMs)) ? "again" : unavailable("no connection");
    }
    if (own.mustLook) return this.#look(own);
    const { wanted, held } = own;
    if (wanted === undefined) return held === undefined ? "rest" : this.#remove(own, held.version);
    if (held === undefined) return this.#create(own, wanted.text);
    if (held.text === wanted.text) return "rest";
    const { tree } = this.#connection;
    const written = await tree.set(own.path, encoder.encode(wanted.text), held.version);
    if (!written.ok) return this.#afterError(own, written.error);
    if (tree === this.#connection.tree) own.held = { version: written.value.version, text: wanted.text };
    return "again";
  }

  async #remove(own: OwnKey, version: number): Promise<Progress> {
    const removed = await this.#connection.tree.remove(own.path, version);
    if (!removed.ok) return this.#afterError(own, removed.error);
    own.held = undefined;
    return "again";
  }

  async #create(own: OwnKey, text: string): Promise<Progress> {
    const { tree } = this.#connection;
    const made = await tree.create(own.path, encoder.encode(text), { mode: "ephemeral" });
    if (!made.ok) return this.#afterError(own, made.error);
    if (tree === this.#connection.tree) this.#hold(own, text, 0);
    return "again";
  }

  #hold(own: OwnKey, text: string, version: number): void {
    own.held = { version, text };
    own.watch ??= new SteadyWatch(this.#connection, own.path, {
      recursive: false,
      onEvent: (event) => {
        if (event.kind !== "changed") this.#lookAgain(own);
      },
      onResync: () => this.#lookAgain(own),
    });
  }

  /** Reads whose the key is, and acts on it. */
  async #look(own: OwnKey): Promise<Progress> {
    own.mustLook = false;
    const { tree } = this.#connection;
    const read = await readValue(this.#connection, own.path);
    if (!read.ok) return storeError(read.error);
    // The session ended while we read: who held what is not known any more.
    if (tree !== this.#connection.tree) return "again";
    const found = read.value;
    if (found?.owner === tree.session.id) {
      this.#hold(own, found.text, found.version);
      return "again";
    }
    // A wish that is not answered yet is newer than the loss that it meets: it competes.
    const isLost = own.held !== undefined && own.waiting.length === 0;
    own.held = undefined;
    if (isLost) {
      const { wanted } = own;
      own.wanted = undefined;
      wanted?.claim.onLost?.(found === undefined ? "removed" : "taken");
      return "again";
    }
    return found === undefined || own.wanted === undefined ? "again" : this.#contend(own, found);
  }

  async #contend(own: OwnKey, found: StateValue): Promise<Progress> {
    const { wanted, path } = own;
    if (wanted === undefined) return "again";
    if (wanted.claim.writer === "first") {
      // Who waits for the answer learns it as an error; who has the key no more since the session expired, by `onLost`.
      if (own.waiting.length === 0) wanted.claim.onLost?.("taken");
      return { kind: "held", path, owner: found.owner, value: found.text };
    }
    const { tree } = this.#connection;
    const data = encoder.encode(wanted.text);
    const version = found.version < paddingMax ? found.version + 1 : 0;
    const taken = await tree.multi([
      { op: "remove", path, version: found.version },
      { op: "create", path, data, options: { mode: "ephemeral" } },
      ...Array.from({ length: version }, () => ({ op: "set", path, data }) as const),
    ]);
    if (!taken.ok) return this.#afterError(own, taken.error.error);
    if (tree === this.#connection.tree) this.#hold(own, wanted.text, version);
    return "again";
  }

  async #afterError(own: OwnKey, error: TreeError): Promise<Progress> {
    switch (error.kind) {
      case "bad-version":
      case "node-exists":
        own.mustLook = true;
        return "again";
      case "no-node": {
        if (own.held !== undefined) {
          own.mustLook = true;
          return "again";
        }
        const made = await makeFolders(this.#connection, [parentOf(own.path)]);
        return made.ok ? "again" : made.error;
      }
      case "connection-loss":
      case "session-expired":
        own.mustLook = true;
        return (await this.#connection.untilConnected(reconnectWaitMs)) ? "again" : unavailable("no connection");
      case "closed":
        return unavailable("the store connection was closed");
      default:
        return storeError(error);
    }
  }
}
