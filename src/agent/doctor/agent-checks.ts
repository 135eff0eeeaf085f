import { type Finding, failure, type Looked, warning, well } from "../../api-schema/doctor-resource.ts";
import { DROP_REASONS } from "../../flow/drop-reason.ts";
import type { AgentFacts, PeerFact } from "./agent-facts.ts";
import type { HostFacts } from "./host-facts.ts";

/** Share of a limit from which on it is near full. Flows: from three quarters on live ones are thrown out. */
const NEAR_FULL = 0.75;
/** Lag of the control thread that is worth a look. */
const LAG_MS = 1_000;
/** How long ago a refused keep-alive says that a peer has another secret: idle peers are asked every 5 to 10 s. */
const STRANGE_MS = 30_000;
/** Reasons of drops that are told; the rest is in `weft drops`. */
const REASONS_TOLD = 5;
/** Reasons by which somebody wanted the packet dropped. */
const DELIBERATE: ReadonlySet<string> = new Set(["filter", "rejected", "blackhole", "reject-route"]);

/** What must be true of a host whose agent runs. */
export function checkAgent(facts: AgentFacts, host: HostFacts): readonly Finding[] {
  return [
    checkStore(facts),
    checkWorkers(facts),
    ...checkPorts(facts),
    ...checkUnderlay(facts, host),
    ...checkTunnels(facts),
    ...checkPeerMtus(facts, host),
    ...checkLimits(facts),
    ...checkDrops(facts),
    checkLag(facts),
  ];
}

function checkStore({ store }: AgentFacts): Finding {
  const subject = "session with the store";
  if (store.isEmptied === true) {
    const found = "the store was emptied: flows go on, nothing is written and no change arrives";
    return failure("agent-store", { subject, found, remedy: "bring the store back with weft store restore" });
  }
  if (store.state === "connected") {
    const age = store.sessionAgeMs === undefined ? "" : ` for ${span(store.sessionAgeMs)}`;
    return well("agent-store", { subject, found: `connected${age}` });
  }
  const snapshot = store.snapshotAgeMs === undefined ? "" : ` from a snapshot of ${span(store.snapshotAgeMs)} ago`;
  const found = `${store.state} for ${span(store.disconnectedMs)}: flows go on${snapshot}, changes do not arrive`;
  return failure("agent-store", { subject, found, remedy: "start the store, or repair the way to it; see --store" });
}

function checkWorkers({ doWorkersAnswer, version }: AgentFacts): Finding {
  const subject = "simulation workers";
  if (!doWorkersAnswer) {
    const remedy = "look at the processor's load and the agent's log; more workers share the load (--workers)";
    return failure("workers", { subject, found: "do not answer in time", remedy });
  }
  const behind = version.version - version.reached;
  return well("workers", { subject, found: behind > 0 ? `${behind} changes are on their way to flows` : "up to date" });
}

function checkPorts({ ports }: AgentFacts): readonly Finding[] {
  const bad = ports.flatMap(({ portId, interfaceName, state, why }): readonly Finding[] => {
    const subject = `port ${portId} on ${interfaceName}`;
    if (state === "absent") {
      const remedy = "start what makes the interface, or bind the port to another one";
      return [warning("ports", { subject, found: "the interface is not there", remedy })];
    }
    if (state === "down") {
      const remedy = `set both ends up: ip link set ${interfaceName} up`;
      return [warning("ports", { subject, found: "the interface is down", remedy })];
    }
    if (state !== "refused") return [];
    const remedy = "repair what the sentence names, or bind the port to another interface (weft bind)";
    return [failure("ports", { subject, found: `could not be attached: ${why ?? "see the agent's log"}`, remedy })];
  });
  if (bad.length > 0) return bad;
  return [well("ports", { subject: "ports bound here", found: `${ports.length}, each at its interface` })];
}

function checkUnderlay({ underlay, peers }: AgentFacts, host: HostFacts): readonly Finding[] {
  if (underlay === undefined) {
    const found = "no tunnel zone names this host: it reaches no other host";
    return [well("underlay", { subject: "tunnel zone", found })];
  }
  const subject = `underlay address ${underlay}`;
  const link = host.links.find(({ addresses }) => addresses.includes(underlay));
  if (link === undefined) {
    const remedy = "give the address to an interface, or correct the tunnel zone (weft join)";
    return [failure("underlay", { subject, found: "no interface of this host has it", remedy })];
  }
  const where = `${subject} on ${link.name}`;
  if (!link.isUp)
    return [
      failure("underlay", { subject: where, found: "the interface is down", remedy: `ip link set ${link.name} up` }),
    ];
  const wanted = Math.max(0, ...peers.map(({ outerMtu }) => outerMtu));
  const width: Looked = { subject: where, found: `MTU ${link.mtu}` };
  const isNarrow = link.mtu < wanted;
  const remedy = `ip link set ${link.name} mtu ${wanted}, or lower the MTU of the tunnel zone to ${link.mtu}`;
  return [
    isNarrow
      ? failure("underlay", { ...width, found: `MTU ${link.mtu}; the tunnel zone says ${wanted}`, remedy })
      : well("underlay", width),
    ...checkReversePath({ underlay, peers }, host, link.name),
  ];
}

/** Strict reverse path filtering drops what comes in by another interface than the way back leaves by (RFC 3704). */
function checkReversePath(
  { underlay, peers }: Pick<AgentFacts, "peers"> & { readonly underlay: string },
  { routes, rpFilters }: HostFacts,
  name: string,
): readonly Finding[] {
  const isStrict = Math.max(rpFilters.get("all") ?? 0, rpFilters.get(name) ?? 0) === 1;
  if (!isStrict) return [];
  return peers.flatMap(({ hostId, address }) => {
    const route = routes.get(address);
    if (route === undefined || route.interfaceName === name) return [];
    return [
      warning("underlay", {
        subject: `reverse path filter of ${name}`,
        found: `strict, and the way to host ${hostId} leaves by ${route.interfaceName}: what it sends to ${underlay} is dropped`,
        remedy: `sysctl -w net.ipv4.conf.${name}.rp_filter=2`,
      }),
    ];
  });
}

function checkTunnels({ peers }: AgentFacts): readonly Finding[] {
  const down = peers.filter(({ isUp }) => !isUp);
  const found = down.map(({ hostId, address, seenMs }) =>
    failure("tunnels", {
      subject: `host ${hostId} at ${address}`,
      found: `counts as down; ${lastHeard(seenMs)}`,
      remedy: "look at that host, at the underlay between, and at filters for the overlay's UDP port",
    }),
  );
  const suspect = peers.filter(({ isUp, life }) => isUp && life === "suspect");
  const doubtful = suspect.map(({ hostId, address, seenMs }) =>
    warning("tunnels", {
      subject: `host ${hostId} at ${address}`,
      found: `misses keep-alives; ${lastHeard(seenMs)}`,
      remedy: "look for losses on the underlay, and at the load of that host",
    }),
  );
  const strange = peers.filter(({ refusedMs }) => isStrange(refusedMs));
  const refused = strange.map(({ hostId, address, refusedMs = 0 }) =>
    failure("tunnels", {
      subject: `host ${hostId} at ${address}`,
      found: `its keep-alives are made with another secret; one was refused ${span(refusedMs)} ago`,
      remedy: "look whether both agents use the same store, and at keep-alive.no-secret in their logs",
    }),
  );
  const quiet = peers.filter(({ isUp, seenMs }) => isUp && seenMs === undefined).length;
  const note = quiet === 0 ? "" : `; from ${quiet} of them no frame came yet`;
  const up = { subject: "peers", found: `${peers.length - down.length} of ${peers.length} up${note}` };
  const isWell = down.length + suspect.length + strange.length === 0;
  return [...found, ...doubtful, ...refused, ...(isWell ? [well("tunnels", up)] : [])];
}

function checkPeerMtus({ peers }: AgentFacts, { routes }: HostFacts): readonly Finding[] {
  const bad = peers.flatMap((peer) => checkPeerMtu(peer, routes));
  if (bad.length > 0 || peers.length === 0) return bad;
  return [well("peer-mtu", { subject: "ways to peers", found: "each carries what its tunnel zone promises" })];
}

function checkPeerMtu(
  { hostId, address, outerMtu, isWide, refusedMs }: PeerFact,
  routes: HostFacts["routes"],
): readonly Finding[] {
  const subject = `way to host ${hostId} at ${address}`;
  const route = routes.get(address);
  if (route === undefined) {
    const remedy = "add a route to the underlay, or correct the tunnel zone";
    return [failure("peer-mtu", { subject, found: "there is none", remedy })];
  }
  // What is refused is not answered either, however wide the path is.
  if (route.mtu >= outerMtu && (isWide !== false || isStrange(refusedMs))) return [];
  if (route.mtu >= outerMtu) {
    const found = `packets of ${outerMtu} bytes are not answered, small ones are: something on the way carries less`;
    const remedy = `raise the MTU of the switches and routers between, or lower the zone's (weft update tunnel-zone --mtu)`;
    return [failure("peer-mtu", { subject, found, remedy })];
  }
  const found = `by ${route.interfaceName} it carries ${route.mtu} bytes, the tunnel zone says ${outerMtu}: large packets are lost`;
  const remedy = `raise the MTU on the way (interface, route, switches), or lower the zone's: weft update tunnel-zone ... --mtu ${route.mtu}`;
  return [failure("peer-mtu", { subject, found, remedy })];
}

function checkLimits({ limits, queue }: AgentFacts): readonly Finding[] {
  const all = [...limits, { name: "upcalls that wait in one shard", used: queue.packets, limit: queue.limit }];
  const near = all.filter(({ used, limit }) => limit > 0 && used / limit >= NEAR_FULL);
  if (near.length === 0) {
    const found = all.map(({ name, used, limit }) => `${name} ${used} of ${limit}`).join(", ");
    return [well("limits", { subject: "limits of this host", found })];
  }
  return near.map(({ name, used, limit }) =>
    warning("limits", {
      subject: name,
      found: `${used} of ${limit}`,
      remedy:
        name === "flows"
          ? "raise --flow-limit; see which ports have the flows: weft flows"
          : "spread ports over more hosts",
    }),
  );
}

function checkDrops({ drops, dropsMs }: AgentFacts): readonly Finding[] {
  const sums = new Map<string, number>();
  for (const { reason, packets } of drops) sums.set(reason, (sums.get(reason) ?? 0) + packets);
  if (sums.size === 0) return [well("drops", { subject: `last ${span(dropsMs)}`, found: "nothing was dropped" })];
  const top = [...sums].sort((a, b) => b[1] - a[1]).slice(0, REASONS_TOLD);
  return top.map(([reason, packets]) => {
    const entry = DROP_REASONS.find(({ name }) => name === reason);
    const looked = {
      subject: `${reason}, last ${span(dropsMs)}`,
      found: `${packets} packets: ${entry?.meaning ?? "a reason that this release does not know"}`,
    };
    const remedy = entry?.remedy ?? "compare the releases of agent and datapath";
    const isOrdinary = DELIBERATE.has(reason) || /^(none|ordinary)\b/.test(remedy);
    return isOrdinary ? well("drops", looked) : warning("drops", { ...looked, remedy });
  });
}

function checkLag({ lagMs }: AgentFacts): Finding {
  const subject = "control thread";
  const found = `late by at most ${span(lagMs)} within a minute`;
  if (lagMs < LAG_MS) return well("load", { subject, found });
  return warning("load", { subject, found, remedy: "look for what else uses the processors of this host" });
}

/** Whether a peer has another secret: an old refusal has been dealt with since. */
function isStrange(refusedMs: number | undefined): boolean {
  return refusedMs !== undefined && refusedMs < STRANGE_MS;
}

function lastHeard(seenMs: number | undefined): string {
  return seenMs === undefined ? "nothing was ever heard of it" : `last heard of ${span(seenMs)} ago`;
}

/** A span as people say it. */
export function span(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}
