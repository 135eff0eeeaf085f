import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemScheduler } from "../../base/scheduler.ts";
import { bridge, host, idOf } from "../../model/testdata/topology.ts";
import { failure, text, value } from "../compliance/expecting.ts";
import { MemoryTreeServer } from "../memory/memory-tree-server.ts";
import { StoreConnection } from "../recipes/connection.ts";
import { Layout, layoutVersion } from "../recipes/layout.ts";
import { TreeTopologyStore } from "../recipes/tree-topology-store.ts";
import { MIGRATION_STEPS, type MigrationStep, migrateStore } from "./migration.ts";

/** A step that changes documents and moves nodes: bridges are called switches from layout 2 on. */
const renaming: MigrationStep = {
  from: 1,
  what: "bridges are called switches",
  convert({ path, data, stat }, tree) {
    const [, kind, id = ""] = /^\/weft\/objects\/(bridges|switches)(?:\/([^/]+))?$/.exec(path) ?? [];
    if (kind !== "bridges") return [];
    if (id === "") {
      // The folder: its successor first, itself when nothing is left in it.
      if (!tree.has("objects/switches")) return [{ op: "create", path: "/weft/objects/switches", data }];
      return stat.childCount === 0 ? [{ op: "remove", path, version: stat.version }] : [];
    }
    if (!tree.has("objects/switches")) return [];
    const renamed = new TextEncoder().encode(text(data).replace('"v":1,"kind":"bridge"', '"v":2,"kind":"switch"'));
    return [
      { op: "remove", path, version: stat.version },
      { op: "create", path: `/weft/objects/switches/${id}`, data: renamed },
    ];
  },
};

class Store {
  readonly server = new MemoryTreeServer({ scheduler: systemScheduler, redialMs: 1 });
  readonly connection = new StoreConnection({ scheduler: systemScheduler, connect: () => this.server.connect() });
  readonly topology = new TreeTopologyStore(this.connection);

  async populate(): Promise<void> {
    const objects = [host(1), bridge(2), bridge(3), bridge(4)];
    value(await this.topology.transact(objects.map((object) => ({ op: "create", object }))));
  }

  async layoutText(): Promise<string> {
    return text(value(await this.connection.tree.get("/weft/layout")).data);
  }

  async stop(): Promise<void> {
    this.topology.close();
    await this.connection.close();
    this.server.stop();
  }
}

const next = new Layout("/weft", 2);
const options = { steps: [renaming] };

async function isMigrated(store: Store): Promise<void> {
  assert.equal(await store.layoutText(), '{"layout":2}');
  const { tree } = store.connection;
  assert.equal(value(await tree.exists("/weft/objects/bridges")), undefined);
  const switches = value(await tree.children("/weft/objects/switches")).names;
  assert.deepEqual(switches.toSorted(), [2, 3, 4].map(idOf));
  assert.match(text(value(await tree.get(`/weft/objects/switches/${idOf(3)}`)).data), /^\{"v":2,"kind":"switch",/);
}

describe("migration of a store's layout", () => {
  test("this release has the steps from the layout before its own", () => {
    for (let from = 1; from < layoutVersion; from++) assert.ok(MIGRATION_STEPS.some((step) => step.from === from));
  });

  test("a dry run changes nothing; a run converts everything, and a second run finds nothing to do", async () => {
    const store = new Store();
    await store.populate();
    const dry = value(await migrateStore(store.connection, next, { ...options, isDry: true }));
    assert.deepEqual([dry.from, dry.to, dry.steps.length], [1, 2, 1]);
    assert.equal(await store.layoutText(), '{"layout":1}');
    value(await migrateStore(store.connection, next, options));
    await isMigrated(store);
    assert.deepEqual(value(await migrateStore(store.connection, next, options)), { from: 2, to: 2, steps: [] });
    assert.equal(failure(await store.topology.transact([{ op: "create", object: bridge(9) }])).kind, "layout-newer");
    await store.stop();
  });

  test("interrupted after any write it leaves a store that refuses writers, and the next run ends it", async () => {
    for (let cutAfter = 0; ; cutAfter++) {
      const store = new Store();
      await store.populate();
      const { tree } = store.connection;
      const multi = tree.multi.bind(tree);
      let writes = 0;
      tree.multi = async (operations) => {
        if (writes >= cutAfter) return { ok: false, error: { index: undefined, error: { kind: "closed" } } };
        writes += 1;
        return multi(operations);
      };
      const cut = await migrateStore(store.connection, next, options);
      tree.multi = multi;
      if (!cut.ok && cutAfter > 0) {
        assert.equal(await store.layoutText(), '{"layout":1,"migratingTo":2}');
        assert.equal(
          failure(await store.topology.transact([{ op: "create", object: bridge(9) }])).kind,
          "layout-newer",
        );
      }
      value(await migrateStore(store.connection, next, options));
      await isMigrated(store);
      await store.stop();
      if (cut.ok) break;
    }
  });

  test("lost replies change nothing", async () => {
    for (const fate of ["applied", "lost"] as const) {
      const store = new Store();
      await store.populate();
      const own = store.connection.tree as ReturnType<MemoryTreeServer["connect"]>;
      const onProgress = (): void => store.server.disconnect(own, fate);
      value(await migrateStore(store.connection, next, { ...options, onProgress }));
      await isMigrated(store);
      await store.stop();
    }
  });

  test("a layout without a step to ours, a newer one, and no layout are refused", async () => {
    const store = new Store();
    assert.equal(failure(await migrateStore(store.connection, next, options)).kind, "layout-gone");
    await store.populate();
    assert.equal(failure(await migrateStore(store.connection, new Layout("/weft", 3), options)).kind, "layout-older");
    value(await migrateStore(store.connection, next, options));
    assert.equal(failure(await migrateStore(store.connection, new Layout(), options)).kind, "layout-newer");
    await store.stop();
  });
});
