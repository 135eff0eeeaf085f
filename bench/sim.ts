/** Cost of one simulation: `node bench/sim.ts`. Figures are for one core, frames and keys prepared beforehand. */
import { bench, run, summary } from "mitata";
import { parseIp } from "../src/addr/ip.ts";
import { Prng } from "../src/base/prng.ts";
import { unwrap } from "../src/base/result.ts";
import { extractKey } from "../src/flow/key.ts";
import { KEY_WORDS } from "../src/flow/layout.ts";
import type { Chain, Condition, Port, Rule, TopologyObject } from "../src/model/objects.ts";
import type { SimInput } from "../src/sim/sim-input.ts";
import { Simulator } from "../src/sim/simulator.ts";
import { World } from "../src/sim/world.ts";
import { FDB_DEFAULTS, FdbLearner } from "../src/state/fdb.ts";
import { NeighborResolver } from "../src/state/neighbor-resolver.ts";
import { NEIGHBOR_DEFAULTS } from "../src/state/neighbor-settings.ts";
import { buildFrame } from "../src/wire/build-frame.ts";

/** Different flows that take turns, so that nothing is learned by heart. */
const FLOWS = 4096;
const RULES = 10;

/** A walk through one bridge, one router and another bridge, with a filter of ten rules at each VM port. */
export function makeWalk(): { readonly simulator: Simulator; next(): SimInput } {
  const neighbors = new NeighborResolver(NEIGHBOR_DEFAULTS, new Prng(1));
  const world = new World({ neighbors, fdb: new FdbLearner(FDB_DEFAULTS) });
  for (const object of topology()) world.apply({ kind: "object", object });
  const local = { at: "local", isActive: true } as const;
  world.apply({ kind: "placement", portId: "vm1", placement: { ...local, vport: 1 } });
  world.apply({ kind: "placement", portId: "vm2", placement: { ...local, vport: 2 } });
  world.apply({ kind: "fdb", bridgeId: "br1", vlan: 0, mac: 0x0200_0000_0001, portId: "vm1" });
  world.apply({ kind: "fdb", bridgeId: "br2", vlan: 0, mac: 0x0200_0000_0002, portId: "vm2" });
  const entry = { mac: 0x0200_0000_0002, staleAt: 1e12, expiresAt: 1e12 };
  world.apply({ kind: "router-neighbor", routerId: "r1", ip: unwrap(parseIp("10.0.1.2")), entry });
  neighbors.process(0);
  const inputs = Array.from({ length: FLOWS }, (_, i) => inputOf(i));
  let at = 0;
  return {
    simulator: new Simulator(world),
    next: () => inputs[at++ & (FLOWS - 1)] as SimInput,
  };
}

function inputOf(flow: number): SimInput {
  const bytes = buildFrame({
    eth: { dst: 0x0200_0000_00aa, src: 0x0200_0000_0001 },
    ipv4: { src: 0x0a00_0002, dst: 0x0a00_0102 },
    tcp: { srcPort: 10_000 + flow, dstPort: 443 },
  });
  const key = new Uint32Array(KEY_WORDS);
  extractKey(bytes, { vportIndex: 1 }, key);
  const frame = { bytes, offset: 0, length: bytes.length, gsoSize: 0 };
  return { mode: "live", key, keyOffset: 0, ingress: 0, frame, unresolved: undefined };
}

function topology(): readonly TopologyObject[] {
  const common = { tenant: "t", isUp: true };
  const filters = ["in", "out"].flatMap((id) => filter(id));
  const bound = (id: string): { binding: NonNullable<Port["binding"]> } => ({
    binding: { hostId: "h", interfaceName: id, generation: 1 },
  });
  const port = { kind: "port" as const, ...common };
  const bridge = (id: string, ...portIds: string[]): TopologyObject => ({
    kind: "bridge",
    id,
    name: id,
    ...common,
    portIds,
  });
  const routerPort = (id: string, peerId: string, at: { mac: string; addresses: string[] }): TopologyObject => ({
    ...port,
    id,
    deviceKind: "router",
    routerId: "r1",
    ...at,
    mtu: 1500,
    peerId,
  });
  return [
    ...filters,
    bridge("br1", "vm1", "br1-r1"),
    bridge("br2", "vm2", "br2-r1"),
    { kind: "router", id: "r1", name: "r1", ...common, portIds: ["r1-br1", "r1-br2"], routeIds: [] },
    { ...port, id: "vm1", deviceKind: "bridge", bridgeId: "br1", inboundFilterId: "in", ...bound("vm1") },
    { ...port, id: "vm2", deviceKind: "bridge", bridgeId: "br2", outboundFilterId: "out", ...bound("vm2") },
    { ...port, id: "br1-r1", deviceKind: "bridge", bridgeId: "br1", peerId: "r1-br1" },
    { ...port, id: "br2-r1", deviceKind: "bridge", bridgeId: "br2", peerId: "r1-br2" },
    routerPort("r1-br1", "br1-r1", { mac: "02:00:00:00:00:aa", addresses: ["10.0.0.1/24"] }),
    routerPort("r1-br2", "br2-r1", { mac: "02:00:00:00:00:bb", addresses: ["10.0.1.1/24"] }),
  ];
}

/** Ten rules of a security group: the last accepts, the others look at ports, protocols and prefixes and do not match. */
function filter(id: string): readonly (Chain | Rule)[] {
  const conditions: readonly Condition[] = [
    ...Array.from({ length: RULES - 4 }, (_, i) => ({
      protocol: 6,
      destinationPorts: { from: 1000 + i, to: 1000 + i },
    })),
    { source: "192.168.0.0/16" },
    { protocol: 17, destinationPorts: { from: 53, to: 53 } },
    { destination: "10.9.0.0/16", protocol: 6 },
    { protocol: 6, destinationPorts: { from: 443, to: 443 } },
  ];
  const rules = conditions.map((condition, i): Rule => {
    const action = i === RULES - 1 ? ({ type: "accept" } as const) : ({ type: "drop" } as const);
    return { kind: "rule", id: `${id}${i}`, chainId: id, condition, action };
  });
  return [{ kind: "chain", id, tenant: "t", name: id, ruleIds: rules.map((rule) => rule.id) }, ...rules];
}

if (import.meta.main) {
  const { simulator, next } = makeWalk();
  if (simulator.simulate(next(), 1).kind !== "forward") throw new Error("the bench's packet is not forwarded");
  summary(() => {
    bench("bridge-router-bridge, two filters of 10 rules", () => simulator.simulate(next(), 1)).gc("once");
    bench("the same in check mode", () => simulator.simulate({ ...next(), mode: "check", frame: undefined }, 1)).gc(
      "once",
    );
  });
  await run();
}
