import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { MemoryLog } from "../../base/log.ts";
import { VirtualScheduler } from "../../base/scheduler.ts";
import { bridge, host, idOf, router } from "../../model/testdata/topology.ts";
import { bytes, value } from "../compliance/expecting.ts";
import { FaultyWorld } from "../compliance/faulty-world.ts";
import { textMapKind } from "../compliance/text-map-kind.ts";
import { drain, passTime } from "../compliance/virtual-time.ts";
import { emptyFolderAgeMs, recyclePassMs } from "../limits.ts";
import { MemoryTreeServer } from "../memory/memory-tree-server.ts";
import { StoreConnection } from "../recipes/connection.ts";
import { Layout } from "../recipes/layout.ts";
import { makeContainers, makeFolders } from "../recipes/open-layout.ts";
import { TreeReplicatedMap } from "../recipes/tree-replicated-map.ts";
import { TreeTopologyStore } from "../recipes/tree-topology-store.ts";
import { Recycler } from "./recycler.ts";

const layout = new Layout();
const fdb = (id: string): string => layout.map({ kind: "bridge", id }, "fdb");

/** One process with a recycler, in virtual time. */
class Place {
  readonly scheduler = new VirtualScheduler();
  readonly server = new MemoryTreeServer({ scheduler: this.scheduler });
  readonly connection = this.connect();
  readonly topology = new TreeTopologyStore(this.connection, layout);
  readonly log = new MemoryLog();
  readonly recycler = new Recycler({ connection: this.connection, layout, log: this.log, label: "test" });

  connect(): StoreConnection {
    return new StoreConnection({ scheduler: this.scheduler, connect: () => this.server.connect() });
  }

  /** Runs something to its end, and the time that it takes. */
  async run<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    void work.finally(() => {
      isDone = true;
    });
    while (!isDone) {
      await drain();
      if (!isDone) this.scheduler.step();
    }
    return work;
  }

  map(connection: StoreConnection, id: string): TreeReplicatedMap<string, string> {
    return new TreeReplicatedMap({ connection, kind: textMapKind("newest-learned-then-configured"), path: fdb(id) });
  }

  async exists(path: string): Promise<boolean> {
    return value(await this.run(this.connection.tree.exists(path))) !== undefined;
  }

  stop(): void {
    this.server.stop();
  }
}

describe("recycler", () => {
  test("what a deleted device leaves goes, after two looks; what is alive, and hosts, stay", async () => {
    const place = new Place();
    const { run, connection, topology } = {
      run: <T>(work: Promise<T>) => place.run(work),
      connection: place.connection,
      topology: place.topology,
    };
    const objects = [host(9), bridge(1), bridge(2), router(3)];
    value(await run(topology.transact(objects.map((object) => ({ op: "create", object })))));
    const maps = [place.map(connection, idOf(1)), place.map(connection, idOf(2))];
    for (const map of maps) value(await run(map.configure("a", "x")));
    for (const map of maps) await run(map.close());
    const blocks = [3, 8].map((n) => `${layout.portBlocks(idOf(n), "192.0.2.1")}/1`);
    for (const block of blocks) value(await run(makeFolders(connection, [block])));
    value(await run(makeContainers(connection, layout.lock("old"))));
    value(await run(makeFolders(connection, [layout.state("bridge", `flood.${idOf(7)}`)])));
    value(await run(topology.transact([{ op: "delete", kind: "bridge", id: idOf(1) }])));
    await passTime(place.scheduler, recyclePassMs + 60_000);
    assert.ok(await place.exists(fdb(idOf(1))), "one look removes nothing");
    await passTime(place.scheduler, recyclePassMs);
    assert.ok(!(await place.exists(fdb(idOf(1)))));
    assert.ok(!(await place.exists(blocks[1] ?? "")));
    assert.ok(await place.exists(layout.lock("old")), "somebody may be about to enter");
    await passTime(place.scheduler, emptyFolderAgeMs + 2 * recyclePassMs);
    assert.ok(!(await place.exists(layout.lock("old"))));
    assert.ok(!(await place.exists(layout.state("bridge", `flood.${idOf(7)}`))));
    assert.ok(await place.exists(fdb(idOf(2))));
    assert.ok(await place.exists(blocks[0] ?? ""));
    assert.ok(await place.exists(layout.object("host", idOf(9))));
    assert.equal(place.recycler.counters.get("recycler_removed"), 4 + 0);
    assert.ok(
      place.log.lines.some(({ event, fields }) => event === "recycler.removed" && fields["what"] === "map-of-nothing"),
    );
    place.stop();
  });

  test("an object that is created again between look and removal keeps everything", async () => {
    const place = new Place();
    const { connection } = place;
    value(await place.run(place.topology.transact([{ op: "create", object: bridge(1) }])));
    const map = place.map(connection, idOf(1));
    value(await place.run(map.configure("a", "x")));
    value(await place.run(place.topology.transact([{ op: "delete", kind: "bridge", id: idOf(1) }])));
    await passTime(place.scheduler, recyclePassMs + 60_000);
    const { tree } = connection;
    const multi = tree.multi.bind(tree);
    let isAgain = false;
    tree.multi = async (operations) => {
      if (!isAgain && operations.some(({ op, path }) => op === "remove" && path.startsWith(fdb(idOf(1))))) {
        isAgain = true;
        value(await place.topology.transact([{ op: "create", object: bridge(1) }]));
      }
      return multi(operations);
    };
    await passTime(place.scheduler, recyclePassMs);
    assert.ok(isAgain);
    assert.equal(place.recycler.counters.get("recycler_refused"), 1);
    assert.deepEqual([map.get("a"), value(await place.run(place.topology.list("bridge"))).damaged], ["x", []]);
    place.stop();
  });

  test("nothing is removed from a store that is being filled, migrated or emptied", async () => {
    const place = new Place();
    value(await place.run(place.topology.open()));
    value(await place.run(makeFolders(place.connection, [`${layout.portBlocks(idOf(8), "192.0.2.1")}/1`])));
    await passTime(place.scheduler, recyclePassMs + 60_000);
    value(await place.run(place.connection.tree.set(layout.version, bytes('{"layout":1,"migratingTo":2}'))));
    await passTime(place.scheduler, 3 * recyclePassMs);
    value(await place.run(place.connection.tree.remove(layout.version)));
    await passTime(place.scheduler, 3 * recyclePassMs);
    assert.deepEqual(
      ["recycler_removed", "recycler_failed_passes"].map((name) =>
        place.recycler.counters.get(name as "recycler_found"),
      ),
      [0, 6],
    );
    place.stop();
  });

  test("under faults and pauses, with objects that come and go, nothing of an object that is there ever goes", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1 }),
        fc.array(step, { minLength: 10, maxLength: 25 }),
        async (seed, steps) => {
          const world = new FaultyWorld(seed, 3);
          const [writer, ...others] = world.processes;
          assert.ok(writer !== undefined);
          const topology = new TreeTopologyStore(writer.connection, layout);
          const recyclers = others.map(
            ({ connection }, i) => new Recycler({ connection, layout, log: new MemoryLog(), label: `${i}` }),
          );
          const configured = new Set<number>();
          let writing = 0;
          let last: Promise<unknown> = Promise.resolve();
          // The law: an entry of an object that exists, configured since it was created, is there.
          world.observe = () => {
            if (writing > 0) return;
            for (const n of configured) {
              const entries = world.server.tree.children(fdb(idOf(n)));
              assert.ok(entries.ok && entries.value.names.length > 0, `entries of bridge ${n}`);
            }
          };
          const write = async (n: number, isThere: boolean): Promise<void> => {
            configured.delete(n);
            const change = isThere
              ? ({ op: "create", object: bridge(n) } as const)
              : ({ op: "delete", kind: "bridge", id: idOf(n) } as const);
            await topology.transact([change]);
            const present = await topology.get("bridge", idOf(n));
            if (present.ok && present.value !== undefined) {
              const map = new TreeReplicatedMap({
                ...{
                  connection: writer.connection,
                  kind: textMapKind("newest-learned-then-configured"),
                  path: fdb(idOf(n)),
                },
              });
              if ((await map.configure("a", `${n}`)).ok) configured.add(n);
              await map.close();
            }
            writing--;
          };
          for (const { what, n, wait } of steps) {
            if (what === "create" || what === "delete") {
              // One after the other: what an earlier write still does would be held against a later one.
              writing++;
              last = last.then(() => write(n, what === "create"));
              await world.pass(wait);
            } else if (what === "look") {
              void Promise.all(recyclers.map((recycler) => recycler.pass()));
              await world.pass(wait);
            } else {
              others[n % others.length]?.befall(what);
              await world.pass(wait);
              others[n % others.length]?.befall("wake");
            }
          }
          await world.settle(60_000);
          for (const recycler of recyclers) void recycler.close();
          world.stop();
        },
      ),
      { numRuns: 30 },
    );
  });
});

const step = fc.record({
  what: fc.constantFrom("create", "delete", "delete", "look", "look", "look", "pause", "disconnect", "lost", "applied"),
  n: fc.integer({ min: 1, max: 3 }),
  wait: fc.integer({ min: 1, max: 9_000 }),
});
