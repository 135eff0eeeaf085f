import { type Figure, formatValue } from "./figure.ts";
import { formatTarget, type Standing, standingOf, TARGETS } from "./targets.ts";

const MARKS: Readonly<Record<Standing, string>> = { aim: "✓✓", must: "✓ ", missed: "✗ ", none: "  " };

/** A figure as one line for people: mark, name, value, rival, target. Two ticks: what we aim at is reached. */
export function formatFigure(figure: Figure): string {
  const { name, value, unit, rival, rival_value, ratio, spread } = figure;
  const target = TARGETS[name];
  const beside = rival_value === null ? "" : `  ${rival} ${formatValue(rival_value)}, ratio ${ratio?.toFixed(2)}`;
  const wanted = target === undefined ? "" : `  [${formatTarget(target)}]`;
  const range = `±${Math.round(spread * 50)} %`;
  return `${MARKS[standingOf(figure)]} ${name.padEnd(26)} ${formatValue(value).padStart(9)} ${unit.padEnd(8)} ${range.padStart(6)}${beside}${wanted}`;
}

/** The figures as a table that README.md embeds. */
export function formatMarkdown(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const target = TARGETS[figure.name];
    const { value, unit, rival, rival_value, ratio } = figure;
    const beside =
      rival_value === null ? "" : `${rival}: ${formatValue(rival_value)} ${unit}, **${ratio?.toFixed(2)} ×**`;
    const wanted = target === undefined ? "" : formatTarget(target);
    const own = rival_value === null ? `**${formatValue(value)} ${unit}**` : `${formatValue(value)} ${unit}`;
    return `| ${target?.what ?? ""} | \`${figure.name}\` | ${own} | ${beside} | ${wanted} |`;
  });
  return ["| what | figure | weft | beside, in the same run | wanted |", "|---|---|---|---|---|", ...rows].join("\n");
}
