import type { Log } from "../base/log.ts";
import type { Timer } from "../base/scheduler.ts";
import type { Id } from "../model/objects.ts";
import type { WorldChange } from "../sim/world-change.ts";
import type { StoreConnection } from "../store/recipes/connection.ts";
import type { MapKind } from "../store/recipes/map-kind.ts";
import type { MapMetrics } from "../store/recipes/map-metrics.ts";
import type { MapEntry } from "../store/recipes/replicated-map.ts";
import { TreeReplicatedMap } from "../store/recipes/tree-replicated-map.ts";
import type { ControlEvent } from "./core/control-events.ts";
import type { MapName, Opinion } from "./core/messages.ts";
import { PROVISIONAL_AFTER_MS } from "./limits.ts";
import type { OpenMap } from "./world.ts";

/** What a followed map is made of. */
export interface FollowedMapParts<K, V> {
  readonly connection: StoreConnection;
  readonly log: Log;
  readonly kind: MapKind<K, V>;
  readonly path: string;
  readonly map: MapName;
  readonly deviceId: Id;
  /** Winners that a snapshot remembers, told at once when the store is away; undefined: the store is there. */
  readonly remembered: readonly (readonly [string, string])[] | undefined;
  /** Winners that a snapshot remembers, not told: what of them the store does not have is told as lost. */
  readonly earlier: readonly (readonly [string, string])[] | undefined;
  readonly metrics?: MapMetrics;
  /** Paths that the session owned when this process took it up. */
  owned?(): Promise<ReadonlySet<string>>;
  onEvent(event: ControlEvent): void;
  toChange(key: K, value: V | undefined): WorldChange;
  parts(opinion: Opinion): readonly [K, V] | undefined;
  /** Whether an opinion of an earlier process, which this one did not repeat, is over. */
  isOver(value: V): boolean;
}

interface Local<K, V> {
  readonly key: K;
  readonly value: V;
  readonly text: string;
}

/**
 * A device's map as this host sees it: the store's winners; what a snapshot remembers until the store has answered; and what
 * this host has learned while the store does not answer. The last is provisional: it counts here and now, so that what is local goes
 * on, and gives way to the store's truth when the write has come to an end there.
 */
export class FollowedMap<K, V> implements OpenMap {
  readonly #parts: FollowedMapParts<K, V>;
  readonly #map: TreeReplicatedMap<K, V>;
  readonly #stopListening: () => void;
  readonly #stopMeasuring: (() => void) | undefined;
  #remembered = new Map<string, Local<K, V>>();
  /** Written and not answered yet. */
  readonly #pending = new Map<string, Local<K, V>>();
  readonly #provisional = new Map<string, Local<K, V>>();
  /** Opinions of an earlier process of this session that this one has not repeated. */
  readonly #unconfirmed = new Map<string, Local<K, V>>();
  #earlier: FollowedMapParts<K, V>["earlier"];
  #timer: Timer | undefined;
  #isLoaded = false;

  constructor(parts: FollowedMapParts<K, V>) {
    this.#earlier = parts.earlier;
    this.#parts = { ...parts, earlier: undefined };
    const { connection, path, kind, owned, log, metrics } = parts;
    this.#map = new TreeReplicatedMap({
      ...{ connection, path, kind },
      ...(owned && { isResumed: true, owned }),
      ...(metrics && { counters: metrics.counters }),
    });
    this.#stopMeasuring = metrics?.add(kind.name, this.#map);
    this.#stopListening = connection.onState((state) => {
      if (state !== "connected") this.#promote();
    });
    if (parts.remembered !== undefined) this.#remember(parts.remembered);
    this.#map.subscribe({
      onLoaded: (entries) => this.#load(entries),
      onChange: (key, entry, before) => {
        if (this.#provisional.has(kind.key.format(key))) return;
        const isLost = before?.origin === "learned" && !before.isOwn;
        if (entry === undefined && isLost) this.#tellLost(key, before.value, false);
        else this.#tell(key, entry?.value);
      },
      onDamaged: (name, why) => log.warn("map.damaged", { map: kind.name, name, why }),
    });
  }

  put(opinion: Opinion): void {
    const parts = this.#parts.parts(opinion);
    if (parts === undefined) return;
    const [key, value] = parts;
    const text = this.#parts.kind.key.format(key);
    const local = { key, value, text: this.#parts.kind.value.format(value) };
    this.#unconfirmed.delete(text);
    this.#pending.set(text, local);
    void this.#map.put(key, value).then((result) => {
      if (!result.ok) this.#parts.log.warn("map.write.failed", { map: this.#parts.kind.name, what: "put" });
      this.#settle(text, local, result.ok);
    });
    if (this.#isAway) this.#promote();
    else this.#timer ??= this.#parts.connection.scheduler.after(PROVISIONAL_AFTER_MS, () => this.#promote());
  }

  remove(opinion: Opinion): void {
    const parts = this.#parts.parts(opinion);
    if (parts === undefined) return;
    const [key, value] = parts;
    const { kind, log } = this.#parts;
    const text = kind.key.format(key);
    const local = this.#pending.get(text);
    if (local !== undefined && local.text === kind.value.format(value)) this.#settle(text, local, false);
    this.#unconfirmed.delete(text);
    void this.#map.remove(key, value).then((result) => {
      if (!result.ok) log.warn("map.write.failed", { map: kind.name, what: "remove" });
    });
  }

  entries(): readonly (readonly [string, string])[] {
    const { key, value } = this.#parts.kind;
    const entries = new Map([...this.#remembered].map(([text, local]) => [text, local.text]));
    for (const [each, entry] of this.#map.entries()) entries.set(key.format(each), value.format(entry.value));
    for (const [text, local] of this.#provisional) entries.set(text, local.text);
    return [...entries];
  }

  isRecalled(): boolean {
    return this.#parts.remembered !== undefined && !this.#isLoaded;
  }

  sweep(): void {
    for (const [text, { key, value }] of this.#unconfirmed) {
      if (!this.#parts.isOver(value)) continue;
      this.#unconfirmed.delete(text);
      void this.#map.remove(key, value);
    }
  }

  close({ keep = false }: { readonly keep?: boolean } = {}): void {
    this.#timer?.cancel();
    this.#stopListening();
    this.#stopMeasuring?.();
    void this.#map.close({ forget: !keep });
  }

  get #isAway(): boolean {
    return this.#parts.connection.tree.session.state !== "connected";
  }

  #remember(entries: readonly (readonly [string, string])[]): void {
    const { kind } = this.#parts;
    for (const local of this.#parsed(entries)) {
      this.#remembered.set(kind.key.format(local.key), local);
      this.#tell(local.key, local.value);
    }
    this.#loaded();
  }

  *#parsed(entries: readonly (readonly [string, string])[]): Generator<Local<K, V>> {
    const { kind } = this.#parts;
    for (const [keyText, text] of entries) {
      const [key, value] = [kind.key.parse(keyText), kind.value.parse(text)];
      if (key.ok && value.ok) yield { key: key.value, value: value.value, text };
    }
  }

  /** The store's first answer: it replaces what was remembered, and what it does not have goes. */
  #load(entries: readonly (readonly [K, MapEntry<V>])[]): void {
    const { kind } = this.#parts;
    const gone = this.#remembered;
    this.#remembered = new Map();
    this.#isLoaded = true;
    for (const [key, entry] of entries) {
      const text = kind.key.format(key);
      const before = gone.get(text);
      gone.delete(text);
      const valueText = kind.value.format(entry.value);
      if (entry.isOwn && !this.#pending.has(text))
        this.#unconfirmed.set(text, { key, value: entry.value, text: valueText });
      if (!this.#provisional.has(text) && before?.text !== valueText) this.#tell(key, entry.value);
    }
    for (const [text, { key, value }] of gone) if (!this.#provisional.has(text)) this.#tellLost(key, value, false);
    for (const { key, value } of this.#parsed(this.#earlier ?? []))
      if (this.#map.get(key) === undefined && !this.#provisional.has(kind.key.format(key)))
        this.#tellLost(key, value, true);
    this.#earlier = undefined;
    this.#loaded();
  }

  /** What was written and is not answered counts here from now on. */
  #promote(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const [text, local] of this.#pending) {
      const known = this.#provisional.get(text) ?? this.#remembered.get(text);
      this.#provisional.set(text, local);
      const before = known?.text ?? this.#liveText(local.key);
      if (before !== local.text) this.#tell(local.key, local.value);
    }
  }

  /** A write has come to an end: from here on the store's word counts. Before its first answer that is what it took from us. */
  #settle(text: string, local: Local<K, V>, isWritten: boolean): void {
    if (this.#pending.get(text) !== local) return;
    this.#pending.delete(text);
    // What was told may be an earlier wish: a newer one that comes before the first is answered waits for the store.
    const told = this.#provisional.get(text);
    if (told === undefined) return;
    this.#provisional.delete(text);
    if (isWritten && !this.#isLoaded) this.#remembered.set(text, local);
    const value = this.#isLoaded ? this.#map.get(local.key) : this.#remembered.get(text)?.value;
    const after = value === undefined ? undefined : this.#parts.kind.value.format(value);
    if (after !== told.text) this.#tell(local.key, value);
  }

  #liveText(key: K): string | undefined {
    const value = this.#map.get(key);
    return value === undefined ? undefined : this.#parts.kind.value.format(value);
  }

  /** It has gone, and nobody here took it back. `isMissed`: before this process began to look. */
  #tellLost(key: K, value: V, isMissed: boolean): void {
    const { onEvent, toChange } = this.#parts;
    const change = toChange(key, undefined);
    onEvent({ kind: "entry", change, lost: toChange(key, value), ...(isMissed && { isMissed }) });
  }

  #tell(key: K, value: V | undefined): void {
    this.#parts.onEvent({ kind: "entry", change: this.#parts.toChange(key, value) });
  }

  #loaded(): void {
    const { map, deviceId } = this.#parts;
    this.#parts.onEvent({ kind: "map-loaded", map, deviceId });
  }
}
