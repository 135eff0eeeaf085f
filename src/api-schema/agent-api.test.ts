import assert from "node:assert/strict";
import { test } from "node:test";
import { formatHostAlive, parseHostAlive, parsePortActive } from "./agent-api.ts";

test("an agent's state key is read as it was written", () => {
  const alive = { address: "unix:/run/weft/a.sock", release: "0.1.0", startedAt: 5 };
  assert.deepEqual(parseHostAlive(formatHostAlive(alive)), { ok: true, value: { v: 1, ...alive } });
});

test("a state key that is damaged or of another release is a value, not an exception", () => {
  for (const text of ["", "{", "[]", '{"v":2,"address":"x"}', '{"v":1}'])
    assert.equal(parseHostAlive(text).ok, false, text);
  assert.equal(parsePortActive('{"hostId":1}').ok, false);
});
