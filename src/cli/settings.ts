import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { ConfigLine, ConfigSchema } from "../base/config.ts";
import { readConfig, variableOf } from "../base/config.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type CliError, usageError } from "./cli-error.ts";
import { labFilePath, readLabFile } from "./lab-file.ts";

/** The keys of the command line: flag, WEFT_* variable, the file that WEFT_CONFIG names, the running lab. */
export const CLI_CONFIG = {
  api: { type: "string", help: "Address of the API: unix:/path or http://host:port. Default: the running lab's." },
  token: { type: "string", isSecret: true, help: "Token of the API. Default: the running lab's." },
  tenant: { type: "string", help: "Tenant of new objects, and the one that names are looked up in." },
} as const satisfies ConfigSchema;

/** How the command line reaches the API. */
export interface Settings {
  readonly api: string | undefined;
  readonly token: string | undefined;
  readonly tenant: string | undefined;
  /** Every key with its value and where it came from. */
  readonly lines: readonly ConfigLine[];
}

/** Where settings come from. */
export interface SettingsSources {
  /** Flags of the command line that were given. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly labFile?: string;
}

/** The file that is read when WEFT_CONFIG names none. */
export function defaultConfigFile(): string {
  return join(homedir(), ".config", "weft", "cli.yaml");
}

/** Reads the settings; the lab's address and token are taken together or not at all. */
export function readSettings({ flags, env, labFile = labFilePath() }: SettingsSources): Result<Settings, CliError> {
  const args = Object.entries(flags).flatMap(([key, value]) => (value === undefined ? [] : [`--${key}=${value}`]));
  // Variables of the servers may stand beside ours.
  const names = new Set(Object.keys(CLI_CONFIG).map(variableOf));
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => names.has(name)));
  const named = env["WEFT_CONFIG"];
  const file = named ?? (existsSync(defaultConfigFile()) ? defaultConfigFile() : undefined);
  const config = readConfig(CLI_CONFIG, { args, env: own, ...(file === undefined ? {} : { file }) });
  if (!config.ok) return err(usageError(config.error.map(({ text }) => text).join("; ")));
  const { values, lines } = config.value;
  if (values.api !== undefined) return ok({ ...values, lines });
  const lab = readLabFile(labFile);
  if (lab === undefined) return ok({ ...values, lines });
  const fromLab = lines.map((line): ConfigLine => {
    if (line.key === "api") return { key: "api", value: lab.api, origin: "file", from: `the lab, ${labFile}` };
    if (line.key !== "token" || values.token !== undefined) return line;
    return { key: "token", value: "(set)", origin: "file", from: `the lab, ${labFile}` };
  });
  return ok({ api: lab.api, token: values.token ?? lab.token, tenant: values.tenant, lines: fromLab });
}
