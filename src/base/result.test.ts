import assert from "node:assert/strict";
import { test } from "node:test";
import { AssertionFailure, unreachable, assert as weftAssert } from "./assert.ts";
import { err, ok, unwrap } from "./result.ts";

test("unwrap gives the value of a success and throws the error of a failure", () => {
  assert.equal(unwrap(ok(3)), 3);
  assert.throws(() => unwrap(err({ kind: "truncated" })), /unwrap of a failed result: \{"kind":"truncated"\}/);
});

test("a broken invariant throws with its values", () => {
  weftAssert(true, "never");
  assert.throws(
    () => weftAssert(false, "ring out of step", { head: 3, tail: 5 }),
    (error) => {
      assert.ok(error instanceof AssertionFailure);
      assert.equal(error.message, 'ring out of step {"head":3,"tail":5}');
      return true;
    },
  );
});

test("an unreachable value throws and names itself", () => {
  assert.throws(() => unreachable("bridge" as never), /unreachable value "bridge"/);
});
