import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import fc from "fast-check";
import { systemScheduler } from "../../base/scheduler.ts";
import type { TopologyObject } from "../../model/objects.ts";
import { bridge, bridgePort, chain, host, idOf, router, rule } from "../../model/testdata/topology.ts";
import { bytes, failure, text, value } from "../compliance/expecting.ts";
import { textMapKind } from "../compliance/text-map-kind.ts";
import { MemoryTree } from "../memory/memory-tree.ts";
import { MemoryTreeServer } from "../memory/memory-tree-server.ts";
import { StoreConnection } from "../recipes/connection.ts";
import { TreeElection } from "../recipes/election.ts";
import { Layout } from "../recipes/layout.ts";
import { TreeLock } from "../recipes/lock.ts";
import { ServiceOwnership } from "../recipes/service-ownership.ts";
import { TreePortLeases } from "../recipes/tree-port-leases.ts";
import { TreeReplicatedMap } from "../recipes/tree-replicated-map.ts";
import { TreeStateKeys } from "../recipes/tree-state-keys.ts";
import { TreeTopologyStore } from "../recipes/tree-topology-store.ts";
import { backupOf, copyStore, previewFill, restoreBackup, takeSnapshot } from "./backup.ts";
import { type Backup, backupEnd, backupLines, readBackup } from "./backup-text.ts";

const sha = (content: string): string => createHash("sha256").update(content).digest("hex");
const about = { root: "/weft", release: "9.9.9", takenAtMs: 1_763_715_000_000 };

/** A store of its own with a memory server. */
class Store {
  readonly server = new MemoryTreeServer({ scheduler: systemScheduler, redialMs: 1 });
  readonly connection = new StoreConnection({ scheduler: systemScheduler, connect: () => this.server.connect() });
  readonly layout = new Layout();
  readonly topology = new TreeTopologyStore(this.connection, this.layout);

  async create(...objects: readonly TopologyObject[]): Promise<void> {
    value(await this.topology.transact(objects.map((object) => ({ op: "create", object }))));
  }

  map(id: string): TreeReplicatedMap<string, string> {
    const path = this.layout.map({ kind: "bridge", id }, "fdb");
    return new TreeReplicatedMap({
      connection: this.connection,
      kind: textMapKind("newest-learned-then-configured"),
      path,
    });
  }

  /** A cloud with everything in it that a store can hold. */
  async populate(): Promise<void> {
    await this.create(host(1), bridge(1), router(2), chain(3), rule(4));
    await this.create(bridgePort(10, { inboundFilterId: idOf(3) }));
    const map = this.map(idOf(1));
    for (const round of [1, 2, 3]) value(await map.configure("a", `v${round}`));
    value(await map.configure("b", "w"));
    value(await map.put("c", "learned"));
    // Its owner would say it again as soon as it is deleted.
    await map.close();
    const keys = new TreeStateKeys(this.connection, this.layout);
    value(await keys.set({ kind: "port", id: idOf(10), name: "active" }, "{}", { writer: "last" }));
    const leases = new TreePortLeases({
      ...{ connection: this.connection, label: "h1", seed: 1, layout: this.layout },
      listener: { onLost: () => undefined },
    });
    const wanted = { device: idOf(2), address: "192.0.2.1", firstPort: 64, lastPort: 127 };
    await value(await leases.take(wanted)).release();
    value(await leases.take(wanted));
  }

  /** Deletes everything under the root, as by mistake. */
  async empty(): Promise<void> {
    const { tree } = this.connection;
    const paths: string[] = [];
    const list = async (path: string): Promise<void> => {
      paths.push(path);
      for (const name of value(await tree.children(path)).names) await list(`${path}/${name}`);
    };
    await list(this.layout.root);
    for (const path of paths.reverse()) value(await tree.remove(path));
  }

  async stop(): Promise<void> {
    this.topology.close();
    await this.connection.close();
    this.server.stop();
  }
}

function written(backup: Backup): string {
  const body = [...backupLines(backup)].join("");
  return body + backupEnd(backup.nodes.length, sha(body));
}

/** Without the term, which each store has for itself. */
async function backedUp(store: Store): Promise<Backup> {
  return backupOf({ ...value(await takeSnapshot(store.connection, store.layout)), term: 0n }, about);
}

/** The fencing numbers that a lock, a leader, an owner and a lease get in a store now. */
async function fences({ connection, layout }: Store): Promise<readonly bigint[]> {
  const held = value(await new TreeLock(connection, layout.lock("l")).acquire({ label: "h1", waitMs: 5_000 }));
  const led = Promise.withResolvers<bigint>();
  const candidate = { label: "h1", onElected: led.resolve, onDeposed: () => undefined };
  const candidacy = new TreeElection(connection, layout.election("e")).stand(candidate);
  const owned = Promise.withResolvers<bigint>();
  const owners = new ServiceOwnership(connection, {
    ...{ folder: layout.owners("s"), label: "h1", onLost: () => undefined },
    onOwned: (_, fence) => owned.resolve(fence),
  });
  owners.claim("x");
  const leases = new TreePortLeases({
    connection,
    label: "h1",
    seed: 1,
    layout,
    listener: { onLost: () => undefined },
  });
  const lease = value(await leases.take({ device: idOf(2), address: "192.0.2.9", firstPort: 64, lastPort: 127 }));
  const numbers = [held.fence, await led.promise, await owned.promise, lease.fence];
  await Promise.all([held.release(), candidacy.resign(), owners.close(), leases.close()]);
  return numbers;
}

async function withStores(run: (a: Store, b: Store) => Promise<void>): Promise<void> {
  const [a, b] = [new Store(), new Store()];
  try {
    await run(a, b);
  } finally {
    await a.stop();
    await b.stop();
  }
}

describe("backup of a store", () => {
  test("restored into an emptied store it brings back objects, names, links, configured entries and leases", () =>
    withStores(async (store, other) => {
      await store.populate();
      const file = written(await backedUp(store));
      assert.doesNotMatch(file, /learned|active|transactions/);
      const backup = value(readBackup(file, sha));
      await store.empty();
      assert.equal(failure(await store.topology.transact([{ op: "create", object: bridge(7) }])).kind, "layout-gone");
      const filled = value(await restoreBackup(store.connection, store.layout, { backup }));
      assert.deepEqual([filled.changed, filled.removed, filled.left], [0, 0, []]);
      value(await restoreBackup(other.connection, other.layout, { backup }));
      for (const at of [store, other]) {
        assert.equal(written(await backedUp(at)), file);
        assert.equal(value(await at.topology.list("port")).objects[0]?.object.inboundFilterId, idOf(3));
        assert.equal(value(await at.topology.idOfName({ kind: "bridge", tenant: "blue", name: "bridge1" })), idOf(1));
        const map = at.map(idOf(1));
        await map.ready;
        assert.deepEqual([map.get("a"), map.get("b")], ["v3", "w"]);
        // Work goes on: a chain in use is cleared from its port, a learned entry is newer than what was restored.
        value(await at.topology.transact([{ op: "delete", kind: "chain", id: idOf(3) }]));
        assert.equal(value(await at.topology.get("port", idOf(10)))?.object.inboundFilterId, undefined);
        value(await map.put("a", "x"));
        assert.equal(map.get("a"), "x");
        value(await map.configure("b", "w2"));
        assert.equal(map.get("b"), "w2");
        const block = value(await at.connection.tree.get(`${at.layout.portBlocks(idOf(2), "192.0.2.1")}/1`));
        assert.deepEqual([block.stat.version, text(block.data)], [1, "h1"]);
      }
    }));

  test("restored into a store that went on it undoes what came after, and keeps what live sessions hold", () =>
    withStores(async (store) => {
      await store.populate();
      const backup = await backedUp(store);
      await store.create(bridge(8));
      value(await store.topology.transact([{ op: "delete", kind: "bridge", id: idOf(1) }]));
      value(await store.connection.tree.set(store.layout.object("host", idOf(1)), bytes("{damaged")));
      const preview = value(await previewFill(store.connection, store.layout, backup.nodes));
      assert.deepEqual(
        preview.plan.removed,
        [`objects/bridges/${idOf(8)}`, "names/bridges/blue,bridge8"].sort().reverse(),
      );
      assert.deepEqual(preview.plan.changed, [`objects/hosts/${idOf(1)}`]);
      value(await restoreBackup(store.connection, store.layout, { backup }));
      assert.equal(written(await backedUp(store)), written(backup));
      const state = await store.connection.tree.exists(store.layout.state("port", "active", idOf(10)));
      assert.notEqual(value(state), undefined);
    }));

  test("fencing numbers never go back: restored where it was, restored into another store, copied on from there", () =>
    withStores(async (store, other) => {
      await store.create(bridge(1), router(2));
      // Transactions of the other store are far behind.
      const before = [await fences(store), await fences(store)];
      const backup = backupOf(value(await takeSnapshot(store.connection, store.layout)), about);
      await store.empty();
      value(await restoreBackup(store.connection, store.layout, { backup }));
      before.push(await fences(store));
      value(await restoreBackup(other.connection, other.layout, { backup }));
      before.push(await fences(other));
      await store.empty();
      value(await copyStore({ from: other, to: store, source: "other" }));
      before.push(await fences(store));
      for (const [i, numbers] of before.entries())
        for (const [j, number] of numbers.entries())
          assert.ok(i === 0 || number > (before[i - 1]?.[j] ?? number), `${i}`);
    }));

  test("a file that is cut off or altered anywhere is refused with a sentence", () =>
    withStores(async (store) => {
      await store.populate();
      const file = written(await backedUp(store));
      for (let cut = 0; cut < file.length; cut += 7)
        assert.equal(readBackup(file.slice(0, cut), sha).ok, false, `${cut}`);
      for (let at = 0; at < file.length; at += 13) {
        const other = file[at] === "7" ? "8" : "7";
        const altered = file.slice(0, at) + other + file.slice(at + 1);
        const read = readBackup(altered, sha);
        assert.ok(!read.ok && read.error.length > 10, `altered at ${at}`);
      }
      assert.match(failure(readBackup(file.replace('{"weftBackup":1', '{"weftBackup":2'), sha)), /format 2/);
    }));

  test("any content comes back byte for byte", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.uint8Array(), fc.json().map(bytes), fc.string().map(bytes))), (contents) => {
        const nodes = contents.map((data, i) => ({ path: `x/${i}`, data }));
        const read = value(readBackup(written(backupOf({ layout: 1, nodes, term: 0n }, about)), sha));
        assert.deepEqual(
          read.nodes.map(({ data }) => [...data]),
          contents.map((data) => [...data]),
        );
      }),
    );
  });
});

describe("copy of a store", () => {
  const ends = (from: Store, to: Store) => ({ from, to, source: "there" });

  test("is equal, and can be gone on with; the way back as well", () =>
    withStores(async (a, b) => {
      await a.populate();
      const copied = value(await copyStore(ends(a, b)));
      assert.equal(copied.repeats, 0);
      await b.create(bridge(9));
      value(await copyStore(ends(b, a)));
      assert.notEqual(value(await a.topology.get("bridge", idOf(9))), undefined);
      assert.equal(written(await backedUp(a)), written(await backedUp(b)));
    }));

  test("cut off after any write it leaves a target that nobody takes for whole, and running it again ends it", () =>
    withStores(async (a) => {
      await a.populate();
      for (let cutAfter = 0; ; cutAfter++) {
        const b = new Store();
        let multis = 0;
        const { tree } = b.connection;
        const multi = tree.multi.bind(tree);
        let isCut = false;
        tree.multi = async (operations) => {
          isCut ||= multis++ >= cutAfter;
          return isCut ? { ok: false, error: { index: undefined, error: { kind: "closed" } } } : multi(operations);
        };
        const copied = await copyStore(ends(a, b));
        if (copied.ok) {
          await b.stop();
          break;
        }
        tree.multi = multi;
        const fresh = new TreeTopologyStore(b.connection, b.layout);
        if (cutAfter > 0) assert.equal(failure(await fresh.list("bridge")).kind, "layout-gone");
        value(await copyStore(ends(a, b)));
        assert.equal(written(await backedUp(b)), written(await backedUp(a)));
        value(await fresh.transact([{ op: "create", object: bridge(9) }]));
        await b.stop();
      }
    }));

  test("lost replies and lost connections change nothing", () =>
    withStores(async (a, b) => {
      await a.populate();
      for (const fate of ["applied", "lost"] as const) {
        const own = b.connection.tree;
        assert.ok(own instanceof MemoryTree);
        const copying = copyStore({ ...ends(a, b), onProgress: () => b.server.disconnect(own, fate) });
        value(await copying);
        assert.equal(written(await backedUp(b)), written(await backedUp(a)));
      }
    }));

  test("what is written to the source meanwhile is copied too; a source that never rests is refused", () =>
    withStores(async (a, b) => {
      await a.populate();
      let count = 20;
      let isWriting = false;
      const writeMore = (until: number) => (what: "read" | "written") => {
        if (what !== "written" || count >= until || isWriting) return;
        isWriting = true;
        count += 1;
        void a.create(bridge(count)).then(() => {
          isWriting = false;
        });
      };
      const copied = value(await copyStore({ ...ends(a, b), onProgress: writeMore(22) }));
      assert.ok(copied.repeats > 0);
      assert.equal(written(await backedUp(b)), written(await backedUp(a)));
    }));

  test("a second copy that begins ends the first one", () =>
    withStores(async (a, b) => {
      await a.populate();
      let second: Promise<unknown> | undefined;
      const first = await copyStore({
        ...ends(a, b),
        onProgress: (what) => {
          if (what === "written") second ??= copyStore(ends(a, b)).then(value);
        },
      });
      if (!first.ok) assert.match(JSON.stringify(first.error), /has begun since/);
      await second;
      assert.equal(written(await backedUp(b)), written(await backedUp(a)));
    }));

  test("a scan sees one moment: two documents that always change together are never seen apart", () =>
    withStores(async (a) => {
      await a.create(bridge(1), bridge(2));
      let round = 0;
      let isOver = false;
      const writing = (async () => {
        while (!isOver && round < 200) {
          round += 1;
          const objects = [1, 2].map((n) => bridge(n, { name: `n${n}-${round}` }));
          value(await a.topology.transact(objects.map((object) => ({ op: "update", object }))));
        }
      })();
      for (let i = 0; i < 20; i++) {
        const taken = await takeSnapshot(a.connection, a.layout);
        if (!taken.ok) {
          assert.equal(taken.error.kind, "busy");
          continue;
        }
        const names = taken.value.nodes
          .filter(({ path }) => path.startsWith("objects/bridges/"))
          .map(({ data }) => text(data));
        const rounds = names.flatMap((one) => /"n\d-(\d+)"/.exec(one)?.[1] ?? []);
        assert.equal(new Set(rounds).size <= 1, true, rounds.join(" "));
      }
      isOver = true;
      await writing;
    }));
});
