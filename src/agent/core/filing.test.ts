import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { buildFrame } from "../../wire/build-frame.ts";
import { BridgeWorker, vm } from "./fixture/bridge-worker.ts";

describe("flows that are filed after their packet was sent", () => {
  let rig: BridgeWorker;

  beforeEach(async () => {
    rig = new BridgeWorker();
    await rig.open();
    for (const n of [2, 3]) rig.tellStation(n, `p${n}`);
    rig.turns();
  });

  function arrive(to: number, port: number): void {
    const frame = buildFrame({
      eth: { dst: vm(to), src: vm(1) },
      ipv4: { src: 0x0a00_0001, dst: 0x0a00_0000 + to, ttl: 64 },
      udp: { srcPort: port, dstPort: 53 },
      payload: Uint8Array.of(1, 2, 3, 4),
    });
    rig.datapath.receive("vm1", frame);
  }

  it("each of a batch is found by what it depends on", () => {
    arrive(2, 1000);
    arrive(3, 1000);
    rig.core.turn(rig.clock.now());
    assert.deepEqual(rig.received, { vm1: 0, vm2: 1, vm3: 1 });
    for (const n of [2, 3] as const) {
      const before = rig.count("weft_worker_flows_revoked");
      rig.tell({
        kind: "world",
        change: { kind: "placement", portId: `p${n}`, placement: { at: "local", vport: n, isActive: false } },
      });
      rig.turns();
      assert.equal(rig.count("weft_worker_flows_revoked"), before + 1, `the flow to vm${n} depends on its port`);
      arrive(n, 1000);
      rig.turns();
      assert.equal(rig.received[`vm${n}`], 1, "and forwards no more");
    }
  });

  it("the last one ends as all others do", () => {
    arrive(2, 1000);
    rig.core.turn(rig.clock.now());
    assert.equal(rig.flows().length, 1);
    rig.pass(3_600_000);
    assert.equal(rig.flows().length, 0);
  });
});
