import assert from "node:assert/strict";
import { test } from "node:test";
import { AGENT_METRICS } from "../../src/agent/agent-metrics.ts";
import { API_METRICS } from "../../src/api/api-metrics.ts";
import { counterFamilies } from "../../src/base/metric-family.ts";
import { STORE_SERVER_METRICS } from "../../src/store-server/store-metrics.ts";
import { zookeeperCatalogue } from "../../src/zookeeper/counters.ts";
import { METRIC_SECTIONS } from "./metrics.ts";

const sections = Object.values(METRIC_SECTIONS);

test("every metric that a process may tell is in the reference, and the reverse", () => {
  const told = [AGENT_METRICS, API_METRICS, STORE_SERVER_METRICS, counterFamilies(zookeeperCatalogue)];
  const names = new Set(told.flatMap((specs) => Object.keys(specs)));
  const documented = sections.flatMap((specs) => Object.keys(specs));
  assert.deepEqual(documented.toSorted(), [...names].toSorted());
});

test("metrics are named as Prometheus wants it: counters end in _total, units are seconds and bytes", () => {
  for (const [name, { type, help, labels = [] }] of sections.flatMap((specs) => Object.entries(specs))) {
    assert.match(name, /^(weft|process|nodejs)_[a-z0-9_]+$/);
    assert.equal(name.endsWith("_total"), type === "counter", name);
    assert.doesNotMatch(name, /_(ms|milliseconds|minutes|kb|mb|percent)(_|$)/, name);
    if (type === "histogram") assert.match(name, /_(seconds|bytes)$/);
    assert.ok(help.length > 3 && !help.includes("\n"), name);
    for (const label of labels) assert.match(label, /^[a-z]+$/);
  }
});
