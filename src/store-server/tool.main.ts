import { readFileSync } from "node:fs";
import { unreachable } from "../base/assert.ts";
import { type ConfigSchema, configHelp, readConfig, variableOf } from "../base/config.ts";
import { fileOf } from "../base/entry.ts";
import { err, ok, type Result } from "../base/result.ts";
import { systemScheduler } from "../base/scheduler.ts";
import type { StoreClientValues } from "../store/client-config.ts";
import { StoreConnection } from "../store/recipes/connection.ts";
import { Layout } from "../store/recipes/layout.ts";
import { clientSettings } from "../zookeeper/client-settings.ts";
import { type ConnectError, type ConnectOptions, connectZooKeeper, openZooKeeper } from "../zookeeper/connect.ts";
import { copySchema, endOf, type ToolWords, toolSchema, toolVerbs, toolWords } from "./tool-config.ts";
import { statusVerb } from "./tool-status.ts";
import { backupVerb, copyVerb, restoreVerb, type Tool, type ToolStore } from "./tool-transfer.ts";
import { checkVerb, migrateVerb } from "./tool-upkeep.ts";

/** Exit code of a command line or a configuration that makes no sense, as of every command of weft. */
const usage = 2;

const { version: release } = JSON.parse(readFileSync(fileOf("package.json"), "utf8")) as { readonly version: string };

const tool: Tool = {
  scheduler: systemScheduler,
  release,
  print: (line) => void process.stdout.write(`${line}\n`),
  note: (line) => void process.stderr.write(`weft store: ${line}\n`),
};

function help(): string {
  const verbs = Object.entries(toolVerbs).map(
    ([verb, { words, help: text }]) => `  ${[verb, ...words].join(" ").padEnd(16)} ${text}`,
  );
  return `weft store: the operator's hand on the store.

Usage: weft store VERB [WORDS] [--store ADDRESS,...]
${verbs.join("\n")}

Addresses: unix:/path or host:port, several with commas. Exit codes: 0 done, 1 refused or wrong, 2 bad command line.
Example: weft store copy unix:/var/lib/weft/store/store.sock zk1:2181,zk2:2181,zk3:2181 --to-store-secret-file FILE

${configHelp(toolSchema)}

copy knows the keys above with --from- and --to- in front (--to-store-secret-file), and --root and --replace.`;
}

async function main(args: readonly string[]): Promise<number> {
  if (args.length === 0 || args.includes("--help")) {
    tool.print(help());
    return args.length === 0 ? usage : 0;
  }
  const words = toolWords(args);
  if (!words.ok) return complain([words.error]);
  return words.value.verb === "copy" ? copy(words.value) : onOneStore(words.value);
}

async function copy({ words: [from = "", to = ""], flags }: ToolWords): Promise<number> {
  const config = readConfig(copySchema, { args: flags, env: ownVariables(copySchema) });
  if (!config.ok) return complain(config.error.map(({ text }) => text));
  const { values } = config.value;
  const used = toolFor(values.json);
  const source = await open(endOf(values, "from", from), values.root);
  if (!source.ok) return complain([`source: ${source.error}`], 1);
  const target = await open(endOf(values, "to", to), values.root);
  if (!target.ok) return complain([`target: ${target.error}`], 1);
  const ends = { from: source.value, to: target.value, source: from };
  const code = await copyVerb(used.tool, ends, { mayReplace: values.replace });
  used.end();
  await Promise.all([source.value, target.value].map(({ connection }) => connection.close()));
  return code;
}

async function onOneStore({ verb, words: [file = ""], flags }: ToolWords): Promise<number> {
  const config = readConfig(toolSchema, { args: flags, env: ownVariables(toolSchema) });
  if (!config.ok) return complain(config.error.map(({ text }) => text));
  const { values } = config.value;
  const settings = clientSettings(values);
  if (!settings.ok) return complain([settings.error]);
  const used = toolFor(values.json);
  const store = await open(values, values.root);
  if (!store.ok) return complain([store.error], 1);
  const run = async (): Promise<number> => {
    switch (verb) {
      case "status":
        return statusVerb(tool, store.value, {
          ...{ servers: values.store, tls: settings.value.tls, isJson: values.json },
        });
      case "backup":
        return backupVerb(used.tool, store.value, { file, mayReplace: values.replace });
      case "restore":
        return restoreVerb(used.tool, store.value, { file, mayReplace: values.replace, isDry: values["dry-run"] });
      case "check":
        return checkVerb(tool, store.value, { isRepair: values.repair, isJson: values.json });
      case "migrate":
        return migrateVerb(used.tool, store.value, { backup: values.backup, isDry: values["dry-run"] });
      case "copy":
        return usage;
      default:
        return unreachable(verb);
    }
  };
  const code = await run();
  if (verb !== "status" && verb !== "check") used.end();
  await store.value.connection.close();
  return code;
}

/** Prints as it goes, or for `--json` one document at the end: what else would have been printed. */
function toolFor(isJson: boolean): { readonly tool: Tool; end(): void } {
  if (!isJson) return { tool, end: () => undefined };
  const said: string[] = [];
  const end = (): void => tool.print(JSON.stringify({ said }, undefined, 2));
  return { tool: { ...tool, print: (line) => void said.push(line) }, end };
}

/** Connects once to learn why it does not work, then in a way that outlives lost sessions. */
async function open(values: StoreClientValues, root: string): Promise<Result<ToolStore, string>> {
  const settings = clientSettings(values);
  if (!settings.ok) return settings;
  const options: ConnectOptions = { ...settings.value, connectWithinMs: 15_000 };
  const first = await connectZooKeeper(options);
  if (!first.ok) return err(connectSentence(first.error));
  await first.value.close();
  const connection = new StoreConnection({
    scheduler: systemScheduler,
    connect() {
      const client = openZooKeeper(options);
      if (client.ok) return client.value;
      throw new Error(JSON.stringify(client.error));
    },
  });
  return ok({ connection, layout: new Layout(root), isPrivate: settings.value.isPrivate === true });
}

function connectSentence(error: ConnectError): string {
  switch (error.kind) {
    case "unreachable":
      return `${error.servers.join(",")} cannot be reached: ${error.why}`;
    case "no-auth":
      return "the store does not take our secret: give --store-secret-file (copy: --from-… and --to-…)";
    case "bad-arguments":
      return error.why;
    case "session-expired":
      return "the session ended";
  }
}

/** Variables of other processes may stand beside ours. */
function ownVariables(schema: ConfigSchema): Readonly<Record<string, string | undefined>> {
  const names = new Set(Object.keys(schema).map(variableOf));
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => names.has(name)));
}

function complain(sentences: readonly string[], code = usage): number {
  for (const sentence of sentences) tool.note(sentence);
  return code;
}

process.exitCode = await main(process.argv.slice(2));
