import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Prng } from "../../base/prng.ts";
import { VirtualScheduler } from "../../base/scheduler.ts";
import { textMapKind } from "../compliance/text-map-kind.ts";
import { passTime } from "../compliance/virtual-time.ts";
import { MemoryTree } from "../memory/memory-tree.ts";
import { MemoryTreeServer } from "../memory/memory-tree-server.ts";
import { StoreConnection } from "./connection.ts";
import type { Precedence } from "./map-kind.ts";
import { type Opinion, OpinionTable, parseOpinion } from "./opinion-table.ts";
import { TreeReplicatedMap } from "./tree-replicated-map.ts";

const path = "/maps/bridge/b1/fdb";

interface Owner {
  readonly connection: StoreConnection;
  readonly map: TreeReplicatedMap<string, string>;
  /** The map as a subscriber that only listens sees it. */
  readonly heard: Map<string, string>;
}

class Cloud {
  readonly scheduler = new VirtualScheduler();
  readonly server: MemoryTreeServer;
  readonly owners: readonly Owner[];

  constructor(seed: number, precedence: Precedence) {
    const prng = new Prng(seed);
    this.server = new MemoryTreeServer({
      scheduler: this.scheduler,
      delay: () => prng.below(30),
      seed,
      sweepMs: 2_000,
    });
    this.owners = [0, 1, 2].map(() => this.#owner(precedence));
  }

  tree(owner: number): MemoryTree {
    const tree = this.owners[owner]?.connection.tree;
    assert.ok(tree instanceof MemoryTree);
    return tree;
  }

  #owner(precedence: Precedence): Owner {
    const { scheduler } = this;
    const connection = new StoreConnection({ scheduler, connect: () => this.server.connect({ timeoutMs: 4_000 }) });
    const map = new TreeReplicatedMap({ connection, path, kind: textMapKind(precedence) });
    const heard = new Map<string, string>();
    map.subscribe({
      onLoaded: (entries) => {
        assert.equal(heard.size, 0);
        for (const [key, { value }] of entries) heard.set(key, value);
      },
      onChange: (key, after, before) => {
        assert.equal(before?.value, heard.get(key), "changes come in order");
        if (after === undefined) heard.delete(key);
        else heard.set(key, after.value);
      },
    });
    return { connection, map, heard };
  }
}

type Action =
  | { readonly do: "put" | "configure"; readonly key: string; readonly value: string }
  | { readonly do: "remove" | "unconfigure"; readonly key: string }
  | { readonly do: "disconnect" | "lose-applied" | "lose-lost" | "expire" | "isolate" | "rejoin" };

interface Turn {
  readonly owner: number;
  readonly action: Action;
  readonly pause: number;
}

const keys = fc.constantFrom("k1", "k2");
const actions: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("put" as const), key: keys, value: fc.constantFrom("a", "b", "c") }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("remove" as const), key: keys }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("configure" as const), key: keys, value: fc.constantFrom("x", "y") }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("unconfigure" as const), key: keys }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("disconnect", "lose-applied", "lose-lost", "expire", "isolate", "rejoin"),
    }) as fc.Arbitrary<Action>,
  },
);
const turns: fc.Arbitrary<readonly Turn[]> = fc.array(
  fc.record({ owner: fc.nat({ max: 2 }), action: actions, pause: fc.constantFrom(0, 1, 20, 60, 5_000) }),
  { minLength: 5, maxLength: 40, size: "max" },
);
const precedences = fc.constantFrom<Precedence>(
  "newest-learned-then-configured",
  "newest-learned",
  "configured-then-newest-learned",
);

function act(cloud: Cloud, { owner, action }: Turn): void {
  const map = cloud.owners[owner]?.map;
  const tree = cloud.tree(owner);
  switch (action.do) {
    case "put":
      void map?.put(action.key, action.value);
      break;
    case "configure":
      void map?.configure(action.key, action.value);
      break;
    case "remove":
      void map?.remove(action.key);
      break;
    case "unconfigure":
      void map?.unconfigure(action.key);
      break;
    case "disconnect":
      cloud.server.disconnect(tree);
      break;
    case "lose-applied":
    case "lose-lost":
      cloud.server.disconnect(tree, action.do === "lose-applied" ? "applied" : "lost");
      break;
    case "expire":
      cloud.server.expire(tree);
      break;
    case "isolate":
      cloud.server.isolate(tree);
      break;
    default:
      cloud.server.rejoin(tree);
  }
}

function storedOpinions(cloud: Cloud, precedence: Precedence): readonly { opinion: Opinion; owner: bigint }[] {
  const children = cloud.server.tree.children(path);
  if (!children.ok) return [];
  return children.value.names.map((name) => {
    const opinion = parseOpinion(textMapKind(precedence), name);
    const node = cloud.server.tree.get(`${path}/${name}`);
    assert.ok(opinion.ok && node.ok);
    return { opinion: opinion.value, owner: node.value.stat.ephemeralOwner };
  });
}

/** The law: once it is quiet, every copy shows the winners of what is in the store, and the store holds nothing stale. */
function checkConverged(cloud: Cloud, precedence: Precedence): void {
  const stored = storedOpinions(cloud, precedence);
  const table = new OpinionTable(precedence);
  for (const { opinion } of stored) table.add(opinion);
  const expected = Object.fromEntries([...table.winners()].map(([key, { value }]) => [key, value]).sort());
  for (const { map, heard } of cloud.owners) {
    const shown = Object.fromEntries([...map.entries()].map(([key, { value }]) => [key, value] as const).sort());
    assert.deepEqual(shown, expected);
    assert.deepEqual(Object.fromEntries([...heard].sort()), expected);
  }
  const learned = stored.filter(({ opinion }) => opinion.origin === "learned");
  const seen = new Set(learned.map(({ opinion }) => opinion.key));
  assert.equal(seen.size, learned.length, `one learned opinion a key: ${learned.map(({ opinion }) => opinion.name)}`);
  for (const { owner } of learned) assert.ok(cloud.server.tree.sessions.get(owner) !== undefined, "owners live");
  for (const { opinion, owner } of learned) {
    const holder = cloud.owners.find(({ connection }) => connection.tree.session.id === owner);
    assert.ok(holder !== undefined, "an opinion of a session that nobody has");
    const entry = holder.map.entry(opinion.key);
    if (entry?.sequence === opinion.sequence && entry.origin === "learned") assert.ok(entry.isOwn);
  }
}

/** Plays a script, ends all partitions, and demands the law. */
async function play(seed: number, precedence: Precedence, script: readonly Turn[]): Promise<void> {
  const cloud = new Cloud(seed, precedence);
  for (const turn of script) {
    act(cloud, turn);
    await passTime(cloud.scheduler, turn.pause);
  }
  for (const owner of cloud.owners.keys()) cloud.server.rejoin(cloud.tree(owner));
  await passTime(cloud.scheduler, 120_000);
  checkConverged(cloud, precedence);
  cloud.server.stop();
}

describe("replicated map", () => {
  test("any interleaving of owners, lost replies, partitions and expiry converges", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), precedences, turns, async (seed, precedence, script) => {
        await play(seed, precedence, script);
      }),
      { numRuns: 300 },
    );
  });

  test("who makes the map's node again, and loses the reply, finds what it made: the numbers began again", async () => {
    const put = (owner: number, key: string, pause: number): Turn => {
      return { owner, action: { do: "put", key, value: "a" }, pause };
    };
    const script: readonly Turn[] = [
      put(0, "k1", 5_000),
      { owner: 0, action: { do: "disconnect" }, pause: 60 },
      ...[put(0, "k2", 0), put(1, "k1", 0), put(1, "k2", 5_000)],
      { owner: 1, action: { do: "expire" }, pause: 0 },
      put(0, "k1", 0),
      { owner: 0, action: { do: "isolate" }, pause: 0 },
      put(0, "k1", 5_000),
      { owner: 1, action: { do: "lose-applied" }, pause: 0 },
      put(0, "k1", 0),
      { owner: 0, action: { do: "remove", key: "k1" }, pause: 0 },
      { owner: 0, action: { do: "disconnect" }, pause: 0 },
      put(0, "k1", 0),
      { owner: 1, action: { do: "put", key: "k1", value: "c" }, pause: 0 },
    ];
    await play(0, "newest-learned-then-configured", script);
  });

  test("who comes back after the map's node went with its last opinion gives way to what was learned since", async () => {
    const cloud = new Cloud(4, "newest-learned");
    const [first, second] = cloud.owners;
    assert.ok(first !== undefined && second !== undefined);
    await passTime(cloud.scheduler, 1_000);
    for (const key of ["a", "b", "k"]) void first.map.put(key, "before");
    await passTime(cloud.scheduler, 1_000);
    cloud.server.isolate(cloud.tree(0));
    await passTime(cloud.scheduler, 10_000);
    assert.ok(!cloud.server.tree.children(path).ok, "the node is gone, sequence numbers start again");
    void second.map.put("k", "since");
    await passTime(cloud.scheduler, 1_000);
    cloud.server.rejoin(cloud.tree(0));
    await passTime(cloud.scheduler, 10_000);
    for (const { map } of [first, second]) assert.deepEqual([map.get("a"), map.get("k")], ["before", "since"]);
    cloud.server.stop();
  });

  test("while everybody watches, too, sequence numbers that start again do not make an old opinion win", async () => {
    const cloud = new Cloud(5, "newest-learned");
    const [first, second] = cloud.owners;
    assert.ok(first !== undefined && second !== undefined);
    for (let i = 0; i < 5; i++) void first.map.put("a", `${i}`);
    await passTime(cloud.scheduler, 1_000);
    void first.map.remove("a");
    await passTime(cloud.scheduler, 5_000);
    assert.ok(!cloud.server.tree.children(path).ok, "the node is gone, sequence numbers start again");
    void first.map.put("k", "old");
    await passTime(cloud.scheduler, 1_000);
    void second.map.put("k", "new");
    await passTime(cloud.scheduler, 1_000);
    for (const { map } of [first, second]) assert.equal(map.get("k"), "new");
    cloud.server.stop();
  });

  test("learned opinions die with their session, configured ones stay", async () => {
    const cloud = new Cloud(3, "newest-learned-then-configured");
    const [first, second] = cloud.owners;
    assert.ok(first !== undefined && second !== undefined);
    void first.map.put("k", "learned");
    void first.map.configure("k", "configured");
    await passTime(cloud.scheduler, 1_000);
    assert.equal(second.map.get("k"), "learned");
    void first.connection.close();
    await passTime(cloud.scheduler, 1_000);
    assert.deepEqual(second.map.entry("k"), { value: "configured", origin: "configured", sequence: 1, isOwn: false });
    cloud.server.stop();
  });

  test("when the newest opinion goes, an older one of another owner wins again", () => {
    const table = new OpinionTable("newest-learned-then-configured");
    const opinion = (name: string): Opinion => {
      const parsed = parseOpinion(textMapKind("newest-learned"), name);
      assert.ok(parsed.ok);
      return parsed.value;
    };
    table.add(opinion("k,old,0000000001"));
    table.add(opinion("k,new,0000000002"));
    assert.equal(table.remove("k,new,0000000002")?.after?.value, "old");
  });
});

test("a process that took a session up goes on with its opinions: kept, replaced or taken back, and nobody else's", async () => {
  const scheduler = new VirtualScheduler();
  const server = new MemoryTreeServer({ scheduler });
  const kind = textMapKind("newest-learned-then-configured");
  const first = server.connect();
  const foreign = server.connect();
  const before = new TreeReplicatedMap({ connection: connectionOf(first, scheduler), path, kind });
  const others = new TreeReplicatedMap({ connection: connectionOf(foreign, scheduler), path, kind });
  for (const key of ["stays", "moves", "goes"]) void before.put(key, "old");
  void others.put("theirs", "old");
  await passTime(scheduler, 100);
  server.isolate(first);
  first.detach();
  const connection = connectionOf(server.connect({ resume: first.exportSession() }), scheduler);
  let questions = 0;
  const owned = async (): Promise<ReadonlySet<string>> => {
    questions++;
    const { tree } = connection;
    assert.ok(tree instanceof MemoryTree);
    const read = await tree.ephemerals(path);
    return new Set(read.ok ? read.value : []);
  };
  const after = new TreeReplicatedMap({ connection, path, kind, isResumed: true, owned });
  void after.put("moves", "new");
  await passTime(scheduler, 100);
  assert.equal(questions, 1);
  assert.deepEqual([...after.entries()].map(([key, entry]) => `${key} ${entry.value} ${entry.isOwn}`).sort(), [
    "goes old true",
    "moves new true",
    "stays old true",
    "theirs old false",
  ]);
  void after.remove("goes", "old");
  void after.remove("theirs", "old");
  await passTime(scheduler, 100);
  const children = server.tree.children(path);
  assert.ok(children.ok);
  const names = children.value.names.map((name) => name.split(",").slice(0, 2).join(" "));
  assert.deepEqual(names.sort(), ["moves new", "stays old", "theirs old"]);
  server.stop();
});

function connectionOf(tree: MemoryTree, scheduler: VirtualScheduler): StoreConnection {
  return new StoreConnection({ scheduler, connect: () => tree });
}
