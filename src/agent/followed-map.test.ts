import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { MemoryLog } from "../base/log.ts";
import { VirtualScheduler } from "../base/scheduler.ts";
import { passTime } from "../store/compliance/virtual-time.ts";
import type { MemoryTree } from "../store/memory/memory-tree.ts";
import { MemoryTreeServer } from "../store/memory/memory-tree-server.ts";
import { StoreConnection } from "../store/recipes/connection.ts";
import { Layout } from "../store/recipes/layout.ts";
import type { ControlEvent } from "./core/control-events.ts";
import type { Opinion } from "./core/messages.ts";
import { openMap } from "./maps.ts";
import type { OpenMap } from "./world.ts";

const BRIDGE = "00000000-0000-8000-8000-000000000002";
const [A, B] = ["a", "b"].map((digit) => `00000000-0000-8000-8000-00000000000${digit}`) as [string, string];

function fdb(mac: number, portId: string): Opinion {
  return { map: "fdb", deviceId: BRIDGE, vlan: 0, mac, portId };
}

interface Host {
  readonly map: OpenMap;
  readonly tree: MemoryTree;
  /** `mac port` of each entry as it was told. */
  readonly told: string[];
}

describe("what a host learns while the store is away", () => {
  let scheduler: VirtualScheduler;
  let server: MemoryTreeServer;

  beforeEach(() => {
    scheduler = new VirtualScheduler();
    server = new MemoryTreeServer({ scheduler });
  });

  afterEach(() => server.stop());

  function host(
    options: { readonly isAway?: boolean; readonly remembered?: readonly (readonly [string, string])[] } = {},
  ): Host {
    const tree = server.connect({ timeoutMs: 4_000 });
    if (options.isAway === true) server.isolate(tree);
    let first: MemoryTree | undefined = tree;
    const connect = (): MemoryTree => {
      const next = first ?? server.connect({ timeoutMs: 4_000 });
      first = undefined;
      return next;
    };
    const told: string[] = [];
    const onEvent = (event: ControlEvent): void => {
      if (event.kind === "map-loaded") told.push("loaded");
      if (event.kind === "entry" && event.change.kind === "fdb")
        told.push(`${event.change.mac} ${event.change.portId?.slice(-1) ?? "none"}`);
    };
    const { remembered } = options;
    const opener = {
      connection: new StoreConnection({ scheduler, connect }),
      layout: new Layout(),
      log: new MemoryLog(),
    };
    const map = openMap(opener, "fdb", { id: BRIDGE, onEvent, ...(remembered === undefined ? {} : { remembered }) });
    return { map, tree, told };
  }

  it("counts at once without a connection, and is written when there is one", async () => {
    const [one, two] = [host(), host()];
    await passTime(scheduler, 1_000);
    server.isolate(one.tree);
    await passTime(scheduler, 100);
    one.map.put(fdb(1, A));
    assert.deepEqual(one.told, ["loaded", "1 a"]);
    assert.deepEqual(two.told, ["loaded"]);
    server.rejoin(one.tree);
    await passTime(scheduler, 1_000);
    assert.deepEqual(one.told, ["loaded", "1 a"], "told once");
    assert.deepEqual(two.told, ["loaded", "1 a"]);
  });

  it("waits a moment for a store that may only be slow", async () => {
    const one = host();
    await passTime(scheduler, 1_000);
    one.map.put(fdb(1, A));
    assert.deepEqual(one.told, ["loaded"]);
    await passTime(scheduler, 1_000);
    assert.deepEqual(one.told, ["loaded", "1 a"]);
  });

  it("tells a newer wish that the store takes while an earlier one counted", async () => {
    server.stop();
    server = new MemoryTreeServer({ scheduler, delay: () => 5 });
    const one = host({ isAway: true });
    one.map.put(fdb(1, A));
    await passTime(scheduler, 300);
    assert.deepEqual(one.told, ["1 a"]);
    server.rejoin(one.tree);
    while (one.tree.session.state !== "connected") await passTime(scheduler, 1);
    one.map.put(fdb(1, B));
    await passTime(scheduler, 2_000);
    assert.equal(one.told.at(-1), "1 b");
  });

  it("gives way to what others learned meanwhile, as soon as the store says so", async () => {
    const [one, two] = [host(), host()];
    await passTime(scheduler, 1_000);
    server.isolate(one.tree);
    await passTime(scheduler, 100);
    one.map.put(fdb(1, A));
    two.map.put(fdb(1, B));
    // Longer than its session: until then its write waits for a connection, and would be the newest.
    await passTime(scheduler, 6_000);
    assert.deepEqual(one.told, ["loaded", "1 a"]);
    server.rejoin(one.tree);
    await passTime(scheduler, 2_000);
    assert.deepEqual(one.told, ["loaded", "1 a", "1 b"]);
    assert.deepEqual(two.told, ["loaded", "1 b"]);
  });

  it("is forgotten when it is taken back before anybody heard of it", async () => {
    const [one, two] = [host(), host()];
    await passTime(scheduler, 1_000);
    server.isolate(one.tree);
    await passTime(scheduler, 100);
    one.map.put(fdb(1, A));
    one.map.remove(fdb(1, A));
    server.rejoin(one.tree);
    await passTime(scheduler, 2_000);
    assert.deepEqual(one.told.slice(0, 3), ["loaded", "1 a", "1 none"]);
    assert.equal(one.told.at(-1), "1 none");
    assert.notEqual(two.told.at(-1), "1 a");
  });

  it("is told from memory first when the store is away at the start; then what is not in the store goes", async () => {
    const two = host();
    two.map.put(fdb(1, A));
    two.map.put(fdb(3, B));
    await passTime(scheduler, 1_000);
    const remembered = [
      ["00:00:00:00:00:01", A],
      ["00:00:00:00:00:02", A],
      ["00:00:00:00:00:03", A],
    ] as const;
    const one = host({ isAway: true, remembered });
    assert.deepEqual(one.told, ["1 a", "2 a", "3 a", "loaded"]);
    assert.deepEqual(one.map.entries(), remembered);
    assert.ok(one.map.isRecalled());
    one.map.put(fdb(4, B));
    server.rejoin(one.tree);
    await passTime(scheduler, 1_000);
    assert.deepEqual(one.told.slice(4), ["4 b", "3 b", "2 none", "loaded"]);
    assert.ok(!one.map.isRecalled());
    assert.equal(two.told.at(-1), "4 b");
  });
});
