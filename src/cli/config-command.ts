import { type ConfigSchema, readConfig } from "../base/config.ts";
import { err } from "../base/result.ts";
import { usageError } from "./cli-error.ts";
import { type CommandContext, type CommandResult, DONE, example, printJson, type VerbModule } from "./command.ts";
import { formatTable } from "./table.ts";

/** Schemas of processes, loaded when they are asked for. */
const PROCESSES: Readonly<Record<string, () => Promise<ConfigSchema>>> = {
  api: async () => (await import("../api/config.ts")).API_CONFIG,
  agent: async () => (await import("../agent/config.ts")).agentSchema,
  "store-server": async () => (await import("../store-server/config.ts")).storeServerSchema,
};

/** `weft config show [PROCESS]`: every key, its value, and where that came from. */
export const configVerb: VerbModule = {
  build(command, run) {
    command
      .command("show")
      .description("shows every key, its value and where it came from")
      .argument("[process]", `${Object.keys(PROCESSES).join(", ")}, or this command line when absent`)
      .option("--file <path>", "YAML file that the process would read")
      .addHelpText("after", example("config show", "config show agent --file /etc/weft/agent.yaml"))
      .action((process?: string) =>
        run((context) => show(context, process, command.commands[0]?.opts<{ file?: string }>().file)),
      );
  },
};

async function show(context: CommandContext, name: string | undefined, file: string | undefined): CommandResult {
  const load = name === undefined ? undefined : PROCESSES[name];
  if (name !== undefined && load === undefined) {
    return err(usageError(`unknown process ${name}`, `expected one of ${Object.keys(PROCESSES).join(", ")}`));
  }
  const lines =
    load === undefined
      ? undefined
      : readConfig(await load(), { env: ownVariables(await load()), ...(file === undefined ? {} : { file }) });
  if (lines?.ok === false) return err(usageError(lines.error.map(({ text }) => text).join("; ")));
  const shown = lines === undefined ? context.settings.lines : lines.value.lines;
  if (context.isJson) {
    printJson(context.terminal, shown);
    return DONE;
  }
  const columns = [
    { title: "KEY", show: (line: (typeof shown)[number]) => line.key },
    { title: "VALUE", show: (line: (typeof shown)[number]) => line.value },
    { title: "ORIGIN", show: (line: (typeof shown)[number]) => line.origin },
    { title: "FROM", show: (line: (typeof shown)[number]) => (line.origin === "default" ? "" : line.from) },
  ];
  for (const line of formatTable(columns, shown, context.terminal.width)) context.terminal.print(line);
  return DONE;
}

/** Variables that belong to a schema: those of other processes may stand beside them. */
function ownVariables(schema: ConfigSchema): Readonly<Record<string, string | undefined>> {
  const names = new Set(Object.keys(schema).map((key) => `WEFT_${key.replace(/[.-]/g, "_").toUpperCase()}`));
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => names.has(name)));
}
