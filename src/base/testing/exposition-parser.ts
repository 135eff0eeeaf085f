import assert from "node:assert/strict";

/** A sample line of the text format. */
export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A family of the text format. */
export interface ParsedFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly ParsedSample[];
}

/**
 * A strict reader of the text format 0.0.4, written from its description and not from the writer: throws at the first line that
 * Prometheus' own linter would complain of. Families are whole and in one piece, have HELP before TYPE before samples; no
 * sample twice; counters end in _total, are finite and not negative; histograms are cumulative and end in +Inf.
 */
export function parseExposition(text: string): ReadonlyMap<string, ParsedFamily> {
  assert.ok(text.endsWith("\n"), "the last line ends with a line feed");
  const families = new Map<string, ParsedFamily & { samples: ParsedSample[] }>();
  let help: { name: string; text: string } | undefined;
  let family: (ParsedFamily & { samples: ParsedSample[] }) | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    const [, helpName, helpText] = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line) ?? [];
    const [, typeName, type] = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$/.exec(line) ?? [];
    if (helpName !== undefined && helpText !== undefined) {
      assert.equal(help, undefined, `HELP without TYPE before: ${line}`);
      assert.ok(!families.has(helpName), `a family twice: ${helpName}`);
      assert.match(helpText, /^(?:[^\\]|\\\\|\\n)+$/, `HELP is escaped: ${line}`);
      help = { name: helpName, text: helpText };
    } else if (typeName !== undefined && type !== undefined) {
      assert.equal(help?.name, typeName, `TYPE after its HELP: ${line}`);
      family = { name: typeName, type, help: help?.text ?? "", samples: [] };
      families.set(typeName, family);
      help = undefined;
    } else {
      assert.equal(help, undefined, `TYPE is missing before: ${line}`);
      assert.ok(family !== undefined, `a sample without a family: ${line}`);
      family.samples.push(parseSample(line, family));
    }
  }
  for (const one of families.values()) checkFamily(one);
  return families;
}

function parseSample(line: string, family: ParsedFamily): ParsedSample {
  const [, name = "", inner, value = ""] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  const suffixes = family.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
  assert.ok(
    suffixes.some((suffix) => name === `${family.name}${suffix}`),
    `a line of ${family.name}: ${line}`,
  );
  const labels: Record<string, string> = {};
  let rest = inner ?? "";
  while (rest !== "") {
    const match = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\\\|\\"|\\n)*)"(?:,(?=[a-zA-Z_])|$)/.exec(rest);
    assert.ok(match !== null, `labels of ${line}`);
    const [whole, label = "", raw = ""] = match;
    assert.ok(!Object.hasOwn(labels, label), `a label twice: ${line}`);
    labels[label] = raw.replace(/\\(.)/g, (_all, c: string) => (c === "n" ? "\n" : c));
    rest = rest.slice(whole.length);
  }
  assert.match(value, /^(?:NaN|[+-]Inf|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/, `a number: ${line}`);
  return { name, labels, value: Number(value.replace("Inf", "Infinity")) };
}

function checkFamily({ name, type, samples }: ParsedFamily): void {
  assert.ok(samples.length > 0, `${name} has no sample`);
  const keys = samples.map((sample) => JSON.stringify([sample.name, Object.entries(sample.labels).sort()]));
  assert.equal(new Set(keys).size, keys.length, `${name} has a sample twice`);
  assert.equal(name.endsWith("_total"), type === "counter", `${name}: counters end in _total, others do not`);
  assert.doesNotMatch(name, /_(?:ms|milliseconds|minutes|kb|kilobytes|mb|megabytes)(?:_|$)/, `${name}: base units`);
  for (const { value } of samples) {
    if (type !== "gauge") assert.ok(Number.isFinite(value) && value >= 0, `${name}: ${value}`);
  }
  if (type === "histogram") checkHistogram(name, samples);
}

function checkHistogram(name: string, samples: readonly ParsedSample[]): void {
  const series = new Map<string, ParsedSample[]>();
  for (const sample of samples) {
    const { le: _le, ...rest } = sample.labels;
    const key = JSON.stringify(Object.entries(rest).sort());
    series.set(key, [...(series.get(key) ?? []), sample]);
  }
  for (const one of series.values()) {
    const buckets = one.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => Number((labels["le"] ?? "").replace("Inf", "Infinity")));
    assert.deepEqual(
      bounds,
      bounds.toSorted((a, b) => a - b),
      `${name}: bounds ascend`,
    );
    assert.equal(bounds.at(-1), Number.POSITIVE_INFINITY, `${name}: ends in +Inf`);
    const counts = buckets.map(({ value }) => value);
    assert.deepEqual(
      counts,
      counts.toSorted((a, b) => a - b),
      `${name}: cumulative`,
    );
    const count = one.find((sample) => sample.name === `${name}_count`)?.value;
    assert.equal(counts.at(-1), count, `${name}: +Inf is the count`);
  }
}
