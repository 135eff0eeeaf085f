import assert from "node:assert/strict";
import { test } from "node:test";
import { runSimulated } from "./simulated.ts";

test("without root the same tour runs in this process, every step is marked, and there is no figure of speed", async () => {
  const lines: string[] = [];
  assert.equal(await runSimulated((line) => lines.push(line), 7), 0, lines.join("\n"));
  const ticks = lines.filter((line) => line.startsWith("✓"));
  assert.equal(ticks.length, 9);
  for (const tick of ticks) assert.match(tick, /\(simulated\)/);
  assert.ok(ticks.some((tick) => tick.includes("across the router (simulated): 3 of 3, TTL 63")));
  assert.doesNotMatch(lines.join("\n"), /bit\/s|\d ms/);
});
