import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { ERROR_CATALOGUE } from "../api-schema/errors.ts";
import type { Kind } from "../model/objects.ts";
import { KINDS } from "../model/registry.ts";
import { arbitraryOf } from "../model/testdata/arbitraries.ts";
import { idOf } from "../model/testdata/topology.ts";
import { ApiFixture } from "./testdata/fixture.ts";

describe("whatever is sent", () => {
  let api: ApiFixture;
  before(async () => {
    api = await new ApiFixture().open();
  });
  after(() => api.close());

  const method = fc.constantFrom("GET", "POST", "PUT", "PATCH", "DELETE");
  const word = fc.oneof(
    fc.constantFrom(idOf(1), "x", "..", "%2e%2e", "%00", "%", "__proto__", "bind", "fdb", "1"),
    fc.webSegment(),
  );
  const path = fc.oneof(
    fc
      .tuple(
        fc.constantFrom("bridges", "ports", "routers", "hosts", "rules", "tunnel-zones", "trace"),
        fc.array(word, { maxLength: 3 }),
      )
      .map(([plural, rest]) => `/v1/${[plural, ...rest].join("/")}`),
    fc.array(word, { maxLength: 4 }).map((words) => `/${words.join("/")}`),
  );
  const text = fc.oneof(
    fc.json(),
    fc.string(),
    fc.constantFrom(
      '{"__proto__":{"name":"a"}}',
      '{"name":"\\u0000"}',
      '{"name":"\\ud800"}',
      "[".repeat(2000),
      '{"name":1e999}',
      '{"id":null}',
    ),
    fc
      .constantFrom<Kind>(...KINDS)
      .chain((kind) => arbitraryOf(kind).map((object) => JSON.stringify({ ...object, kind: undefined }))),
  );

  it("is answered with success or an error of the catalogue, and never with a bug", async () => {
    await fc.assert(
      fc.asyncProperty(method, path, text, async (verb, where, body) => {
        const reply = await api.send(`${verb} ${where}`, undefined, { text: body });
        if (reply.status < 300) return;
        const code = reply.body?.error?.code;
        assert.ok(code in ERROR_CATALOGUE, `${verb} ${where} ${body}: ${reply.status} ${JSON.stringify(reply.body)}`);
        assert.ok(reply.status < 500, `${verb} ${where} ${body}: ${code}`);
      }),
      { numRuns: 400 },
    );
  });

  it("leaves a store whose objects all hold, alone and together", async () => {
    for (const kind of KINDS) {
      const plural = kind === "tunnel-zone" ? "tunnel-zones" : `${kind}s`;
      const listed = await api.send(`GET /v1/${plural}`);
      assert.equal(listed.status, 200);
      assert.equal(listed.body.damaged, undefined);
    }
  });
});
