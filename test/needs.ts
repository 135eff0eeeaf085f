import { explain, missing, type RequirementWord } from "../tools/test/requirements.ts";

/**
 * The `skip` option of a test that needs something this machine may lack:
 * `test("tshark agrees", { skip: needs("tshark") }, ...)`. Where every tier must run (CI) nothing is skipped: the test
 * runs and fails, so a missing tool cannot pass unseen.
 */
export function needs(...words: readonly RequirementWord[]): string | false {
  const lacking = missing(words);
  if (lacking.length === 0 || process.env["WEFT_TEST_COMPLETE"] === "1") return false;
  return explain(lacking);
}
