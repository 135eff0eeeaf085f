import assert from "node:assert/strict";
import { get } from "node:http";
import { describe, it } from "node:test";
import { EXPOSITION_TYPE, formatExposition } from "./exposition.ts";
import { MetricSamples } from "./metric-family.ts";
import { parseMetricsListen } from "./metrics-listen.ts";
import { serveMetrics } from "./metrics-server.ts";
import { PROCESS_METRICS, ProcessMetrics } from "./process-metrics.ts";
import { unwrap } from "./result.ts";
import { VirtualScheduler } from "./scheduler.ts";
import { parseExposition } from "./testing/exposition-parser.ts";

function collected(metrics: ProcessMetrics) {
  const samples = new MetricSamples(PROCESS_METRICS);
  metrics.collect(samples);
  return parseExposition(formatExposition(samples.families()));
}

describe("what a process tells of itself", () => {
  it("has every family of its catalogue", () => {
    const scheduler = new VirtualScheduler();
    const families = collected(
      new ProcessMetrics(scheduler, { process: "agent", release: "1.2.3", logLines: () => ({ warn: 3 }) }),
    );
    assert.deepEqual([...families.keys()], Object.keys(PROCESS_METRICS));
    assert.ok((families.get("process_resident_memory_bytes")?.samples[0]?.value ?? 0) > 1e6);
    assert.equal(families.get("weft_build_info")?.samples[0]?.labels["version"], "1.2.3");
  });

  it("tells how late the event loop was, and how late at most within a minute", () => {
    const scheduler = new VirtualScheduler();
    const metrics = new ProcessMetrics(scheduler, { process: "agent", release: "1", logLines: () => ({ warn: 3 }) });
    const lags = () => {
      const families = collected(metrics);
      const of = (name: string, suffix = "", le?: string) =>
        families.get(name)?.samples.find((sample) => sample.name === `${name}${suffix}` && sample.labels["le"] === le)
          ?.value;
      const histogram = "weft_event_loop_lag_seconds";
      return {
        last: of("nodejs_eventloop_lag_seconds"),
        largest: of("weft_event_loop_lag_max_seconds"),
        stalls: (of(histogram, "_count") ?? 0) - (of(histogram, "_bucket", "0.1") ?? 0),
      };
    };
    const looks = (count: number): void => {
      for (let i = 0; i < count; i++) scheduler.step();
    };
    scheduler.advanceTo(100 + 250);
    scheduler.step();
    assert.deepEqual(lags(), { last: 0.25, largest: 0.25, stalls: 1 });
    looks(10);
    assert.deepEqual(lags(), { last: 0, largest: 0.25, stalls: 1 });
    looks(61 * 10);
    assert.deepEqual(lags(), { last: 0, largest: 0, stalls: 1 });
    metrics.close();
    assert.equal(scheduler.nextAt(), undefined);
  });
});

describe("the listener for a scraper", () => {
  it("reads a port as loopback, and an address and a port", () => {
    assert.deepEqual(parseMetricsListen("9601"), { ok: true, value: { host: "127.0.0.1", port: 9601 } });
    assert.deepEqual(parseMetricsListen("[::1]:1"), { ok: true, value: { host: "::1", port: 1 } });
    for (const bad of ["", "x", "1.2.3.4", "127.0.0.1:99999", "127.0.0.1:"])
      assert.equal(parseMetricsListen(bad).ok, false, bad);
  });

  it("serves GET /metrics in the text format, made anew each time, and nothing else", async () => {
    let n = 0;
    const listener = unwrap(await serveMetrics({ host: "127.0.0.1", port: 0 }, () => `n ${++n}\n`));
    const ask = (url: string): Promise<readonly [number, string, string]> =>
      new Promise((resolve, reject) => {
        get(url, (response) => {
          let text = "";
          response.on("data", (chunk: Buffer) => (text += `${chunk}`));
          response.once("end", () => resolve([response.statusCode ?? 0, response.headers["content-type"] ?? "", text]));
        }).once("error", reject);
      });
    assert.deepEqual(await ask(listener.address), [200, EXPOSITION_TYPE, "n 1\n"]);
    assert.deepEqual(await ask(listener.address), [200, EXPOSITION_TYPE, "n 2\n"]);
    assert.equal((await ask(listener.address.replace("/metrics", "/status")))[0], 404);
    const port = Number(new URL(listener.address).port);
    const second = await serveMetrics({ host: "127.0.0.1", port }, () => "");
    assert.match(second.ok ? "" : second.error, /cannot listen on 127\.0\.0\.1/);
    listener.close();
  });
});
