import assert from "node:assert/strict";
import { after, before, describe, type TestContext, test } from "node:test";
import { Prng } from "../../src/base/prng.ts";
import { unwrap } from "../../src/base/result.ts";
import { sleep, systemScheduler } from "../../src/base/scheduler.ts";
import { until } from "../../src/lab/until.ts";
import { textMapKind } from "../../src/store/compliance/text-map-kind.ts";
import { childOf } from "../../src/store/data-tree-path.ts";
import type { Precedence } from "../../src/store/recipes/map-kind.ts";
import { type Opinion, OpinionTable, parseOpinion } from "../../src/store/recipes/opinion-table.ts";
import { TreeReplicatedMap } from "../../src/store/recipes/tree-replicated-map.ts";
import type { Tree } from "../../src/store/tree.ts";
import { connectZooKeeper } from "../../src/zookeeper/connect.ts";
import { needs } from "../needs.ts";
import { leaderOf } from "./apache-roles.ts";
import { type ApacheEnsemble, replaceLeader, startApache } from "./apache-zookeeper.ts";
import { freshStore, type RealFault, RealProcess, type RealStore, realSessionMs } from "./real-process.ts";

const owners = 4;
const turns = 120;
const path = "/maps/bridge/b1/fdb";
/** Another seed plays another script: `WEFT_SEED=7 npm test -- e2e --only ensemble-map`. */
const seed = Number(process.env["WEFT_SEED"] ?? Date.now() & 0xffff);
const faults: readonly RealFault[] = ["disconnect", "lost", "applied", "expire", "isolate", "rejoin", "rejoin"];
const precedences: readonly Precedence[] = [
  "newest-learned-then-configured",
  "newest-learned",
  "configured-then-newest-learned",
];

interface Owner {
  readonly process: RealProcess;
  readonly map: TreeReplicatedMap<string, string>;
  /** The map as a subscriber that only listens sees it. */
  readonly heard: Map<string, string>;
}

describe("a replicated map on an ensemble", { timeout: 180_000, skip: needs("java", "mvn") }, () => {
  let ensemble: ApacheEnsemble;
  before(async () => {
    ensemble = await startApache(3);
    await leaderOf(ensemble.servers);
  });
  after(() => ensemble.stop());

  for (const precedence of precedences) {
    test(`converges whatever its owners say, lose and outlive: ${precedence}`, async (t) => {
      t.diagnostic(`seed ${seed}`);
      const prng = new Prng(seed + precedences.indexOf(precedence));
      const store = await freshStore(ensemble.addresses, `${precedence}-${seed}`);
      const all = Array.from({ length: owners }, () => ownerOf(store, precedence));
      t.after(() => Promise.all(all.map(({ process }) => process.connection.close())));
      let killing: Promise<void> | undefined;
      for (let turn = 0; turn < turns; turn++) {
        if (turn === turns / 2) killing = replaceLeader(ensemble);
        await act(prng, all[prng.below(owners)] as Owner);
        await sleep(systemScheduler, [0, 1, 5, 40][prng.below(4)] ?? 0);
      }
      await killing;
      for (const { process } of all) await process.befall("rejoin");
      await converged(t, { store, all, precedence });
    });
  }

  test("what an owner learned goes when it is cut off for longer than its session, and is back with it", async (t) => {
    const store = await freshStore(ensemble.addresses, `cut-off-${seed}`);
    const [one, other] = [ownerOf(store, "newest-learned"), ownerOf(store, "newest-learned")];
    t.after(() => Promise.all([one, other].map(({ process }) => process.connection.close())));
    for (const key of ["k1", "k2"]) assert.ok((await one.map.put(key, "one")).ok);
    const hears = (key: string, value: string | undefined): Promise<void> =>
      eventually(`${key} is ${value}`, () => other.map.get(key) === value);
    await hears("k2", "one");
    await one.process.befall("isolate");
    await hears("k1", undefined);
    assert.ok((await other.map.put("k2", "other")).ok);
    await one.process.befall("rejoin");
    await hears("k1", "one");
    // What another learned meanwhile is newer.
    await eventually("it gives way", () => one.map.get("k2") === "other");
    await converged(t, { store, all: [one, other], precedence: "newest-learned" });
  });
});

function ownerOf(store: RealStore, precedence: Precedence): Owner {
  const process = new RealProcess(store);
  const map = new TreeReplicatedMap({ connection: process.connection, path, kind: textMapKind(precedence) });
  const heard = new Map<string, string>();
  map.subscribe({
    onLoaded: (entries) => {
      for (const [key, { value }] of entries) heard.set(key, value);
    },
    onChange: (key, after, before) => {
      assert.equal(before?.value, heard.get(key), "changes come in order");
      if (after === undefined) heard.delete(key);
      else heard.set(key, after.value);
    },
  });
  return { process, map, heard };
}

async function act(prng: Prng, { process, map }: Owner): Promise<void> {
  const key = `k${prng.below(4)}`;
  const chance = prng.below(12);
  if (chance < 6) void map.put(key, `v${prng.below(3)}`);
  else if (chance < 8) void map.remove(key);
  else if (chance < 9) void map.configure(key, `c${prng.below(2)}`);
  else if (chance < 10) void map.unconfigure(key);
  else await process.befall(faults[prng.below(faults.length)] as RealFault);
}

interface Outcome {
  readonly store: RealStore;
  readonly all: readonly Owner[];
  readonly precedence: Precedence;
}

/** Once it is quiet every copy shows the winners of what is in the store, and every opinion there has an owner that lives. */
async function converged(t: TestContext, { store, all, precedence }: Outcome): Promise<void> {
  const tree = unwrap(await connectZooKeeper({ ...store }));
  t.after(() => tree.close());
  let difference = "";
  const same = await until({ scheduler: systemScheduler, withinMs: 30_000 + realSessionMs }, async () => {
    difference = await differenceOf(tree, all, precedence);
    return difference === "" ? true : undefined;
  });
  assert.ok(same, `seed ${seed}: ${difference}`);
}

async function differenceOf(tree: Tree, all: readonly Owner[], precedence: Precedence): Promise<string> {
  const stored = await storedOpinions(tree, precedence);
  const table = new OpinionTable(precedence);
  for (const { opinion } of stored) table.add(opinion);
  const expected = sorted([...table.winners()].map(([key, { value }]) => [key, value]));
  for (const [i, { map, heard }] of all.entries()) {
    const shown = sorted([...map.entries()].map(([key, { value }]) => [key, value]));
    if (shown !== expected) return `copy ${i} is ${shown}, the store ${expected}`;
    if (sorted([...heard]) !== expected)
      return `a subscriber of ${i} heard ${sorted([...heard])}, the store is ${expected}`;
  }
  const learned = stored.filter(({ opinion }) => opinion.origin === "learned");
  if (new Set(learned.map(({ opinion }) => opinion.key)).size !== learned.length) {
    return `more than one learned opinion a key: ${learned.map(({ opinion }) => opinion.name)}`;
  }
  const sessions = new Set(all.map(({ process }) => process.connection.tree.session.id));
  const stale = learned.find(({ owner }) => !sessions.has(owner));
  return stale === undefined ? "" : `${stale.opinion.name} belongs to nobody`;
}

async function storedOpinions(
  tree: Tree,
  precedence: Precedence,
): Promise<readonly { readonly opinion: Opinion; readonly owner: bigint }[]> {
  unwrap(await tree.sync("/"));
  const children = await tree.children(path);
  const found = [];
  for (const name of children.ok ? children.value.names : []) {
    const stat = unwrap(await tree.exists(childOf(path, name)));
    const opinion = unwrap(parseOpinion(textMapKind(precedence), name));
    if (stat !== undefined) found.push({ opinion, owner: stat.ephemeralOwner });
  }
  return found;
}

function sorted(entries: readonly (readonly [string, string])[]): string {
  return JSON.stringify([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function eventually(what: string, holds: () => boolean): Promise<void> {
  const options = { scheduler: systemScheduler, withinMs: 30_000 };
  assert.ok(await until(options, () => (holds() ? true : undefined)), what);
}
