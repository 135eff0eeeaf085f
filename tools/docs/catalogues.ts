import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

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

/** A key of a process's configuration. */
export interface ConfigRow {
  readonly type: string;
  readonly default?: unknown;
  readonly help: string;
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

/** Every exported `*_METRICS`, by file and name of the constant. */
export function metricCatalogues(root: string): Promise<Groups<string>> {
  return exportedRecords<string>(root, "METRICS");
}

/** Every exported `*_CONFIG`. */
export function configSchemas(root: string): Promise<Groups<ConfigRow>> {
  return exportedRecords<ConfigRow>(root, "CONFIG");
}

/** Every constant of src/flow/layout.ts that is a number. */
export async function layoutConstants(root: string): Promise<Readonly<Record<string, number>>> {
  const module = await load(root, "src/flow/layout.ts");
  const numbers = Object.entries(module ?? {}).filter(
    (entry): entry is [string, number] => typeof entry[1] === "number",
  );
  return Object.fromEntries(numbers);
}

async function exportedRecords<Row>(root: string, suffix: string): Promise<Groups<Row>> {
  const pattern = new RegExp(`^export const \\w+_${suffix}\\b`, "m");
  const files = globSync("src/**/*.ts", { cwd: root, exclude: ["**/*.test.ts", "**/*main.ts"] }).sort();
  const groups = new Map<string, Readonly<Record<string, Row>>>();
  for (const file of files) {
    if (!pattern.test(readFileSync(join(root, file), "utf8"))) continue;
    for (const [name, value] of Object.entries((await load(root, file)) ?? {})) {
      if (name.endsWith(`_${suffix}`)) groups.set(`${file} ${name}`, value as Readonly<Record<string, Row>>);
    }
  }
  return groups;
}

async function load(root: string, path: string): Promise<Record<string, unknown> | undefined> {
  const absolute = join(root, path);
  return existsSync(absolute) ? ((await import(pathToFileURL(absolute).href)) as Record<string, unknown>) : undefined;
}
