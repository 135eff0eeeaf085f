import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { MemoryLog } from "../../base/log.ts";
import { err } from "../../base/result.ts";
import { VirtualScheduler } from "../../base/scheduler.ts";
import { passTime } from "../compliance/virtual-time.ts";
import { MemoryTreeServer } from "../memory/memory-tree-server.ts";
import type { Tree } from "../tree.ts";
import { clusterSecret } from "./cluster-secret.ts";
import { StoreConnection } from "./connection.ts";
import { TreeElection } from "./election.ts";
import { Layout } from "./layout.ts";
import { SeenLayout } from "./seen-layout.ts";
import { TreeTopologyStore } from "./tree-topology-store.ts";

const layout = new Layout();
const SECRET = "0".repeat(32);

describe("a process without a memory, at a store that is emptied", () => {
  let scheduler: VirtualScheduler;
  let server: MemoryTreeServer;
  let log: MemoryLog;
  let connection: StoreConnection;
  let guard: SeenLayout;
  /** A session that empties and restores. */
  let other: Tree;
  let isDenied: boolean;

  beforeEach(() => {
    scheduler = new VirtualScheduler();
    server = new MemoryTreeServer({ scheduler });
    log = new MemoryLog();
    isDenied = false;
    connection = new StoreConnection({ scheduler, connect: () => denying(server.connect()) });
    guard = new SeenLayout({ connection, layout, log });
    other = server.connect();
  });

  afterEach(() => {
    guard.close();
    server.stop();
  });

  function denying(tree: Tree): Tree {
    return new Proxy(tree, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        if (name !== "get") return member.bind(target);
        return async (path: string) => (isDenied ? err({ kind: "no-auth", path } as const) : target.get(path));
      },
    });
  }

  async function done<T>(outcome: Promise<T>): Promise<T> {
    await passTime(scheduler, 5_000);
    return outcome;
  }

  /** As fast as the store can, the layout not first. */
  async function removeAll(): Promise<void> {
    const all: string[] = [layout.root];
    for (let i = 0; i < all.length; i++) {
      const children = await done(other.children(all[i] as string));
      if (children.ok) all.push(...children.value.names.map((name) => `${all[i]}/${name}`));
    }
    await done(Promise.all(all.reverse().map((path) => other.remove(path))));
  }

  it("begins an empty store, and makes nothing in one that it has seen full before it is whole again", async () => {
    let isElected = false;
    const candidate = {
      label: "a",
      onElected: () => {
        isElected = true;
      },
      onDeposed: () => {
        isElected = false;
      },
    };
    assert.ok((await done(new TreeTopologyStore(connection, layout).open())).ok);
    assert.deepEqual(await done(clusterSecret(connection, layout, SECRET)), { ok: true, value: SECRET });
    new TreeElection(connection, layout.election("recycler")).stand(candidate);
    await passTime(scheduler, 5_000);
    assert.ok(isElected);
    const kept = await done(other.get(layout.version));
    assert.ok(kept.ok);
    await removeAll();
    await passTime(scheduler, 30_000);
    const refused = await done(clusterSecret(connection, layout, "f".repeat(32)));
    assert.ok(!refused.ok && refused.error.kind === "store-unavailable" && /emptied/.test(refused.error.why));
    assert.deepEqual(await done(other.exists(layout.root)), { ok: true, value: undefined });
    assert.equal(isElected, false);
    for (const path of [layout.root, layout.version]) await done(other.create(path, kept.value.data));
    await passTime(scheduler, 10_000);
    assert.ok(isElected);
    assert.equal(await done(guard.mayMake()), true);
  });

  it("says once what to do when the store keeps it out", async () => {
    isDenied = true;
    await passTime(scheduler, 5_000);
    for (let look = 0; look < 3; look++) await done(guard.mayMake());
    const lines = log.lines.filter(({ event }) => event === "store.denied");
    assert.equal(lines.length, 1);
    assert.match(String(lines[0]?.fields["remedy"]), /--store-secret-file/);
  });
});
