import { assert } from "./assert.ts";
import type { MetricCatalogue } from "./metrics.ts";

/** How a family behaves: a counter only grows (until the process ends), a gauge goes both ways, a histogram counts by bound. */
export type MetricType = "counter" | "gauge" | "histogram";

/** What a family of metrics means, and by which labels its samples differ. The unit is in the name: `_seconds`, `_bytes`. */
export interface MetricSpec {
  readonly type: MetricType;
  /** One line for people. */
  readonly help: string;
  readonly labels?: readonly string[];
}

/** Families by name: the catalogue from which both what is told and docs/reference/metrics.md are made. */
export type MetricSpecs = Readonly<Record<string, MetricSpec>>;

/** One value of a family. */
export interface MetricSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Of a histogram: which of its series. */
  readonly suffix?: "_bucket" | "_sum" | "_count";
}

/** A family with its present values. */
export interface MetricFamily extends MetricSpec {
  readonly name: string;
  readonly samples: readonly MetricSample[];
}

/** A counter of a `Counters` catalogue is a gauge when its help ends so. */
const GAUGE_MARK = " (gauge)";

/** Name under which a counter of a `Counters` catalogue is told: `store_writes` becomes `weft_store_writes_total`. */
export function exposedName(name: string, help: string): string {
  const prefixed = name.startsWith("weft_") ? name : `weft_${name}`;
  return help.endsWith(GAUGE_MARK) ? prefixed : `${prefixed}_total`;
}

/** The families of a `Counters` catalogue, none with labels. Entries whose help ends in "(gauge)" are gauges. */
export function counterFamilies(catalogue: MetricCatalogue): MetricSpecs {
  const specs = Object.entries(catalogue).map(([name, help]): readonly [string, MetricSpec] => {
    const isGauge = help.endsWith(GAUGE_MARK);
    const text = isGauge ? help.slice(0, -GAUGE_MARK.length) : help;
    return [exposedName(name, help), { type: isGauge ? "gauge" : "counter", help: text }];
  });
  return Object.fromEntries(specs);
}

/** Gathers the samples of one look at a process. A name or a label that the catalogue does not have is a bug. */
export class MetricSamples {
  readonly #specs: MetricSpecs;
  readonly #samples = new Map<string, MetricSample[]>();

  constructor(specs: MetricSpecs) {
    this.#specs = specs;
  }

  /** Adds one value. */
  add(name: string, value: number, labels: Readonly<Record<string, string>> = {}): void {
    this.#push(name, { labels, value });
  }

  /** Adds all values of a `Counters` catalogue. */
  addCounters(catalogue: MetricCatalogue, values: Readonly<Record<string, number>>): void {
    for (const [name, help] of Object.entries(catalogue)) this.add(exposedName(name, help), values[name] ?? 0);
  }

  /** Adds a histogram. */
  addHistogram(name: string, histogram: Histogram, labels: Readonly<Record<string, string>> = {}): void {
    let below = 0;
    for (const [i, bound] of histogram.bounds.entries()) {
      below += histogram.counts[i] as number;
      this.#push(name, { labels: { ...labels, le: String(bound) }, value: below, suffix: "_bucket" });
    }
    this.#push(name, { labels: { ...labels, le: "+Inf" }, value: histogram.count, suffix: "_bucket" });
    this.#push(name, { labels, value: histogram.sum, suffix: "_sum" });
    this.#push(name, { labels, value: histogram.count, suffix: "_count" });
  }

  /** Every family of the catalogue that has a sample, in the catalogue's order. */
  families(): readonly MetricFamily[] {
    return Object.entries(this.#specs).flatMap(([name, spec]) => {
      const samples = this.#samples.get(name);
      return samples === undefined ? [] : [{ name, ...spec, samples }];
    });
  }

  #push(name: string, sample: MetricSample): void {
    const spec = this.#specs[name];
    assert(spec !== undefined, "a metric that no catalogue has", { name });
    const labels = Object.keys(sample.labels).filter((label) => label !== "le" || spec.type !== "histogram");
    const isKnown = labels.length === (spec.labels?.length ?? 0) && labels.every((name) => spec.labels?.includes(name));
    assert(isKnown, "labels that the catalogue does not have", { name, labels: labels.join(",") });
    const samples = this.#samples.get(name);
    if (samples === undefined) this.#samples.set(name, [sample]);
    else samples.push(sample);
  }
}

/** Counts observations by upper bound. */
export class Histogram {
  /** Upper bounds, ascending; what is above the last counts only as a whole. */
  readonly bounds: readonly number[];
  /** Observations at most the bound and above the one before. */
  readonly counts: Float64Array;
  count = 0;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length);
  }

  /** Takes one observation. */
  observe(value: number): void {
    this.count++;
    this.sum += value;
    const i = this.bounds.findIndex((bound) => value <= bound);
    if (i >= 0) this.counts[i] = (this.counts[i] as number) + 1;
  }
}
