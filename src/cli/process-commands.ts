import { spawn } from "node:child_process";
import { mainOf, moduleOf, nodeOptionsOf, type ProcessName } from "../base/entry.ts";
import { err, ok } from "../base/result.ts";
import { usageError } from "./cli-error.ts";
import type { CommandResult, VerbModule } from "./command.ts";

/** What a process ends with when its configuration cannot be used: its unit must not start it again. To people it is a bad command line. */
const EXIT_CONFIG = 78;

/** Verbs of processes that print JSON when `--json` stood before them. */
const JSON_VERBS: Readonly<Record<string, readonly string[]>> = {
  lab: ["status", "down"],
  store: ["status", "check", "backup", "restore", "copy", "migrate"],
};

/** `weft lab ...`: the lab's own command line, in its own process. */
export const labVerb = processVerb("lab", ["status", "down", "shell vm1", "exec vm1 -- ping -c 1 vm3"]);

/** `weft agent ...` */
export const agentVerb = processVerb("agent", ["--help"]);

/** `weft api ...` */
export const apiVerb = processVerb("api", ["--help"]);

/** `weft store-server ...` */
export const storeServerVerb = processVerb("store-server", ["--help"]);

/** `weft store ...`: status, check, backup, restore, copy, migrate, in a process that knows the stores' drivers. */
export const storeVerb = processVerb("store", [
  "status",
  "check",
  "backup /var/backups/weft.jsonl.gz",
  "restore /var/backups/weft.jsonl.gz --dry-run",
]);

/** A verb whose words go to a process of weft as they stand. Signals reach it through the terminal. */
function processVerb(name: ProcessName | "store", examples: readonly string[]): VerbModule {
  return {
    build(command, run) {
      command
        .helpOption(false)
        .allowUnknownOption()
        .allowExcessArguments()
        .argument("[words...]")
        .addHelpText("after", `\nExamples:\n${examples.map((line) => `  weft ${name} ${line}`).join("\n")}\n`)
        .action(() => run((context) => start(name, processWords(name, context.isJson))));
    },
  };
}

/** The words for a process; a `--json` that stood before the verb is its as well. */
function processWords(name: string, isJson: boolean): readonly string[] {
  const words = wordsAfter(name);
  const isMissing = isJson && !words.includes("--json") && JSON_VERBS[name]?.includes(words[0] ?? "") === true;
  return isMissing ? [...words, "--json"] : words;
}

/** What stands after the verb on the command line, `--` included: commander would take that away. */
function wordsAfter(name: string): readonly string[] {
  const at = process.argv.indexOf(name, 2);
  return at < 0 ? [] : process.argv.slice(at + 1);
}

async function start(name: ProcessName | "store", words: readonly string[]): CommandResult {
  let main: string;
  try {
    main = name === "store" ? moduleOf("store-server/tool.main") : mainOf(name);
  } catch {
    return err(usageError(`this release has no ${name}`));
  }
  const child = spawn(process.execPath, [...nodeOptionsOf(name === "store" ? "store-server" : name), main, ...words], {
    stdio: "inherit",
  });
  // A Ctrl-C of the terminal reaches the child as well; we wait for what it makes of it.
  const wait = (): void => undefined;
  process.on("SIGINT", wait);
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  const code = await new Promise<number | null>((resolve) => {
    child.once("error", () => resolve(null));
    child.once("exit", (status) => resolve(status));
  });
  process.off("SIGINT", wait);
  if (code === 0) return ok("done");
  // Of `weft lab exec` it is the code of a command of the user's.
  if (code === EXIT_CONFIG && name !== "lab") return ok("usage");
  process.exitCode = code ?? 1;
  return ok("refused");
}
