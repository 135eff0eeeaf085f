import assert from "node:assert/strict";
import { test } from "node:test";
import { ok } from "../../base/result.ts";
import { VirtualScheduler } from "../../base/scheduler.ts";
import { passTime } from "../compliance/virtual-time.ts";
import { MemoryTreeServer } from "../memory/memory-tree-server.ts";
import type { Tree } from "../tree.ts";
import { StoreConnection } from "./connection.ts";
import type { MapKind, TextCodec } from "./map-kind.ts";
import { TreeReplicatedMap } from "./tree-replicated-map.ts";

/** How often something was done, by what it was. */
class Tally {
  readonly #counts = new Map<string, number>();

  add(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  /** Everything since the last call, in a fixed order. */
  take(): Readonly<Record<string, number>> {
    const counts = Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
    this.#counts.clear();
    return counts;
  }
}

/** A tree whose calls are counted. */
function counted(tree: Tree, tally: Tally): Tree {
  return new Proxy(tree, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      tally.add(`store ${String(name)}`);
      return member.bind(target);
    },
  });
}

/** A kind that counts what is read and written of names: the work that grows when a map looks at entries it need not look at. */
function countedKind(tally: Tally): MapKind<string, string> {
  const codec: TextCodec<string> = {
    format: (value) => {
      tally.add("format");
      return value;
    },
    parse: (text) => {
      tally.add("parse");
      return ok(text);
    },
  };
  return { name: "text", precedence: "newest-learned-then-configured", key: codec, value: codec };
}

interface Copy {
  readonly tally: Tally;
  readonly map: TreeReplicatedMap<string, string>;
  readonly connection: StoreConnection;
}

/** Three copies of a map with so many entries, all learned by the first of them. */
class Copies {
  readonly scheduler = new VirtualScheduler();
  readonly #server = new MemoryTreeServer({ scheduler: this.scheduler, delay: () => 1, seed: 1 });
  readonly all: readonly Copy[] = [0, 1, 2].map(() => this.#open());

  async fill(entries: number): Promise<void> {
    for (let i = 0; i < entries; i++) void this.all[0]?.map.put(`k${i}`, "before");
    await this.rest();
    for (const { map } of this.all) assert.equal(map.size, entries);
  }

  rest(): Promise<void> {
    return passTime(this.scheduler, 1_000);
  }

  /** What each copy does while something happens, until all is quiet. */
  async cost(happens: () => void): Promise<readonly Readonly<Record<string, number>>[]> {
    for (const { tally } of this.all) tally.take();
    happens();
    await this.rest();
    return this.all.map(({ tally }) => tally.take());
  }

  stop(): void {
    this.#server.stop();
  }

  #open(): Copy {
    const tally = new Tally();
    const { scheduler } = this;
    const connect = (): Tree => counted(this.#server.connect({ timeoutMs: 4_000 }), tally);
    const connection = new StoreConnection({ scheduler, connect });
    const map = new TreeReplicatedMap({ connection, path: "/maps/m", kind: countedKind(tally) });
    map.subscribe({ onLoaded: () => tally.add("loaded"), onChange: () => tally.add("change") });
    return { tally, map, connection };
  }
}

const updates: Readonly<Record<string, (copies: readonly Copy[]) => void>> = {
  "an owner says something new": ([first]) => void first?.map.put("k7", "after"),
  "an owner takes something back": ([first]) => void first?.map.remove("k8"),
  "another owner takes over": ([, second]) => void second?.map.put("k9", "after"),
  "somebody learns of a new key": ([, , third]) => void third?.map.put("new", "after"),
  "somebody configures a new key": ([first]) => void first?.map.configure("new too", "set"),
};

test("an update of a replicated map costs the same for 100 and for 10,000 entries, for who writes and who hears", async () => {
  const bySize = [];
  for (const entries of [100, 10_000]) {
    const copies = new Copies();
    await copies.fill(entries);
    const costs: Record<string, Awaited<ReturnType<Copies["cost"]>>> = {};
    for (const [name, update] of Object.entries(updates)) costs[name] = await copies.cost(() => update(copies.all));
    bySize.push(costs);
    copies.stop();
  }
  const [small = {}, large] = bySize;
  assert.deepEqual(large, small);
  for (const [name, costs] of Object.entries(small)) {
    for (const cost of costs) {
      assert.ok((cost["change"] ?? 0) > 0, `${name}: somebody did not hear of it`);
      assert.equal(cost["store children"], undefined, `${name}: a map was read as a whole`);
      assert.ok((cost["parse"] ?? 0) <= 24, `${name}: ${cost["parse"]} names or values were read`);
    }
  }
});

test("an owner that changes its mind writes once, and nobody sees the key without a value", async () => {
  const copies = new Copies();
  await copies.fill(10);
  const gone: string[] = [];
  for (const { map } of copies.all) {
    map.subscribe({
      onLoaded: () => undefined,
      onChange: (key, after) => {
        if (after === undefined) gone.push(key);
      },
    });
  }
  const [owner = {}, ...others] = await copies.cost(() => void copies.all[0]?.map.put("k7", "after"));
  const writes = Object.entries(owner).filter(([what]) => what.startsWith("store"));
  assert.deepEqual(writes, [["store multi", 1]]);
  for (const other of others) assert.equal(other["change"], 1);
  assert.deepEqual(gone, []);
  for (const { map } of copies.all) assert.equal(map.get("k7"), "after");
  copies.stop();
});

test("what an owner replaces and somebody removed meanwhile is no hindrance", async () => {
  const copies = new Copies();
  await copies.fill(1);
  const [first, second] = copies.all;
  // The first opinion of a new map.
  const name = "k0,before,0000000000";
  await copies.cost(() => {
    void second?.connection.tree.remove(`/maps/m/${name}`);
    void first?.map.put("k0", "after");
  });
  for (const { map } of copies.all) assert.equal(map.get("k0"), "after");
  assert.equal(first?.map.ownOpinions, 1);
  copies.stop();
});
