import type { MetricFamily, MetricSample } from "./metric-family.ts";

/** Media type of the text, as Prometheus asks for it. */
export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * The text exposition format of Prometheus, version 0.0.4: for each family its HELP and TYPE, then a line a sample.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function formatExposition(families: readonly MetricFamily[]): string {
  return families.map(formatFamily).join("");
}

function formatFamily({ name, help, type, samples }: MetricFamily): string {
  const lines = samples.map((sample) => `${name}${sample.suffix ?? ""}${formatLabels(sample)} ${number(sample.value)}`);
  return `${[`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`, ...lines].join("\n")}\n`;
}

function formatLabels({ labels }: MetricSample): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** In HELP only backslash and line feed are escaped. */
function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

/** In label values also the quotation mark. */
function escapeValue(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}

function number(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return String(value);
}
