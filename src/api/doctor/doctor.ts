import type { DoctorAnswer, Finding } from "../../api-schema/doctor-resource.ts";
import { apiError } from "../../api-schema/errors.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { ModelError } from "../../model/model-error.ts";
import type { Id, Kind } from "../../model/objects.ts";
import { isKind, KINDS } from "../../model/registry.ts";
import { type Layout, unescapeName } from "../../store/recipes/layout.ts";
import type { StoreError } from "../../store/recipes/store-error.ts";
import type { ObjectList, TopologyStore } from "../../store/recipes/topology-store.ts";
import type { Tree } from "../../store/tree.ts";
import { type Agents, askAll } from "../agents.ts";
import type { Facts } from "../facts.ts";
import { type CloudFacts, checkCloud } from "./cloud-checks.ts";
import { checkStore, clockFinding, type StoreParts, unusableStore } from "./store-checks.ts";

/** What the doctor of the API looks at. */
export interface CloudDoctorParts extends Omit<StoreParts, "tree"> {
  readonly topology: TopologyStore;
  readonly facts: Facts;
  readonly agents: Agents;
  readonly release: string;
  /** The tree of the present session. */
  tree(): Tree;
}

type Missing = DoctorAnswer["missing"][number];

/**
 * Looks at the store, at the cloud as a whole, and through the agents at every host that lives, or at one. A store that cannot be used
 * is a finding like others; then agents are asked where they were heard of last.
 */
export async function examineCloud(parts: CloudDoctorParts, hostId?: Id): Promise<DoctorAnswer> {
  const tree = parts.tree();
  const store = hostId === undefined ? await checkStore({ ...parts, tree }) : [];
  const isReachable = tree.session.state === "connected";
  // Without the store there is nothing to ask by; the agents that are known can still tell.
  const hosts = isReachable ? await parts.topology.list("host") : undefined;
  const listed = hosts?.ok === true ? hosts.value.objects : undefined;
  const names = new Map(listed?.map(({ object }) => [object.id, object.name] as const));
  const known = listed === undefined ? parts.facts.lastKnownHosts() : [...names.keys()];
  const asked = { hostIds: hostId === undefined ? known : [hostId], names, isLastKnown: listed === undefined };
  const agents = await askAgents(parts, asked);
  const isWhole = listed !== undefined && hostId === undefined;
  const cloud = isWhole ? await gatherCloud(parts, tree, agents.releases) : undefined;
  const refusal = hosts?.ok === false ? hosts.error : cloud?.ok === false ? cloud.error : undefined;
  // One sentence about the layout is enough: that of who could not use it.
  const sound = refusal === undefined ? store : store.filter(({ check }) => check !== "store-layout");
  const unusable = refusal === undefined ? [] : [unusableStore(parts.layout, refusal)];
  const judged = cloud?.ok === true ? checkCloud(cloud.value) : [];
  return { findings: [...sound, ...unusable, ...judged, ...agents.findings], missing: agents.missing };
}

interface AskedAgents {
  readonly findings: DoctorAnswer["findings"];
  readonly missing: readonly Missing[];
  readonly releases: ReadonlyMap<Id, string>;
}

interface AskedHosts {
  readonly hostIds: readonly Id[];
  readonly names: ReadonlyMap<Id, string>;
  /** The store does not say who lives: each is asked where it was last. */
  readonly isLastKnown: boolean;
}

async function askAgents(
  { agents, facts, clock }: CloudDoctorParts,
  { hostIds, names, isLastKnown }: AskedHosts,
): Promise<AskedAgents> {
  const findings: (Finding & { readonly hostId: Id })[] = [];
  const releases = new Map<Id, string>();
  const missing: Missing[] = [];
  const asked = await askAll(hostIds, async (hostId) => {
    if (!facts.isAlive(hostId) && !isLastKnown) return err(apiError("agent-not-alive", { object: `host ${hostId}` }));
    const status = isLastKnown ? undefined : await agents.status(hostId);
    if (status?.ok === true) releases.set(hostId, status.value.release);
    const from = clock.wall();
    const answer = await agents.doctor(hostId, isLastKnown);
    return answer.ok ? ok({ ...answer.value, from, until: clock.wall() }) : answer;
  });
  for (const [hostId, answer] of asked) {
    if (answer.ok) {
      const { wall: at, from, until } = answer.value;
      const clockOf = clockFinding(`clock of host ${hostId}`, { at, from, until });
      findings.push(...[clockOf, ...answer.value.findings].map((one) => ({ ...one, hostId })));
    } else {
      const { code, message } = answer.error;
      missing.push({ hostId, name: names.get(hostId) ?? hostId, code, message });
    }
  }
  return { findings, missing, releases };
}

async function gatherCloud(
  { topology, facts, layout, release }: CloudDoctorParts,
  tree: Tree,
  releases: ReadonlyMap<Id, string>,
): Promise<Result<CloudFacts, StoreError>> {
  const lists = new Map<Kind, ObjectList<Kind>>();
  for (const kind of KINDS) {
    const list = await topology.list(kind);
    if (!list.ok) return list;
    lists.set(kind, list.value);
  }
  const of = <K extends Kind>(kind: K): ObjectList<K> => lists.get(kind) as unknown as ObjectList<K>;
  const ids = new Map(
    [...lists].map(([kind, { objects, damaged }]) => {
      return [kind, new Set([...objects.map(({ object }) => object.id), ...damaged.map(({ object }) => object.id)])];
    }),
  );
  // What was made since the listing is asked for once more.
  const isKnown = async (kind: string, id: string): Promise<boolean> => {
    if (!isKind(kind) || ids.get(kind)?.has(id) === true) return true;
    const again = await topology.get(kind, id);
    return !again.ok || again.value !== undefined;
  };
  return ok({
    hosts: of("host").objects.map(({ object }) => {
      return { ...object, isAlive: facts.isAlive(object.id), release: releases.get(object.id) };
    }),
    zones: of("tunnel-zone").objects.map(({ object }) => object),
    ports: of("port").objects.map(({ object, version }) => {
      const shown = facts.of(object, version);
      return { ...object, isActive: "isActive" in shown && shown.isActive === true };
    }),
    damaged: [...lists.values()].flatMap(({ damaged }) => damaged.map(damagedFact)),
    release,
    orphans: await orphans(tree, layout, isKnown),
  });
}

function damagedFact({ object, kind, expected }: ModelError): CloudFacts["damaged"][number] {
  return { kind: object.kind, id: object.id, why: `${kind}, expected ${expected}` };
}

/** Nodes of state keys and maps whose object does not exist. */
async function orphans(
  tree: Tree,
  layout: Layout,
  isKnown: (kind: string, id: string) => Promise<boolean>,
): Promise<CloudFacts["orphans"]> {
  const found: { path: string; kind: string; id: string }[] = [];
  const children = async (path: string): Promise<readonly string[]> => {
    const list = await tree.children(path);
    return list.ok ? list.value.names : [];
  };
  const look = async (folder: string, kind: string): Promise<void> => {
    for (const name of await children(folder)) {
      const id = unescapeName(name) ?? name;
      if (!(await isKnown(kind, id))) found.push({ path: `${folder}/${name}`, kind, id });
    }
  };
  const state = layout.state();
  for (const kind of await children(state))
    for (const name of await children(`${state}/${kind}`)) await look(`${state}/${kind}/${name}`, kind);
  const maps = `${layout.root}/maps`;
  for (const kind of await children(maps)) await look(`${maps}/${kind}`, kind);
  return found;
}
