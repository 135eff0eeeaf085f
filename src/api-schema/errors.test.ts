import assert from "node:assert/strict";
import { test } from "node:test";
import { apiError, apiErrorOf, ERROR_CATALOGUE } from "./errors.ts";

test("every error has a status of its class, a meaning and a remedy", () => {
  for (const [code, { status, meaning, remedy }] of Object.entries(ERROR_CATALOGUE)) {
    assert.ok(status >= 400 && status < 600, code);
    assert.match(code, /^[a-z]+(-[a-z]+)*$/);
    assert.ok(meaning.length > 10 && remedy.length > 10, code);
    assert.doesNotMatch(meaning + remedy, /\.$/, code);
  }
});

test("an error says which object and field, what happened and what was expected", () => {
  assert.equal(
    apiError("bad-value", { object: "port 1", field: "mac", expected: "a MAC address" }).message,
    "port 1, field mac: a field has a value that it cannot have; expected a MAC address",
  );
});

test("several errors of the model are one answer", () => {
  const object = { kind: "port", id: "1" };
  const error = apiErrorOf([
    { kind: "bad-value", object, field: "mac", expected: "x" },
    { kind: "missing-field", object, field: "mtu", expected: "y" },
  ]);
  assert.deepEqual([error.code, error.more], ["bad-value", [{ code: "missing-field", field: "mtu", expected: "y" }]]);
});
