import assert from "node:assert/strict";
import { test } from "node:test";
import { Counters } from "./metrics.ts";

const catalogue = { upcalls: "packets given to the simulation", flows: "flows in the table" } as const;

test("counters start at zero, add up, and are read by name or together", () => {
  const counters = new Counters(catalogue);
  counters.add("upcalls");
  counters.add("upcalls", 4);
  counters.set("flows", 7);
  assert.equal(counters.get("upcalls"), 5);
  assert.deepEqual(counters.snapshot(), { upcalls: 5, flows: 7 });
});

test("an index looked up once reaches the same counter", () => {
  const counters = new Counters(catalogue);
  counters.values[counters.index("flows")] = 3;
  assert.equal(counters.get("flows"), 3);
});

test("a name that is not in the catalogue is a bug", () => {
  const counters: Counters<Record<string, string>> = new Counters<Record<string, string>>(catalogue);
  assert.throws(() => counters.add("drops"), /no counter drops/);
});
