import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileOf } from "../../base/entry.ts";
import { idOf } from "../../model/testdata/topology.ts";
import { isEphemeral, placeOf } from "./node-place.ts";

describe("the layout read backwards", () => {
  test("knows every path that the layout's description has", () => {
    const source = readFileSync(fileOf("src/store/recipes/layout.ts"), "utf8");
    const paths = [...source.matchAll(/^ \* {5}<root>\/(\S+)/gm)].map(([, path = ""]) => path);
    assert.ok(paths.length >= 15);
    const samples: Readonly<Record<string, string>> = {
      "<id>": idOf(1),
      "<n>": "3",
      "<kind>": "bridge",
      "<map>": "fdb",
      "[/<part>]": "",
      "<block>": "7",
      "<sequence>": "0000000007",
      "<name>": "name",
    };
    for (const path of paths) {
      const sample = path.replace(/<\w+>|\[\/<part>\]/g, (part) => samples[part] ?? "x");
      assert.notEqual(placeOf(sample).place, "foreign", sample);
    }
  });

  test("an owner is a session, but for the marks of containers and of nodes with a time to live", () => {
    for (const [ephemeralOwner, is] of [
      [0n, false],
      [0x1000_0000_0000_0001n, true],
      [-(1n << 63n), false],
      [1n << 63n, false],
      [BigInt.asIntN(64, 0xff00_0000_0000_1388n), false],
      [BigInt.asIntN(64, 0xfe00_0000_0000_0001n), true],
    ] as const)
      assert.equal(isEphemeral({ ephemeralOwner }), is, ephemeralOwner.toString(16));
  });
});
