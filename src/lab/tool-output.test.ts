import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIperf, parsePing, parseTraceroute, wrapWalk } from "./tool-output.ts";

test("what ping counted is read, also when nothing came back", () => {
  const good = `3 packets transmitted, 3 received, 0% packet loss, time 403ms
rtt min/avg/max/mdev = 0.104/2.423/7.058/3.276 ms`;
  assert.deepEqual(parsePing(good), { sent: 3, received: 3, minMs: 0.104 });
  const lost = "2 packets transmitted, 0 received, +2 errors, 100% packet loss, time 1005ms";
  assert.deepEqual(parsePing(lost), { sent: 2, received: 0, minMs: undefined });
  assert.equal(parsePing("ping: unknown host"), undefined);
});

test("hops of traceroute are read in order, silent ones too", () => {
  const output = `traceroute to 10.1.2.14 (10.1.2.14), 30 hops max, 60 byte packets
 1  10.1.1.1  6.213 ms
 2  *
 3  10.1.2.14  6.085 ms`;
  assert.deepEqual(parseTraceroute(output), ["10.1.1.1", "*", "10.1.2.14"]);
});

test("throughput is what arrived; an error is none", () => {
  assert.equal(parseIperf(JSON.stringify({ end: { sum_received: { bits_per_second: 14.1e9 } } })), 14.1e9);
  assert.equal(parseIperf(JSON.stringify({ error: "unable to connect" })), undefined);
  assert.equal(parseIperf("iperf3: not JSON"), undefined);
});

test("a walk is wrapped at the width, with nothing lost", () => {
  const parts = ["in vm1", "bridge web", "router r1", "out vm4"];
  const lines = wrapWalk(parts, 25);
  assert.deepEqual(lines, ["in vm1 > bridge web", "> router r1 > out vm4"]);
  assert.deepEqual(wrapWalk([], 25), []);
});
