import { PORT_ACTIVE_KEY } from "../api-schema/agent-api.ts";
import type { Log } from "../base/log.ts";
import type { Id } from "../model/objects.ts";
import { isAtOrUnder, nameOf, parentOf } from "../store/data-tree-path.ts";
import { reconnectWaitMs } from "../store/limits.ts";
import { type Layout, unescapeName } from "../store/recipes/layout.ts";
import type { StateKey } from "../store/recipes/state-keys.ts";
import type { TreeStateKeys } from "../store/recipes/tree-state-keys.ts";
import type { StoreSession } from "./store-session.ts";
import { withdrawnText } from "./world.ts";

/** What is asked about claims of an earlier process. */
export interface ClaimsOfNow {
  /** Whether this process wants the key. */
  isWanted(key: StateKey): boolean;
  /** Whether the map of an opinion is followed: then the map itself takes back what nobody wants any more. */
  isFollowed(mapPath: string): boolean;
  /** Whether a port is bound here: its key is withdrawn in words instead of removed. The words, undefined when it is not. */
  withdrawn(portId: Id, text: string): string | undefined;
}

/**
 * What an earlier process of this host left in the store under the session that this one took up: keys, opinions, marks. Most of it
 * is claimed again; the rest is removed once everything that this process wants is known.
 */
export class EarlierClaims {
  readonly #session: StoreSession;
  readonly #layout: Layout;
  readonly #log: Log;
  #owned: Promise<ReadonlySet<string>> | undefined;

  constructor(session: StoreSession, layout: Layout, log: Log) {
    this.#session = session;
    this.#layout = layout;
    this.#log = log;
  }

  /** Paths of everything that the session owned when it was taken up; nothing when it is a new one. One read, made once. */
  owned(): Promise<ReadonlySet<string>> {
    this.#owned ??= this.#read();
    return this.#owned;
  }

  /**
   * Withdraws ports that an earlier process published and that do not forward now: their interfaces went down, or away, while no agent
   * ran. Of what this process has said of a port itself nothing is changed.
   */
  async withdraw(portIds: readonly Id[], stateKeys: TreeStateKeys): Promise<void> {
    const { connection } = this.#session;
    while (!(await connection.untilConnected(reconnectWaitMs))) if (connection.isClosed) return;
    const owned = await this.owned();
    const keys = portIds.map((id): StateKey => ({ kind: "port", name: PORT_ACTIVE_KEY, id }));
    const left = keys.filter(({ kind, name, id }) => owned.has(this.#layout.state(kind, name, id)));
    await Promise.all(left.map((key) => this.#withdraw(key, stateKeys)));
  }

  async #withdraw(key: StateKey, stateKeys: TreeStateKeys): Promise<void> {
    if (stateKeys.isWanted(key)) return;
    const found = await stateKeys.get(key);
    const text = found.ok ? found.value?.text : undefined;
    const words = text === undefined ? undefined : withdrawnText(text);
    // The port may serve again by now: what this process says of it counts.
    if (words === undefined || words === text || stateKeys.isWanted(key)) return;
    const done = await stateKeys.set(key, words, { writer: "first" });
    if (done.ok) this.#log.info("port.withdrawn", { port: key.id });
  }

  /** Removes what this process does not claim; how many nodes that were. */
  async sweep(now: ClaimsOfNow): Promise<number> {
    const owned = await this.owned();
    this.#owned = Promise.resolve(new Set());
    const left = [...owned].filter((path) => this.#isLeft(path, now));
    const removed = await Promise.all(left.map((path) => this.#remove(path, now)));
    const count = removed.filter((isRemoved) => isRemoved).length;
    if (count > 0) this.#log.info("claims.swept", { nodes: count });
    return count;
  }

  async #read(): Promise<ReadonlySet<string>> {
    const { session } = this.#session.connection.tree;
    if (!this.#session.isResumed) return new Set();
    const read = await this.#session.ephemerals(this.#layout.root);
    // Without an answer the session is lost or will be: then so is what it owns.
    return new Set(read.ok && session.state === "connected" ? read.value : []);
  }

  #isLeft(path: string, now: ClaimsOfNow): boolean {
    if (isAtOrUnder(path, this.#layout.transactions)) return true;
    const key = this.#keyOf(path);
    if (key !== undefined) return !now.isWanted(key);
    return isAtOrUnder(path, this.#layout.maps) && !now.isFollowed(parentOf(path));
  }

  async #remove(path: string, now: ClaimsOfNow): Promise<boolean> {
    if (!this.#session.isResumed) return false;
    const { tree } = this.#session.connection;
    const found = await tree.get(path);
    if (!found.ok || found.value.stat.ephemeralOwner !== tree.session.id) return false;
    const key = this.#keyOf(path);
    const words = key?.kind === "port" ? now.withdrawn(key.id, new TextDecoder().decode(found.value.data)) : undefined;
    const { version } = found.value.stat;
    const done = await (words === undefined
      ? tree.remove(path, version)
      : tree.set(path, new TextEncoder().encode(words), version));
    return done.ok;
  }

  #keyOf(path: string): StateKey | undefined {
    const state = this.#layout.state();
    if (!isAtOrUnder(path, state)) return undefined;
    const [kind, name] = path
      .slice(state.length + 1)
      .split("/")
      .map(unescapeName);
    const id = unescapeName(nameOf(path));
    return kind === undefined || name === undefined || id === undefined ? undefined : { kind, name, id };
  }
}
