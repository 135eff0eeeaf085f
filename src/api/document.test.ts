import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { BODY_BYTES_MAX } from "../api-schema/limits.ts";
import { idOf } from "../model/testdata/topology.ts";
import { ApiFixture, type SendOptions } from "./testdata/fixture.ts";

/** Requests that no operation takes as they are, each in one way. */
const FLAWS: readonly (readonly [what: string, body: unknown, options: SendOptions])[] = [
  ["no token", undefined, { token: undefined }],
  ["an empty object", {}, {}],
  ["a list", [], {}],
  ["broken JSON", undefined, { text: "{" }],
  ["no JSON", undefined, { text: "a=1", headers: { "content-type": "text/plain" } }],
  ["too much", { name: "x".repeat(BODY_BYTES_MAX) }, {}],
  ["an unknown field", { colour: "red" }, {}],
  ["another version", {}, { headers: { "if-match": '"99"' } }],
  ["no version", {}, { headers: { "if-match": "99" } }],
];

describe("the OpenAPI document", () => {
  const api = new ApiFixture();
  before(() => api.open());
  after(() => api.close());

  it("names every status that is answered, whatever is wrong with a request", async () => {
    const ids: Record<string, string> = {};
    for (const plural of ["hosts", "tunnel-zones", "bridges", "routers", "chains"])
      ids[plural] = (await api.make(plural, { name: plural })).id;
    ids["ports"] = (await api.make("ports", { bridgeId: ids["bridges"] })).id;
    const action = { type: "drop" };
    ids["rules"] = (await api.make("rules", { chainId: ids["chains"], action })).id;
    const nextHop = { type: "blackhole" };
    ids["routes"] = (await api.make("routes", { routerId: ids["routers"], destination: "0.0.0.0/0", nextHop })).id;
    const { body: document } = await api.send("GET /v1/openapi.json");
    const silent: string[] = [];
    for (const { method, path, isStream } of api.server?.endpoints ?? []) {
      // Deletions go last, and of what is not there: the others need the objects.
      const isThere = method !== "DELETE" && isStream !== true;
      const documented = Object.keys(document.paths[path][method.toLowerCase()].responses);
      const known = ids[path.split("/")[2] ?? ""] ?? idOf(1);
      const targets = [idOf(77), "nonsense", ...(isThere ? [known] : [])];
      for (const id of path.includes("{id}") ? targets : [""]) {
        const where = path.replace("{id}", id).replace(/\{(\w+)\}/g, "nonsense");
        for (const [what, sent, options] of FLAWS) {
          if (isStream === true && !("token" in options)) continue;
          const { status } = await api.send(`${method} ${where}`, method === "GET" ? undefined : sent, options);
          if (!documented.includes(String(status))) silent.push(`${method} ${where} with ${what}: ${status}`);
        }
      }
    }
    assert.deepEqual(silent, []);
  });

  it("asks for no token where none is needed", async () => {
    const { body: document } = await api.send("GET /v1/openapi.json");
    const { responses, security } = document.paths["/v1/health"].get;
    assert.deepEqual([security, "401" in responses], [[], false]);
    assert.ok("401" in document.paths["/v1/bridges"].get.responses);
    for (const status of ["413", "415"]) {
      for (const path of ["/v1/ports/{id}/bind", "/v1/ports/{id}/unbind", "/v1/trace", "/v1/bridges/{id}/fdb"])
        assert.ok(status in document.paths[path].post.responses, `${path} ${status}`);
    }
  });
});
