/**
 * How one step of a walk ends, as a small number. `egress`: through port `Walk.next`. `flood`: to the members of bridge
 * `Walk.floodBridge`. The others end the walk, or a branch of it.
 */
export const STEP = { egress: 0, flood: 1, forward: 2, drop: 3, consume: 4, wait: 5, needsFrame: 6 } as const;

/** One of `STEP`. */
export type Step = (typeof STEP)[keyof typeof STEP];

/** What a filter says, as a small number. `wait`: the walk's wait is set. */
export const VERDICT = { accept: 0, drop: 1, reject: 2, wait: 3 } as const;

/** One of `VERDICT`. */
export type Verdict = (typeof VERDICT)[keyof typeof VERDICT];
