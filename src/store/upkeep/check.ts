import { err, ok, type Result } from "../../base/result.ts";
import { sleep } from "../../base/scheduler.ts";
import { isKind } from "../../model/registry.ts";
import { BRIDGE_NEIGHBOR_MAP, FDB_MAP, NEIGHBOR_MAP } from "../../state/map-kinds.ts";
import { reconnectWaitMs, repairRoundsMax, retryWaitMs } from "../limits.ts";
import { secretOf } from "../recipes/cluster-secret.ts";
import type { StoreConnection } from "../recipes/connection.ts";
import { formatTerm, nextTerm, parseTerm } from "../recipes/fences.ts";
import type { Layout } from "../recipes/layout.ts";
import { parseLayout } from "../recipes/layout-document.ts";
import { parseOpinion } from "../recipes/opinion-table.ts";
import { noConnection, unavailable } from "../recipes/steadily.ts";
import type { StoreError } from "../recipes/store-error.ts";
import type { TreeOperation } from "../tree.ts";
import { checkTopology } from "./check-topology.ts";
import type { Finding } from "./finding.ts";
import { findLeftovers } from "./leftovers.ts";
import { placeOf } from "./node-place.ts";
import { type ScannedTree, scanStore } from "./store-scan.ts";

/** Kinds of maps by their names, as far as this release has them. */
const mapKinds = new Map<string, (name: string) => Result<unknown, string>>([
  ["fdb", (name) => parseOpinion(FDB_MAP, name)],
  ["bridge-neighbor", (name) => parseOpinion(BRIDGE_NEIGHBOR_MAP, name)],
  ["neighbor", (name) => parseOpinion(NEIGHBOR_MAP, name)],
]);

/** Everything that is wrong in a store that was read in full. Pure; `wall` as in `findLeftovers`. */
export function findingsOf(tree: ScannedTree, layout: Layout, wall: number): readonly Finding[] {
  const found: Finding[] = [...checkLayout(tree, layout), ...checkSingles(tree, layout, wall)];
  const full = (path: string): string => `${layout.root}/${path}`;
  let foreignAbove = "\n";
  for (const [path, { isUnreadable }] of [...tree].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const place = placeOf(path);
    if (isUnreadable) found.push({ kind: "unreadable", path: full(path), detail: "" });
    if (path.startsWith(foreignAbove)) continue;
    if (place.place === "foreign") {
      found.push({ kind: "foreign", path: full(path), detail: "" });
      // What stands below it goes with it.
      foreignAbove = `${path}/`;
    } else if (place.place === "opinion") {
      const name = path.slice(path.lastIndexOf("/") + 1);
      const parsed = mapKinds.get(place.map)?.(name);
      if (parsed?.ok === false)
        found.push({ kind: "damaged-opinion", path: full(path), detail: `expected ${parsed.error}` });
    } else if (place.place === "state-key" && isKind(place.kind) && isUuid(place.id)) {
      const object = layout.object(place.kind, place.id).slice(layout.root.length + 1);
      if (!tree.has(object))
        found.push({ kind: "key-of-nothing", path: full(path), detail: `${place.kind} ${place.id}` });
    }
  }
  found.push(...checkTopology(tree, layout));
  for (const { kind, path, operations, held } of findLeftovers(tree, layout, wall)) {
    const detail = held === 0 ? "" : `${held} nodes stay until their sessions end`;
    found.push({ kind, path: full(path), detail, repair: operations });
  }
  return found;
}

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}

function checkLayout(tree: ScannedTree, layout: Layout): readonly Finding[] {
  const marker = tree.get("incomplete");
  if (marker !== undefined) {
    const detail = new TextDecoder().decode(marker.data);
    return [{ kind: "incomplete", path: layout.incomplete, detail }];
  }
  const node = tree.get("layout");
  // What it says is not known; that it cannot be read is a finding of its own.
  if (node?.isUnreadable === true) return [];
  if (node === undefined) return [{ kind: "no-layout", path: layout.version, detail: "" }];
  const found = parseLayout(node.data);
  if (found === undefined) return [{ kind: "damaged-layout", path: layout.version, detail: "" }];
  const detail = `layout ${found.layout}, this release writes ${layout.written}`;
  if (found.layout > layout.written) return [{ kind: "newer-layout", path: layout.version, detail }];
  const isOlder = found.layout < layout.written || found.migratingTo !== undefined;
  return isOlder ? [{ kind: "older-layout", path: layout.version, detail }] : [];
}

/** Nodes of which there is one in a store. */
function checkSingles(tree: ScannedTree, layout: Layout, wall: number): readonly Finding[] {
  const found: Finding[] = [];
  const [term, secret] = [tree.get("term"), tree.get("secret")];
  if (term !== undefined && !term.isUnreadable && parseTerm(term.data) === undefined) {
    const data = formatTerm(nextTerm([], wall));
    const repair: TreeOperation = { op: "set", path: layout.term, data, version: term.stat.version };
    found.push({ kind: "damaged-term", path: layout.term, detail: "expected digits", repair: [repair] });
  }
  if (secret !== undefined && !secret.isUnreadable && secretOf(secret.data) === undefined)
    found.push({ kind: "damaged-secret", path: layout.secret, detail: "expected 32 hexadecimal digits" });
  return found;
}

/** Reads a whole store and says what is wrong. */
export async function checkStore(
  connection: StoreConnection,
  layout: Layout,
): Promise<Result<readonly Finding[], StoreError>> {
  const tree = await scanStore(connection, { root: layout.root });
  return tree.ok ? ok(findingsOf(tree.value, layout, connection.scheduler.clock.wall())) : tree;
}

/** What a repair came to. */
export interface Repaired {
  readonly repaired: readonly Finding[];
  /** What is still wrong. */
  readonly left: readonly Finding[];
}

/**
 * Puts right what can be put right without a choice, until nothing of that is left. Each step is one transaction on what was
 * read, so others may write meanwhile. Nothing is done to a store whose layout is not this release's.
 */
export async function repairStore(connection: StoreConnection, layout: Layout): Promise<Result<Repaired, StoreError>> {
  const repaired: Finding[] = [];
  for (let round = 0; round < repairRoundsMax; round++) {
    const tree = await scanStore(connection, { root: layout.root });
    if (!tree.ok) return tree;
    const findings = findingsOf(tree.value, layout, connection.scheduler.clock.wall());
    const steps = findings.filter(({ repair }) => repair !== undefined);
    const version = tree.value.get("layout")?.stat.version;
    const isOurs = version !== undefined && checkLayout(tree.value, layout).length === 0;
    if (steps.length === 0 || !isOurs) return ok({ repaired, left: findings });
    const check: TreeOperation = { op: "check", path: layout.version, version };
    for (const step of steps) {
      const done = await attempt(connection, [check, ...(step.repair ?? [])]);
      if (!done.ok) return done;
      if (done.value) repaired.push(step);
    }
  }
  return err({ kind: "busy", attempts: repairRoundsMax });
}

/** Does a transaction; false when it failed or nobody knows: the next look tells. */
export async function attempt(
  connection: StoreConnection,
  operations: readonly TreeOperation[],
): Promise<Result<boolean, StoreError>> {
  if (!(await connection.untilConnected(reconnectWaitMs))) return err(noConnection(connection));
  const reply = await connection.tree.multi(operations);
  if (reply.ok) return ok(true);
  const { kind } = reply.error.error;
  if (kind === "closed") return err(unavailable("the store connection was closed"));
  if (kind === "connection-loss") await sleep(connection.scheduler, retryWaitMs);
  return ok(false);
}
