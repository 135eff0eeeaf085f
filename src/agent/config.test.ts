import assert from "node:assert/strict";
import { test } from "node:test";
import { hostIdOf } from "./config.ts";

test("a host id is read before anything else is done, and has one way to be written", () => {
  const id = "7b0c7f0e-6a7f-4c55-9c39-0d5c0e6f2a11";
  assert.deepEqual(hostIdOf({ "host-id": id.toUpperCase() }), { ok: true, value: id });
  for (const text of ["nope", `${id}0`, "../x"]) {
    const refused = hostIdOf({ "host-id": text });
    assert.match(refused.ok ? "" : refused.error, /is no UUID: give --host-id/, text);
  }
  const missing = hostIdOf({ "host-id": undefined });
  assert.match(missing.ok ? "" : missing.error, /host-id is missing: give --host-id UUID/);
});
