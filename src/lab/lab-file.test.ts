import assert from "node:assert/strict";
import { test } from "node:test";
import { labFileOf, parseLabFile } from "./lab-file.ts";
import { planLab } from "./plan.ts";

const file = labFileOf(planLab("3f2a"), {
  pid: 42,
  startTicks: 4_711,
  api: "unix:/run/weft/3f2a/api.sock",
  token: "secret",
  folder: "/run/weft/3f2a",
});

test("a lab file is read as it was written", () => {
  assert.deepEqual(parseLabFile(JSON.stringify(file)), file);
});

test("half a file, another file and no JSON are no lab", () => {
  const text = JSON.stringify(file);
  for (const bad of ["", text.slice(0, -1), "{}", "[]", "null", "7", JSON.stringify({ ...file, token: 1 })]) {
    assert.equal(parseLabFile(bad), undefined, bad);
  }
});
