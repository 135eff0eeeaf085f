import { Command, CommanderError } from "commander";
import { ApiClient } from "../api-client/client.ts";
import { parseHttpTarget } from "../api-client/http-json.ts";
import { nearest, suggestion } from "../base/nearest.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type CliError, usageError } from "./cli-error.ts";
import type { CommandContext, Run } from "./command.ts";
import { EXIT_CODES, type ExitName } from "./exit-code.ts";
import { kindOfWord, kindWords } from "./kind-spec.ts";
import { Names } from "./names.ts";
import { readSettings, type Settings } from "./settings.ts";
import type { Terminal } from "./terminal.ts";
import { VERBS } from "./verbs.ts";

/** A command line to run, and its surroundings. */
export interface ProgramOptions {
  /** Words after the program's name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly terminal: Terminal;
  readonly release: string;
  /** Where a running lab says how to reach it. */
  readonly labFile?: string;
}

/** Runs one command line to its end; the value is the exit code of the process. */
export async function runProgram(options: ProgramOptions): Promise<number> {
  const session = new Session(options);
  const program = await buildProgram(options, session);
  try {
    await program.parseAsync([...options.args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    session.commander(error);
  } finally {
    session.close();
  }
  return EXIT_CODES[session.exit].code;
}

/** Verbs with all their flags, for the reference page. */
export async function buildWholeProgram(release: string): Promise<Command> {
  const silent: Terminal = { print: () => undefined, complain: () => undefined, width: undefined };
  const options = { args: [], env: {}, terminal: silent, release };
  return buildProgram(options, new Session(options), true);
}

async function buildProgram(options: ProgramOptions, session: Session, isWhole = false): Promise<Command> {
  const program = new Command("weft")
    .description("weft: a distributed virtual network made at the edges")
    .version(options.release, "--version", "prints the release")
    .option("--api <address>", "the API: unix:/path or http://host:port (WEFT_API; else the running lab's)")
    .option("--token <token>", "the API's token (WEFT_TOKEN; else the running lab's)")
    .option("--tenant <name>", "tenant of new objects and of names (WEFT_TENANT)")
    .option("--json", "JSON for programs in place of tables")
    .helpOption("--help", "prints this")
    .helpCommand("help [command]", "prints the help of a command")
    .addHelpText("after", helpTail())
    .showHelpAfterError("(see --help)")
    .configureOutput({
      writeOut: (text) => options.terminal.print(text.replace(/\n$/, "")),
      writeErr: (text) => session.complained(text),
    })
    .exitOverride();
  session.program = program;
  const chosen = verbOf(options.args);
  for (const verb of VERBS) {
    const command = program.command(verb.name).description(verb.summary).helpGroup(`${verb.group}:`);
    command.helpOption("--help", "prints this").helpCommand(false).copyInheritedSettings(program);
    // Only the module of the verb at hand is read: starting has to be quick.
    if (isWhole || chosen.includes(verb.name)) (await verb.load()).build(command, session.run);
    for (const sub of command.commands) sub.helpOption("--help", "prints this").copyInheritedSettings(program);
    for (const each of [command, ...command.commands]) refuseRepeated(each);
  }
  refuseRepeated(program);
  return program;
}

/** A flag that takes one value and is given twice is a mistake: commander would take the last one without a word. */
function refuseRepeated(command: Command): void {
  for (const { long, short, parseArg, required, optional } of command.options) {
    if (long === undefined || parseArg !== undefined || !(required || optional)) continue;
    let times = 0;
    command.on(`option:${long.replace(/^--/, "")}`, () => {
      times++;
      if (times > 1) command.error(`error: ${short ?? long} is given twice: it takes one value, give it once`);
    });
  }
}

function helpTail(): string {
  const codes = Object.values(EXIT_CODES).map(({ code, meaning }) => `  ${code}  ${meaning}`);
  const examples = ["weft hosts", "weft create bridge web", "weft trace --port vm1 --src 10.0.1.11 --dst 10.0.2.13"];
  return `\nExamples:\n${examples.map((line) => `  ${line}`).join("\n")}\n\nExit codes:\n${codes.join("\n")}\n`;
}

const GLOBAL_WITH_VALUE = new Set(["--api", "--token", "--tenant"]);

/** Words that may be the verb: the first one, and what `help` is asked about. */
function verbOf(args: readonly string[]): readonly string[] {
  const words: string[] = [];
  for (let i = 0; i < args.length && words.length < 2; i++) {
    const word = args[i] ?? "";
    if (GLOBAL_WITH_VALUE.has(word)) i++;
    else if (!word.startsWith("-")) words.push(word);
  }
  return words[0] === "help" ? words : words.slice(0, 1);
}

/** Whether `--json` is among the words, when they cannot be read in full. */
function isJsonAsked(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end < 0 ? args.length : end).includes("--json");
}

/** One run: settings, the connection, and how it ends. */
class Session {
  exit: ExitName = "done";
  program: Command | undefined;
  readonly #options: ProgramOptions;
  #client: ApiClient | undefined;
  #names: Names | undefined;

  constructor(options: ProgramOptions) {
    this.#options = options;
  }

  readonly run: Run = async (work) => {
    const context = this.#context();
    const result = context.ok ? await work(context.value) : context;
    if (result.ok) this.exit = result.value;
    else this.#fail(result.error);
  };

  /** What commander says about a command line that it cannot read. */
  complained(text: string): void {
    if (isJsonAsked(this.#options.args)) {
      // Commander says the rest, such as where help is, in texts of their own.
      const message = text
        .replace(/^error: /, "")
        .trim()
        .replaceAll("\n", " ");
      if (text.startsWith("error: ")) this.#options.terminal.complain(JSON.stringify({ error: { message } }));
      return;
    }
    const [first = "", ...rest] = text.replace(/\n$/, "").split("\n");
    const hint = text.includes("Did you mean") ? "" : kindHint(first);
    this.#options.terminal.complain([first.replace(/^error: /, "weft: ") + hint, ...rest].join("\n"));
  }

  commander(error: CommanderError): void {
    const isHelp =
      error.code === "commander.helpDisplayed" || error.code === "commander.version" || error.code === "commander.help";
    this.exit = isHelp && error.exitCode === 0 ? "done" : "usage";
  }

  close(): void {
    this.#client?.close();
  }

  #context(): Result<CommandContext, CliError> {
    const { terminal, env, labFile } = this.#options;
    const flags = this.program?.opts<Record<string, string | undefined>>() ?? {};
    const { api, token, tenant, json } = flags;
    const settings = readSettings({
      flags: { api, token, tenant },
      env,
      ...(labFile === undefined ? {} : { labFile }),
    });
    if (!settings.ok) return settings;
    return ok({ terminal, settings: settings.value, isJson: Boolean(json), api: () => this.#api(settings.value) });
  }

  #api(settings: Settings): ReturnType<CommandContext["api"]> {
    if (this.#client !== undefined && this.#names !== undefined)
      return ok({ client: this.#client, names: this.#names });
    if (settings.api === undefined) {
      const remedy = "start a lab with npm start, or name the API with --api or WEFT_API";
      return err({ exit: "unreachable", message: "no lab is running here", remedy });
    }
    const target = parseHttpTarget(settings.api);
    if (!target.ok) return err(usageError(`--api: ${settings.api}: expected ${target.error}`));
    this.#client = new ApiClient({
      target: target.value,
      ...(settings.token === undefined ? {} : { token: settings.token }),
    });
    this.#names = new Names(this.#client, settings.tenant);
    return ok({ client: this.#client, names: this.#names });
  }

  #fail({ exit, message, remedy, api }: CliError): void {
    this.exit = exit;
    const { terminal } = this.#options;
    if (this.program?.opts()["json"] === true) {
      terminal.complain(JSON.stringify({ error: api ?? { message, ...(remedy === undefined ? {} : { remedy }) } }));
      return;
    }
    terminal.complain(`weft: ${message}`);
    for (const { field, expected } of api?.more ?? []) terminal.complain(`      field ${field}: expected ${expected}`);
    if (remedy !== undefined) terminal.complain(`      ${remedy}`);
  }
}

/** A word that is almost one of ours, beyond what commander finds by itself. */
function kindHint(sentence: string): string {
  const [, word] = /unknown command '(\S+)'/.exec(sentence) ?? [];
  if (word === undefined || kindOfWord(word) !== undefined) return "";
  return suggestion(nearest(word, [...kindWords(), ...VERBS.map(({ name }) => name)]));
}
