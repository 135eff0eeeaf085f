import { expectation } from "../../src/base/config-value.ts";
import { LINE_FIELDS } from "../../src/base/log-event.ts";
import { configSchemas, dropReasons, errorCatalogue, logEvents } from "./catalogues.ts";
import { doctorRows } from "./doctor.ts";
import { limits } from "./limits.ts";
import { METRIC_SECTIONS } from "./metrics.ts";

/** Path of a page in the repository -> its text. */
export type Pages = ReadonlyMap<string, string>;

/** Every reference page that is made from the code. A catalogue that does not exist yet has no page. */
export async function pages(root: string): Promise<Pages> {
  const made = new Map<string, string>();
  const add = (name: string, text: string | undefined): void => {
    if (text !== undefined) made.set(`docs/reference/${name}.md`, text);
  };
  add("drop-reasons", await dropReasonPage(root));
  add("errors", await errorPage(root));
  add("limits", limitPage(root));
  add("metrics", metricPage());
  add("doctor", doctorPage());
  add("events", await eventPage(root));
  add("config", await configPage(root));
  return made;
}

async function dropReasonPage(root: string): Promise<string | undefined> {
  const rows = await dropReasons(root);
  if (rows.length === 0) return undefined;
  const head =
    "Every dropped packet has one of these reasons: in the trace, in the port's counters and in `weft drops`.";
  const body = rows.map(({ code, name, meaning, remedy }) => [`\`${name}\``, String(code), meaning, remedy]);
  return page("Drop reasons", head, [table(["name", "code", "meaning", "what to do"], body)]);
}

async function errorPage(root: string): Promise<string | undefined> {
  const rows = Object.entries(await errorCatalogue(root));
  if (rows.length === 0) return undefined;
  const head = "Every answer of the API that is not a success carries one of these codes.";
  const body = rows.map(([code, { status, meaning, remedy }]) => [`\`${code}\``, String(status), meaning, remedy]);
  return page("API errors", head, [table(["code", "status", "meaning", "what to do"], body)]);
}

function limitPage(root: string): string | undefined {
  const rows = limits(root);
  if (rows.length === 0) return undefined;
  const head = "Every queue, cache, table and retry has a limit. They stand in the `limits.ts` of their folder.";
  const sections = [...new Set(rows.map(({ folder }) => folder))].map((folder) => {
    const body = rows
      .filter((row) => row.folder === folder)
      .map(({ name, value, reason }) => [`\`${name}\``, `\`${value}\``, reason]);
    return `## ${folder}\n\n${table(["limit", "value", "why"], body)}`;
  });
  return page("Limits", head, sections);
}

function metricPage(): string {
  const head =
    "What every process tells at `GET /metrics`, in the text format that Prometheus reads: on the agent's socket, on the API " +
    "(with its token), and on the address of `--metrics-listen`. `weft metrics` shows the same as a table.";
  const sections = Object.entries(METRIC_SECTIONS).map(([who, specs]) => {
    const body = Object.entries(specs).map(([name, { type, labels = [], help }]) => [
      `\`${name}\``,
      type,
      labels.map((label) => `\`${label}\``).join(" "),
      help,
    ]);
    return `## ${who}\n\n${table(["metric", "type", "labels", "meaning"], body)}`;
  });
  return page("Metrics", head, sections);
}

function doctorPage(): string {
  const head =
    "`weft doctor` runs these checks. Each finding says how bad it is (ok, warning, failure), what was looked at, what was " +
    "found and what to do. `host` checks run in the agent, or beside it with `weft doctor --local`; `cloud` checks run in the " +
    "API. The command ends with 0 when all is well, 6 after warnings, 7 after failures.";
  return page("Checks of the doctor", head, [table(["check", "runs", "looks at"], doctorRows())]);
}

async function eventPage(root: string): Promise<string> {
  const head =
    `Every line of log is one JSON document with \`${LINE_FIELDS.join("`, `")}\` and the fields of its event. ` +
    "`host` is the id of the agent's host, else the machine's name. Lines of one event that come too often are left out and " +
    "counted by `log.repeated`. Until a process serves, what keeps it from starting is one sentence for people instead.";
  const sections = [...(await logEvents(root))].map(([folder, catalogue]) => {
    const body = Object.entries(catalogue).map(([event, { level, meaning, fields = [] }]) => [
      `\`${event}\``,
      level,
      fields.map((field) => `\`${field}\``).join(" "),
      meaning,
    ]);
    return `## ${folder}\n\n${table(["event", "level", "fields", "meaning"], body)}`;
  });
  return page("Log events", head, sections);
}

async function configPage(root: string): Promise<string | undefined> {
  const groups = await configSchemas(root);
  if (groups.size === 0) return undefined;
  const head =
    "A value comes from the first of: flag (`--some-key`), environment (`WEFT_SOME_KEY`), YAML file, default. " +
    "An unknown key is an error. `weft config show` prints each value with its origin.";
  const sections = [...groups].map(([where, rows]) => {
    const body = Object.entries(rows).map(([key, row]) => [
      `\`${key}\``,
      expectation(row),
      shown(row.default),
      row.help,
    ]);
    return `## ${where.split("/")[1]}\n\n${table(["key", "expects", "default", "meaning"], body)}`;
  });
  return page("Configuration", head, sections);
}

function shown(value: unknown): string {
  return value === undefined ? "none" : `\`${JSON.stringify(value)}\``;
}

function page(title: string, head: string, sections: readonly string[]): string {
  const origin = "<!-- Made from the code by `npm run docs`: change it there. -->";
  return `# ${title}\n\n${origin}\n\n${head}\n\n${sections.join("\n\n")}\n`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
