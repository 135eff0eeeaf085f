import type { Command } from "commander";
import { EXIT_CODES } from "./exit-code.ts";
import { kindOfWord } from "./kind-spec.ts";
import { buildWholeProgram } from "./program.ts";
import { VERBS } from "./verbs.ts";

const NOTE = "<!-- Made from the code by `WEFT_REWRITE=1 npm test`: change it there. -->";

const PREFACE = `# The command line

${NOTE}

\`weft\` speaks to the API of a cloud. In a clone, \`./weft\` finds the lab that \`npm start\` runs by itself; elsewhere \`--api\` and
\`--token\`, or \`WEFT_API\` and \`WEFT_TOKEN\`, or \`~/.config/weft/cli.yaml\` say where it is (\`weft config show\` says what holds
and why). Objects are named by name, by id, or by the beginning of an id. \`--json\` prints JSON in place of tables, errors too.
Every command has \`--help\` with an example.
`;

const CODE_NOTES = `\`weft lab exec\` and \`weft lab shell\` end with the code of the command that they ran. The processes themselves
(\`dist/agent/main.js\` and so on, as the systemd units run them) end with 78 in place of 2, so that they are not started again with the
same configuration (\`RestartPreventExitStatus\`).`;

/** The text of docs/reference/cli.md. */
export async function cliReferencePage(): Promise<string> {
  const program = await buildWholeProgram("");
  const codes = Object.values(EXIT_CODES).map(({ code, meaning }) => `| ${code} | ${meaning} |`);
  const groups = Map.groupBy(VERBS, (verb) => verb.group);
  const sections = [...groups].map(([group, verbs]) => {
    const commands = verbs.flatMap(({ name }) => program.commands.filter((command) => command.name() === name));
    return `## ${group}\n\n${commands.flatMap(linesOf).join("\n")}`;
  });
  const globals = optionRows(program).join("\n");
  const tables = [
    `## Options of every command\n\n| option | meaning |\n| --- | --- |\n${globals}`,
    `## Exit codes\n\n| code | meaning |\n| --- | --- |\n${codes.join("\n")}\n\n${CODE_NOTES}`,
  ];
  return `${PREFACE}\n${[...tables, ...sections].join("\n\n")}\n`;
}

/** A command in one line, those below it in one line each, and the options that only they have. */
function linesOf(command: Command): readonly string[] {
  if (command.commands.length === 0) return [lineOf(command, `weft ${command.name()}`)];
  const [first] = command.commands;
  const isAlike =
    first !== undefined &&
    kindOfWord(first.name()) !== undefined &&
    command.commands.every((sub) => sub.options.length === 0);
  if (isAlike) return [`- \`weft ${command.name()} KIND ${wordsOf(first)}\`: ${command.description()}`];
  const head = `- \`weft ${command.name()} ...\`: ${command.description()}`;
  return [head, ...command.commands.map((sub) => `  ${lineOf(sub, `weft ${command.name()} ${sub.name()}`)}`)];
}

function lineOf(command: Command, name: string): string {
  const options = command.options.map((option) => `\`${option.flags}\``);
  const more = options.length === 0 ? "" : `; ${options.join(", ")}`;
  return `- \`${`${name} ${wordsOf(command)}`.trim()}\`: ${command.description()}${more}`;
}

function wordsOf(command: Command): string {
  const words = command.registeredArguments.map((argument) => {
    const dots = argument.variadic ? "..." : "";
    return argument.required ? `<${argument.name()}${dots}>` : `[${argument.name()}${dots}]`;
  });
  return words.join(" ");
}

function optionRows(command: Command): readonly string[] {
  return command.options.map((option) => `| \`${option.flags}\` | ${option.description} |`);
}
