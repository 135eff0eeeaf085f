import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/prng.ts";
import { unwrap } from "../base/result.ts";
import { Bench, servers } from "./fixture/session-bench.ts";
import { zookeeperLimits } from "./limits.ts";
import { formatServer, parseServer, ServerRotation } from "./servers.ts";

test("a round over all servers takes no pause; rounds are followed by pauses that double up to a second", () => {
  const rotation = new ServerRotation(servers(3), new Prng(5));
  const round = new Set([rotation.next(), rotation.next(), rotation.next()].map(formatServer));
  assert.equal(round.size, 3);
  const pauses = Array.from({ length: 24 }, () => rotation.failed());
  for (const [i, pause] of pauses.entries()) {
    const full = Math.min(zookeeperLimits.backoffMaxMs, zookeeperLimits.backoffMinMs * 2 ** Math.floor(i / 3));
    if (i % 3 < 2) assert.equal(pause, 0);
    else assert.ok(pause >= full / 2 && pause <= full, `${pause} of ${full}`);
  }
  rotation.succeeded();
  assert.deepEqual([rotation.failed(), rotation.failed()], [0, 0]);
});

test("clients with different seeds begin at different servers", () => {
  const first = new Set<string>();
  for (let seed = 0; seed < 40; seed++) {
    const bench = new Bench({ servers: servers(3) }, seed);
    bench.do((session, now) => session.start(now));
    for (const line of bench.lines()) first.add(line);
  }
  assert.equal(first.size, 3);
});

test("server addresses are read and printed, and bad ones named", () => {
  for (const text of ["unix:/run/weft/store.sock", "10.0.0.1:2181", "zk-1.example:99", "[::1]:2181"]) {
    assert.equal(formatServer(unwrap(parseServer(text))), text);
  }
  assert.deepEqual(unwrap(parseServer("zk")), { kind: "tcp", host: "zk", port: 2181 });
  for (const text of ["", "unix:relative", "a:0", "a:65536", "a:b", "::1:2181", "a b:1"]) {
    assert.equal(parseServer(text).ok, false, text);
  }
});
