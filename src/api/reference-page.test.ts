import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileOf } from "../base/entry.ts";
import { apiReferencePage } from "./reference-page.ts";
import { ApiFixture } from "./testdata/fixture.ts";

const path = fileOf("docs/reference/api.md");

test("docs/reference/api.md says what the API does (WEFT_REWRITE=1 writes it anew)", async () => {
  const api = await new ApiFixture().open();
  const page = apiReferencePage(api.server?.endpoints ?? []);
  await api.close();
  if (process.env["WEFT_REWRITE"] === "1") writeFileSync(path, page);
  assert.equal(readFileSync(path, "utf8"), page);
});

test("every operation has a name of its own, and its paths and parameters are in the document", async () => {
  const api = await new ApiFixture().open();
  const endpoints = api.server?.endpoints ?? [];
  const names = endpoints.map(({ operation }) => operation);
  assert.equal(new Set(names).size, names.length);
  const { body } = await api.send("GET /v1/openapi.json");
  for (const { path: where, method, operation, query } of endpoints) {
    const described = body.paths[where]?.[method.toLowerCase()];
    assert.equal(described?.operationId, operation, where);
    for (const name of Object.keys(query ?? {})) {
      assert.ok(
        described.parameters.some((parameter: { readonly name: string }) => parameter.name === name),
        `${where} ${name}`,
      );
    }
  }
  await api.close();
});
