import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileOf } from "../base/entry.ts";
import { CLASS_WORDS } from "../flow/layout.ts";
import { RING_RECORD_BYTES_MAX } from "./limits.ts";

test("the words of each class are those that the programs hash and compare", () => {
  const parse = readFileSync(fileOf("bpf/lookup.h"), "utf8");
  const hashed = /weft_hash_words\(w, c, lanes, WEFT_CLASS_([A-Z0-9_]+), \d+, (\d+)\)/g;
  const ends = [...parse.matchAll(hashed)].map(([, name, end]) => [name, Number(end)]);
  const expected = ["PORT", "L2", "L3_DST", "L3_PAIR", "PROTO", "FULL"].map((name, i) => [name, CLASS_WORDS[i]]);
  assert.deepEqual(ends, expected);
});

test("the longest record of a ring, with its header, is as long as what is mapped behind a ring's end", () => {
  const upcall = readFileSync(fileOf("bpf/upcall.h"), "utf8");
  const records = [...upcall.matchAll(/#define WEFT_RECORD_\w+ (\d+)/g)].map(([, bytes]) => Number(bytes));
  assert.equal(records.length, 4);
  assert.equal(Math.max(...records) + 8, RING_RECORD_BYTES_MAX);
});
