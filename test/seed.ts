import fc from "fast-check";

/**
 * Loaded before the tests of the unit tier. Property tests draw other cases on every run, and print the seed of a failure. In CI they
 * draw the same ones each time, so that a change is judged by what it changes; `WEFT_SEED=n` chooses the seed anywhere.
 */
const chosen = process.env["WEFT_SEED"] ?? (process.env["CI"] === "true" ? "20240229" : undefined);
if (chosen !== undefined) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number.parseInt(chosen, 10) });
