import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { PORT_ACTIVE_KEY } from "../api-schema/agent-api.ts";
import { MemoryLog } from "../base/log.ts";
import { Prng } from "../base/prng.ts";
import { err, type Result } from "../base/result.ts";
import { VirtualScheduler } from "../base/scheduler.ts";
import type { DatapathError, PortOutcome, WantedPort, WantedTunnelKey } from "../datapath/datapath.ts";
import { MemoryDatapath } from "../datapath/memory/memory-datapath.ts";
import type { TopologyObject } from "../model/objects.ts";
import { passTime } from "../store/compliance/virtual-time.ts";
import { MemoryTreeServer } from "../store/memory/memory-tree-server.ts";
import { StoreConnection } from "../store/recipes/connection.ts";
import { Layout } from "../store/recipes/layout.ts";
import { TreeStateKeys } from "../store/recipes/tree-state-keys.ts";
import { TreeTopologyStore } from "../store/recipes/tree-topology-store.ts";
import { ControlShell } from "./control-shell.ts";
import { ControlCore } from "./core/control.ts";
import type { ToWorker } from "./core/messages.ts";
import { DATAPATH_ATTEMPTS_MAX } from "./limits.ts";
import { openMap } from "./maps.ts";
import { LiveWorld } from "./world.ts";

const HOST = "00000000-0000-8000-8000-000000000001";
const BRIDGE = "00000000-0000-8000-8000-000000000002";
const PORT = "00000000-0000-8000-8000-000000000003";

const OBJECTS: readonly TopologyObject[] = [
  { kind: "host", id: HOST, name: "h1", portIds: [], tunnelZoneIds: [] },
  { kind: "bridge", id: BRIDGE, tenant: "t", name: "b", isUp: true, portIds: [] },
  {
    ...{ kind: "port", deviceKind: "bridge", id: PORT, tenant: "t", isUp: true, bridgeId: BRIDGE },
    binding: { hostId: HOST, interfaceName: "vm", generation: 1 },
  },
];

/** A memory datapath whose `setPorts` takes as long as the test says, and which tells what it was asked for. */
class SlowDatapath extends MemoryDatapath {
  readonly asked: (readonly WantedPort[])[] = [];
  busy = 0;
  mostBusy = 0;
  slowness: () => Promise<void> = () => Promise.resolve();

  /** How many changes of tunnel keys are still refused. */
  refusals = 0;
  keyChanges = 0;

  override async setTunnelKeys(keys: readonly WantedTunnelKey[]): Promise<Result<void, DatapathError>> {
    this.keyChanges++;
    if (this.refusals-- > 0) return err({ kind: "device-refused", message: "not now" });
    return super.setTunnelKeys(keys);
  }

  override async setPorts(ports: readonly WantedPort[]): Promise<readonly PortOutcome[]> {
    this.asked.push(ports);
    this.mostBusy = Math.max(this.mostBusy, ++this.busy);
    await this.slowness();
    this.busy--;
    return super.setPorts(ports);
  }
}

describe("control shell", () => {
  let scheduler: VirtualScheduler;
  let server: MemoryTreeServer;
  let datapath: SlowDatapath;
  let shell: ControlShell;
  let topology: TreeTopologyStore;
  let stateKeys: TreeStateKeys;
  let told: ToWorker[];

  beforeEach(async () => {
    scheduler = new VirtualScheduler();
    server = new MemoryTreeServer({ scheduler });
    const connection = new StoreConnection({ scheduler, connect: () => server.connect() });
    const layout = new Layout();
    const log = new MemoryLog();
    topology = new TreeTopologyStore(connection, layout);
    stateKeys = new TreeStateKeys(connection, layout);
    const { clock } = scheduler;
    datapath = new SlowDatapath({ clock, prng: new Prng(1), bucketsPerShard: 1, send: () => undefined });
    told = [];
    shell = new ControlShell({
      ...{ hostId: HOST, stateKeys, datapath, scheduler, log },
      world: new LiveWorld({
        ...{ topology, stateKeys, log },
        openMap: (map, device) => openMap({ connection, layout, log }, map, device),
      }),
      core: new ControlCore({ hostId: HOST, udpPort: 6677 }, new Prng(2)),
      toWorkers: (messages) => void told.push(...messages),
      onAnswer: () => undefined,
    });
    const made = topology.transact(OBJECTS.map((object) => ({ op: "create", object })));
    await passTime(scheduler, 1_000);
    assert.ok((await made).ok);
    shell.start();
    await passTime(scheduler, 1_000);
  });

  afterEach(() => {
    shell.close();
    server.stop();
  });

  function plug(): Promise<void> {
    datapath.addInterface("vm", { mac: 0x0200_0000_0001, mtu: 1500, deliver: () => undefined });
    return passTime(scheduler, 1_000);
  }

  async function isPublished(): Promise<boolean> {
    const read = stateKeys.get({ kind: "port", id: PORT, name: PORT_ACTIVE_KEY });
    await passTime(scheduler, 100);
    const value = await read;
    return value.ok && value.value !== undefined && !value.value.text.includes('"isActive":false');
  }

  async function isMentioned(): Promise<boolean> {
    const read = stateKeys.get({ kind: "port", id: PORT, name: PORT_ACTIVE_KEY });
    await passTime(scheduler, 100);
    const value = await read;
    return value.ok && value.value !== undefined;
  }

  it("publishes a bound port while its interface is there and up", async () => {
    assert.equal(await isPublished(), false);
    await plug();
    assert.equal(await isPublished(), true);
    datapath.setInterfaceUp("vm", false);
    await passTime(scheduler, 1_000);
    assert.equal(await isPublished(), false);
  });

  it("withdraws in words a port that stays bound, and wholly one that does not", async () => {
    await plug();
    datapath.setInterfaceUp("vm", false);
    await passTime(scheduler, 1_000);
    assert.deepEqual([await isPublished(), await isMentioned()], [false, true]);
    datapath.setInterfaceUp("vm", true);
    await passTime(scheduler, 1_000);
    assert.equal(await isPublished(), true);
    const gone = topology.transact([{ op: "delete", kind: "port", id: PORT }]);
    await passTime(scheduler, 1_000);
    assert.ok((await gone).ok);
    assert.equal(await isMentioned(), false);
  });

  /** Another host says that the port is active there. */
  async function takeElsewhere(): Promise<void> {
    const connection = new StoreConnection({ scheduler, connect: () => server.connect() });
    const taken = new TreeStateKeys(connection, new Layout()).set(
      { kind: "port", id: PORT, name: PORT_ACTIVE_KEY },
      "elsewhere",
      { writer: "last" },
    );
    await passTime(scheduler, 100);
    assert.ok((await taken).ok);
  }

  async function holder(): Promise<"here" | "elsewhere"> {
    const read = stateKeys.get({ kind: "port", id: PORT, name: PORT_ACTIVE_KEY });
    await passTime(scheduler, 100);
    const value = await read;
    return value.ok && value.value?.text === "elsewhere" ? "elsewhere" : "here";
  }

  it("never takes a port's key from the host where the port is now, in order to withdraw it", async () => {
    await plug();
    await takeElsewhere();
    datapath.setInterfaceUp("vm", false);
    await passTime(scheduler, 5_000);
    assert.equal(await holder(), "elsewhere");
  });

  it("says again what another host took that has no claim to it any more", async () => {
    await plug();
    await takeElsewhere();
    await passTime(scheduler, 5_000);
    assert.equal(await holder(), "here");
  });

  it("withdraws every port in words before it leaves on purpose", async () => {
    await plug();
    const withdrawn = shell.withdrawAll();
    await passTime(scheduler, 1_000);
    await withdrawn;
    assert.deepEqual([await isPublished(), await isMentioned()], [false, true]);
  });

  it("tells the workers every version once, each after all that it consists of", () => {
    const versions = told.flatMap((message) => (message.kind === "version" ? [message.version] : []));
    assert.deepEqual(
      versions,
      [...new Set(versions)].sort((a, b) => a - b),
    );
    assert.equal(told.at(-1)?.kind, "version");
    assert.ok(told.some((message) => message.kind === "complete"));
  });

  it("changes the ports one change at a time, and ends with the newest wish", async () => {
    const waiting: (() => void)[] = [];
    datapath.slowness = () => new Promise((resolve) => waiting.push(resolve));
    await plug();
    datapath.setInterfaceUp("vm", false);
    const gone = topology.transact([{ op: "delete", kind: "port", id: PORT }]);
    await passTime(scheduler, 1_000);
    while (waiting.length > 0) {
      waiting.shift()?.();
      await passTime(scheduler, 100);
    }
    assert.ok((await gone).ok);
    assert.equal(datapath.mostBusy, 1);
    assert.deepEqual(datapath.asked.at(-1), []);
  });

  it("tries what the datapath refused again, some times, and no more when it is done", async () => {
    datapath.keyChanges = 0;
    datapath.refusals = 2;
    const freed = topology.transact([{ op: "delete", kind: "port", id: PORT }]);
    await passTime(scheduler, 60_000);
    assert.ok((await freed).ok);
    assert.equal(datapath.keyChanges, 3);
    datapath.refusals = 1_000;
    datapath.keyChanges = 0;
    const bound = topology.transact([{ op: "create", object: OBJECTS[2] as TopologyObject }]);
    await passTime(scheduler, 600_000);
    assert.ok((await bound).ok);
    assert.equal(datapath.keyChanges, DATAPATH_ATTEMPTS_MAX);
  });

  it("is silent after it was closed", async () => {
    shell.close();
    told.length = 0;
    await plug();
    assert.deepEqual(told, []);
    assert.equal(await isPublished(), false);
  });
});
