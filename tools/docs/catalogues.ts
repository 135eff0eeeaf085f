import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { ConfigKey } from "../../src/base/config-value.ts";
import type { LogEventCatalogue, LogEventSpec } from "../../src/base/log-event.ts";

/** A reason for which a packet is dropped. */
export interface DropReasonRow {
  readonly code: number;
  readonly name: string;
  readonly meaning: string;
  readonly remedy: string;
}

/** An error of the API. */
export interface ErrorRow {
  readonly status: number;
  readonly meaning: string;
  readonly remedy: string;
}

/** Name -> what it means, by the name of the constant that exports it. */
export type Groups<Row> = ReadonlyMap<string, Readonly<Record<string, Row>>>;

/** The drop reasons; empty while there are none. */
export async function dropReasons(root: string): Promise<readonly DropReasonRow[]> {
  const module = await load(root, "src/flow/drop-reason.ts");
  const rows = module?.["DROP_REASONS"] ?? [];
  return Object.values(rows as Record<string, DropReasonRow>);
}

/** The error catalogue of the API, by code. */
export async function errorCatalogue(root: string): Promise<Readonly<Record<string, ErrorRow>>> {
  const module = await load(root, "src/api-schema/errors.ts");
  return (module?.["ERROR_CATALOGUE"] ?? {}) as Record<string, ErrorRow>;
}

/** The events that each folder logs, by folder. */
export async function logEvents(root: string): Promise<ReadonlyMap<string, LogEventCatalogue>> {
  const groups = await exportedRecords<LogEventSpec>(root, { files: "src/**/*.ts", names: /^\w+_LOG_EVENTS$/ });
  return new Map([...groups].map(([where, catalogue]) => [where.split("/")[1] ?? "", catalogue]));
}

/** Every configuration schema: what the `config.ts` of a process exports under a name that ends in Schema. */
export function configSchemas(root: string): Promise<Groups<ConfigKey>> {
  return exportedRecords<ConfigKey>(root, { files: "src/*/config.ts", names: /^\w+Schema$/ });
}

/** Every constant of src/flow/layout.ts that is a number. */
export async function layoutConstants(root: string): Promise<Readonly<Record<string, number>>> {
  const module = await load(root, "src/flow/layout.ts");
  const numbers = Object.entries(module ?? {}).filter(
    (entry): entry is [string, number] => typeof entry[1] === "number",
  );
  return Object.fromEntries(numbers);
}

async function exportedRecords<Row>(
  root: string,
  { files, names }: { files: string; names: RegExp },
): Promise<Groups<Row>> {
  const groups = new Map<string, Readonly<Record<string, Row>>>();
  for (const file of globSync(files, { cwd: root, exclude: ["**/*.test.ts", "**/*main.ts"] }).sort()) {
    const text = readFileSync(join(root, file), "utf8");
    // Only files that say so are loaded: loading everything would cost more than reading it.
    if (![...text.matchAll(/^export const (\w+)/gm)].some(([, name = ""]) => names.test(name))) continue;
    for (const [name, value] of Object.entries((await load(root, file)) ?? {})) {
      if (names.test(name)) groups.set(`${file} ${name}`, value as Readonly<Record<string, Row>>);
    }
  }
  return groups;
}

async function load(root: string, path: string): Promise<Record<string, unknown> | undefined> {
  const absolute = join(root, path);
  return existsSync(absolute) ? ((await import(pathToFileURL(absolute).href)) as Record<string, unknown>) : undefined;
}
