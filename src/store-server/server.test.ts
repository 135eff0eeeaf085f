import assert from "node:assert/strict";
import { test } from "node:test";
import { unwrap } from "../base/result.ts";
import { type Acl, errorCode, type Request } from "../zookeeper/protocol.ts";
import { readRequest } from "../zookeeper/request.ts";
import { Bench, noData, raw, recording, sessionMs } from "./fixture/server-bench.ts";
import { storeServerLimits } from "./limits.ts";
import { handleRequest } from "./request-handler.ts";

test("a session that is not heard of ends when its time is over, its ephemeral nodes with it", async () => {
  const bench = new Bench();
  const tree = bench.client();
  const watcher = bench.client();
  const log = recording();
  await bench.result(watcher.watch("/", log.options));
  unwrap(await bench.result(tree.create("/e", noData, { mode: "ephemeral" })));
  await bench.pass(60_000);
  assert.deepEqual(log.events, ["created /e"]);
  tree.detach();
  await bench.pass(sessionMs + storeServerLimits.tickMs);
  assert.deepEqual(log.events, ["created /e", "deleted /e"]);
  assert.equal(bench.server.counters.get("store_sessions_expired"), 1);
});

test("sessions, ephemeral nodes and data outlive the server, and every session gets its full time again", async () => {
  const bench = new Bench();
  const tree = bench.client();
  unwrap(await bench.result(tree.create("/e", noData, { mode: "ephemeral" })));
  const log = recording();
  await bench.result(tree.watch("/", log.options));
  const { id } = tree.session;
  bench.crash();
  await bench.pass(sessionMs / 2);
  unwrap(await bench.result(tree.create("/after", noData)));
  assert.deepEqual([tree.session.id, log.resyncs], [id, 1]);
  assert.notEqual(unwrap(await bench.result(tree.exists("/e"))), undefined);
});

test("a session is taken over by another process with what the first one exported", async () => {
  const bench = new Bench();
  const first = bench.client();
  unwrap(await bench.result(first.create("/e", noData, { mode: "ephemeral" })));
  const resume = first.exportSession();
  first.detach();
  const second = bench.client({ resume });
  await bench.pass(10 * sessionMs);
  assert.notEqual(unwrap(await bench.result(second.exists("/e"))), undefined);
  const wrong = bench.client({ resume: { ...resume, password: new Uint8Array(16) } });
  assert.deepEqual(await bench.result(wrong.exists("/e")), { ok: false, error: { kind: "session-expired" } });
});

test("a request that waits for its connection carries what was given, although the caller reuses the buffer", async () => {
  const bench = new Bench();
  const data = new Uint8Array([1, 2, 3]);
  const tree = bench.client();
  const calls = [tree.create("/a", data), tree.multi([{ op: "create", path: "/b", data }]), tree.set("/a", data)];
  data.fill(9);
  await bench.result(Promise.all(calls));
  for (const path of ["/a", "/b"]) assert.deepEqual([...unwrap(await bench.result(tree.get(path))).data], [1, 2, 3]);
});

test("when two hold one session the later connection has it, watches included", async () => {
  const bench = new Bench();
  const first = bench.client();
  await bench.result(first.sync("/"));
  let isCutOff = false;
  first.session.onState((state) => {
    isCutOff ||= state === "suspended";
  });
  const second = bench.client({ resume: first.exportSession() });
  const log = recording();
  const held = second.watch("/", log.options);
  while (!isCutOff) bench.scheduler.step();
  first.detach();
  unwrap(await bench.result(held));
  unwrap(await bench.result(second.create("/a", noData)));
  assert.deepEqual([log.events, second.session.id], [["created /a"], first.session.id]);
});

test("a process that was stopped for longer than a session expires nobody who could not be heard", async () => {
  const bench = new Bench();
  const tree = bench.client();
  unwrap(await bench.result(tree.create("/e", noData, { mode: "ephemeral" })));
  bench.scheduler.advanceTo(bench.scheduler.clock.now() + 10 * sessionMs);
  await bench.pass(sessionMs / 2);
  assert.equal(bench.server.counters.get("store_sessions_expired"), 0);
  assert.notEqual(unwrap(await bench.result(tree.exists("/e"))), undefined);
});

test("replies and events of a turn leave after its one commit", async () => {
  const bench = new Bench();
  const tree = bench.client();
  unwrap(await bench.result(tree.create("/a", noData)));
  const before = bench.server.counters.get("store_commits");
  const calls = Array.from({ length: 100 }, (_, i) => tree.create(`/a/${i}`, noData));
  for (const call of await bench.result(Promise.all(calls))) unwrap(call);
  assert.equal(bench.server.counters.get("store_commits"), before + 1);
});

test("a full disk refuses writes, serves reads, loses nothing, and takes writes again when there is room", async () => {
  const bench = new Bench();
  const tree = bench.client();
  unwrap(await bench.result(tree.create("/kept", new Uint8Array([1]))));
  unwrap(await bench.result(tree.create("/e", noData, { mode: "ephemeral" })));
  bench.journal.fault = { kind: "full", why: "no space left on device" };
  const calls = [tree.create("/lost", noData), tree.set("/kept", new Uint8Array([2])), tree.get("/kept")] as const;
  const [created, changed, read] = await bench.result(Promise.all(calls));
  assert.deepEqual(created, { ok: false, error: { kind: "storage-full", path: "/lost" } });
  assert.deepEqual(changed, { ok: false, error: { kind: "storage-full", path: "/kept" } });
  assert.deepEqual([...unwrap(read).data], [1]);
  await bench.pass(10 * sessionMs);
  const refused = await bench.result(tree.remove("/kept"));
  assert.deepEqual(refused, { ok: false, error: { kind: "storage-full", path: "/kept" } });
  assert.equal(unwrap(await bench.result(tree.exists("/lost"))), undefined);
  bench.journal.fault = undefined;
  await bench.pass(2 * storeServerLimits.tickMs);
  unwrap(await bench.result(tree.create("/again", noData)));
  assert.notEqual(unwrap(await bench.result(tree.exists("/e"))), undefined, "the session was never lost");
});

test("a disk that full takes watches back to their owners by a resync", async () => {
  const bench = new Bench();
  const tree = bench.client();
  const log = recording();
  await bench.result(tree.watch("/", log.options));
  bench.journal.fault = { kind: "full", why: "no space left on device" };
  await bench.result(tree.create("/lost", noData));
  bench.journal.fault = undefined;
  await bench.pass(2_000);
  assert.deepEqual([log.events, log.resyncs], [[], 1]);
  unwrap(await bench.result(tree.create("/b", noData)));
  await bench.pass(10);
  assert.deepEqual(log.events, ["created /b"]);
});

test("a journal that cannot be trusted ends the server, and nobody is told that his write succeeded", async () => {
  const bench = new Bench();
  const tree = bench.client();
  unwrap(await bench.result(tree.create("/a", noData)));
  bench.journal.fault = { kind: "broken", why: "input/output error" };
  const outcome = await bench.result(tree.create("/b", noData));
  assert.deepEqual(outcome, { ok: false, error: { kind: "connection-loss", path: "/b" } });
  assert.equal(bench.brokenBy, "input/output error");
});

test("who is not trusted must show the secret before anything else", async () => {
  const bench = new Bench();
  const ask: Request = { op: "exists", path: "/", watch: false };
  const auth = (text: string): Request => ({ op: "auth", scheme: "digest", auth: new TextEncoder().encode(text) });
  const rows: readonly (readonly [requests: Request[], errors: number[], end: "end" | undefined])[] = [
    [[ask], [errorCode.closedRequiresAuth], "end"],
    [[auth("weft:wrong"), ask], [errorCode.authFailed], "end"],
    [[auth("weft:right"), ask], [0, 0], undefined],
    [[{ op: "ping" }], [0], undefined],
  ];
  for (const [requests, errors, end] of rows) {
    const link = raw(bench, false);
    link.greet();
    await bench.pass(1);
    link.sent.length = 0;
    link.send(...requests);
    await bench.pass(1);
    assert.deepEqual([link.errors(), link.ended], [errors, end]);
  }
  await bench.pass(storeServerLimits.authenticateMs + 2 * storeServerLimits.tickMs);
  assert.equal(bench.server.counters.get("store_connections"), 0);
});

test("a connection that asks for no session is cut after a while", async () => {
  const bench = new Bench();
  const link = raw(bench);
  await bench.pass(storeServerLimits.handshakeMs + 2 * storeServerLimits.tickMs);
  assert.deepEqual([link.ended, bench.server.counters.get("store_handshakes_late")], ["cut", 1]);
});

test("what is not the protocol cuts the connection and harms nobody else", async () => {
  const bench = new Bench();
  const tree = bench.client();
  unwrap(await bench.result(tree.create("/a", noData)));
  for (const bytes of [
    new Uint8Array(64).fill(0xff),
    Buffer.from("GET / HTTP/1.1\r\n\r\n"),
    Buffer.from([0, 0, 0, 2, 1, 2]),
  ]) {
    const link = raw(bench);
    link.events?.received(bytes);
    await bench.pass(1);
    assert.equal(link.ended, "cut");
  }
  assert.equal(bench.server.counters.get("store_bad_frames"), 3);
  unwrap(await bench.result(tree.set("/a", noData)));
});

test("a client that does not read is cut off before it costs too much memory", async () => {
  const bench = new Bench();
  const link = raw(bench);
  link.greet();
  await bench.pass(1);
  link.backlog = storeServerLimits.backlogBytes + 1;
  link.send({ op: "exists", path: "/", watch: false });
  await bench.pass(1);
  assert.deepEqual([link.ended, bench.server.counters.get("store_slow_clients")], ["cut", 1]);
});

test("four letter words are answered with text that Apache's tools read", async () => {
  const bench = new Bench();
  const ask = async (word: string): Promise<string> => {
    const link = raw(bench);
    link.events?.received(Buffer.from(word));
    await bench.pass(1);
    assert.equal(link.ended, "end");
    return link.text();
  };
  assert.equal(await ask("ruok"), "imok");
  assert.match(await ask("srvr"), /^Zookeeper version: .*\n(.*\n)*Mode: standalone\nNode count: 1\n$/);
  assert.match(await ask("mntr"), /^zk_znode_count\t1$/m);
  assert.equal(await ask("isro"), "rw");
});

test("a client that has seen more than the server has is sent away: the store was restored", async () => {
  const bench = new Bench();
  const tree = bench.client({ resume: { id: 0n, password: new Uint8Array(16), lastZxid: 99n } });
  await bench.pass(1_000);
  assert.equal(tree.session.state, "connecting");
});

test("an access list that nobody would keep is refused, one that means everybody accepted", async () => {
  const { server } = new Bench();
  const context = { tree: server.tree, session: 0n, at: { now: 0, wall: 0 }, isFull: false };
  const create = (acl: Acl, who: number): number => {
    const request: Request = { op: "create", path: "/a", data: noData, acl: [acl], flags: 0, ttlMs: -1 };
    const identities = Array.from({ length: who }, () => ({ scheme: "digest", user: "weft" }));
    return handleRequest(request, { ...context, identities }).error;
  };
  assert.equal(create({ scheme: "world", id: "anyone", permissions: 1 }, 1), errorCode.invalidAcl);
  assert.equal(create({ scheme: "digest", id: "somebody:x", permissions: 31 }, 1), errorCode.invalidAcl);
  assert.equal(create({ scheme: "auth", id: "", permissions: 31 }, 1), errorCode.invalidAcl);
  // Accepted, and then refused for another reason: nobody asks here.
  assert.equal(create({ scheme: "world", id: "anyone", permissions: 31 }, 1), errorCode.sessionExpired);
  assert.equal(create({ scheme: "auth", id: "", permissions: 31 }, 2), errorCode.sessionExpired);
});

test("an operation that the server does not have is answered as unimplemented", async () => {
  const bench = new Bench();
  const link = raw(bench);
  link.greet();
  await bench.pass(1);
  link.sent.length = 0;
  link.send({ op: "unknown", code: 16 }, { op: "getAllChildrenNumber", path: "/" });
  await bench.pass(1);
  assert.deepEqual(link.errors(), [errorCode.unimplemented, errorCode.unimplemented]);
});

test("classic one-shot watches work as stock clients expect", async () => {
  const bench = new Bench();
  const link = raw(bench);
  link.greet();
  await bench.pass(1);
  link.sent.length = 0;
  link.send({ op: "exists", path: "/a", watch: true }, { op: "getChildren2", path: "/", watch: true });
  await bench.pass(1);
  assert.deepEqual(link.errors(), [errorCode.noNode, 0]);
  const tree = bench.client();
  unwrap(await bench.result(tree.create("/a", noData)));
  unwrap(await bench.result(tree.set("/a", noData)));
  await bench.pass(1);
  const frames = Buffer.concat(link.sent);
  assert.equal(frames.toString("latin1").split("/a").length - 1, 1);
  assert.ok(readRequest(frames).ok || frames.length > 0);
});
