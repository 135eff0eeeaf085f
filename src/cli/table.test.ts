import assert from "node:assert/strict";
import { test } from "node:test";
import { formatBytes, formatFields, formatSpan, formatTable } from "./table.ts";

const columns = [
  { title: "NAME", show: (row: readonly string[]) => row[0] ?? "" },
  { title: "COUNT", isNumber: true as const, show: (row: readonly string[]) => row[1] ?? "" },
  { title: "EMPTY", show: () => "" },
];

test("columns are as wide as their longest value, numbers stand at the right, empty columns are left out", () => {
  assert.deepEqual(
    formatTable(columns, [
      ["a", "1"],
      ["longer", "100"],
    ]),
    ["NAME    COUNT", "a           1", "longer    100"],
  );
});

test("a line that would wrap is cut, and a name cannot break the table", () => {
  assert.deepEqual(formatTable(columns, [["a\nb\u001b[2J", "1"]], 8), ["NAME   …", "a b [2J…"]);
});

test("fields stand one a line", () => {
  assert.deepEqual(
    formatFields([
      ["a", "1"],
      ["long", ""],
    ]),
    ["a     1", "long"],
  );
});

test("sizes and spans are said as people say them", () => {
  assert.deepEqual([0, 999, 1000, 12_345, 1e9, 5e14].map(formatBytes), [
    "0 B",
    "999 B",
    "1.0 kB",
    "12.3 kB",
    "1.0 GB",
    "500 TB",
  ]);
  assert.deepEqual([5, 5_400, 300_000, 9e6].map(formatSpan), ["5 ms", "5 s", "5 min", "3 h"]);
});
