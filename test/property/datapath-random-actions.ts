import type { Prng } from "../../src/base/prng.ts";
import {
  ACTION_DROP,
  ACTION_GROUP,
  ACTION_MISS,
  ACTION_TUNNEL,
  ACTION_VPORT,
  ACTION_WORDS,
} from "../../src/flow/layout.ts";

/** Where random actions may lead. */
export interface RandomTargets {
  readonly vports: readonly number[];
  readonly peers: readonly number[];
  readonly groups: readonly number[];
  /** Vports and peers without a record, out of range, or down. */
  readonly lost: readonly number[];
}

/** A kind that no action has. */
const UNKNOWN_KIND = 9;

/** Any action at all: kinds that exist and one that does not, every flag, any words, now and then a target that is not there. */
export function randomAction(prng: Prng, targets: RandomTargets): Uint32Array {
  const action = new Uint32Array(ACTION_WORDS);
  for (let i = 4; i < 17; i++) action[i] = prng.below(8) === 0 ? prng.pick([0, 0xffff_ffff]) : prng.u32();
  const often = [ACTION_VPORT, ACTION_VPORT, ACTION_VPORT, ACTION_TUNNEL, ACTION_TUNNEL];
  const groups = targets.groups.length > 0 ? [ACTION_GROUP, ACTION_GROUP] : [];
  const kind = prng.pick([...often, ...groups, ACTION_DROP, ACTION_MISS, UNKNOWN_KIND]);
  const rewrites = prng.below(64) << 8;
  const tags = prng.below(3) === 0 ? (prng.below(4) << 16) | (prng.below(4) << 18) : 0;
  action[0] = kind | rewrites | tags;
  const isLost = prng.below(16) === 0;
  if (kind === ACTION_VPORT) action[1] = prng.pick(isLost ? targets.lost : targets.vports);
  else if (kind === ACTION_TUNNEL) action[1] = prng.pick(isLost ? targets.lost : targets.peers);
  else if (kind === ACTION_GROUP) action[1] = prng.pick(targets.groups);
  else action[1] = 1 + prng.below(5);
  action[2] = prng.below(0x100_0000);
  const limit = prng.below(4) === 0 ? prng.below(200) : prng.pick([0, 1500]);
  action[3] = limit | (prng.below(4) << 16) | (prng.below(64) << 24);
  return action;
}
