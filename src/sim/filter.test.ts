import assert from "node:assert/strict";
import { test } from "node:test";
import { CHAINS_PER_FILTER_MAX } from "../model/limits.ts";
import { WalkScript } from "./testing/walk-script.ts";

/** What becomes of a packet at a port whose filter jumps to so many chains, the last of which drops it if `drops`. */
function walkThrough(chains: number, drops: boolean): string | undefined {
  const jumps = Array.from({ length: chains }, (_, i) => [`chain c${i}`, `rule j${i} main jump=c${i}`]);
  const last = drops ? [`rule last c${chains - 1} drop`] : [];
  const script = new WalkScript();
  const ports = ["bridge br", "port p1 br in=main", "port p2 br", "fdb br 02:2 p2"];
  const lines = [
    "quiet",
    "chain main",
    ...jumps.flat(),
    ...last,
    ...ports,
    "packet p1 02:1 > 02:2 ip 10.0.0.1 > 10.0.0.2 udp 1 > 53",
  ];
  return script.run(lines).find((line) => line.startsWith("= "));
}

test("a filter is evaluated whole as long as there is room for its chains, and drops beyond that", () => {
  const most = CHAINS_PER_FILTER_MAX - 1;
  assert.equal(walkThrough(most, false), "= forward to p2");
  assert.equal(walkThrough(most, true), "= drop filter");
  assert.equal(walkThrough(most + 1, true), "= drop chain-limit");
  assert.equal(walkThrough(most + 1, false), "= drop chain-limit");
});
