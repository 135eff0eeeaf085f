import { type ParseArgsConfig, parseArgs } from "node:util";

/** Exit code of a command line that cannot be understood. */
const EXIT_WRONG_USE = 2;

/** What a command of this repository was asked: its options, and the other words where it takes some. */
export type Asked<T extends ParseArgsConfig> = ReturnType<typeof parseArgs<T>>;

/**
 * Reads the arguments of a command of this repository. With `--help` it prints the help and ends; at a word that it does not know it
 * ends with one sentence and code 2.
 */
export function argumentsOf<const T extends ParseArgsConfig>(help: string, config: T): Asked<T> {
  const args = config.args ?? process.argv.slice(2);
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(`${help}\n`);
    process.exit(0);
  }
  try {
    return parseArgs<T>({ ...config, args: [...args] });
  } catch (thrown) {
    // Of what parseArgs says, the first sentence is what is wrong.
    const [what = ""] = (thrown as Error).message.split(". ");
    process.stderr.write(`weft: ${what}; --help says what there is\n`);
    process.exit(EXIT_WRONG_USE);
  }
}
