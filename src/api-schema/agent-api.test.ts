import assert from "node:assert/strict";
import { test } from "node:test";
import { formatHostAlive, formatPortActive, parseHostAlive, parsePortActive } from "./agent-api.ts";

test("an agent's state key is read as it was written", () => {
  const alive = { address: "unix:/run/weft/a.sock", release: "0.1.0", startedAt: 5 };
  assert.deepEqual(parseHostAlive(formatHostAlive(alive)), { ok: true, value: { v: 1, ...alive } });
});

test("a state key that is damaged or of another release is a value, not an exception", () => {
  for (const text of ["", "{", "[]", '{"v":2,"address":"x"}', '{"v":1}'])
    assert.equal(parseHostAlive(text).ok, false, text);
  assert.equal(parsePortActive('{"hostId":1}').ok, false);
});

test("a port that its host withdraws on purpose is not one that nobody speaks for", () => {
  const state = { hostId: "00000000-0000-8000-8000-000000000001", tunnelKey: 7, generation: 3 };
  assert.deepEqual(parsePortActive(formatPortActive(state, true)), { ok: true, value: state });
  assert.deepEqual(parsePortActive(formatPortActive(state, false)), { ok: true, value: { ...state, isActive: false } });
});
