import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { Prng } from "../base/prng.ts";
import { unwrap } from "../base/result.ts";
import { VirtualScheduler } from "../base/scheduler.ts";
import { passTime } from "../store/compliance/virtual-time.ts";
import type { ResumableTree } from "../store/tree.ts";
import { SimEnsemble } from "./ensemble.ts";
import { EventLog } from "./event-log.ts";
import { Lifetime } from "./lifetime.ts";
import { WireEnsemble } from "./wire-ensemble.ts";

const SESSION_MS = 6_000;
/** Longer than any election, and a client's walk from server to server. */
const SETTLE_MS = 5_000;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("the real client before a simulated ensemble", () => {
  let scheduler: VirtualScheduler;
  let ensemble: SimEnsemble;
  let store: WireEnsemble;
  beforeEach(() => {
    scheduler = new VirtualScheduler();
    const parts = { scheduler, prng: new Prng(1), log: new EventLog(scheduler.clock) };
    ensemble = new SimEnsemble({ members: 3, ...parts });
    store = new WireEnsemble({ ensemble, ...parts });
  });

  function client(place: string): ResumableTree {
    return store.connect({ timeoutMs: SESSION_MS, process: new Lifetime(scheduler), place });
  }

  async function done<T>(promise: Promise<T>, withinMs = SETTLE_MS): Promise<T> {
    let result: { readonly value: T } | undefined;
    void promise.then((value) => {
      result = { value };
    });
    for (let passed = 0; passed < withinMs && result === undefined; passed += 10) await passTime(scheduler, 10);
    return result === undefined ? assert.fail("no answer") : result.value;
  }

  const servesNow = (number: number): boolean => (ensemble.members[number]?.links().length ?? 0) > 0;

  /** The member that serves the only client. */
  function home(): number {
    return [0, 1, 2].find(servesNow) ?? assert.fail("nobody is served");
  }

  it("does all that a tree does: creates, sequences, multis, ephemerals, refusals, children, the end of a session", async () => {
    const tree = client("h1");
    unwrap(await done(tree.create("/a", bytes("1"))));
    assert.equal(
      unwrap(await done(tree.create("/a/s-", bytes(""), { mode: "persistent-sequential" }))),
      "/a/s-0000000000",
    );
    unwrap(await done(tree.create("/a/e", bytes("mine"), { mode: "ephemeral" })));
    const multi = await done(
      tree.multi([
        { op: "set", path: "/a", data: bytes("2"), version: 0 },
        { op: "create", path: "/a/b", data: bytes("") },
      ]),
    );
    assert.ok(multi.ok);
    const refused = await done(
      tree.multi([
        { op: "remove", path: "/a/b" },
        { op: "set", path: "/a", data: bytes("3"), version: 0 },
      ]),
    );
    assert.deepEqual(!refused.ok && [refused.error.index, refused.error.error.kind], [1, "bad-version"]);
    assert.deepEqual(unwrap(await done(tree.children("/a"))).names.toSorted(), ["b", "e", "s-0000000000"]);
    assert.deepEqual(unwrap(await done(tree.ephemerals("/"))), ["/a/e"]);
    await done(tree.close());
    await passTime(scheduler, 100);
    assert.equal(ensemble.tree.sessions.size, 0);
    assert.equal(ensemble.tree.get("/a/e").ok, false);
  });

  it("moves its session to another member, keeps what it owns, and says which watches may have missed something", async () => {
    const tree = client("h1");
    unwrap(await done(tree.create("/a", bytes(""), { mode: "ephemeral" })));
    const told: string[] = [];
    await done(
      tree.watch("/", {
        recursive: true,
        onEvent: ({ kind, path }) => void told.push(`${kind} ${path}`),
        onResync: () => void told.push("resync"),
      }),
    );
    const { id } = tree.session;
    for (let round = 0; round < 4; round++) {
      const was = home();
      ensemble.crashMember(was);
      await passTime(scheduler, SETTLE_MS);
      assert.equal(tree.session.state, "connected");
      assert.notEqual(home(), was);
      assert.ok(told.includes("resync"));
      told.length = 0;
      unwrap(await done(tree.create(`/n${round}`, bytes(""))));
      assert.deepEqual(told, [`created /n${round}`]);
      told.length = 0;
      ensemble.healMember(was);
      await passTime(scheduler, SETTLE_MS);
    }
    assert.equal(tree.session.id, id);
    assert.ok(ensemble.tree.get("/a").ok);
  });

  it("never goes back in time: a member that is behind what it has seen sends it on", async () => {
    const [reader, writer] = [client("h1"), client("h2")];
    unwrap(await done(writer.create("/a", bytes("0"))));
    for (let i = 1; i <= 30; i++) {
      unwrap(await done(writer.set("/a", bytes(`${i}`))));
      await done(reader.sync("/"));
      for (const { number } of ensemble.members) if (number !== ensemble.leader) ensemble.slowMember(number, 100);
      store.cut("h1");
      const read = await done(reader.get("/a"), 2 * SESSION_MS);
      if (read.ok) assert.equal(new TextDecoder().decode(read.value.data), `${i}`);
    }
  });

  it("leaves a member that accepts and never answers, within its session", async () => {
    const tree = client("h1");
    unwrap(await done(tree.create("/a", bytes(""), { mode: "ephemeral" })));
    ensemble.hangMember(home());
    await passTime(scheduler, SESSION_MS);
    assert.equal(tree.session.state, "connected");
    assert.ok(ensemble.tree.get("/a").ok);
    assert.ok((await done(tree.set("/a", bytes("x")))).ok);
  });

  it("loses its session when nothing of it gets through for too long, and hears so when it is back", async () => {
    const tree = client("h1");
    unwrap(await done(tree.create("/a", bytes(""), { mode: "ephemeral" })));
    store.isolate("h1");
    await passTime(scheduler, 2 * SESSION_MS + 1_000);
    assert.equal(ensemble.tree.get("/a").ok, false);
    assert.equal(tree.session.state, "suspended");
    store.rejoin("h1");
    await passTime(scheduler, SETTLE_MS);
    assert.equal(tree.session.state, "expired");
  });

  it("reports what a lost connection leaves unknown as unknown", async () => {
    const tree = client("h1");
    unwrap(await done(tree.create("/a", bytes("0"))));
    for (const fate of ["applied", "lost"] as const) {
      const before = ensemble.tree.zxid;
      store.cut("h1", fate);
      const written = await done(tree.set("/a", bytes(fate)));
      assert.equal(!written.ok && written.error.kind, "connection-loss");
      await passTime(scheduler, SETTLE_MS);
      assert.equal(ensemble.tree.zxid - before, fate === "applied" ? 1 : 0);
    }
  });
});
