import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { MemoryLog } from "../base/log.ts";
import { VirtualScheduler } from "../base/scheduler.ts";
import { passTime } from "../store/compliance/virtual-time.ts";
import { MemoryTreeServer } from "../store/memory/memory-tree-server.ts";
import { StoreConnection } from "../store/recipes/connection.ts";
import { Layout } from "../store/recipes/layout.ts";
import type { ControlEvent } from "./core/control-events.ts";
import type { Opinion } from "./core/messages.ts";
import { openMap } from "./maps.ts";
import type { OpenMap } from "./world.ts";

const BRIDGE = "00000000-0000-8000-8000-000000000002";
const PORT = "00000000-0000-8000-8000-00000000000a";
const learned: Opinion = { map: "fdb", deviceId: BRIDGE, vlan: 0, mac: 0x0200_0000_0001, portId: PORT };

describe("a device's map", () => {
  let scheduler: VirtualScheduler;
  let server: MemoryTreeServer;

  beforeEach(() => {
    scheduler = new VirtualScheduler();
    server = new MemoryTreeServer({ scheduler });
  });

  afterEach(() => server.stop());

  /** A host's view of the bridge's FDB: what it is told, in the order of telling. */
  function host(): { readonly map: OpenMap; readonly told: string[] } {
    const connection = new StoreConnection({ scheduler, connect: () => server.connect() });
    const told: string[] = [];
    const onEvent = (event: ControlEvent): void => {
      if (event.kind === "map-loaded") told.push("loaded");
      if (event.kind === "entry" && event.change.kind === "fdb") told.push(`${event.change.portId}`);
    };
    const opener = { connection, layout: new Layout(), log: new MemoryLog() };
    return { map: openMap(opener, "fdb", { id: BRIDGE, onEvent }), told };
  }

  it("tells what one host learned to every host, after it has said that it is loaded", async () => {
    const [one, two] = [host(), host()];
    await passTime(scheduler, 1_000);
    one.map.put(learned);
    await passTime(scheduler, 1_000);
    assert.deepEqual(
      [one.told, two.told],
      [
        ["loaded", PORT],
        ["loaded", PORT],
      ],
    );
    one.map.remove(learned);
    await passTime(scheduler, 1_000);
    assert.deepEqual(two.told, ["loaded", PORT, "undefined"]);
  });

  it("tells a host that comes later what is there, before it says that it is loaded", async () => {
    host().map.put(learned);
    await passTime(scheduler, 1_000);
    const late = host();
    await passTime(scheduler, 1_000);
    assert.deepEqual(late.told, [PORT, "loaded"]);
  });

  it("is silent after it was closed, and ignores opinions of another kind", async () => {
    const [one, two] = [host(), host()];
    await passTime(scheduler, 1_000);
    two.map.close();
    one.map.put({ map: "bridge-neighbor", deviceId: BRIDGE, ip: { w0: 0, w1: 0, w2: 0xffff, w3: 1 }, mac: 1 });
    one.map.put(learned);
    await passTime(scheduler, 1_000);
    assert.deepEqual([one.told, two.told], [["loaded", PORT], ["loaded"]]);
  });
});
