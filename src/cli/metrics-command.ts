import type { Row } from "./columns.ts";
import { type CommandContext, type CommandResult, called, example, printJson, type VerbModule } from "./command.ts";
import { ended, hostIdOf, table } from "./host-commands.ts";
import { type MetricLine, readMetrics } from "./metrics-text.ts";
import type { Names } from "./names.ts";
import { formatBytes, formatSpan } from "./table.ts";

interface Options {
  readonly host: string | undefined;
  readonly match: string | undefined;
  readonly all: boolean;
}

/** `weft metrics [HOST]`: what Prometheus would get, as a table. */
export const metricsVerb: VerbModule = {
  build(command, run) {
    command
      .argument("[host]", "one host; the API and all hosts when absent")
      .option("--match <text>", "only families whose name has this in it")
      .option("--all", "also what is 0")
      .addHelpText("after", example("metrics", "metrics h1 --match drops", "metrics --match store --json"))
      .action((host?: string) => {
        const { match, all } = command.opts<{ match?: string; all?: boolean }>();
        return run((context) => metrics(context, { host, match, all: all === true }));
      });
  },
};

async function metrics(context: CommandContext, { host, match, all }: Options): CommandResult {
  const hostId = await hostIdOf(context, host);
  if (!hostId.ok) return hostId;
  const { client, names } = hostId.value.api;
  const found = await called(client.metrics(hostId.value.query));
  if (!found.ok) return found;
  const sources = found.value.items.map(({ text, ...source }) => ({
    ...source,
    metrics: readMetrics(text).filter(({ name }) => match === undefined || name.includes(match)),
  }));
  if (context.isJson) {
    return ended(context, found.value, () =>
      printJson(context.terminal, { items: sources, missing: found.value.missing }),
    );
  }
  const rows: Row[] = [];
  for (const { process, hostId: id, metrics: lines } of sources) {
    const from = id === undefined ? process : await names.nameOf("host", id);
    for (const line of lines) if (all || line.value !== 0) rows.push({ FROM: from, ...(await rowOf(line, names)) });
  }
  await table(context, rows, match === undefined ? "no metrics" : `no metrics with ${match} in their name`);
  return ended(context, found.value);
}

async function rowOf({ name, type, labels, value, mean, help }: MetricLine, names: Names): Promise<Row> {
  const shown = await Promise.all(
    Object.entries(labels).map(async ([label, text]) => {
      if (label === "port") return `port=${text === "" ? "none" : await names.nameOf("port", text)}`;
      return label === "peer" ? `peer=${await names.nameOf("host", text)}` : `${label}=${text}`;
    }),
  );
  const average = mean === undefined ? "" : `, mean ${formatSpan(mean * 1_000)}`;
  return { METRIC: name, LABELS: shown.join(" "), VALUE: valueText(name, type, value) + average, MEANING: help };
}

const utc = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", timeZone: "UTC" });

/** A value with the unit that its name says. */
function valueText(name: string, type: string, value: number): string {
  if (type === "histogram") return String(value);
  if (/_bytes(_total)?$/.test(name)) return formatBytes(value);
  if (name.endsWith("_time_seconds")) return `${utc.format(value * 1_000)} UTC`;
  if (/_seconds(_total)?$/.test(name)) return formatSpan(value * 1_000);
  return String(value);
}
