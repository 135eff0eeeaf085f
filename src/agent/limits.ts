/** How long a leaving agent waits for the store to take that its ports are withdrawn: its session's end says it too. */
export const WITHDRAW_MS = 1_000;
/** Time between two attempts to claim the host id while an earlier holder's session has not ended. */
export const CLAIM_RETRY_MS = 200;
/** How long an earlier holder of the host id may take beyond its session's time-out: servers look for dead sessions in steps. */
export const CLAIM_SLACK_MS = 2_000;
