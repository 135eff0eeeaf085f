import type { Command } from "commander";
import type { ApiClient, Outcome } from "../api-client/client.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type CliError, cliErrorOf } from "./cli-error.ts";
import type { ExitName } from "./exit-code.ts";
import type { Names } from "./names.ts";
import type { Settings } from "./settings.ts";
import type { Terminal } from "./terminal.ts";

/** What every command has at hand. */
export interface CommandContext {
  readonly terminal: Terminal;
  readonly settings: Settings;
  readonly isJson: boolean;
  /** The API; opened at first use. */
  api(): Result<{ readonly client: ApiClient; readonly names: Names }, CliError>;
}

/** How a command ends. */
export type CommandResult = Promise<Result<ExitName, CliError>>;

/** A verb of the command line. Its module is loaded only when it is used. */
export interface Verb {
  readonly name: string;
  readonly summary: string;
  /** Group in `weft --help`. */
  readonly group: string;
  load(): Promise<VerbModule>;
}

/** What the module of a verb exports. */
export interface VerbModule {
  /** Adds arguments, flags, help and action; `run` takes what the action returns. */
  build(command: Command, run: Run): void;
}

/** Runs the work of a command with its context. */
export type Run = (work: (context: CommandContext) => CommandResult) => Promise<void>;

/** An example for `--help`. */
export function example(...lines: readonly string[]): string {
  return `\nExample${lines.length === 1 ? "" : "s"}:\n${lines.map((line) => `  weft ${line}`).join("\n")}\n`;
}

/** The value of a call, or the command's error. */
export async function called<T>(outcome: Outcome<T>): Promise<Result<T, CliError>> {
  const result = await outcome;
  return result.ok ? result : err(cliErrorOf(result.error));
}

/** Prints JSON. */
export function printJson(terminal: Terminal, value: unknown): void {
  terminal.print(JSON.stringify(value, undefined, 2));
}

/** The usual end. */
export const DONE: Result<ExitName, CliError> = ok("done");
