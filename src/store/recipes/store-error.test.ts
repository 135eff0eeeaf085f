import assert from "node:assert/strict";
import { test } from "node:test";
import { formatStoreError } from "./store-error.ts";

test("an error with a session in it can be written to a log", () => {
  const text = formatStoreError({ kind: "held", path: "/weft/a", owner: 0x1_0000_0000_0001n, value: "v" });
  assert.equal(text, '{"kind":"held","path":"/weft/a","owner":"0x1000000000001","value":"v"}');
});
