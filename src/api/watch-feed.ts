import { toResource } from "../api-schema/convert.ts";
import { apiErrorOf } from "../api-schema/errors.ts";
import type { WatchEvent } from "../api-schema/watch-event.ts";
import type { ModelError } from "../model/model-error.ts";
import type { Chain, Id, Kind, TopologyObject } from "../model/objects.ts";
import type { StoredObject, StoreWatch, TopologyStore } from "../store/recipes/topology-store.ts";
import type { Facts } from "./facts.ts";

/** What a feed follows and whom it tells. */
export interface WatchFeedOptions {
  readonly topology: TopologyStore;
  readonly facts: Facts;
  readonly kinds: readonly Kind[];
  onEvent(event: WatchEvent): void;
}

/**
 * One client's view of the topology as it changes: everything of the wanted kinds, then `synced`, then each change. What is
 * shown of an object beyond the stored document counts as a change too: a host's life, a port's activity, a rule's place.
 */
export class WatchFeed {
  readonly #options: WatchFeedOptions;
  readonly #watches: StoreWatch[] = [];
  readonly #stop: () => void;
  /** Objects whose shown form depends on more than themselves, by kind and id. */
  readonly #held = new Map<string, StoredObject>();
  readonly #places = new Map<Id, number>();
  #isClosed = false;

  constructor(options: WatchFeedOptions) {
    this.#options = options;
    this.#stop = options.facts.subscribe((kind, id) => this.#repeat(kind, id));
  }

  /** Starts to tell. Chains come before rules, because a rule shows its place. */
  async start(): Promise<void> {
    const { kinds, onEvent } = this.#options;
    const wanted = kinds.filter((kind) => kind !== "rule");
    if (kinds.includes("rule") && !wanted.includes("chain")) await this.#follow("chain", false);
    for (const kind of wanted) await this.#follow(kind, true);
    if (kinds.includes("rule")) await this.#follow("rule", true);
    if (!this.#isClosed) onEvent({ type: "synced" });
  }

  /** Silent at once. */
  close(): void {
    this.#isClosed = true;
    this.#stop();
    for (const watch of this.#watches) watch.close();
  }

  #follow(kind: Kind, isTold: boolean): Promise<void> {
    const take = (stored: StoredObject): void => {
      this.#hold(stored);
      if (isTold) this.#tell(stored);
    };
    if (this.#isClosed) return Promise.resolve();
    const watch = this.#options.topology.watchKind<Kind>(kind, {
      onLoaded: (objects) => {
        for (const stored of objects) take(stored);
      },
      onObject: take,
      onDeleted: (id) => {
        this.#held.delete(keyOf(kind, id));
        if (isTold) this.#emit({ type: "deleted", kind, id });
      },
      onDamaged: (error) => {
        if (isTold) this.#damaged(kind, error);
      },
    });
    this.#watches.push(watch);
    return watch.ready;
  }

  #hold(stored: StoredObject): void {
    const { object } = stored;
    if (object.kind === "chain") this.#placeRules(object);
    const dependsOnMore = object.kind === "host" || object.kind === "port" || object.kind === "rule";
    if (dependsOnMore) this.#held.set(keyOf(object.kind, object.id), stored);
  }

  /** A rule that moved because another one came or went is shown anew. */
  #placeRules(chain: Chain): void {
    for (const [i, id] of chain.ruleIds.entries()) {
      if (this.#places.get(id) === i + 1) continue;
      this.#places.set(id, i + 1);
      this.#repeat("rule", id);
    }
  }

  #repeat(kind: Kind, id: Id): void {
    const stored = this.#held.get(keyOf(kind, id));
    if (stored !== undefined) this.#tell(stored);
  }

  #tell({ object, version }: StoredObject): void {
    const position = this.#places.get(object.id);
    const facts = { ...this.#options.facts.of(object, version), ...(position === undefined ? {} : { position }) };
    const { kind } = object as TopologyObject;
    this.#emit({ type: "object", kind, object: toResource<Kind>(object, facts) } as WatchEvent);
  }

  #damaged(kind: Kind, error: ModelError): void {
    this.#emit({ type: "damaged", kind, id: error.object.id, error: apiErrorOf([error]) });
  }

  #emit(event: WatchEvent): void {
    if (!this.#isClosed) this.#options.onEvent(event);
  }
}

function keyOf(kind: Kind, id: Id): string {
  return `${kind} ${id}`;
}
