import { PORT_ACTIVE_KEY, parsePortActive } from "../../../src/api-schema/agent-api.ts";
import { unwrap } from "../../../src/base/result.ts";
import { BRIDGE_NEIGHBOR_MAP, FDB_MAP, NEIGHBOR_MAP } from "../../../src/state/map-kinds.ts";
import type { DataTree } from "../../../src/store/data-tree.ts";
import { Layout } from "../../../src/store/recipes/layout.ts";
import type { MapKind } from "../../../src/store/recipes/map-kind.ts";
import { OpinionTable, parseOpinion } from "../../../src/store/recipes/opinion-table.ts";
import type { SimCloud } from "../../../src/weftsim/cloud.ts";
import type { SimEnsemble } from "../../../src/weftsim/ensemble.ts";
import type { ServicePrograms } from "../coordination.ts";

/** What of a cloud the store's checker looks at. */
export interface StoreCase {
  readonly cloud: SimCloud;
  readonly ensemble: SimEnsemble | undefined;
  readonly services: ServicePrograms | undefined;
}

const layout = new Layout();

/** When everything has come to rest: no session, active key or opinion of somebody who has gone, and members that agree. */
export function storeProblems(of: StoreCase): readonly string[] {
  return [...sessionProblems(of), ...memberProblems(of), ...keyProblems(of), ...opinionProblems(of)];
}

function sessionProblems({ cloud, services }: StoreCase): readonly string[] {
  const used = new Set([cloud.operatorSession, ...(services?.sessions() ?? [])]);
  for (const host of cloud.hosts.values())
    if (host.agent?.isRunning === true) used.add(host.agent.connection.tree.session.id);
  const known = new Set([...cloud.store.tree.sessions.values()].map(({ id }) => id));
  const left = [...known].filter((id) => !used.has(id)).map((id) => `session 0x${id.toString(16)} is nobody's`);
  const lost = [...used].filter((id) => !known.has(id)).map((id) => `session 0x${id.toString(16)} has gone`);
  return [...left, ...lost];
}

function memberProblems({ ensemble }: StoreCase): readonly string[] {
  const { tree, members = [] } = ensemble ?? {};
  return members
    .filter((member) => member.tree.zxid !== tree?.zxid || member.tree.nodes !== tree.nodes)
    .map(({ number, tree: own }) => `store member ${number} is at ${own.zxid} of ${tree?.zxid}`);
}

/** A port is active exactly where it is served, by the session of the agent that serves it; whoever says that it is not has it bound. */
function keyProblems({ cloud }: StoreCase): readonly string[] {
  const problems: string[] = [];
  const owners = new Map<bigint, string>();
  const states = new Map<string, string>();
  for (const { agent, spec } of cloud.hosts.values()) {
    if (agent?.isRunning !== true) continue;
    owners.set(agent.connection.tree.session.id, spec.name);
    for (const { portId, state } of agent.core.portStates()) states.set(`${spec.name} ${portId}`, state);
  }
  const active = new Set<string>();
  for (const { portId, owner, isActive } of activeKeys(cloud.store.tree)) {
    const at = owners.get(owner) ?? "nobody";
    const state = states.get(`${at} ${portId}`);
    if (isActive && state !== "up") problems.push(`port ${portId} is active by ${at}, where it is ${state}`);
    if (isActive) active.add(`${at} ${portId}`);
  }
  for (const [key, state] of states) {
    if (state === "up" && !active.has(key)) problems.push(`${key} is up, and not published as active`);
  }
  return problems;
}

interface ActiveKey {
  readonly portId: string;
  readonly owner: bigint;
  readonly isActive: boolean;
}

function activeKeys(tree: DataTree): readonly ActiveKey[] {
  const folder = layout.state("port", PORT_ACTIVE_KEY);
  const read = tree.children(folder);
  return (read.ok ? read.value.names : []).flatMap((portId): readonly ActiveKey[] => {
    const node = tree.get(`${folder}/${portId}`);
    if (!node.ok) return [];
    const active = parsePortActive(new TextDecoder().decode(node.value.data));
    const isActive = active.ok && active.value.isActive !== false;
    return [{ portId, owner: node.value.stat.ephemeralOwner, isActive }];
  });
}

/** Every agent has of every map exactly the winners among the opinions that are in the store. */
function opinionProblems({ cloud }: StoreCase): readonly string[] {
  const known = new Map<string, string>();
  const problems: string[] = [];
  for (const host of cloud.hosts.values()) {
    if (host.agent?.isRunning !== true) continue;
    for (const [name, lines] of host.agent.mapLines()) {
      const stored = known.get(name) ?? [...storedLines(cloud.store.tree, name)].sort().join("\n");
      known.set(name, stored);
      if (lines.join("\n") === stored) continue;
      problems.push(`map ${name}: ${host.spec.name} has ${lines.join(" ")}; the store ${stored}`);
    }
  }
  return problems;
}

function storedLines(tree: DataTree, name: string): readonly string[] {
  const [map = "", id = ""] = name.split("/");
  switch (map) {
    case "fdb":
      return winners(tree, { kind: FDB_MAP, owner: "bridge", id }).map(([{ vlan, mac }, portId]) =>
        JSON.stringify({ kind: "fdb", bridgeId: id, vlan, mac, portId }),
      );
    case "neighbor":
      return winners(tree, { kind: NEIGHBOR_MAP, owner: "router", id }).map(([ip, entry]) =>
        JSON.stringify({ kind: "router-neighbor", routerId: id, ip, entry }),
      );
    default:
      return winners(tree, { kind: BRIDGE_NEIGHBOR_MAP, owner: "bridge", id }).map(([ip, mac]) =>
        JSON.stringify({ kind: "bridge-neighbor", bridgeId: id, ip, mac }),
      );
  }
}

function winners<K, V>(
  tree: DataTree,
  of: { readonly kind: MapKind<K, V>; readonly owner: string; readonly id: string },
): readonly (readonly [K, V])[] {
  const { kind } = of;
  const read = tree.children(layout.map({ kind: of.owner, id: of.id }, kind.name));
  const table = new OpinionTable(kind.precedence);
  for (const name of read.ok ? read.value.names : []) {
    const opinion = parseOpinion(kind, name);
    if (opinion.ok) table.add(opinion.value);
  }
  return [...table.winners()].map(
    ([key, { value }]) => [unwrap(kind.key.parse(key)), unwrap(kind.value.parse(value))] as const,
  );
}
