import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  addWatch,
  authenticating,
  Bench,
  dialling,
  done,
  exists,
  handshaking,
  password,
  remove,
  resuming,
  timeoutMs,
} from "./fixture/session-bench.ts";
import { writeConnectResponse } from "./handshake.ts";
import { zookeeperLimits } from "./limits.ts";
import { errorCode, specialXid } from "./protocol.ts";
import { writeNotification } from "./reply.ts";

test("the first frame asks for a session, the first one after a break for the same session", () => {
  const bench = handshaking();
  const first = bench.connectRequest();
  assert.deepEqual([first.sessionId, first.lastZxid, first.timeoutMs, first.readOnly], [0n, 0n, timeoutMs, false]);
  bench.welcome(0x55n, 5_000);
  assert.deepEqual([bench.session.id, bench.session.timeoutMs], [0x55n, 5_000]);
  bench.submit(exists("/a"), "a");
  bench.reply(1, done, { error: errorCode.noNode, zxid: 0x123n });
  bench.lose();
  const second = bench.reopen();
  assert.deepEqual([second.sessionId, second.lastZxid, [...second.password]], [0x55n, 0x123n, [...password]]);
  assert.deepEqual(bench.session.credentials, { id: 0x55n, password, lastZxid: 0x123n });
});

test("a session of another process is resumed with its id, password and last transaction", () => {
  const request = resuming().connectRequest();
  assert.deepEqual([request.sessionId, [...request.password], request.lastZxid], [0x77n, [...password], 9n]);
});

test("requests go out in order without waiting for each other, and are answered in order", () => {
  const bench = new Bench().open();
  for (const name of ["a", "b", "c"]) bench.submit(remove(`/${name}`), name);
  assert.deepEqual(
    bench.requests().map(({ xid, request }) => [xid, "path" in request && request.path]),
    [
      [1, "/a"],
      [2, "/b"],
      [3, "/c"],
    ],
  );
  bench.reply(1);
  bench.reply(2, done, { error: errorCode.noNode });
  bench.reply(3);
  assert.deepEqual(bench.lines(), ["a: reply", "b: -101", "c: reply"]);
});

test("no more requests are on the wire than the limit; the others follow as replies come", () => {
  const bench = new Bench().open();
  for (let i = 0; i < zookeeperLimits.inFlight + 2; i++) bench.submit(remove("/a"), String(i));
  assert.equal(bench.requests().length, zookeeperLimits.inFlight);
  bench.reply(1);
  assert.deepEqual(
    bench.requests().map(({ xid }) => xid),
    [zookeeperLimits.inFlight + 1],
  );
});

test("a broken connection ends a write as unknown, sends a read once more, and keeps what was not sent", () => {
  const bench = new Bench().open();
  bench.submit(remove("/w"), "write");
  bench.submit(exists("/r"), "read");
  bench.requests();
  bench.lose();
  bench.submit(remove("/later"), "later");
  assert.deepEqual(bench.lines(), ["write: connection-loss", "suspended"]);
  bench.reopen();
  assert.deepEqual(
    bench.requests().map(({ request }) => "path" in request && request.path),
    ["/r", "/later"],
  );
});

test("a read that meets two broken connections ends as connection-loss: it may be what breaks them", () => {
  const bench = new Bench().open();
  bench.submit(exists("/r"), "read");
  bench.lose();
  bench.reopen();
  bench.lines();
  bench.lose();
  assert.deepEqual(bench.lines(), ["read: connection-loss", "suspended"]);
});

test("a request waits for a connection as long as the session may live, then ends without having been sent", () => {
  const bench = new Bench().open();
  bench.lose();
  bench.submit(remove("/a"), "a");
  bench.pass(timeoutMs - 1);
  assert.ok(!bench.lines().includes("a: connection-loss"));
  bench.pass(1);
  assert.ok(bench.lines().includes("a: connection-loss"));
  assert.equal(bench.session.counters.get("zookeeper_waited_too_long"), 1);
});

test("a request that is too long for a frame is refused by itself, and the others go on", () => {
  const bench = new Bench().open();
  const data = new Uint8Array(zookeeperLimits.frameBytes);
  bench.submit({ op: "setData", path: "/a", data, version: -1 }, "big");
  bench.submit(remove("/b"), "small");
  assert.deepEqual(bench.lines(), ["big: too-large"]);
  assert.equal(bench.requests().length, 1);
  assert.equal(bench.session.state, "connected");
});

test("too many waiting requests are refused at once, and counted", () => {
  const bench = dialling();
  for (let i = 0; i <= zookeeperLimits.waiting; i++) bench.session.submit(remove("/a"), String(i), bench.now);
  bench.do(() => undefined);
  assert.deepEqual(bench.lines(), [`${zookeeperLimits.waiting}: connection-loss`]);
  assert.equal(bench.session.counters.get("zookeeper_refused_waiting"), 1);
});

test("an idle session pings every third of its time-out and lives as long as it is answered", () => {
  const bench = new Bench().open();
  for (let i = 0; i < 20; i++) {
    bench.pass(timeoutMs / 3);
    assert.deepEqual(
      bench.requests().map(({ xid, request }) => [xid, request.op]),
      [[specialXid.ping, "ping"]],
    );
    bench.reply(specialXid.ping);
  }
  assert.deepEqual(bench.lines(), []);
});

test("a long session pings every ten seconds", () => {
  const bench = new Bench({ timeoutMs: 120_000 });
  bench.do((session, now) => session.start(now));
  bench.do((session, now) => session.dialled(now));
  bench.welcome(1n, 120_000);
  bench.requests();
  bench.pass(zookeeperLimits.pingMaxMs);
  assert.equal(bench.session.counters.get("zookeeper_pings"), 1);
});

test("sending alone does not keep a silent server alive", () => {
  const bench = new Bench().open();
  for (let i = 0; i < 8; i++) {
    bench.submit(exists("/a"), String(i));
    bench.requests();
    bench.pass(timeoutMs / 12);
  }
  assert.ok(bench.lines().includes("suspended"));
  assert.equal(bench.session.counters.get("zookeeper_dead_peers"), 1);
});

test("a frame of a wrong length from a server ends the connection and is counted", () => {
  for (const bytes of ["ffffffff", "7fffffff", "000000020000"]) {
    const bench = new Bench().open();
    bench.do((session, now) => session.received(Uint8Array.from(Buffer.from(bytes, "hex")), now));
    assert.equal(bench.session.counters.get("zookeeper_bad_frames"), 1);
  }
});

test("after a reconnect the watches come first, then resync, then what was waiting", () => {
  const bench = new Bench().open();
  bench.submit(addWatch("/a"), "watch");
  bench.reply(1, { op: "count", count: 0 }, { zxid: 0x99n });
  bench.lose();
  bench.submit(exists("/r"), "read");
  bench.reopen();
  const [set, read] = bench.requests();
  assert.deepEqual(set, {
    xid: specialXid.setWatches,
    request: {
      op: "setWatches2",
      ...{ relativeZxid: 0x99n, data: [], exist: [], child: [], persistent: [], recursive: ["/a"] },
    },
  });
  assert.equal(read?.request.op, "exists");
  bench.lines();
  bench.receive((writer) => writeNotification(writer, 1n, { type: 1, path: "/a/b" }));
  bench.reply(specialXid.setWatches);
  assert.deepEqual(bench.lines(), ["event 1 /a/b", "resync"]);
});

test("without watches there is nothing to set and nothing to read again", () => {
  const bench = new Bench().open();
  bench.lose();
  bench.reopen();
  assert.deepEqual(bench.requests(), []);
  assert.ok(!bench.lines().includes("resync"));
});

test("a watch that was not confirmed is asked for again; one that was given back is not", () => {
  const bench = new Bench().open();
  bench.submit(addWatch("/gone"), "gone");
  bench.reply(1, { op: "count", count: 0 });
  bench.submit({ op: "removeWatches", path: "/gone", type: 3 }, "remove");
  bench.submit(addWatch("/new"), "new");
  bench.requests();
  bench.lose();
  bench.reopen();
  assert.deepEqual(
    bench.requests().map(({ request }) => request),
    [addWatch("/new")],
  );
});

test("many watches are set again in several frames, each far below the limit, and resynced once", () => {
  const bench = new Bench().open();
  const count = 5_000;
  for (let i = 0; i < count; i++) {
    bench.submit(addWatch(`/a-path-of-some-length/${i}`), "w");
    bench.reply(i + 1, { op: "count", count: 0 });
  }
  bench.requests();
  bench.lose();
  bench.reopen();
  const frames = bench.requests();
  const paths = frames.flatMap(({ request }) => (request.op === "setWatches2" ? request.recursive : []));
  assert.equal(new Set(paths).size, count);
  assert.ok(frames.length > 1);
  bench.lines();
  for (const { xid } of frames) bench.reply(xid);
  assert.deepEqual(bench.lines(), ["resync"]);
});

test("credentials are shown on every connection, and nothing is asked before they are accepted", () => {
  const bench = authenticating();
  bench.connectRequest();
  bench.submit(exists("/a"), "a");
  assert.deepEqual(
    bench.requests().map(({ xid, request }) => [xid, request.op]),
    [[specialXid.auth, "auth"]],
  );
  bench.reply(specialXid.auth);
  assert.equal(bench.requests()[0]?.request.op, "exists");
  bench.lose();
  bench.reopen();
  assert.equal(bench.requests()[0]?.request.op, "auth");
});

test("a server that wants credentials which we do not have ends the session with no-auth", () => {
  const bench = new Bench().open();
  bench.submit(exists("/a"), "a");
  bench.submit(exists("/b"), "b");
  bench.reply(1, done, { error: errorCode.closedRequiresAuth });
  assert.deepEqual(bench.lines(), ["a: no-auth", "hang-up", "b: no-auth", "closed"]);
  assert.equal(bench.session.end, "no-auth");
});

test("when a server says expired, everything that waits ends as session-expired", () => {
  const bench = new Bench().open();
  bench.submit(exists("/r"), "read");
  bench.lose();
  bench.submit(remove("/w"), "write");
  bench.pass(zookeeperLimits.backoffMaxMs);
  bench.do((session, now) => session.dialled(now));
  bench.lines();
  bench.welcome(0n, 0);
  assert.deepEqual(bench.lines(), ["hang-up", "read: session-expired", "write: session-expired", "expired"]);
  bench.submit(exists("/a"), "after");
  assert.deepEqual(bench.lines(), ["after: session-expired"]);
  assert.equal(bench.session.nextTick, undefined);
});

test("close sends what was asked before it, refuses what is asked after it", () => {
  const bench = new Bench().open();
  bench.submit(remove("/a"), "a");
  bench.do((session, now) => session.close(now));
  bench.submit(remove("/b"), "b");
  assert.deepEqual(
    bench.requests().map(({ request }) => request.op),
    ["delete", "closeSession"],
  );
  bench.reply(1);
  bench.reply(2);
  assert.deepEqual(bench.lines(), ["b: closed", "a: reply", "hang-up", "closed"]);
});

test("a close without a connection tries to find one for a while, so that ephemeral nodes go now", () => {
  const bench = new Bench().open();
  bench.lose();
  bench.do((session, now) => session.close(now));
  bench.reopen();
  assert.deepEqual(
    bench.requests().map(({ request }) => request.op),
    ["closeSession"],
  );
});

test("whatever a server sends and whenever it breaks, every request gets exactly one outcome", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("submit" as const), read: fc.boolean() }),
    fc.constant({ kind: "reply" as const }),
    fc.constant({ kind: "lose" as const }),
    fc.record({ kind: fc.constant("noise" as const), bytes: fc.uint8Array({ maxLength: 30 }) }),
    fc.record({ kind: fc.constant("pass" as const), span: fc.integer({ min: 0, max: 3_000 }) }),
    fc.constant({ kind: "connect" as const }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const bench = new Bench().open();
      const outcomes = new Map<string, number>();
      const count = (): void => {
        for (const line of bench.lines()) {
          const token = /^(t\d+): /.exec(line)?.[1];
          if (token !== undefined) outcomes.set(token, (outcomes.get(token) ?? 0) + 1);
        }
      };
      let submitted = 0;
      let answered = 0;
      for (const one of steps) {
        if (one.kind === "submit") bench.submit(one.read ? exists("/a") : remove("/a"), `t${submitted++}`);
        if (one.kind === "reply") bench.reply(++answered, done, { error: errorCode.noNode });
        if (one.kind === "lose") bench.lose();
        if (one.kind === "noise") bench.do((session, now) => session.received(one.bytes, now));
        if (one.kind === "pass") bench.pass(one.span);
        if (one.kind === "connect") {
          bench.do((session, now) => session.dialled(now));
          bench.welcome();
        }
        count();
      }
      bench.pass(timeoutMs);
      bench.do((session) => session.detach());
      count();
      assert.deepEqual(
        [...outcomes.values()].filter((times) => times !== 1),
        [],
      );
      assert.equal(outcomes.size, submitted);
    }),
    { numRuns: 300 },
  );
});

test("servers that were restored from an older backup get the client back: it does not insist on what it saw for ever", () => {
  const bench = new Bench().open();
  bench.submit({ op: "sync", path: "/" }, "a");
  bench.requests();
  bench.reply(1, { op: "path", path: "/" }, { zxid: 99n });
  bench.lose();
  const seen: bigint[] = [];
  for (let waited = 0; waited < 3 * timeoutMs; waited += zookeeperLimits.backoffMaxMs) {
    bench.pass(zookeeperLimits.backoffMaxMs);
    bench.do((session, now) => session.dialled(now));
    const { lastZxid, sessionId } = bench.connectRequest();
    assert.equal(sessionId, 0x55n, "the session may live");
    seen.push(lastZxid);
    bench.lose();
  }
  const refusals = (zookeeperLimits.refusedTimeouts * timeoutMs) / zookeeperLimits.backoffMaxMs;
  assert.deepEqual(new Set(seen.slice(0, refusals)), new Set([99n]));
  assert.deepEqual(new Set(seen.slice(refusals + 1)), new Set([0n]));
  bench.lines();
  bench.pass(zookeeperLimits.backoffMaxMs);
  bench.do((session, now) => session.dialled(now));
  bench.receive((writer) =>
    writeConnectResponse(writer, { timeoutMs: 0, sessionId: 0n, password: new Uint8Array(16), readOnly: false }),
  );
  assert.ok(bench.lines().includes("expired"), "the server's word");
});

test("an ensemble without a quorum refuses too: when it is back soon, nothing was forgotten", () => {
  const bench = new Bench().open();
  bench.submit({ op: "sync", path: "/" }, "a");
  bench.requests();
  bench.reply(1, { op: "path", path: "/" }, { zxid: 99n });
  bench.lose();
  bench.pass(zookeeperLimits.backoffMaxMs);
  bench.do((session, now) => session.dialled(now));
  bench.connectRequest();
  bench.lose();
  assert.equal(bench.reopen().lastZxid, 99n);
  bench.lose();
  bench.pass(3 * timeoutMs);
  bench.do((session, now) => session.dialled(now));
  assert.equal(bench.connectRequest().lastZxid, 99n, "servers that cannot be reached refuse nothing");
});
