import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../base/prng.ts";
import { PEER_EPOCH, PEER_WORDS } from "../../flow/layout.ts";
import { Network, START } from "./fixture/liveness-network.ts";
import { PEER_IDLE_MS, PEER_LOOK_MS, PEER_MISSES, PEER_QUIET_MS, PEER_RETRY_MS, PEERS_AT_FULL_PACE } from "./limits.ts";
import { Liveness } from "./liveness.ts";

test("a used peer that falls silent is dead within a second of its last frame, and alive when it is heard again", () => {
  const net = new Network();
  net.add(1);
  net.use(1);
  net.run(3_000);
  assert.equal(net.stateOf(1), "alive");
  net.answering.clear();
  const silentFrom = net.now;
  net.hear(1);
  net.run(1_000);
  const [suspect, dead] = net.lives.filter(({ at }) => at > silentFrom);
  assert.equal(suspect?.state, "suspect");
  assert.equal(dead?.state, "dead");
  assert.ok(dead.at - silentFrom <= 1_000, `${dead.at - silentFrom} ms`);
  assert.ok(dead.at - silentFrom >= 700, "not too eager either");
  net.run(5_000);
  net.answering.add(1);
  const backFrom = net.now;
  net.run(1_000);
  const back = net.lives.at(-1);
  assert.deepEqual([back?.state, net.stateOf(1)], ["alive", "alive"]);
  assert.ok((back?.at ?? 0) - backFrom < 800);
});

test("any frame of a dead peer makes it alive at the next look", () => {
  const net = new Network();
  net.add(1);
  net.use(1);
  net.run(3_000);
  net.answering.clear();
  net.run(3_000);
  assert.equal(net.stateOf(1), "dead");
  net.hear(1);
  net.run(PEER_LOOK_MS.dead);
  assert.equal(net.stateOf(1), "alive");
});

test("a peer that sends is never asked; one that is silent is asked every quarter of a second", () => {
  const net = new Network();
  net.add(1);
  net.add(2);
  net.use(1, 2);
  net.run(3_000);
  net.asked.length = 0;
  for (let i = 0; i < 100; i++) {
    net.hear(1);
    net.run(100);
  }
  const of = (peer: number): number => net.asked.filter((ask) => ask.peer === peer).length;
  assert.equal(of(1), 0);
  assert.ok(of(2) >= 30 && of(2) <= 10_000 / PEER_QUIET_MS + 1, `${of(2)}`);
});

test("an idle peer is asked about every ten seconds, and its death is known all the same", () => {
  const net = new Network();
  for (let peer = 1; peer <= 100; peer++) net.add(peer);
  net.run(60_000);
  net.asked.length = 0;
  net.run(100_000);
  assert.ok(net.asked.length >= 1_000 && net.asked.length <= 2_100, `${net.asked.length} in 100 s`);
  net.answering.delete(7);
  net.run(PEER_IDLE_MS + 1_000);
  assert.equal(net.stateOf(7), "dead");
  assert.equal(net.stateOf(8), "alive");
});

test("the first peers are asked spread over time, not all at once", () => {
  const net = new Network();
  for (let peer = 1; peer <= 1_000; peer++) net.add(peer);
  net.run(1_000);
  assert.ok(net.asked.length < 250, `${net.asked.length}`);
});

test("a peer that never answered a keep-alive is unknown for ever, never dead", () => {
  const net = new Network();
  net.add(1, false);
  net.use(1);
  net.run(30_000);
  assert.equal(net.stateOf(1), "unknown");
  net.hear(1);
  net.run(2_000);
  assert.equal(net.stateOf(1), "unknown");
  assert.ok(!net.lives.some(({ state }) => state === "dead"));
});

test("an idle peer that died is found out soon after it is used", () => {
  const net = new Network();
  net.add(1);
  net.run(20_000);
  net.answering.clear();
  net.use(1);
  const from = net.now;
  net.run(2_200);
  const dead = net.lives.find(({ state }) => state === "dead");
  assert.ok(dead !== undefined && dead.at - from <= 2_100, `${(dead?.at ?? 0) - from}`);
});

test("nobody dies because we slept", () => {
  const net = new Network();
  net.add(1);
  net.use(1);
  net.run(3_000);
  for (let i = 0; i < 20; i++) {
    // The datapath noted an answer while the agent did not run at all for ten seconds.
    net.now += 10_000;
    net.hear(1, net.now - 3);
    net.look();
    assert.equal(net.stateOf(1), "alive");
    net.now += 10_000;
    net.look();
    assert.notEqual(net.stateOf(1), "dead");
    net.run(500);
  }
});

test("without a secret nobody is asked, and nobody dies", () => {
  const net = new Network();
  net.mayAsk = false;
  net.add(1);
  net.use(1);
  net.hear(1, START - 5);
  net.run(100);
  net.hear(1);
  net.run(30_000);
  assert.equal(net.asked.length, 0);
  assert.equal(net.stateOf(1), "alive");
});

test("sequences grow, also from one agent to the next and past what anybody recorded", () => {
  const net = new Network();
  net.add(1);
  net.use(1);
  net.run(5_000);
  const sequences = net.asked.map(({ sequence }) => sequence);
  assert.deepEqual(
    sequences,
    sequences.toSorted((a, b) => a - b),
  );
  assert.equal(new Set(sequences).size, sequences.length);
  const next = new Liveness(net.memory, new Prng(2));
  let first = 0;
  for (let now = net.now; first === 0; now = next.nextAt) {
    const probe = next.look(now, START - 1e9, true).find((effect) => effect.kind === "probe");
    if (probe?.kind === "probe") first = probe.sequence;
  }
  assert.ok(first > START, `${first}`);
});

test("a peer that is taken away is forgotten; its number given to another host begins anew", () => {
  const net = new Network();
  net.add(1);
  net.use(1);
  net.run(3_000);
  net.remove(1);
  net.run(300);
  assert.equal(net.stateOf(1), undefined);
  net.add(1);
  net.run(10);
  net.memory.peers[PEER_WORDS + PEER_EPOCH] = 77;
  net.look();
  assert.deepEqual(
    net.liveness.lives().map(({ epoch, state }) => [epoch, state]),
    [[77, "unknown"]],
  );
});

test("with more used peers than the limit each is asked less often, and none dies of it", () => {
  const net = new Network();
  const all = Array.from({ length: 3 * PEERS_AT_FULL_PACE }, (_, i) => i + 1);
  for (const peer of all) net.add(peer);
  net.use(...all);
  net.run(4_000);
  net.asked.length = 0;
  net.run(5_000);
  const most = (PEERS_AT_FULL_PACE * 5_000) / PEER_QUIET_MS;
  assert.ok(net.asked.length <= most * 1.1, `${net.asked.length} > ${most}`);
  assert.ok(!net.lives.some(({ state }) => state === "dead"));
});

test("a question is missed only after the time for its answer", () => {
  const net = new Network();
  net.add(1);
  net.use(1);
  net.run(3_000);
  net.answering.clear();
  net.asked.length = 0;
  net.run(900);
  const gaps = net.asked.slice(1).map(({ at }, i) => at - (net.asked[i]?.at ?? 0));
  for (const gap of gaps) assert.ok(gap >= PEER_RETRY_MS, `${gap}`);
});

test("a question says how many before it were followed by silence, and the peer that dies of it hears so at once", () => {
  const net = new Network();
  net.add(1);
  net.use(1);
  net.run(3_000);
  assert.ok(net.asked.every(({ unheard }) => unheard === 0));
  net.answering.clear();
  net.asked.length = 0;
  net.run(1_200);
  const dead = net.lives.at(-1);
  assert.deepEqual([dead?.state, dead?.why], ["dead", "silent"]);
  const told = net.asked.slice(0, PEER_MISSES + 1);
  assert.deepEqual(
    told.map(({ unheard }) => unheard),
    [0, 1, 2, 3, 4, 5],
  );
  assert.equal(told.at(-1)?.at, dead?.at);
  net.answering.add(1);
  net.run(2_000);
  assert.equal(net.stateOf(1), "alive");
  assert.equal(net.asked.at(-1)?.unheard, 0);
});

/** A peer that is heard of all the time: it sends data, and asks. */
function talk(net: Network, unheard: (i: number) => number, span: number): void {
  for (let i = 0; i < span / 50; i++) {
    if (i % 2 === 0) net.request(1, unheard(i));
    else net.hear(1);
    net.run(50);
  }
}

test("a peer that says it hears nothing of us is dead although it is heard of, until it answers a question", () => {
  const net = new Network();
  net.add(1);
  net.use(1);
  net.run(3_000);
  net.answering.clear();
  talk(net, (i) => Math.min(i, PEER_MISSES - 1), 1_000);
  assert.equal(net.stateOf(1), "alive");
  const from = net.now;
  net.asked.length = 0;
  talk(net, () => PEER_MISSES, 5_000);
  assert.equal(net.stateOf(1), "dead");
  const death = net.lives.at(-1);
  assert.equal(death?.why, "deaf");
  assert.ok((death?.at ?? 0) - from <= 100, `${(death?.at ?? 0) - from} ms`);
  assert.ok(net.asked.length <= 11, `${net.asked.length} questions in 5 s`);
  net.answering.add(1);
  // It does not ask any more: its last words must not count for ever.
  for (let i = 0; i < 30; i++) {
    net.hear(1);
    net.run(50);
  }
  assert.equal(net.stateOf(1), "alive");
});

test("a deaf peer that says it hears again is alive at once", () => {
  const net = new Network();
  net.add(1, false);
  net.run(100);
  net.request(1, PEER_MISSES);
  net.run(1_000);
  assert.equal(net.stateOf(1), "dead");
  net.request(1, 0);
  net.run(PEER_LOOK_MS.idle);
  assert.equal(net.stateOf(1), "alive");
});

test("what a peer said before this agent looked, or before its last answer, makes it not deaf", () => {
  const net = new Network();
  net.add(1);
  net.request(1, PEER_MISSES);
  net.use(1);
  net.run(3_000);
  assert.equal(net.stateOf(1), "alive");
  assert.ok(!net.lives.some(({ state }) => state === "dead"));
});

test("both ways broken and mended at once: each hears old words of the other, and both live again soon", () => {
  const net = new Network();
  net.add(1);
  net.use(1);
  net.run(3_000);
  net.answering.clear();
  net.run(5_000);
  assert.equal(net.stateOf(1), "dead");
  net.answering.add(1);
  net.request(1, 40);
  net.run(300);
  assert.equal(net.stateOf(1), "alive");
});

test("whoever does not hear us is watched closely until it has decided, and not longer", () => {
  const net = new Network();
  net.add(1);
  net.use(1);
  net.run(3_000);
  net.request(1, 1);
  net.run(PEER_LOOK_MS.used);
  let looks = 0;
  const count = (span: number): number => {
    looks = 0;
    for (const end = net.now + span; net.now < end; looks++) {
      net.now = Math.min(end, net.liveness.nextAt);
      net.look();
    }
    return looks;
  };
  net.request(1, 2);
  net.look();
  assert.ok(count(PEER_RETRY_MS) >= PEER_RETRY_MS / PEER_LOOK_MS.least - 1, `${looks}`);
  net.request(1, 0);
  net.look();
  assert.ok(count(1_000) <= 15, `${looks}`);
});
