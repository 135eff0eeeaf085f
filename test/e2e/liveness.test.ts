import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { UNDERLAY_INTERFACE } from "../../src/lab/plan.ts";
import { needs } from "../needs.ts";
import { Cloud } from "./cloud.ts";
import { StoreDoor } from "./store-door.ts";

const skip = needs("root", "bpffs", "libbpf", "clang", "libbpf-dev", "ping", "ip");

type PeerView = { readonly state: string; readonly since: number };

describe("hosts that watch each other", { skip, timeout: 240_000 }, () => {
  let cloud: Cloud;

  /** What one host thinks of the other. */
  const viewOf = async (host: string): Promise<PeerView | undefined> => {
    const other = cloud.host(host === "h1" ? "h2" : "h1").id;
    return (await cloud.status(host)).peers?.find(({ hostId }) => hostId === other);
  };

  const underlay = (host: string, command: string): ReturnType<Cloud["run"]> =>
    cloud.run(host, `${command.replaceAll("DEV", UNDERLAY_INTERFACE)} && date +%s%3N`);

  const unconfirmed = async (host: string): Promise<number> => (await cloud.status(host)).unconfirmed?.length ?? 0;

  /** Pings of one host's VM at the other's, in a bridge and across the router, while something happens: none may be lost. */
  const nothingLost = async (seconds: number, what: () => Promise<void>): Promise<void> => {
    for (const vm of ["vm2", "vm4"])
      await cloud.eventually(`vm1 reaches ${vm}`, () => cloud.pings("vm1", cloud.vm(vm).v4));
    const pings = ["vm2", "vm4"].map((vm) =>
      cloud.run("vm1", `ping -c ${10 * seconds} -i 0.1 -W 5 ${cloud.vm(vm).v4}`),
    );
    await what();
    for (const { output } of await Promise.all(pings)) assert.match(output, / 0% packet loss/, output);
  };

  before(async () => {
    cloud = Cloud.build();
    await cloud.serve();
  });

  after(async () => {
    await cloud?.down();
  });

  it("a host that is used is alive, with a round trip", async () => {
    const { v4 } = cloud.vm("vm2");
    await cloud.eventually("vm1 reaches vm2", () => cloud.pings("vm1", v4));
    await cloud.eventually("both are alive", async () => {
      const views = await Promise.all(["h1", "h2"].map(viewOf));
      return views.every((view) => view?.state === "alive");
    });
    await cloud.run("vm1", `ping -c 10 -i 0.4 ${v4}`);
    const { peers } = await cloud.status("h1");
    assert.ok((peers?.[0]?.roundTripUs ?? 0) > 0, "a keep-alive was answered");
    assert.equal((await cloud.drops("h1")).get("keep-alive-refused") ?? 0, 0);
  });

  it("a killed host is known to be dead within a second; what does not need it goes on; it is sent to when it is back", async () => {
    const { v4 } = cloud.vm("vm2");
    const local = cloud.run("vm1", `ping -c 60 -i 0.1 -W 2 ${cloud.vm("vm3").v4}`);
    const remote = cloud.run("vm1", `ping -c 60 -i 0.1 -W 1 ${v4}`);
    // As a host that loses its power: the agent does nothing any more, and its link is gone.
    await cloud.kill("agent-h2");
    const cut = await underlay("h2", "ip link set DEV down");
    assert.equal(cut.code, 0, cut.output);
    const cutAt = Number(cut.output.trim());
    await cloud.eventually("h1 knows that h2 is dead", async () => (await viewOf("h1"))?.state === "dead");
    const since = (await viewOf("h1"))?.since ?? Number.POSITIVE_INFINITY;
    assert.ok(since - cutAt <= 1_000, `known after ${since - cutAt} ms`);
    const [onHost] = await Promise.all([local, remote]);
    assert.match(onHost.output, / 0% packet loss/, onHost.output);
    assert.match(cloud.log("agent-h1"), /peer\.dead/);
    const mended = await underlay("h2", "ip link set DEV up");
    assert.equal(mended.code, 0, mended.output);
    await cloud.startAgent("h2");
    await cloud.allActive();
    await cloud.eventually("vm1 reaches vm2 again", () => cloud.pings("vm1", v4));
    assert.equal((await viewOf("h1"))?.state, "alive");
  });

  it("a host whose agent and session are gone is forwarded to for as long as its datapath answers", async () => {
    const { v4 } = cloud.vm("vm2");
    await cloud.introduce("vm1", "vm2");
    const during = cloud.run("vm1", `ping -c 120 -i 0.1 -W 2 ${v4}`);
    await cloud.hasUsedFlow("h2", "vm2");
    await cloud.kill("agent-h2");
    const { id } = cloud.host("h2");
    await cloud.eventually("its session has ended, and its ports are unconfirmed", async () => {
      const { unconfirmed = [] } = await cloud.status("h1");
      return unconfirmed.some(({ hostId }) => hostId === id);
    });
    const { output } = await during;
    assert.match(output, / 0% packet loss/, output);
    await cloud.startAgent("h2");
    await cloud.eventually("its ports are confirmed again", async () => {
      const { unconfirmed = [] } = await cloud.status("h1");
      return unconfirmed.length === 0;
    });
    assert.ok(await cloud.pings("vm1", v4));
  });

  it("a path that is broken in one direction only is soon known to both hosts, and mended to both", async () => {
    const { v4 } = cloud.vm("vm2");
    await cloud.eventually("vm1 reaches vm2", () => cloud.pings("vm1", v4));
    await cloud.eventually("both are alive", async () => {
      const views = await Promise.all(["h1", "h2"].map(viewOf));
      return views.every((view) => view?.state === "alive");
    });
    // Long enough for both to know that they are used.
    await cloud.run("vm1", `ping -c 30 -i 0.05 -W 1 ${v4}`);
    const traffic = cloud.run("vm1", `ping -c 100 -i 0.05 -W 1 ${v4}`);
    const back = cloud.run("vm2", `ping -c 100 -i 0.05 -W 1 ${cloud.vm("vm1").v4}`);
    // What h1 sends arrives under an address that h2 does not have; what h2 sends arrives as before.
    const to = cloud.host("h2").underlay;
    const cut = await underlay("h1", `ip neigh replace ${to} lladdr 02:de:ad:00:00:01 dev DEV nud permanent`);
    assert.equal(cut.code, 0, cut.output);
    const cutAt = Number(cut.output.trim());
    for (const host of ["h1", "h2"]) {
      await cloud.eventually(`${host} knows`, async () => (await viewOf(host))?.state === "dead");
      const since = (await viewOf(host))?.since ?? Number.POSITIVE_INFINITY;
      // Within one second, which virtual time shows; here two agents may wait for a processor.
      assert.ok(since - cutAt <= 2_000, `${host} knows after ${since - cutAt} ms`);
    }
    assert.match(cloud.log("agent-h1"), /"why":"deaf".*peer\.dead/);
    const mended = await underlay("h1", `ip neigh del ${to} dev DEV`);
    assert.equal(mended.code, 0, mended.output);
    await cloud.eventually("vm1 reaches vm2 again", () => cloud.pings("vm1", v4));
    await cloud.eventually("both are alive again", async () => {
      const views = await Promise.all(["h1", "h2"].map(viewOf));
      return views.every((view) => view?.state === "alive");
    });
    await Promise.all([traffic, back]);
  });

  it("a host that only lost the store is sent to, bridged and routed, also by an agent that begins meanwhile", async (t) => {
    const door = new StoreDoor(cloud.path("door.sock"), cloud.path("store.sock"));
    await door.open();
    t.after(() => door.close());
    await cloud.startAgent("h2", ["--store", `unix:${cloud.path("door.sock")}`, "--takeover"]);
    await cloud.allActive();
    await nothingLost(14, async () => {
      await door.close();
      await cloud.eventually("its ports are unconfirmed", async () => (await unconfirmed("h1")) === 2);
    });
    const since = (await cloud.status("h1")).unconfirmed?.map((port) => port.since);
    await nothingLost(14, () => cloud.startAgent("h1", ["--takeover"]));
    assert.deepEqual(
      (await cloud.status("h1")).unconfirmed?.map((port) => port.since),
      since,
    );
    await door.open();
    await nothingLost(8, () =>
      cloud.eventually("its ports are confirmed again", async () => (await unconfirmed("h1")) === 0),
    );
    await cloud.allActive();
  });
});
