import { randomBytes } from "node:crypto";
import { systemClock } from "../base/clock.ts";
import { nearest, suggestion } from "../base/nearest.ts";
import { execInVm, livingLab, shellCommand } from "./exec.ts";
import { isRootOnLinux, runUp } from "./up.ts";
import { runDown, runStatus } from "./verbs.ts";

const startedAt = systemClock.now();

const help = `weft lab: two hosts and a tenant network on this machine.

Usage: weft lab [up] [--once] [--no-install] [--simulated]
                                               build it, walk through it, keep it up until Ctrl-C
       weft lab status [--json]                whether it is up, and what is in it
       weft lab exec VM -- COMMAND...          run a command in a VM
       weft lab shell VM                       a shell in a VM
       weft lab down [--json]                  stop it from elsewhere
Example: weft lab exec vm1 -- ping -c 3 vm4

  --once        end after the tour: 0 only if all of it worked
  --no-install  install no Debian packages (also WEFT_NO_INSTALL=1)
  --simulated   on memory datapaths with simulated VMs, as it is without root`;

const notRoot = `Not root on Linux: the tour is simulated. With real packets: sudo npm start
(if sudo finds no npm: sudo env PATH=$PATH npm start).`;

/** Exit code of a command line that cannot be understood, as of every command of weft. */
const EXIT_USAGE = 2;

const VERBS = ["up", "status", "down", "exec", "shell"] as const;
const FLAGS = ["--once", "--no-install", "--simulated", "--help"];

// A reader such as `head` that has seen enough is no failure; a lab that is up stops then.
process.stdout.on("error", () => undefined);
process.exit(await main(process.argv.slice(2)));

async function main(words: readonly string[]): Promise<number> {
  const [first = "up"] = words;
  const verb = first.startsWith("-") ? "up" : VERBS.find((known) => known === first);
  const rest = first.startsWith("-") ? words : words.slice(1);
  if (words.includes("--help") && verb !== "exec") return say(help, 0);
  if (verb === undefined) return complain(`unknown verb ${first}${suggestion(nearest(first, VERBS))}`, EXIT_USAGE);
  switch (verb) {
    case "up":
      return up(rest);
    case "status":
      return withJson(rest, runStatus);
    case "down":
      return withJson(rest, runDown);
    case "exec":
      return exec(rest[0], rest.slice(rest[1] === "--" ? 2 : 1));
    case "shell":
      return exec(rest[0], shellCommand());
  }
}

async function up(words: readonly string[]): Promise<number> {
  const unknown = words.find((word) => !FLAGS.includes(word));
  if (unknown !== undefined)
    return complain(`unknown word ${unknown}${suggestion(nearest(unknown, FLAGS))}`, EXIT_USAGE);
  const { env } = process;
  const seed = randomBytes(4).readUInt32LE();
  if (words.includes("--simulated") || !isRootOnLinux()) {
    const { runSimulated } = await import("./simulated.ts");
    if (!isRootOnLinux()) console.log(notRoot);
    return runSimulated((line) => console.log(line), seed);
  }
  return runUp({
    // npm swallows flags that stand before `--` and hands them on as variables.
    isOnce: words.includes("--once") || env["npm_config_once"] === "true",
    mayInstall: !words.includes("--no-install") && (env["WEFT_NO_INSTALL"] ?? "") === "",
    seed,
    startedAt,
  });
}

/** Runs a verb that knows `--json` and nothing else. */
function withJson(words: readonly string[], run: (isJson: boolean) => Promise<number>): Promise<number> | number {
  const unknown = words.find((word) => word !== "--json");
  if (unknown !== undefined)
    return complain(`unknown word ${unknown}${suggestion(nearest(unknown, ["--json"]))}`, EXIT_USAGE);
  return run(words.length > 0);
}

async function exec(vm: string | undefined, command: readonly string[]): Promise<number> {
  if (vm === undefined || command.length === 0) return complain("expected: weft lab exec VM -- COMMAND...", EXIT_USAGE);
  const lab = livingLab();
  if (!lab.ok) return complain(lab.error, 1);
  const ended = await execInVm(lab.value, vm, command);
  return ended.ok ? ended.value : complain(ended.error, 1);
}

function say(text: string, code: number): number {
  console.log(text);
  return code;
}

function complain(sentence: string, code: number): number {
  console.error(`weft lab: ${sentence}`);
  return code;
}
