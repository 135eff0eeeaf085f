import assert from "node:assert/strict";
import { test } from "node:test";
import { formatExposition } from "../base/exposition.ts";
import { Histogram, MetricSamples } from "../base/metric-family.ts";
import { readMetrics } from "./metrics-text.ts";

test("metrics are read back from their text: names, labels with anything in them, one line a histogram", () => {
  const histogram = new Histogram([0.1]);
  histogram.observe(0.5);
  histogram.observe(1.5);
  const samples = new MetricSamples({
    weft_drops_total: { type: "counter", help: 'a "help"\\ with\nmore', labels: ["reason", "port"] },
    weft_wait_seconds: { type: "histogram", help: "waits", labels: ["kind"] },
    weft_empty_seconds: { type: "histogram", help: "nothing" },
  });
  samples.add("weft_drops_total", 3, { reason: 'a"b\\c,d="e"', port: "x\ny" });
  samples.addHistogram("weft_wait_seconds", histogram, { kind: "read" });
  samples.addHistogram("weft_empty_seconds", new Histogram([1]));
  assert.deepEqual(readMetrics(formatExposition(samples.families())), [
    {
      ...{ name: "weft_drops_total", type: "counter", help: 'a "help"\\ with\nmore', value: 3 },
      labels: { reason: 'a"b\\c,d="e"', port: "x\ny" },
    },
    { name: "weft_wait_seconds", type: "histogram", help: "waits", labels: { kind: "read" }, value: 2, mean: 1 },
    { name: "weft_empty_seconds", type: "histogram", help: "nothing", labels: {}, value: 0, mean: undefined },
  ]);
  assert.deepEqual(readMetrics("garbage\n# TYPE\nx{ 3\n"), []);
});
