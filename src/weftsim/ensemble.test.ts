import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { Prng } from "../base/prng.ts";
import { VirtualScheduler } from "../base/scheduler.ts";
import { passTime } from "../store/compliance/virtual-time.ts";
import { MemoryTree } from "../store/memory/memory-tree.ts";
import { SimEnsemble } from "./ensemble.ts";
import { EventLog } from "./event-log.ts";
import { ENSEMBLE_STALE_MS } from "./limits.ts";

const SESSION_MS = 6_000;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("simulated ensemble", () => {
  let scheduler: VirtualScheduler;
  let ensemble: SimEnsemble;
  beforeEach(() => {
    scheduler = new VirtualScheduler();
    const log = new EventLog(scheduler.clock);
    ensemble = new SimEnsemble({ members: 3, scheduler, prng: new Prng(1), log });
  });

  function client(): MemoryTree {
    return new MemoryTree(ensemble, { timeoutMs: SESSION_MS });
  }

  async function done<T>(promise: Promise<T>, withinMs = 1_000): Promise<T> {
    let result: { readonly value: T } | undefined;
    void promise.then((value) => {
      result = { value };
    });
    await passTime(scheduler, withinMs);
    return result?.value ?? assert.fail("no answer");
  }

  async function textOf(tree: MemoryTree): Promise<string> {
    const read = await done(tree.get("/a"), SESSION_MS / 3);
    return read.ok ? new TextDecoder().decode(read.value.data) : read.error.kind;
  }

  /** The number of the member that serves a client. */
  function memberOf(tree: MemoryTree): number {
    const found = ensemble.members.find((member) => tree.link !== undefined && member.endOf(tree.link) === tree);
    return found?.number ?? assert.fail("not connected");
  }

  it("shows every client its own writes, and every write to everybody soon", async () => {
    const trees = Array.from({ length: 6 }, client);
    for (const [i, tree] of trees.entries()) {
      assert.ok((await done(tree.create(`/${i}`, bytes("x")))).ok);
      assert.ok((await done(tree.get(`/${i}`))).ok);
    }
    for (const tree of trees) assert.equal((await done(tree.children("/"))).ok, true);
    for (const { tree } of ensemble.members) assert.equal(tree.zxid, ensemble.tree.zxid);
  });

  it("answers old news at a member that is cut off, for a while, and none to a sync", async () => {
    const trees = Array.from({ length: 8 }, client);
    await passTime(scheduler, 100);
    const reader = trees.find((tree) => memberOf(tree) !== ensemble.leader) ?? assert.fail();
    const writer = trees.find((tree) => memberOf(tree) !== memberOf(reader)) ?? assert.fail();
    await done(writer.create("/a", bytes("old")));
    ensemble.cutOffMember(memberOf(reader));
    assert.ok((await done(writer.set("/a", bytes("new")))).ok);
    assert.equal(await textOf(reader), "old");
    const sync = reader.sync("/");
    const synced = await done(sync, ENSEMBLE_STALE_MS);
    assert.ok(!synced.ok && synced.error.kind === "connection-loss");
    assert.equal(await textOf(reader), "new");
  });

  it("keeps sessions over the loss of a leader, and nobody forgets what was acknowledged", async () => {
    const trees = Array.from({ length: 4 }, client);
    await done(Promise.all(trees.map((tree, i) => tree.create(`/${i}`, bytes("x"), { mode: "ephemeral" }))));
    const before = trees.map(({ session }) => session.id);
    ensemble.crashMember(ensemble.leader ?? 0);
    assert.equal(ensemble.leader, undefined);
    await passTime(scheduler, 4_000);
    assert.notEqual(ensemble.leader, undefined);
    await passTime(scheduler, 2 * SESSION_MS);
    assert.deepEqual(
      trees.map(({ session }) => session.id),
      before,
    );
    for (let i = 0; i < trees.length; i++) assert.ok((await done(trees[0]?.get(`/${i}`) ?? assert.fail())).ok);
  });

  it("takes no write without a quorum, lets no session run out meanwhile, and takes writes again with one", async () => {
    const tree = client();
    await done(tree.create("/a", bytes("x"), { mode: "ephemeral" }));
    ensemble.crashMember(0);
    ensemble.crashMember(1);
    const lost = tree.set("/a", bytes("y"));
    await passTime(scheduler, 3 * SESSION_MS);
    assert.equal((await done(lost)).ok, false);
    assert.equal(ensemble.tree.sessions.size, 1);
    ensemble.healMember(0);
    await passTime(scheduler, 4_000);
    assert.ok((await done(tree.set("/a", bytes("z")))).ok);
    assert.equal(tree.session.state, "connected");
  });

  it("ends the session of who is at a member that is cut off, before the member knows", async () => {
    const trees = Array.from({ length: 8 }, client);
    await passTime(scheduler, 100);
    const tree = trees.find((one) => memberOf(one) !== ensemble.leader) ?? assert.fail("all at the leader");
    ensemble.isolate(tree);
    await passTime(scheduler, SESSION_MS + 100);
    assert.equal(ensemble.tree.sessions.size, trees.length - 1);
    ensemble.rejoin(tree);
    await passTime(scheduler, 1_000);
    assert.equal(tree.session.state, "expired");
  });
});
