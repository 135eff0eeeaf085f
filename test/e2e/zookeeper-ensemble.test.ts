import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { unwrap } from "../../src/base/result.ts";
import type { SessionState, Tree } from "../../src/store/tree.ts";
import type { ZooKeeperClient } from "../../src/zookeeper/client.ts";
import { connectZooKeeper } from "../../src/zookeeper/connect.ts";
import { needs } from "../needs.ts";
import { leaderOf, servesAgain } from "./apache-roles.ts";
import { type ApacheEnsemble, type ApacheServer, startApache } from "./apache-zookeeper.ts";

const noData = new Uint8Array(0);

function reached(tree: Tree, wanted: SessionState): Promise<void> {
  return new Promise((resolve) => {
    if (tree.session.state === wanted) return resolve();
    tree.session.onState((state) => {
      if (state === wanted) resolve();
    });
  });
}

/** Writes again and again what a broken connection left unknown. */
async function writtenOnce(tree: Tree, path: string): Promise<void> {
  for (;;) {
    const made = await tree.create(path, noData);
    if (made.ok || made.error.kind === "node-exists") return;
    assert.equal(made.error.kind, "connection-loss");
  }
}

describe("client and an ensemble of three", { timeout: 240_000, skip: needs("java", "mvn") }, () => {
  let ensemble: ApacheEnsemble;
  let tree: ZooKeeperClient;
  before(async () => {
    ensemble = await startApache(3);
    tree = unwrap(await connectZooKeeper({ servers: ensemble.addresses, timeoutMs: 8_000, connectWithinMs: 60_000 }));
    unwrap(await tree.create("/e", noData, { mode: "ephemeral" }));
  });
  after(async () => {
    await tree.close();
    await ensemble.stop();
  });

  test("the leader is killed: the session moves, its ephemeral node stays, writes resume, watches read again", async () => {
    const { id } = tree.session;
    let resyncs = 0;
    const options = { recursive: true, onEvent: () => undefined, onResync: () => void resyncs++ };
    const watch = unwrap(await tree.watch("/", options));
    const leader = await leaderOf(ensemble.servers);
    await leader.stop("SIGKILL");
    await writtenOnce(tree, "/after-leader");
    assert.equal(tree.session.id, id);
    assert.notEqual(unwrap(await tree.exists("/e")), undefined);
    assert.equal(resyncs, tree.counters.get("zookeeper_connects") - 1);
    watch.close();
    leader.start();
    await servesAgain(leader);
  });

  test("without a quorum the session is suspended, not expired; with one again it goes on", async () => {
    const { id } = tree.session;
    const [first, second] = ensemble.servers as readonly [ApacheServer, ApacheServer, ApacheServer];
    const suspended = reached(tree, "suspended");
    await Promise.all([first.stop("SIGKILL"), second.stop("SIGKILL")]);
    await suspended;
    const outcome = await tree.create("/nobody-there", noData);
    assert.deepEqual(outcome, { ok: false, error: { kind: "connection-loss", path: "/nobody-there" } });
    assert.notEqual(tree.session.state, "expired");
    for (const server of [first, second]) server.start();
    await reached(tree, "connected");
    await writtenOnce(tree, "/quorum-again");
    assert.equal(tree.session.id, id);
    assert.notEqual(unwrap(await tree.exists("/e")), undefined);
  });

  test("a server that accepts and never answers is left for another within two thirds of the session", async () => {
    await leaderOf(ensemble.servers);
    const stalled = ensemble.servers[2] as ApacheServer;
    await servesAgain(stalled);
    const only = unwrap(await connectZooKeeper({ servers: [stalled.address], timeoutMs: 8_000 }));
    const resume = only.exportSession();
    only.detach();
    const client = unwrap(await connectZooKeeper({ servers: [stalled.address], timeoutMs: 8_000, resume }));
    stalled.signal("SIGSTOP");
    const lost = reached(client, "suspended");
    const write = client.create("/stalled", noData);
    await lost;
    assert.equal((await write).ok, false);
    assert.equal(client.counters.get("zookeeper_dead_peers"), 1);
    client.detach();
    const others = unwrap(
      await connectZooKeeper({ servers: ensemble.addresses, timeoutMs: 8_000, resume: client.exportSession() }),
    );
    assert.equal(others.session.id, resume.id, "the session moved to a server that answers");
    stalled.signal("SIGCONT");
    await others.close();
  });

  test("what one session wrote through one server, another one reads through another server after sync", async () => {
    const trees = [];
    for (const address of ensemble.addresses) trees.push(unwrap(await connectZooKeeper({ servers: [address] })));
    for (const [i, writer] of trees.entries()) {
      await writtenOnce(writer, `/through-${i}`);
      for (const reader of trees) {
        unwrap(await reader.sync("/"));
        assert.notEqual(unwrap(await reader.exists(`/through-${i}`)), undefined);
      }
    }
    await Promise.all(trees.map((each) => each.close()));
  });
});
