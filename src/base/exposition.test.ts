import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatExposition } from "./exposition.ts";
import { counterFamilies, exposedName, Histogram, type MetricFamily, MetricSamples } from "./metric-family.ts";
import { parseExposition } from "./testing/exposition-parser.ts";

const gauge = (samples: MetricFamily["samples"], help = "a help"): MetricFamily => ({
  ...{ name: "weft_thing", type: "gauge", help, labels: ["name"], samples },
});

describe("the text exposition format", () => {
  it("writes HELP, TYPE and samples", () => {
    const family: MetricFamily = {
      name: "a_total",
      type: "counter",
      help: "things",
      samples: [{ labels: {}, value: 3 }],
    };
    assert.equal(formatExposition([family]), "# HELP a_total things\n# TYPE a_total counter\na_total 3\n");
  });

  it("escapes what a help text and a label value may hold, so that a parser gets it back", () => {
    const name = 'C:\\new "one"\nline}, {x="1"} é';
    const text = formatExposition([gauge([{ labels: { name }, value: 0.5 }], "back\\slash\nand line")]);
    const family = parseExposition(text).get("weft_thing");
    assert.deepEqual(family?.samples, [{ name: "weft_thing", labels: { name }, value: 0.5 }]);
    assert.equal(family?.help, "back\\\\slash\\nand line");
  });

  it("writes numbers that Prometheus reads, also the odd ones", () => {
    const values = [0, -1.5, 1e21, 5e-7, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const samples = values.map((value, i) => ({ labels: { name: String(i) }, value }));
    const read = parseExposition(formatExposition([gauge(samples)])).get("weft_thing");
    assert.deepEqual(
      read?.samples.map(({ value }) => value),
      values,
    );
  });

  it("writes histograms cumulatively with +Inf, sum and count", () => {
    const histogram = new Histogram([0.1, 1]);
    for (const value of [0.05, 0.1, 0.5, 7]) histogram.observe(value);
    const samples = new MetricSamples({ h_seconds: { type: "histogram", help: "spans", labels: ["kind"] } });
    samples.addHistogram("h_seconds", histogram, { kind: "read" });
    const family = parseExposition(formatExposition(samples.families())).get("h_seconds");
    assert.deepEqual(
      family?.samples.map(({ value }) => value),
      [2, 3, 4, 7.65, 4],
    );
  });
});

describe("families of metrics", () => {
  it("come from a catalogue of counters: gauges by their mark, counters with _total", () => {
    const catalogue = { store_writes: "writes", store_nodes: "nodes now (gauge)", weft_worker_upcalls: "upcalls" };
    assert.deepEqual(counterFamilies(catalogue), {
      weft_store_writes_total: { type: "counter", help: "writes" },
      weft_store_nodes: { type: "gauge", help: "nodes now" },
      weft_worker_upcalls_total: { type: "counter", help: "upcalls" },
    });
    assert.equal(exposedName("store_nodes", "nodes now (gauge)"), "weft_store_nodes");
  });

  it("refuse a name or a label that the catalogue does not have", () => {
    const samples = new MetricSamples({ a_total: { type: "counter", help: "a", labels: ["port"] } });
    assert.throws(() => samples.add("b_total", 1), /no catalogue/);
    assert.throws(() => samples.add("a_total", 1), /labels/);
    assert.throws(() => samples.add("a_total", 1, { host: "h" }), /labels/);
    samples.add("a_total", 1, { port: "p" });
    assert.equal(samples.families().length, 1);
  });
});
