import { err, ok, type Result } from "../../src/base/result.ts";

/** One way to break weft: the law that is broken, and the test that must see it. */
export interface Sabotage {
  readonly law: string;
  /** Path of the test file from the root. */
  readonly file: string;
  /** The test's name, in full. */
  readonly test: string;
}

/** Reads the head of a patch: the lines `# law: ...` and `# caught-by: FILE :: TEST` before the first hunk. */
export function parsePatch(text: string): Result<Sabotage, string> {
  const law = /^# law: (.+)$/m.exec(text)?.[1];
  const [, file, test] = /^# caught-by: (\S+) :: (.+)$/m.exec(text) ?? [];
  if (law === undefined) return err("it has no line `# law: ...`");
  if (file === undefined || test === undefined) return err("it has no line `# caught-by: FILE :: TEST`");
  if (!/^--- a\//m.test(text)) return err("it has no diff");
  return ok({ law, file, test: test.trim() });
}

/** What the TAP output of one test says. */
export function verdictOf(tap: string): "passed" | "failed" | "skipped" | "not found" {
  const count = (word: string): number => Number(new RegExp(`^# ${word} (\\d+)$`, "m").exec(tap)?.[1] ?? 0);
  if (count("fail") + count("cancelled") > 0) return "failed";
  if (count("pass") === 0) return count("skipped") > 0 ? "skipped" : "not found";
  return /^\s*ok \d+ - .*# SKIP/m.test(tap) && count("pass") <= count("skipped") ? "skipped" : "passed";
}
