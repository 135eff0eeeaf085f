import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileOf } from "../base/entry.ts";
import { CLASS_WORDS } from "../flow/layout.ts";

test("the words of each class are those that the programs hash and compare", () => {
  const parse = readFileSync(fileOf("bpf/lookup.h"), "utf8");
  const hashed = /weft_hash_words\(w, c, lanes, WEFT_CLASS_([A-Z0-9_]+), \d+, (\d+)\)/g;
  const ends = [...parse.matchAll(hashed)].map(([, name, end]) => [name, Number(end)]);
  const expected = ["PORT", "L2", "L3_DST", "L3_PAIR", "PROTO", "FULL"].map((name, i) => [name, CLASS_WORDS[i]]);
  assert.deepEqual(ends, expected);
});
