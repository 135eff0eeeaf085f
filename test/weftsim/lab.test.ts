import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { planLab } from "../../src/lab/plan.ts";
import { SimulatedLab } from "../../src/weftsim/lab.ts";

describe("simulated lab", () => {
  let lab: SimulatedLab;
  before(async () => {
    lab = await SimulatedLab.start(planLab("5137"));
  });
  after(() => lab.close());

  it("pings on one bridge across hosts, both families", async () => {
    for (const to of ["10.1.1.12", "fd00:1:1::12"]) {
      const results = await lab.ping("vm1", to, 3);
      assert.deepEqual(
        results.map(({ ttl }) => ttl),
        [64, 64, 64],
        to,
      );
    }
  });

  it("pings across the router, on the same host and across hosts", async () => {
    for (const to of ["10.1.2.13", "10.1.2.14", "fd00:1:2::13", "fd00:1:2::14"]) {
      const results = await lab.ping("vm1", to, 3);
      assert.deepEqual(
        results.map(({ ttl }) => ttl),
        [63, 63, 63],
        to,
      );
    }
  });

  it("gets no answer from an address that nobody has", async () => {
    assert.equal((await lab.ping("vm1", "10.1.1.99"))[0]?.ttl, undefined);
  });

  it("sees the router as the only hop of a traceroute", async () => {
    const hops = await lab.traceroute("vm1", "10.1.2.14");
    assert.deepEqual(
      hops.map(({ from }) => from),
      ["10.1.1.1", "10.1.2.14"],
    );
    const hops6 = await lab.traceroute("vm1", "fd00:1:2::14");
    assert.deepEqual(
      hops6.map(({ from }) => from),
      ["fd00:1:1::1", "fd00:1:2::14"],
    );
  });

  it("tells the walk of a packet and the flows of a host", async () => {
    const trace = await lab.trace("vm1", "10.1.2.14");
    assert.equal(trace?.verdict, "forward");
    assert.match(trace?.walk.join("\n") ?? "", /router r1/);
    const flows = await lab.flows("h1");
    assert.ok((flows?.total ?? 0) > 2);
    assert.ok(lab.drops("h1"));
  });
});
