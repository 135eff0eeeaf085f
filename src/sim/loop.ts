import { frameTtl } from "./frame-ttl.ts";
import { sendIcmpError } from "./icmp-error.ts";
import type { Step } from "./step.ts";
import type { Hop, Walk } from "./walk.ts";

/**
 * The way is too long for a walk. Where it goes round through routers, a packet lives until its TTL is used up, and the router at
 * which that happens tells its sender: that is how loops are found. No walk goes so far; where in the round it ends is known without.
 */
export function endOfWay(walk: Walk): Step {
  const first = beginOfRound(walk);
  if (first < 0) return walk.drop("loop");
  if (walk.frame !== undefined) {
    const round = walk.hopCount - 1 - first;
    const last = frameTtl(walk.frame) - 1;
    const hop = walk.hops[first + ((last - first) % round)] as Hop;
    // What it says of the packet is what is left of it there.
    if (last >= walk.hopCount) hop.ttlDecrement = last;
    if (last >= first) sendIcmpError(walk, hop, { kind: "ttl-expired" });
  }
  return walk.dropForNow("loop");
}

/** The router at which the round began that the last one ends, or -1: the packet has not come by the same port twice. */
function beginOfRound({ hops, hopCount }: Walk): number {
  const port = hops[hopCount - 1]?.port;
  for (let i = hopCount - 2; i >= 0; i--) if (hops[i]?.port === port && port !== undefined) return i;
  return -1;
}
