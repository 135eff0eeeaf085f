import { formatPortActive, PORT_ACTIVE_KEY, parsePortActive } from "../api-schema/agent-api.ts";
import type { Log } from "../base/log.ts";
import { formatModelError } from "../model/model-error.ts";
import type { Id, Kind, TopologyObject } from "../model/objects.ts";
import type { StateKeys } from "../store/recipes/state-keys.ts";
import type { TopologyStore } from "../store/recipes/topology-store.ts";
import type { ControlEvent, PortActive } from "./core/control-events.ts";
import type { MapName, Opinion } from "./core/messages.ts";
import type { MissedActive } from "./core/ownership.ts";
import type { ObjectName } from "./core/slice.ts";

/** State keys of a bridge by which hosts say under which tunnel key they take its floods: this and the host's id. */
export const FLOOD_KEY_PREFIX = "flood.";

/** A replicated map as the shell needs it: opinions in, winners out as events of the core. */
export interface OpenMap {
  put(opinion: Opinion): void;
  remove(opinion: Opinion): void;
  /** The winners as texts of the map's kind, for a snapshot. */
  entries(): readonly (readonly [string, string])[];
  /** True while a snapshot was told and the store has not answered yet. */
  isRecalled(): boolean;
  /** Takes back what an earlier process had learned and this one has not. */
  sweep(): void;
  /** Ends the copy; what was learned here is taken back, unless it is to be kept for the next process of this session. */
  close(options?: { readonly keep?: boolean }): void;
}

/** A watch of the shell. Silent once closed. */
export interface Watch {
  close(): void;
}

/** What there is of an object. `why`: the document cannot be read, what was told before still stands. */
export type FoundObject =
  | { readonly object: TopologyObject | undefined }
  | { readonly damaged: true; readonly why: string };

/** What a host says of a port that it serves. `missed`: nothing, and a snapshot remembers that it did. */
export interface FoundActive {
  readonly state: PortActive | undefined;
  readonly isWithdrawn: boolean;
  readonly missed?: MissedActive;
}

/** Flood keys of a bridge by host, first all, then each that changed. */
export interface FloodWatcher {
  onLoaded(keys: ReadonlyMap<Id, number>): void;
  onChange(hostId: Id, key: number | undefined): void;
}

/** What the control shell follows of the world outside this host. Callbacks come during the call already, or any time later. */
export interface World {
  watchObject(name: ObjectName, tell: (found: FoundObject) => void): Watch;
  watchActive(portId: Id, tell: (found: FoundActive) => void): Watch;
  watchFloods(bridgeId: Id, watcher: FloodWatcher): Watch;
  openMap(map: MapName, device: MapToOpen): OpenMap;
}

/** A map to be opened. */
export interface MapToOpen {
  readonly id: Id;
  /** Winners that a snapshot remembers, told at once because the store is away. */
  readonly remembered?: readonly (readonly [string, string])[];
  /** Winners that a snapshot remembers, of which those that the store does not have any more are told as lost. */
  readonly earlier?: readonly (readonly [string, string])[];
  onEvent(event: ControlEvent): void;
}

/** What the store's world is made of. */
export interface LiveWorldParts {
  readonly topology: Pick<TopologyStore, "watchObject">;
  readonly stateKeys: Pick<StateKeys, "watch">;
  readonly log: Log;
  openMap: World["openMap"];
}

/** The world as the store has it. */
export class LiveWorld implements World {
  readonly #parts: LiveWorldParts;

  constructor(parts: LiveWorldParts) {
    this.#parts = parts;
  }

  watchObject(name: ObjectName, tell: (found: FoundObject) => void): Watch {
    return this.#parts.topology.watchObject<Kind>(name.kind, name.id, {
      onObject: (stored) => tell({ object: stored?.object }),
      onDamaged: (error) => tell({ damaged: true, why: formatModelError(error) }),
    });
  }

  watchActive(portId: Id, tell: (found: FoundActive) => void): Watch {
    const read = (text: string | undefined): void => {
      const active = text === undefined ? undefined : parsePortActive(text);
      if (active?.ok === false) this.#parts.log.warn("port.active.damaged", { port: portId, why: active.error });
      const isWithdrawn = active?.ok === true && active.value.isActive === false;
      tell({ state: active?.ok === true && !isWithdrawn ? active.value : undefined, isWithdrawn });
    };
    return this.#parts.stateKeys.watch(
      { kind: "port", id: portId, name: PORT_ACTIVE_KEY },
      {
        onLoaded: (values) => read(values[0]?.[1].text),
        onChange: (_key, value) => read(value?.text),
      },
    );
  }

  watchFloods(bridgeId: Id, watcher: FloodWatcher): Watch {
    const keyOf = (text: string | undefined): number | undefined => {
      const key = text === undefined ? undefined : Number(text);
      if (key === undefined || (Number.isInteger(key) && key > 0)) return key;
      this.#parts.log.warn("flood-key.damaged", { bridge: bridgeId, text: text ?? "" });
      return undefined;
    };
    return this.#parts.stateKeys.watch(
      { kind: "bridge", id: bridgeId },
      {
        onLoaded: (values) => {
          const keys = new Map<Id, number>();
          for (const [{ name }, { text }] of values) {
            const [host, key] = [hostOf(name), keyOf(text)];
            if (host !== undefined && key !== undefined) keys.set(host, key);
          }
          watcher.onLoaded(keys);
        },
        onChange: ({ name }, value) => {
          const host = hostOf(name);
          if (host !== undefined) watcher.onChange(host, keyOf(value?.text));
        },
      },
    );
  }

  openMap(map: MapName, device: MapToOpen): OpenMap {
    return this.#parts.openMap(map, device);
  }
}

/** The state key's text for a port that is bound here and does not forward; undefined when there is nothing to be said of it. */
export function withdrawnText(text: string): string | undefined {
  const active = parsePortActive(text);
  return active.ok ? formatPortActive(active.value, false) : undefined;
}

function hostOf(name: string): Id | undefined {
  return name.startsWith(FLOOD_KEY_PREFIX) ? name.slice(FLOOD_KEY_PREFIX.length) : undefined;
}
