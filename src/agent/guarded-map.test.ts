import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { VirtualScheduler } from "../base/scheduler.ts";
import { passTime } from "../store/compliance/virtual-time.ts";
import { Absences, type WipeWatch } from "./absences.ts";
import type { ControlEvent } from "./core/control-events.ts";
import { GuardedMap } from "./guarded-map.ts";
import { GONE_WINDOW_MS } from "./limits.ts";
import type { OpenMap } from "./world.ts";

const BRIDGE = "00000000-0000-8000-8000-000000000002";

/** A store that is emptied and restored at will. */
class Wipes implements WipeWatch {
  isWiped = false;
  #listener: (isWiped: boolean) => void = () => undefined;

  check(): Promise<boolean> {
    return Promise.resolve(this.isWiped);
  }

  onChange(listener: (isWiped: boolean) => void): () => void {
    this.#listener = listener;
    return () => undefined;
  }

  turn(isWiped: boolean): void {
    this.isWiped = isWiped;
    this.#listener(isWiped);
  }
}

const nothing: OpenMap = {
  put: () => undefined,
  remove: () => undefined,
  entries: () => [],
  isRecalled: () => false,
  sweep: () => undefined,
  close: () => undefined,
};

describe("what hosts have learned, in a store that was emptied", () => {
  let scheduler: VirtualScheduler;
  let wipes: Wipes;
  let told: string[];
  let map: GuardedMap;
  let store: (mac: number, portId: string | undefined) => void;

  beforeEach(() => {
    scheduler = new VirtualScheduler();
    wipes = new Wipes();
    told = [];
    const onEvent = (event: ControlEvent): void => {
      if (event.kind === "entry" && event.change.kind === "fdb")
        told.push(`${event.change.mac} ${event.change.portId ?? "none"}`);
    };
    const open = (device: { onEvent(event: ControlEvent): void }): OpenMap => {
      store = (mac, portId) =>
        device.onEvent({ kind: "entry", change: { kind: "fdb", bridgeId: BRIDGE, vlan: 0, mac, portId } });
      return nothing;
    };
    map = new GuardedMap(open, { id: BRIDGE, onEvent }, new Absences(wipes, scheduler));
  });

  it("what went just before it was found emptied is there again, and what goes then stays", () => {
    store(1, "a");
    store(2, "b");
    store(1, undefined);
    wipes.turn(true);
    store(2, undefined);
    store(2, undefined);
    assert.deepEqual(told.splice(0), ["1 a", "2 b", "1 none", "1 a"]);
  });

  it("restored, what is not there goes after a while; what was said again stays as it is said", async () => {
    store(1, "a");
    store(2, "b");
    wipes.turn(true);
    store(1, undefined);
    store(2, undefined);
    told.length = 0;
    wipes.turn(false);
    store(2, "c");
    await passTime(scheduler, 10_000);
    assert.deepEqual(told, ["2 c", "1 none"]);
  });

  it("an entry that moved since is not taken back to where it was", () => {
    store(1, "a");
    store(1, undefined);
    store(1, "b");
    wipes.turn(true);
    assert.deepEqual(told, ["1 a", "1 none", "1 b"]);
  });

  it("what went long ago is gone for good, and a closed map says nothing", async () => {
    store(1, "a");
    store(1, undefined);
    await passTime(scheduler, GONE_WINDOW_MS + 1);
    store(2, "b");
    store(2, undefined);
    map.close();
    told.length = 0;
    wipes.turn(true);
    assert.deepEqual(told, []);
  });
});
