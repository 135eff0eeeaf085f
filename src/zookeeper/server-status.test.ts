import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualScheduler } from "../base/scheduler.ts";
import { askServer, parseStatus } from "./server-status.ts";
import type { Dial } from "./transport.ts";

const apache = `Zookeeper version: 3.9.5, built on 2025
Latency min/avg/max: 0/0.5/3
Received: 3
Sent: 2
Connections: 1
Outstanding: 0
Zxid: 0x100000004
Mode: follower
Node count: 5
`;

test("an answer to srvr is read, and what is none is told in its own words", () => {
  assert.deepEqual(parseStatus(apache), {
    ok: true,
    value: { mode: "follower", zxid: "0x100000004", connections: "1", nodes: "5" },
  });
  const refusal = "srvr is not executed because it is not in the whitelist.\n";
  assert.deepEqual(parseStatus(refusal), { ok: false, error: refusal.trim() });
});

test("a server that accepts and never answers is given up in time, one that refuses at once", async () => {
  const scheduler = new VirtualScheduler();
  const mute: Dial = (_server, events) => {
    scheduler.soon(() => events.onOpen());
    return { write: () => undefined, close: () => undefined };
  };
  const asked = askServer("127.0.0.1:1", { scheduler, dial: mute, withinMs: 100 });
  while (scheduler.step());
  assert.deepEqual(await asked, { ok: false, error: "no answer: nothing within 100 ms" });
  const refusing: Dial = (_server, events) => {
    scheduler.soon(() => events.onClosed("connect ECONNREFUSED"));
    return { write: () => undefined, close: () => undefined };
  };
  const refused = askServer("127.0.0.1:1", { scheduler, dial: refusing });
  while (scheduler.step());
  assert.deepEqual(await refused, { ok: false, error: "no answer: connect ECONNREFUSED" });
  assert.equal((await askServer("unix:relative", { scheduler })).ok, false);
});
