import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest, suggestion } from "./nearest.ts";

test("the candidate with the fewest edits is meant, whatever its case", () => {
  assert.equal(nearest("Brdige", ["bridge", "router", "ridge"]), "bridge");
});

test("nothing is suggested when nothing is near", () => {
  assert.equal(nearest("flows", ["hosts", "trace"]), undefined);
  assert.equal(nearest("x", []), undefined);
  assert.equal(suggestion(undefined), "");
});
