import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { counterFamilies } from "../base/metric-family.ts";
import { parseExposition } from "../base/testing/exposition-parser.ts";
import { API_METRICS } from "./api-metrics.ts";
import { ApiFixture, TOKEN } from "./testdata/fixture.ts";

describe("the metrics of the API", () => {
  let api: ApiFixture;
  before(async () => {
    api = await new ApiFixture().open();
  });
  after(() => api.close());

  const scrape = async (token: string | undefined): Promise<readonly [number, string, string]> => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const reply = await api.server?.http.inject({ method: "GET", url: "/metrics", headers });
    return [reply?.statusCode ?? 0, String(reply?.headers["content-type"]), reply?.body ?? ""];
  };

  it("are text for whoever has the token, all that the catalogue names and no more", async () => {
    await api.make("bridges", { name: "a" });
    await api.send("GET /v1/bridges/none");
    await api.send("GET /nowhere");
    assert.equal((await scrape(undefined))[0], 401);
    const [status, type, text] = await scrape(TOKEN);
    assert.deepEqual([status, type], [200, "text/plain; version=0.0.4; charset=utf-8"]);
    const families = parseExposition(text);
    const known = { ...API_METRICS, ...counterFamilies({ zookeeper_requests: "requests" }) };
    assert.deepEqual([...families.keys()].toSorted(), Object.keys(known).toSorted());
    const requests = families.get("weft_api_requests_total")?.samples ?? [];
    const count = (operation: string, code: string): number | undefined =>
      requests.find(({ labels }) => labels["operation"] === operation && labels["status"] === code)?.value;
    assert.deepEqual([count("createBridge", "201"), count("getBridge", "404"), count("none", "404")], [1, 1, 1]);
    const commits = families
      .get("weft_store_client_request_seconds")
      ?.samples.find(({ name }) => name.endsWith("_count"));
    assert.ok((commits?.value ?? 0) > 0);
  });

  it("are told together with those of the agents that live; the others are named", async () => {
    const { id } = await api.make("hosts", { name: "h1" });
    const { id: dead } = await api.make("hosts", { name: "h2" });
    await api.live(id, () => ({ status: 200, body: JSON.stringify({ text: "weft_flows 3\n" }) }));
    const { body } = await api.send("GET /v1/metrics");
    const found = body.items.map(({ process, hostId }: { process: string; hostId?: string }) => [process, hostId]);
    assert.deepEqual(found, [
      ["api", undefined],
      ["agent", id],
    ]);
    assert.equal(body.items[1].text, "weft_flows 3\n");
    assert.equal(body.missing[0].hostId, dead);
    assert.equal((await api.send(`GET /v1/metrics?host=${id}`)).body.items.length, 1);
    assert.equal((await api.send(`GET /v1/metrics?host=${dead}`)).outcome, "agent-not-alive");
  });
});
