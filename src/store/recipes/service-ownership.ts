import { sleep } from "../../base/scheduler.ts";
import { childOf, nameOf } from "../data-tree-path.ts";
import { claimStaggerMaxMs, claimStaggerMs, reconnectWaitMs, retryWaitMs } from "../limits.ts";
import type { Tree, TreeError } from "../tree.ts";
import type { StoreConnection } from "./connection.ts";
import { fenceOf, termPathOf } from "./fences.ts";
import { escapeName, unescapeName } from "./layout.ts";
import { makeContainers } from "./open-layout.ts";
import { Signal } from "./signal.ts";
import { SteadyWatch } from "./steady-watch.ts";
import { Tenure } from "./tenure.ts";

/** A service whose objects are shared out, and this process's part. Callbacks are synchronous and must not throw. */
export interface OwnershipOptions {
  /** `Layout.owners` of the service. */
  readonly folder: string;
  /** Says who owns, to everybody who looks: a host id, an address. */
  readonly label: string;
  /** Owns the object from now on. `fence` grows from owner to owner of an object: who acts as one shows it. */
  onOwned(id: string, fence: bigint): void;
  /** Owns it no more; stays a claimant. With a session that turns out to live it may own it again by the same number. */
  onLost(id: string): void;
}

/**
 * Who serves which object of a service: the first that claims it, until it releases it or its session ends; then whoever else
 * claims it is first again. A process that owns much waits a little before it claims what became free, so that objects spread.
 * One instance per service and process.
 */
export class ServiceOwnership {
  readonly #connection: StoreConnection;
  readonly #options: OwnershipOptions;
  readonly #tenure: Tenure;
  readonly #claims = new Map<string, Claim>();
  /** When what was released is gone. */
  readonly #leaving = new Map<string, Promise<void>>();
  readonly #watch: SteadyWatch;
  readonly #stop: () => void;

  constructor(connection: StoreConnection, options: OwnershipOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#tenure = Tenure.of(connection);
    const stops = [this.#tenure.need(), this.#tenure.onChange(() => this.#each((claim) => claim.look()))];
    this.#stop = () => {
      for (const stop of stops) stop();
    };
    this.#watch = new SteadyWatch(connection, options.folder, {
      recursive: true,
      onEvent: ({ path }) => this.#claims.get(unescapeName(nameOf(path)) ?? "")?.wake(),
      onResync: () => this.#each((claim) => claim.wake()),
    });
  }

  /** Wants to own the object, from now until it is released. Idempotent. */
  claim(id: string): void {
    if (this.#claims.has(id)) return;
    const { folder, label } = this.#options;
    const claim: Claim = new Claim(this.#connection, this.#tenure, {
      ...{ path: childOf(folder, escapeName(id)), label, after: this.#leaving.get(id) },
      onOwned: (fence) => this.#options.onOwned(id, fence),
      onLost: () => this.#options.onLost(id),
      owned: () => this.owned().length,
    });
    this.#claims.set(id, claim);
  }

  /** Gives the object up, or the wish for it (without `onLost`); resolves when another may have it. Idempotent. */
  async release(id: string): Promise<void> {
    const claim = this.#claims.get(id);
    if (claim === undefined) return;
    this.#claims.delete(id);
    claim.release();
    this.#leaving.set(id, claim.over);
    await claim.over;
    if (this.#leaving.get(id) === claim.over) this.#leaving.delete(id);
  }

  /** Whether this process certainly owns the object now. Ask before each act. */
  isOwned(id: string): boolean {
    return this.#claims.get(id)?.isOwned() === true;
  }

  /** Ids of what this process certainly owns now. */
  owned(): readonly string[] {
    return [...this.#claims].filter(([, claim]) => claim.isOwned()).map(([id]) => id);
  }

  /** Releases everything; resolves when others may have it. */
  async close(): Promise<void> {
    await Promise.all([...this.#claims.keys()].map((id) => this.release(id)));
    this.#watch.close();
    this.#stop();
  }

  #each(run: (claim: Claim) => void): void {
    for (const claim of [...this.#claims.values()]) run(claim);
  }
}

interface ClaimOptions {
  readonly path: string;
  readonly label: string;
  /** The claim before, which may be removing its node: what stands there then is not this one's. */
  readonly after: Promise<void> | undefined;
  onOwned(fence: bigint): void;
  onLost(): void;
  /** How many objects this process owns. */
  owned(): number;
}

/** One object that is wanted: looks whose it is, takes it when it is nobody's, and waits for the next change. */
class Claim {
  readonly over: Promise<void>;
  readonly #connection: StoreConnection;
  readonly #tenure: Tenure;
  readonly #options: ClaimOptions;
  readonly #signal = new Signal();
  #held: { readonly tree: Tree; readonly czxid: bigint; readonly fence: bigint } | undefined;
  #isTold = false;
  #isReleased = false;

  constructor(connection: StoreConnection, tenure: Tenure, options: ClaimOptions) {
    this.#connection = connection;
    this.#tenure = tenure;
    this.#options = options;
    this.over = this.#run();
  }

  isOwned(): boolean {
    return !this.#isReleased && this.#held !== undefined && this.#tenure.isProven(this.#held.tree);
  }

  /** Something happened to the node. */
  wake(): void {
    this.#signal.raise();
  }

  /** The proof may have changed. */
  look(): void {
    const isOwned = this.isOwned();
    if (this.#isReleased || isOwned === this.#isTold) return;
    this.#isTold = isOwned;
    if (isOwned) this.#options.onOwned(this.#held?.fence ?? 0n);
    else this.#options.onLost();
  }

  release(): void {
    this.#isReleased = true;
    this.#signal.raise();
  }

  async #run(): Promise<void> {
    const stops = [
      this.#connection.onRenewed(() => this.wake()),
      this.#connection.onState((state) => {
        if (state === "closed") this.wake();
      }),
    ];
    await this.#options.after;
    while (!this.#connection.isClosed) {
      if (await this.#step(this.#connection.tree)) break;
    }
    for (const stop of stops) stop();
  }

  /** Looks and acts once; true when nothing is left to do. */
  async #step(tree: Tree): Promise<boolean> {
    const { path } = this.#options;
    this.#signal.lower();
    const read = await tree.get(path);
    if (!read.ok && read.error.kind !== "no-node") {
      await this.#recover(tree, read.error);
      return false;
    }
    if (tree !== this.#connection.tree) return false;
    const stat = read.ok ? read.value.stat : undefined;
    const isOurs = stat !== undefined && stat.ephemeralOwner === tree.session.id;
    if (isOurs && !(await this.#hold(tree, stat.czxid))) return false;
    if (!isOurs) this.#held = undefined;
    this.look();
    if (this.#isReleased) return isOurs ? this.#remove(tree) : true;
    if (stat === undefined) await this.#take(tree);
    else await this.#signal.wait();
    return false;
  }

  /** Notes the number of our node; false when that has to be looked at again. */
  async #hold(tree: Tree, czxid: bigint): Promise<boolean> {
    if (this.#held?.tree === tree && this.#held.czxid === czxid) return true;
    const fence = await fenceOf(this.#connection, tree, { termPath: termPathOf(this.#options.path, 3), czxid });
    if (!fence.ok) await this.#recover(tree, fence.error);
    if (!fence.ok || tree !== this.#connection.tree) return false;
    this.#held = { tree, czxid, fence: fence.value };
    return true;
  }

  /** Whatever comes of it is seen by the next look: a second attempt harms nothing. */
  async #take(tree: Tree): Promise<void> {
    const { path, label, owned } = this.#options;
    const wait = Math.min(claimStaggerMaxMs, owned() * claimStaggerMs);
    if (wait > 0) await sleep(this.#connection.scheduler, wait);
    if (this.#isReleased || tree !== this.#connection.tree) return;
    const made = await tree.create(path, new TextEncoder().encode(label), { mode: "ephemeral" });
    if (made.ok || made.error.kind === "node-exists") return;
    if (made.error.kind === "no-node") await makeContainers(this.#connection, path.slice(0, path.lastIndexOf("/")));
    else await this.#recover(tree, made.error);
  }

  async #remove(tree: Tree): Promise<boolean> {
    const removed = await tree.remove(this.#options.path);
    if (removed.ok || removed.error.kind === "no-node") return true;
    await this.#recover(tree, removed.error);
    return false;
  }

  /** Waits until it makes sense to look again; then what was on its way has happened or never will. */
  async #recover(tree: Tree, error: TreeError): Promise<void> {
    if (error.kind === "session-expired" || error.kind === "closed") return;
    if (tree.session.state === "connected") await sleep(this.#connection.scheduler, retryWaitMs);
    else await this.#connection.untilConnected(reconnectWaitMs);
    await tree.sync(this.#options.path);
  }
}
