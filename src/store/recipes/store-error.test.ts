import assert from "node:assert/strict";
import { test } from "node:test";
import { formatStoreError, type StoreError } from "./store-error.ts";

test("an error with a session in it can be written to a log", () => {
  const text = formatStoreError({ kind: "held", path: "/weft/a", owner: 0x1_0000_0000_0001n, value: "v" });
  assert.equal(text, "/weft/a belongs to session 0x1000000000001");
});

test("an error is a sentence, never JSON in a log line, and says what to do about a wrong secret", () => {
  const errors: readonly StoreError[] = [
    { kind: "no-auth", path: "/weft/layout" },
    { kind: "store-unavailable", why: "no connection to the store" },
    { kind: "layout-newer", found: 99, supported: 1 },
    { kind: "in-use", object: { kind: "port", id: "p" }, by: { kind: "rule", id: "r" }, field: "portId" },
  ];
  const sentences = errors.map(formatStoreError);
  for (const sentence of sentences) assert.doesNotMatch(sentence, /[{}"]/);
  assert.match(sentences[0] ?? "", /^the store does not let us use \/weft\/layout: --store-secret-file /);
});
