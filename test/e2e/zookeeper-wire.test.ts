import assert from "node:assert/strict";
import { after, before, describe, type TestContext, test } from "node:test";
import { unwrap } from "../../src/base/result.ts";
import { systemScheduler } from "../../src/base/scheduler.ts";
import { until } from "../../src/lab/until.ts";
import { StoreConnection } from "../../src/store/recipes/connection.ts";
import type { TreeEvent } from "../../src/store/tree.ts";
import type { ZooKeeperClient } from "../../src/zookeeper/client.ts";
import { type ConnectOptions, connectZooKeeper, digest, openZooKeeper } from "../../src/zookeeper/connect.ts";
import { parseServer, type ServerAddress } from "../../src/zookeeper/servers.ts";
import { type Dial, socketDial } from "../../src/zookeeper/transport.ts";
import { needs } from "../needs.ts";
import { type ApacheEnsemble, startApache } from "./apache-zookeeper.ts";
import { HostileServer, hostilities } from "./hostile-server.ts";

const noData = new Uint8Array(0);
/** Asked for; servers grant 4 s at least. While there is no session yet it is how long one server is waited for. */
const timeoutMs = 1_000;

describe("client, Apache ZooKeeper, and what is none", { timeout: 120_000, skip: needs("java", "mvn") }, () => {
  let apache: ApacheEnsemble;
  before(async () => {
    apache = await startApache();
    await unwrap(await connectZooKeeper({ servers: apache.addresses, connectWithinMs: 60_000 })).close();
  });
  after(() => apache.stop());

  const connect = async (t: TestContext, more: Partial<ConnectOptions> = {}): Promise<ZooKeeperClient> => {
    const tree = unwrap(await connectZooKeeper({ servers: apache.addresses, timeoutMs, ...more }));
    t.after(() => tree.close());
    return tree;
  };

  test("beside a server that misbehaves in any way the client finds the one that does not", async (t) => {
    const trials = Object.entries(hostilities).map(async ([name, hostility]) => {
      const hostile = await HostileServer.listen(hostility);
      t.after(() => hostile.close());
      const settings = { servers: [hostile.address, ...apache.addresses], timeoutMs, dial: dialFirst(hostile.address) };
      const connection = new StoreConnection({
        scheduler: systemScheduler,
        connect: () => unwrap(openZooKeeper(settings)),
      });
      t.after(() => connection.close());
      // A welcome is believed at first: what was asked of the wrong one has no outcome, and its session means nothing to others.
      const path = `/beside-${name.replaceAll(" ", "-")}`;
      const made = await until({ scheduler: systemScheduler, withinMs: 30_000 }, async () => {
        const created = await connection.tree.create(path, noData);
        return created.ok || created.error.kind === "node-exists" ? true : undefined;
      });
      assert.ok(made, name);
      assert.ok(hostile.connections >= 1, name);
    });
    await Promise.all(trials);
  });

  test("alone, a server that misbehaves is said to be what it is, within the time that was given", async (t) => {
    const reasons: Readonly<Record<string, RegExp>> = {
      "hangs up at once": /closed|ECONNRESET/,
      "accepts and never answers": /did not answer in time/,
      "speaks another protocol": /a frame of \d+ bytes/,
      "announces a frame of negative length": /a frame of -1 bytes/,
      "answers with an empty frame": /connect response/,
    };
    const trials = Object.entries(reasons).map(async ([name, reason]) => {
      const hostile = await HostileServer.listen(hostilities[name] ?? (() => undefined));
      t.after(() => hostile.close());
      const refused = await connectZooKeeper({ servers: [hostile.address], timeoutMs, connectWithinMs: 2_000 });
      assert.ok(!refused.ok && refused.error.kind === "unreachable", name);
      assert.match(refused.error.why, reason, name);
    });
    await Promise.all(trials);
  });

  test("an answer that comes in single bytes is an answer", async (t) => {
    const sockets = socketDial();
    const slow: Dial = (server, events) =>
      sockets(server, {
        ...events,
        onOpen: () => events.onOpen(),
        onClosed: (why) => events.onClosed(why),
        onBytes: (bytes) => {
          for (let i = 0; i < bytes.length; i++) events.onBytes(bytes.slice(i, i + 1));
        },
      });
    const tree = await connect(t, { dial: slow });
    unwrap(await tree.create("/slow", new Uint8Array(2_000).fill(5)));
    assert.deepEqual(unwrap(await tree.get("/slow")).data, new Uint8Array(2_000).fill(5));
  });

  test("private nodes are read and changed by who has the digest, and by nobody else", async (t) => {
    const owner = await connect(t, { auth: [digest("weft:right")], isPrivate: true });
    const others = [await connect(t, { auth: [digest("weft:wrong")] }), await connect(t)];
    unwrap(await owner.create("/private", noData));
    for (const other of others) {
      const refused = { ok: false, error: { kind: "no-auth", path: "/private" } };
      assert.deepEqual(await other.get("/private"), refused);
      assert.deepEqual(await other.set("/private", noData), refused);
      assert.deepEqual(await other.children("/private"), refused);
      const inside = await other.create("/private/x", noData);
      assert.ok(!inside.ok && inside.error.kind === "no-auth");
      const multi = await other.multi([{ op: "create", path: "/private/x", data: noData }]);
      assert.ok(!multi.ok && multi.error.index === 0 && multi.error.error.kind === "no-auth");
      assert.equal(other.session.state, "connected", "one refusal ends nothing");
    }
    const again = await connect(t, { auth: [digest("weft:right")], isPrivate: true });
    unwrap(await again.create("/private/x", noData));
  });

  test("a chroot hides its name and everything beside it", async (t) => {
    const inside = await connect(t, { chroot: "/clouds/one" });
    const outside = await connect(t);
    const events: TreeEvent[] = [];
    const options = {
      recursive: true,
      onEvent: (event: TreeEvent) => void events.push(event),
      onResync: () => undefined,
    };
    unwrap(await inside.watch("/", options));
    assert.equal(unwrap(await inside.create("/n-", noData, { mode: "persistent-sequential" })), "/n-0000000000");
    unwrap(await outside.create("/clouds/one-more", noData));
    unwrap(await outside.create("/clouds/one/theirs", noData));
    const failed = await inside.multi([{ op: "remove", path: "/missing" }]);
    assert.deepEqual(failed, { ok: false, error: { index: 0, error: { kind: "no-node", path: "/missing" } } });
    unwrap(await inside.sync("/"));
    assert.deepEqual(
      events.map(({ kind, path }) => `${kind} ${path}`),
      ["created /n-0000000000", "created /theirs"],
    );
    assert.deepEqual([...unwrap(await inside.children("/")).names].sort(), ["n-0000000000", "theirs"]);
    assert.notEqual(unwrap(await outside.exists("/clouds/one/n-0000000000")), undefined);
  });
});

test("a server that demands a digest ends the session of who has none, and says so", {
  timeout: 60_000,
  skip: needs("java", "mvn"),
}, async (t) => {
  const apache = await startApache(1, ["enforce.auth.enabled=true", "enforce.auth.schemes=digest"]);
  t.after(() => apache.stop());
  const settings = { servers: apache.addresses, connectWithinMs: 30_000 };
  const tree = unwrap(await connectZooKeeper({ ...settings, auth: [digest("weft:secret")] }));
  unwrap(await tree.create("/a", noData));
  await tree.close();
  assert.deepEqual(await connectZooKeeper(settings), { ok: false, error: { kind: "no-auth" } });
});

/** Dials this server first, whatever the order, and then as asked. */
function dialFirst(address: string): Dial {
  const sockets = socketDial();
  let first: ServerAddress | undefined = unwrap(parseServer(address));
  return (server, events) => {
    const chosen = first ?? server;
    first = undefined;
    return sockets(chosen, events);
  };
}
