import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Finding } from "../../api-schema/doctor-resource.ts";
import { checkHost, checkPins } from "./host-checks.ts";
import type { HostFacts } from "./host-facts.ts";

const good: HostFacts = {
  kernel: "6.1.0-28-amd64",
  arch: "x64",
  capabilities: [12, 38, 39],
  isBpffs: true,
  jit: "1",
  modules: new Map([
    ["VXLAN", true],
    ["veth", undefined],
  ]),
  ...{ links: [], routes: new Map(), rpFilters: new Map(), pins: [] },
};

function bad(findings: readonly Finding[]): readonly string[] {
  return findings.filter(({ level }) => level !== "ok").map(({ check, level }) => `${check} ${level}`);
}

describe("checks of a host", () => {
  it("find nothing on a host that has all", () => {
    assert.deepEqual(bad(checkHost(good)), []);
    const all = checkHost({ ...good, kernel: "7.0-rc1", capabilities: [12, 21], jit: undefined });
    assert.deepEqual(bad(all), []);
  });

  it("find each thing that is missing, and say what to do", () => {
    const cases: readonly (readonly [Partial<HostFacts>, string])[] = [
      [{ kernel: "6.0.19" }, "kernel failure"],
      [{ kernel: "5.15.0" }, "kernel failure"],
      [{ arch: "arm64" }, "kernel failure"],
      [{ capabilities: [12, 38] }, "rights failure"],
      [{ capabilities: [21] }, "rights failure"],
      [{ isBpffs: false }, "bpffs warning"],
      [{ jit: "0" }, "jit warning"],
      [{ modules: new Map([["VXLAN", false]]) }, "modules failure"],
    ];
    for (const [facts, found] of cases) {
      const findings = checkHost({ ...good, ...facts });
      assert.deepEqual(bad(findings), [found]);
      for (const { level, remedy } of findings) assert.equal(level !== "ok", remedy !== undefined);
    }
  });

  it("find maps and devices of dead agents, and leave those of the living alone", () => {
    const link = { name: "weft-tunnel", mtu: 1500, isUp: true, addresses: [] };
    const living = { path: "/sys/fs/bpf/weft/system/h1", owner: 12 };
    const dead = { path: "/sys/fs/bpf/weft/system/h2", owner: undefined };
    assert.deepEqual(bad(checkPins({ ...good, pins: [living], links: [link] }, undefined)), []);
    assert.deepEqual(bad(checkPins({ ...good, pins: [living, dead] }, undefined)), ["pins warning"]);
    assert.deepEqual(bad(checkPins({ ...good, pins: [dead] }, dead.path)), []);
    const [left] = checkPins({ ...good, links: [link] }, undefined);
    assert.match(left?.remedy ?? "", /ip link delete weft-tunnel/);
  });
});
