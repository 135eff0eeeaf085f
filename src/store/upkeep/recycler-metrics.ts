/** What a recycler counts. */
export const recyclerMetrics = {
  recycler_passes: "Looks for leftovers that this process took as the elected recycler",
  recycler_failed_passes: "Looks that ended early: the store was away, or is being filled or migrated",
  recycler_found: "Leftovers found",
  recycler_removed: "Leftovers removed",
  recycler_refused: "Removals that the store refused: what was to go had changed, or its object was there again",
  recycler_deferred: "Leftovers left for the next look, because one look removes only so many",
} as const;
