import type { Scheduler } from "../base/scheduler.ts";
import type { Id, TopologyObject } from "../model/objects.ts";
import { Absences } from "./absences.ts";
import type { MapName } from "./core/messages.ts";
import type { ObjectName } from "./core/slice.ts";
import { GuardedMap } from "./guarded-map.ts";
import type { LayoutGuard } from "./layout-guard.ts";
import type { FloodWatcher, FoundActive, FoundObject, MapToOpen, OpenMap, Watch, World } from "./world.ts";

/**
 * The store's world, in which a store that was emptied removes nothing. An object that goes while it is still referred to was not
 * deleted through the model's rules, which take the references along: that can wait. What hosts say, and what they learn, goes with their
 * sessions and is told at once; it is taken back when the store turns out to be emptied.
 */
export class GuardedWorld implements World {
  readonly #live: World;
  readonly #guard: LayoutGuard;
  readonly #absences: Absences;

  constructor(live: World, guard: LayoutGuard, scheduler: Scheduler) {
    this.#live = live;
    this.#guard = guard;
    this.#absences = new Absences(guard, scheduler);
  }

  watchObject(name: ObjectName, tell: (found: FoundObject) => void): Watch {
    const about = {};
    let last: TopologyObject | undefined;
    const watch = this.#live.watchObject(name, (found) => {
      if ("object" in found && found.object === undefined) {
        const again = (): void => tell({ object: last });
        return this.#absences.hold(about, { gone: () => tell(found), again });
      }
      this.#absences.forget(about);
      if ("object" in found) last = found.object;
      tell(found);
    });
    return this.#closing(watch, [about]);
  }

  watchActive(portId: Id, tell: (found: FoundActive) => void): Watch {
    const about = {};
    let last: FoundActive | undefined;
    const watch = this.#live.watchActive(portId, (found) => {
      if (found.state === undefined && !found.isWithdrawn && (last?.state !== undefined || this.#guard.isWiped)) {
        const before = last ?? found;
        return this.#absences.tell(about, { gone: () => tell(found), again: () => tell(before) });
      }
      this.#absences.forget(about);
      last = found;
      tell(found);
    });
    return this.#closing(watch, [about]);
  }

  watchFloods(bridgeId: Id, watcher: FloodWatcher): Watch {
    const abouts = new Map<Id, object>();
    const keys = new Map<Id, number>();
    const aboutOf = (hostId: Id): object => {
      const about = abouts.get(hostId) ?? {};
      abouts.set(hostId, about);
      return about;
    };
    const watch = this.#live.watchFloods(bridgeId, {
      onLoaded: (all) => {
        for (const [hostId, key] of all) keys.set(hostId, key);
        watcher.onLoaded(all);
      },
      onChange: (hostId, key) => {
        const [about, before] = [aboutOf(hostId), keys.get(hostId)];
        if (key !== undefined) {
          keys.set(hostId, key);
          this.#absences.forget(about);
          return watcher.onChange(hostId, key);
        }
        const again = (): void => watcher.onChange(hostId, before);
        this.#absences.tell(about, { gone: () => watcher.onChange(hostId, undefined), again });
      },
    });
    const close = (): void => {
      for (const about of abouts.values()) this.#absences.forget(about);
      watch.close();
    };
    return { close };
  }

  openMap(map: MapName, device: MapToOpen): OpenMap {
    return new GuardedMap((guarded) => this.#live.openMap(map, guarded), device, this.#absences);
  }

  #closing(watch: Watch, abouts: readonly object[]): Watch {
    return {
      close: () => {
        for (const about of abouts) this.#absences.forget(about);
        watch.close();
      },
    };
  }
}
