/** Exit codes of the `weft` command, with their meaning for people and scripts. */
export const EXIT_CODES = {
  done: { code: 0, meaning: "done" },
  refused: { code: 1, meaning: "the API refused the request, or a command that was run failed" },
  usage: { code: 2, meaning: "the command line or the configuration cannot be understood" },
  unreachable: { code: 3, meaning: "the API cannot be reached" },
  notFound: { code: 4, meaning: "no object has this name or id, or several have it" },
  partial: { code: 5, meaning: "some hosts did not answer; what the others said was printed" },
  warnings: { code: 6, meaning: "weft doctor found something that somebody should look at soon" },
  failures: { code: 7, meaning: "weft doctor found something broken" },
} as const;

/** The name of an outcome. */
export type ExitName = keyof typeof EXIT_CODES;
