import type { Ip } from "../addr/ip.ts";
import type { WorldChange } from "../sim/world-change.ts";
import type { Absences } from "./absences.ts";
import type { ControlEvent } from "./core/control-events.ts";
import type { Opinion } from "./core/messages.ts";
import type { MapToOpen, OpenMap } from "./world.ts";

/** What was told last of one key that has or had an entry; also stands for it among the absences. */
interface Known {
  readonly last: ControlEvent;
}

/**
 * A device's map, in which a store that was emptied removes nothing: an entry that goes is told at once, because a MAC address that moves
 * cannot wait, and told again when the store turns out to be emptied; from then on what goes waits until the store is whole.
 */
export class GuardedMap implements OpenMap {
  readonly #absences: Absences;
  readonly #tell: MapToOpen["onEvent"];
  readonly #known = new Map<string, Known>();
  /** Keys of entries that were told gone, the oldest first: known until they cannot be taken back any more. */
  readonly #gone = new Set<string>();
  readonly #live: OpenMap;

  constructor(open: (device: MapToOpen) => OpenMap, device: MapToOpen, absences: Absences) {
    this.#absences = absences;
    this.#tell = device.onEvent;
    this.#live = open({ ...device, onEvent: (event) => this.#hear(event) });
  }

  put(opinion: Opinion): void {
    this.#live.put(opinion);
  }

  remove(opinion: Opinion): void {
    this.#live.remove(opinion);
  }

  entries(): readonly (readonly [string, string])[] {
    return this.#live.entries();
  }

  isRecalled(): boolean {
    return this.#live.isRecalled();
  }

  sweep(): void {
    this.#live.sweep();
  }

  close(options?: { readonly keep?: boolean }): void {
    for (const known of this.#known.values()) this.#absences.forget(known);
    this.#known.clear();
    this.#gone.clear();
    this.#live.close(options);
  }

  #hear(event: ControlEvent): void {
    const entry = event.kind === "entry" ? entryOf(event.change) : undefined;
    if (entry === undefined) return this.#tell(event);
    const before = this.#known.get(entry.key);
    if (entry.isThere) {
      if (before !== undefined) this.#absences.forget(before);
      this.#gone.delete(entry.key);
      this.#known.set(entry.key, { last: event });
      return this.#tell(event);
    }
    if (before === undefined) return this.#tell(event);
    if (this.#absences.mayReturn(before)) return;
    this.#forgetGone();
    this.#gone.add(entry.key);
    this.#absences.tell(before, { gone: () => this.#tell(event), again: () => this.#tell(before.last) });
  }

  #forgetGone(): void {
    for (const key of this.#gone) {
      const known = this.#known.get(key);
      if (known !== undefined && this.#absences.mayReturn(known)) return;
      this.#gone.delete(key);
      this.#known.delete(key);
    }
  }
}

function wordsOf({ w0, w1, w2, w3 }: Ip): string {
  return `${w0} ${w1} ${w2} ${w3}`;
}

/** Which key of its map a change is about; undefined when it is about no map. */
function entryOf(change: WorldChange): { readonly key: string; readonly isThere: boolean } | undefined {
  switch (change.kind) {
    case "fdb":
      return { key: `${change.vlan} ${change.mac}`, isThere: change.portId !== undefined };
    case "router-neighbor":
      return { key: wordsOf(change.ip), isThere: change.entry !== undefined };
    case "bridge-neighbor":
      return { key: wordsOf(change.ip), isThere: change.mac !== undefined };
    default:
      return undefined;
  }
}
