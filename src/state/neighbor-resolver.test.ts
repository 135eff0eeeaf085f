import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ipFromV4 } from "../addr/ip.ts";
import { hashIp, tagNeighbor, tagNeighborAbsent } from "../flow/tag.ts";
import { Bench, count, IP, KEY, MAC_A, MAC_B, PORT, SETTINGS, TABLE, WALL } from "./fixture/resolver-bench.ts";
import { LOOPS_MAX } from "./limits.ts";
import { NEIGHBOR_REFUSED, NEIGHBOR_WAIT, type NeighborEffect } from "./neighbor-resolver.ts";
import { NEIGHBOR_DEFAULTS } from "./neighbor-settings.ts";

describe("a request loop", () => {
  it("asks at once on the first miss, and once however many wait", () => {
    const bench = new Bench();
    for (let i = 0; i < 10; i++) assert.equal(bench.get(), NEIGHBOR_WAIT);
    assert.deepEqual(bench.process(), [{ kind: "request", table: TABLE, ip: IP, port: PORT }]);
    assert.deepEqual(bench.process(), [], "no time has passed");
    assert.equal(bench.resolver.shouldProcess(bench.now), false);
  });

  it("asks once or twice in each step of (1.25 + 0.1 n) retry times, whoever joins, until it gives up", () => {
    for (let seed = 1; seed < 50; seed++) {
      const bench = new Bench(SETTINGS, seed);
      const start = bench.now;
      bench.get();
      bench.process();
      for (let n = 0; bench.now + (1.25 + 0.1 * n) * SETTINGS.retryMs < start + SETTINGS.giveUpMs; n++) {
        assert.equal(bench.get(), NEIGHBOR_WAIT);
        const requests = count(bench.run((1.25 + 0.1 * n) * SETTINGS.retryMs), "request");
        assert.ok(requests === 1 || requests === 2, `seed ${seed}, step ${n}: ${requests}`);
      }
      const end = bench.run(3 * SETTINGS.retryMs);
      assert.equal(count(end, "failed"), 1, "all who wait are told by one effect");
      assert.deepEqual(bench.run(60_000), [], "silence after the end");
    }
  });

  it("spaces its requests by the jitter of the loop and a tenth more each time", () => {
    const bench = new Bench();
    bench.get();
    bench.process();
    const times = [bench.now];
    for (let i = 0; i < 600; i++) {
      bench.clock.advance(10);
      if (count(bench.process(), "request") > 0) times.push(bench.now);
    }
    const gaps = times.slice(1).map((time, i) => time - (times[i] as number));
    const [first = 0] = gaps;
    assert.ok(first >= 750 && first <= 1_260, `first gap ${first}`);
    for (const [i, gap] of gaps.entries()) assert.ok(Math.abs(gap - first - 100 * i) <= 20, `gap ${i}: ${gap}`);
  });

  it("starts anew, with a request at once, for a packet that comes after the end", () => {
    const bench = new Bench();
    bench.get();
    assert.equal(count(bench.run(10_000), "failed"), 1);
    assert.equal(bench.get(), NEIGHBOR_WAIT);
    assert.deepEqual(bench.kinds(), ["request"], "at once again");
  });

  it("is refused above its limit, and the tables of other routers are not touched", () => {
    const bench = new Bench();
    for (let i = 0; i < LOOPS_MAX; i++) assert.equal(bench.get(ipFromV4(i + 1)), NEIGHBOR_WAIT);
    assert.equal(bench.get(ipFromV4(0xffff)), NEIGHBOR_REFUSED);
    assert.equal(bench.resolver.counters.get("neighbor_refused"), 1);
    assert.equal(bench.resolver.get({ table: TABLE + 1, ip: IP }, PORT, bench.now), NEIGHBOR_WAIT);
  });
});

describe("an answer", () => {
  it("learned here is visible when the store has it, and ends all waits", () => {
    const bench = new Bench();
    bench.get();
    bench.run(1_500);
    bench.get();
    assert.equal(bench.learn(MAC_A), false);
    assert.equal(bench.get(), NEIGHBOR_WAIT, "written, not there yet");
    bench.commit();
    assert.equal(bench.get(), MAC_A);
    assert.equal(bench.resolver.shouldProcess(bench.now), true);
    assert.equal(count(bench.process(), "resolved"), 1);
    assert.equal(count(bench.run(20_000), "request"), 0, "the loop sees the entry and goes");
  });

  it("written by another host ends all waits too", () => {
    const bench = new Bench();
    bench.get();
    bench.run(1_500);
    bench.remote(MAC_A);
    assert.equal(bench.get(), MAC_A);
    assert.equal(count(bench.process(), "resolved"), 1);
  });

  it("is not written again while it is known and fresh, nor while the first write is under way", () => {
    const bench = new Bench();
    bench.learn(MAC_A);
    bench.learn(MAC_A);
    assert.deepEqual(bench.kinds(), ["write"]);
    bench.learn(MAC_A);
    assert.deepEqual(bench.kinds(), []);
    bench.remote(MAC_A);
    bench.run(50_000);
    assert.equal(bench.learn(MAC_A), true);
    assert.deepEqual(bench.kinds(), []);
  });

  it("is written when it is new, when it has changed and when it is stale", () => {
    const bench = new Bench();
    bench.learn(MAC_A);
    bench.commit();
    bench.process();
    bench.learn(MAC_B);
    assert.deepEqual(bench.kinds(), ["write"]);
    bench.commit();
    bench.run(125_000);
    assert.equal(bench.learn(MAC_B), true, "stale, but the same and visible");
    assert.deepEqual(bench.kinds(), ["write"]);
  });
});

describe("a change of MAC address", () => {
  const stale = { kind: "invalidate", tag: tagNeighbor(TABLE, hashIp(IP)) } as const;
  const absent = { kind: "invalidate", tag: tagNeighborAbsent(TABLE, hashIp(IP)) } as const;
  const invalidations = (bench: Bench): readonly NeighborEffect[] =>
    bench.process().filter(({ kind }) => kind === "invalidate");

  it("by another host invalidates the flows of the neighbor once, the first write does not", () => {
    const bench = new Bench();
    bench.remote(MAC_A);
    assert.deepEqual(invalidations(bench), [absent], "only those that had found nothing");
    bench.remote(MAC_B);
    assert.deepEqual(invalidations(bench), [stale]);
  });

  it("learned here invalidates likewise, when it is visible", () => {
    const bench = new Bench();
    bench.learn(MAC_A);
    bench.commit();
    assert.deepEqual(invalidations(bench), [absent]);
    bench.learn(MAC_B);
    assert.deepEqual(invalidations(bench), [], "not before the store has it");
    bench.commit();
    assert.deepEqual(invalidations(bench), [stale]);
  });

  it("is no change when only the times differ", () => {
    const bench = new Bench();
    bench.remote(MAC_A);
    bench.process();
    bench.clock.advance(1_000);
    bench.remote(MAC_A);
    assert.deepEqual(invalidations(bench), []);
  });

  it("to nothing invalidates too: the owner is gone", () => {
    const bench = new Bench();
    bench.remote(MAC_A);
    bench.process();
    bench.remote(undefined);
    assert.deepEqual(invalidations(bench), [stale]);
    assert.equal(bench.get(), NEIGHBOR_WAIT);
  });
});

describe("a stale entry", () => {
  it("is left alone until somebody asks, is served then, and asked for in the background", () => {
    const bench = new Bench();
    bench.learn(MAC_A);
    bench.commit();
    bench.process();
    bench.clock.advance(SETTINGS.staleMs * 1.2 + 1);
    assert.equal(bench.resolver.shouldProcess(bench.now), false);
    assert.deepEqual(bench.process(), []);
    assert.equal(bench.get(), MAC_A);
    assert.deepEqual(bench.kinds(), ["request"]);
    assert.equal(count(bench.run(SETTINGS.retryMs * 1.25 + 10), "request"), 1);
    bench.learn(MAC_B);
    bench.commit();
    const after = bench.run(5 * SETTINGS.retryMs);
    assert.equal(count(after, "request"), 0);
    assert.equal(count(after, "failed"), 0);
    assert.equal(bench.resolver.shouldProcess(bench.now), false);
  });

  it("is stale at a time of its own in each resolver, within the jitter", () => {
    const staleAfter = (seed: number): number => {
      const bench = new Bench(SETTINGS, seed);
      bench.remote(MAC_A);
      bench.process();
      for (let ms = 0; ms < 200_000; ms += 100) {
        bench.get();
        if (count(bench.process(), "request") > 0) return ms;
        bench.clock.advance(100);
      }
      return Number.POSITIVE_INFINITY;
    };
    const times = Array.from({ length: 20 }, (_, i) => staleAfter(i + 1));
    for (const time of times) assert.ok(time >= 100_000 && time <= 120_100, String(time));
    assert.ok(new Set(times).size > 10, "they differ");
  });

  it("ends its loop in silence when nobody answers and nobody waits", () => {
    const bench = new Bench();
    bench.remote(MAC_A);
    bench.process();
    bench.clock.advance(125_000);
    assert.equal(bench.get(), MAC_A);
    assert.equal(count(bench.run(20_000), "failed"), 0);
    assert.equal(bench.get(), MAC_A, "still valid");
  });
});

describe("expiry", () => {
  it("removes an entry that this resolver wrote, and the next question starts a loop", () => {
    const bench = new Bench();
    bench.learn(MAC_A);
    bench.commit();
    bench.process();
    bench.clock.advance(SETTINGS.expiryMs - 1);
    assert.equal(bench.resolver.shouldProcess(bench.now), false);
    bench.clock.advance(1);
    assert.equal(bench.resolver.shouldProcess(bench.now), true, "expiries count as work");
    assert.deepEqual(bench.kinds(), ["remove"]);
    bench.commit();
    assert.deepEqual(bench.kinds(), ["invalidate"]);
    assert.equal(bench.get(), NEIGHBOR_WAIT);
    assert.deepEqual(bench.kinds(), ["request"]);
  });

  it("says when it is due", () => {
    const bench = new Bench();
    assert.equal(bench.resolver.nextAt(), Number.POSITIVE_INFINITY);
    bench.learn(MAC_A);
    bench.commit();
    bench.process();
    assert.equal(bench.resolver.nextAt(), 5_000 + SETTINGS.expiryMs);
  });

  it("leaves an entry that was refreshed meanwhile, here or elsewhere", () => {
    const bench = new Bench();
    bench.learn(MAC_A);
    bench.commit();
    bench.clock.advance(150_000);
    bench.remote(MAC_A);
    bench.process();
    bench.clock.advance(60_000);
    assert.deepEqual(bench.kinds(), []);
    assert.equal(bench.get(), MAC_A);
  });

  it("never removes what others wrote, but does not use it beyond its time", () => {
    const bench = new Bench();
    bench.remote(MAC_A);
    bench.process();
    bench.clock.advance(SETTINGS.expiryMs + 1);
    assert.equal(count(bench.process(), "remove"), 0);
    assert.equal(bench.get(), NEIGHBOR_WAIT, "not valid any more");
  });

  it("is not disturbed by a step of the wall clock in request loops", () => {
    const bench = new Bench();
    bench.get();
    bench.process();
    bench.resolver.setWallOffset(WALL - 3_600_000);
    assert.ok(count(bench.run(3_000), "request") >= 1);
  });
});

describe("a check", () => {
  it("answers what is known and starts nothing", () => {
    const bench = new Bench();
    assert.equal(bench.resolver.peek(KEY, bench.now), NEIGHBOR_WAIT);
    bench.remote(MAC_A);
    bench.process();
    bench.clock.advance(150_000);
    assert.equal(bench.resolver.peek(KEY, bench.now), MAC_A);
    assert.deepEqual(bench.process(), []);
  });
});

describe("a router that goes", () => {
  it("takes its table and loops along, and whoever waits is told", () => {
    const bench = new Bench();
    bench.get();
    bench.process();
    bench.resolver.forget(TABLE);
    assert.deepEqual(bench.kinds(), ["failed"]);
    assert.deepEqual(bench.run(30_000), []);
  });
});

describe("any interleaving of questions, lessons, arrivals and time", () => {
  type Act = { readonly act: "get" | "learn" | "remote" | "gone" | "wait" | "commit"; readonly n: number };
  const acts = fc.array(
    fc.record({
      act: fc.constantFrom("get", "learn", "remote", "gone", "wait", "commit"),
      n: fc.integer({ min: 0, max: 40_000 }),
    }) as fc.Arbitrary<Act>,
    { maxLength: 60 },
  );

  function perform(bench: Bench, { act, n }: Act): readonly NeighborEffect[] {
    if (act === "get") bench.get();
    else if (act === "learn") bench.learn(n % 2 === 0 ? MAC_A : MAC_B);
    else if (act === "remote") bench.remote(n % 2 === 0 ? MAC_A : MAC_B);
    else if (act === "gone") bench.remote(undefined);
    else if (act === "commit") bench.commit();
    else return bench.run(n);
    return bench.process();
  }

  it("keeps requests apart by three quarters of the retry time, but for the first of a loop", () => {
    fc.assert(
      fc.property(acts, fc.integer({ min: 1, max: 1000 }), (list, seed) => {
        const bench = new Bench(SETTINGS, seed);
        const times: number[] = [];
        for (const act of list) for (const e of perform(bench, act)) if (e.kind === "request") times.push(bench.now);
        const requests = bench.resolver.counters.get("neighbor_requests");
        assert.ok(requests <= 2 + (bench.now / SETTINGS.retryMs) * (1 / 0.75) + list.length);
      }),
    );
  });

  it("tells everyone who waits of an end: resolved, failed, or an entry that is there", () => {
    fc.assert(
      fc.property(acts, (list) => {
        const bench = new Bench();
        let isWaiting = false;
        for (const act of list) {
          const effects = perform(bench, act);
          if (act.act === "get" && bench.resolver.peek(KEY, bench.now) === NEIGHBOR_WAIT) isWaiting = true;
          if (effects.some(({ kind }) => kind === "resolved" || kind === "failed")) isWaiting = false;
        }
        const end = bench.run(2 * SETTINGS.giveUpMs);
        if (isWaiting) assert.ok(end.some(({ kind }) => kind === "resolved" || kind === "failed"));
      }),
    );
  });
});

describe("the defaults", () => {
  it("are those of the design: stale after half an hour, gone after one, ten seconds and a minute", () => {
    assert.deepEqual(NEIGHBOR_DEFAULTS, {
      staleMs: 1_800_000,
      staleJitter: 0.2,
      expiryMs: 3_600_000,
      retryMs: 10_000,
      giveUpMs: 60_000,
    });
  });
});
