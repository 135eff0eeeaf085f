import { CREDIT_WORDS, SHARD_COUNT, VPORT_MAX } from "../../../src/flow/layout.ts";
import type { SimCloud } from "../../../src/weftsim/cloud.ts";

/** In a quiet cloud: nothing vanished on the underlay without a reason, every upcall credit came back, no VM got a bad frame. */
export function counterProblems(cloud: SimCloud): readonly string[] {
  const problems: string[] = [];
  const { sent, duplicated, delivered, lost, blocked, unknown, inFlight } = cloud.underlay.counts;
  if (inFlight !== 0) problems.push(`${inFlight} frames are on the underlay of a quiet cloud`);
  if (sent + duplicated !== delivered + lost + blocked + unknown)
    problems.push(`the underlay's counts do not add up: ${JSON.stringify(cloud.underlay.counts)}`);
  for (const host of [...cloud.hosts.values()].filter(({ isDead }) => !isDead))
    problems.push(...creditProblems(host.spec.name, host.datapath.memory.credits));
  for (const { spec, counts } of cloud.vms)
    if (counts.bad > 0) problems.push(`${spec.name} got ${counts.bad} bad frames`);
  return problems;
}

function creditProblems(host: string, credits: Uint32Array): readonly string[] {
  const problems: string[] = [];
  for (let i = 0; i < VPORT_MAX * SHARD_COUNT; i++) {
    const at = i * CREDIT_WORDS;
    if (credits[at] === credits[at + 2] && credits[at + 1] === credits[at + 3]) continue;
    problems.push(
      `${host}: vport ${Math.floor(i / SHARD_COUNT)} shard ${i % SHARD_COUNT} waits for credits: ${credits.slice(at, at + 4).join(" ")}`,
    );
  }
  return problems;
}
