import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Finding } from "../../api-schema/doctor-resource.ts";
import { checkAgent } from "./agent-checks.ts";
import type { AgentFacts, PeerFact } from "./agent-facts.ts";
import type { HostFacts } from "./host-facts.ts";

const peer: PeerFact = {
  hostId: "h2",
  address: "192.0.2.2",
  isUp: true,
  life: "alive",
  seenMs: 40,
  outerMtu: 1500,
  isWide: true,
};
const good: AgentFacts = {
  store: { state: "connected", disconnectedMs: 0, sessionAgeMs: 5_000 },
  doWorkersAnswer: true,
  version: { version: 3, reached: 3 },
  ports: [{ portId: "p1", interfaceName: "tap0", state: "up" }],
  underlay: "192.0.2.1",
  peers: [peer],
  limits: [{ name: "flows", used: 10, limit: 100 }],
  queue: { packets: 0, limit: 1024 },
  ...{ drops: [], dropsMs: 60_000, lagMs: 2 },
};
const host: HostFacts = {
  ...{ kernel: "6.1.0", arch: "x64", capabilities: [], isBpffs: true, jit: "1", modules: new Map(), pins: [] },
  links: [{ name: "eth0", mtu: 1500, isUp: true, addresses: ["192.0.2.1"] }],
  routes: new Map([["192.0.2.2", { interfaceName: "eth0", source: "192.0.2.1", mtu: 1500 }]]),
  rpFilters: new Map([["all", 0]]),
};

function bad(facts: Partial<AgentFacts>, of: Partial<HostFacts> = {}): readonly string[] {
  const findings: readonly Finding[] = checkAgent({ ...good, ...facts }, { ...host, ...of });
  for (const { level, remedy } of findings) assert.equal(level !== "ok", remedy !== undefined);
  return findings.filter(({ level }) => level !== "ok").map(({ check, level }) => `${check} ${level}`);
}

describe("checks of an agent", () => {
  it("find nothing where all is well, also on a host that is in no tunnel zone", () => {
    assert.deepEqual(bad({}), []);
    assert.deepEqual(bad({ underlay: undefined, peers: [] }, { links: [] }), []);
  });

  it("find a lost store, silent workers, ports that are not served, and a late control thread", () => {
    const store = { state: "suspended", disconnectedMs: 9_000, sessionAgeMs: 5_000 };
    assert.deepEqual(bad({ store }), ["agent-store failure"]);
    assert.deepEqual(bad({ store: { ...good.store, isEmptied: true } }), ["agent-store failure"]);
    const [first] = checkAgent({ ...good, store: { ...store, snapshotAgeMs: 60_000 } }, host);
    assert.match(first?.found ?? "", /from a snapshot of .* ago/);
    assert.deepEqual(bad({ doWorkersAnswer: false }), ["workers failure"]);
    const ports = ["absent", "down", "refused", "up"].map((state) => ({ portId: state, interfaceName: "t", state }));
    assert.deepEqual(bad({ ports }), ["ports warning", "ports warning", "ports failure"]);
    const why = "interface lo cannot be bound: it is the loopback";
    const refused = [{ portId: "p1", interfaceName: "lo", state: "refused", why }];
    const said = checkAgent({ ...good, ports: refused }, host).find(({ level }) => level === "failure");
    assert.equal(said?.found, `could not be attached: ${why}`);
    assert.deepEqual(bad({ lagMs: 1_500 }), ["load warning"]);
  });

  it("find what is wrong with our side of the underlay", () => {
    const [link] = host.links;
    assert.ok(link !== undefined);
    assert.deepEqual(bad({}, { links: [] }), ["underlay failure"]);
    assert.deepEqual(bad({}, { links: [{ ...link, isUp: false }] }), ["underlay failure"]);
    assert.deepEqual(bad({}, { links: [{ ...link, mtu: 1400 }] }), ["underlay failure"]);
    const routes = new Map([["192.0.2.2", { interfaceName: "eth1", source: undefined, mtu: 1500 }]]);
    assert.deepEqual(bad({}, { routes, rpFilters: new Map([["eth0", 1]]) }), ["underlay warning"]);
    assert.deepEqual(bad({}, { rpFilters: new Map([["eth0", 1]]) }), []);
    assert.deepEqual(bad({}, { routes, rpFilters: new Map(Object.entries({ all: 2, eth0: 1 })) }), []);
  });

  it("find a peer that is down, without a way, or behind a way that is too narrow", () => {
    assert.deepEqual(bad({ peers: [{ ...peer, isUp: false }] }), ["tunnels failure"]);
    assert.deepEqual(bad({ peers: [{ ...peer, life: "suspect" }] }), ["tunnels warning"]);
    assert.deepEqual(bad({ peers: [{ ...peer, isWide: false }] }), ["peer-mtu failure"]);
    // Its keep-alives are refused: the path is not to blame.
    assert.deepEqual(bad({ peers: [{ ...peer, isWide: false, refusedMs: 2_000 }] }), ["tunnels failure"]);
    assert.deepEqual(bad({ peers: [{ ...peer, refusedMs: 60_000 }] }), []);
    assert.deepEqual(bad({ peers: [{ ...peer, life: "unknown", isWide: undefined }] }), []);
    assert.deepEqual(bad({}, { routes: new Map() }), ["peer-mtu failure"]);
    const narrow = new Map([["192.0.2.2", { interfaceName: "eth0", source: undefined, mtu: 1480 }]]);
    assert.deepEqual(bad({}, { routes: narrow }), ["peer-mtu failure"]);
  });

  it("find limits that are nearly reached", () => {
    assert.deepEqual(bad({ limits: [{ name: "flows", used: 75, limit: 100 }] }), ["limits warning"]);
    assert.deepEqual(bad({ limits: [{ name: "flows", used: 74, limit: 100 }] }), []);
    assert.deepEqual(bad({ queue: { packets: 1000, limit: 1024 } }), ["limits warning"]);
  });

  it("tell what was dropped: added up, what somebody wanted or what is ordinary is no warning", () => {
    const drops = [
      { reason: "no-route", packets: 3, portId: "p1" },
      { reason: "filter", packets: 90 },
      { reason: "no-route", packets: 4 },
      { reason: "hairpin", packets: 5 },
    ];
    assert.deepEqual(bad({ drops }), ["drops warning"]);
    const findings = checkAgent({ ...good, drops }, host).filter(({ check }) => check === "drops");
    assert.deepEqual(
      findings.map(({ subject, found }) => `${subject}: ${found}`),
      [
        "filter, last 60 s: 90 packets: a rule of a filter said drop",
        "no-route, last 60 s: 7 packets: no route matches the destination",
        "hairpin, last 60 s: 5 packets: the frame would leave by the port by which it came",
      ],
    );
  });
});
