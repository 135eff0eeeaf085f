import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Prng } from "../../base/prng.ts";
import { KEY_REST_MS } from "./limits.ts";
import { TunnelKeys } from "./tunnel-keys.ts";

/** Draws what the test says, then counts on from there. */
class Drawn extends Prng {
  readonly #numbers: number[];

  constructor(numbers: readonly number[]) {
    super(1);
    this.#numbers = [...numbers];
  }

  override below(limit: number): number {
    return (this.#numbers.shift() ?? 1_000) % limit;
  }
}

describe("tunnel keys", () => {
  it("keeps an owner's key, and draws again when a key is in use", () => {
    const keys = new TunnelKeys(new Drawn([40, 40, 41]));
    assert.deepEqual(keys.take("a", 0), { ok: true, value: 41 });
    assert.deepEqual(keys.take("a", 0), { ok: true, value: 41 });
    assert.deepEqual(keys.take("b", 0), { ok: true, value: 42 });
  });

  it("gives a freed key to nobody until it has rested, even when it is drawn", () => {
    const keys = new TunnelKeys(new Drawn([40, 40, 41, 40]));
    keys.take("a", 0);
    keys.release("a", 1_000);
    assert.deepEqual(keys.take("b", 999 + KEY_REST_MS), { ok: true, value: 42 });
    assert.deepEqual(keys.take("c", 1_000 + KEY_REST_MS), { ok: true, value: 41 });
  });

  it("knows keys that rest since an earlier agent", () => {
    const resting = [{ key: 41, until: 5_000 }];
    const keys = new TunnelKeys(new Drawn([40, 50]), { resting });
    assert.deepEqual(keys.take("a", 4_999), { ok: true, value: 51 });
  });

  it("lets no key rest for ever when the clock was set back since", () => {
    const resting = [{ key: 41, until: 1e12 }];
    const keys = new TunnelKeys(new Drawn([40, 50, 40]), { resting, now: 1_000 });
    assert.deepEqual(keys.take("a", 999 + KEY_REST_MS), { ok: true, value: 51 });
    assert.deepEqual(keys.take("b", 1_000 + KEY_REST_MS), { ok: true, value: 41 });
  });

  it("gives an owner the key that an earlier agent gave it for the same generation, and to nobody else", () => {
    const inUse = [
      { owner: "a", key: 41, generation: 3 },
      { owner: "b", key: 51, generation: 3 },
    ];
    const taken: unknown[] = [];
    const keys = new TunnelKeys(new Drawn([40, 50, 60, 70]), { inUse, onTaken: (kept) => taken.push(kept) });
    assert.deepEqual(keys.take("c", 0, 3), { ok: true, value: 61 });
    assert.deepEqual(keys.take("a", 0, 3), { ok: true, value: 41 });
    assert.deepEqual(keys.take("b", 0, 4), { ok: true, value: 71 }, "a later binding");
    assert.deepEqual(taken, [
      { owner: "c", key: 61, generation: 3 },
      { owner: "b", key: 71, generation: 4 },
    ]);
    assert.deepEqual(keys.resting(), [{ key: 51, until: KEY_REST_MS }]);
  });

  it("lets the keys rest whose owners did not come back", () => {
    const rested: unknown[] = [];
    const inUse = [{ owner: "a", key: 41, generation: 0 }];
    const keys = new TunnelKeys(new Drawn([40, 50]), { inUse, onReleased: (rest) => rested.push(rest) });
    keys.forgetEarlier(1_000);
    assert.deepEqual(rested, [{ key: 41, until: 1_000 + KEY_REST_MS }]);
    assert.deepEqual(keys.take("b", 1_000), { ok: true, value: 51 });
  });
});
