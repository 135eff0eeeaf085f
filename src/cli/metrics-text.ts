/** One series of a family as people read it: its labels, and its value. */
export interface MetricLine {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Of a histogram: the mean of what was observed; undefined when there was nothing. */
  readonly mean?: number | undefined;
}

/**
 * Reads the text exposition format as weft writes it. A histogram becomes one line with its count and mean; lines that make no
 * sense are left out, because a newer agent may say more than this command knows.
 */
export function readMetrics(text: string): readonly MetricLine[] {
  const lines: MetricLine[] = [];
  const sums = new Map<string, number>();
  let [help, name, type] = ["", "", ""];
  for (const line of text.split("\n")) {
    if (line.startsWith("# HELP "))
      help = line.slice("# HELP ".length).replace(/^\S+ /, "").replace(/\\(.)/g, unescaped);
    else if (line.startsWith("# TYPE ")) [, , name = "", type = ""] = line.split(" ");
    const [, series = "", inner = "", number = ""] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (series === "" || series === `${name}_bucket`) continue;
    const value = Number(number.replace("Inf", "Infinity"));
    if (series === `${name}_sum`) sums.set(inner, value);
    else if (series === name) lines.push({ name, type, help, labels: labelsOf(inner), value });
    else if (series === `${name}_count`) {
      const mean = value === 0 ? undefined : (sums.get(inner) ?? 0) / value;
      lines.push({ name, type, help, labels: labelsOf(inner), value, mean });
    }
  }
  return lines;
}

function labelsOf(inner: string): Readonly<Record<string, string>> {
  const pairs = [...inner.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)];
  return Object.fromEntries(pairs.map(([, name = "", value = ""]) => [name, value.replace(/\\(.)/g, unescaped)]));
}

function unescaped(_all: string, character: string): string {
  return character === "n" ? "\n" : character;
}
