import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileOf } from "../base/entry.ts";
import { cliReferencePage } from "./reference-page.ts";

const path = fileOf("docs/reference/cli.md");

test("docs/reference/cli.md says what the command line does (WEFT_REWRITE=1 writes it anew)", async () => {
  const page = await cliReferencePage();
  if (process.env["WEFT_REWRITE"] === "1") writeFileSync(path, page);
  assert.equal(readFileSync(path, "utf8"), page);
});
