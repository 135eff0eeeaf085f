import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileOf } from "../base/entry.ts";
import { DROP_REASONS } from "../flow/drop-reason.ts";
import * as layout from "../flow/layout.ts";

const header = readFileSync(fileOf("bpf/layout.h"), "utf8");
/** Constants of bpf/layout.h that TypeScript never sees: they stay between the programs and their tests. */
const KERNEL_ONLY = ["EGRESS_MARK", "VERDICT_UPCALL", "VERDICT_CONSUMED"];
/** Constants of flow/layout.ts that are not numbers of the datapath. */
const AGENT_ONLY = ["CLASS_WORDS", "CLASS_NAMES"];

function defines(): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [, name = "", text = ""] of header.matchAll(/^#define WEFT_([A-Z0-9_]+) (\(?[0-9a-fx <()]+\)?)$/gm)) {
    const shift = /^\((\d+) << (\d+)\)$/.exec(text);
    found.set(name, shift === null ? Number(text) : Number(shift[1]) << Number(shift[2]));
  }
  return found;
}

test("every constant of the layout has the same value in the programs", () => {
  const inC = defines();
  const inTypeScript = Object.entries(layout).filter(([name]) => !AGENT_ONLY.includes(name));
  for (const [name, value] of inTypeScript) assert.equal(inC.get(name), value, name);
  const names = new Set(inTypeScript.map(([name]) => name));
  const extra = [...inC.keys()].filter((name) => !names.has(name) && !KERNEL_ONLY.includes(name) && !name.startsWith("DROP_"));
  assert.deepEqual(extra, []);
});

test("the drop reasons that the programs give have the codes of the catalogue", () => {
  const codes = new Map<string, number>(DROP_REASONS.map(({ name, code }) => [name.toUpperCase().replaceAll("-", "_"), code]));
  const inC = [...defines()].filter(([name]) => name.startsWith("DROP_"));
  assert.ok(inC.length > 10);
  for (const [name, value] of inC) assert.equal(value, codes.get(name.slice("DROP_".length)), name);
});

test("the words of each class are those that the programs hash and compare", () => {
  const parse = readFileSync(fileOf("bpf/lookup.h"), "utf8");
  const ends = [...parse.matchAll(/i == (\d+)\s+\? WEFT_CLASS_([A-Z0-9_]+)/g)].map(([, i, name]) => [name, Number(i) + 1]);
  const expected = ["PORT", "L2", "L3_DST", "L3_PAIR", "PROTO", "FULL"].map((name, i) => [name, layout.CLASS_WORDS[i]]);
  assert.deepEqual(ends, expected);
});
