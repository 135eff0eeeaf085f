import assert from "node:assert/strict";
import { test } from "node:test";
import type { FlowLine } from "../api-schema/agent-api.ts";
import { flowLines } from "./flow-lines.ts";

const flow = (packets: number, key: string): FlowLine => ({
  ...{ slot: 1, key, packets, bytes: 0, idleMs: 0, tags: 1, flowClass: "l3-dst" },
  action: "max_len(1450),ttl-1,output:tunnel(peer=1,key=0x1)",
});

test("the busiest flows come first, in one line each", () => {
  const l2 = "vport 1 ip4 02:00:00:00:00:11 > 02:00:00:00:00:12";
  const l3 = "vport 1 ip4 02:00:00:00:00:11 > 02:00:00:00:00:01 * > 10.1.2.14";
  assert.deepEqual(flowLines([flow(1, "a"), flow(2, l2), flow(3, l3)]), [
    "vport 1 ip4 * > 10.1.2.14: 3 packets, ttl-1,output:tunnel(peer=1,key=0x1)",
    `${l2}: 2 packets, ttl-1,output:tunnel(peer=1,key=0x1)`,
  ]);
});
