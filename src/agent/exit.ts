/** Exit code of a configuration that cannot be used (sysexits.h EX_CONFIG). */
export const EXIT_CONFIG = 78;
/** Exit code when the agent cannot start or its surroundings broke. */
export const EXIT_FAILED = 1;

/** Says to people why the agent ends, and how it is to end. */
export function fail(sentence: string, code: number): void {
  process.stderr.write(`weft agent: ${sentence}\n`);
  process.exitCode = code;
}
