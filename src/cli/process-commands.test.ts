import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileOf, nodeOptions } from "../base/entry.ts";

/** The whole command, as a shell runs it, with a folder for the lab in which there is none. */
function weft(folder: string, ...args: readonly string[]): { readonly code: number | null; readonly said: string } {
  const { WEFT_CONFIG: _file, ...own } = process.env;
  const env = args.includes("lab") ? { ...own, WEFT_LAB_FOLDER: folder } : own;
  const ran = spawnSync(process.execPath, [...nodeOptions, fileOf("src/cli/main.ts"), ...args], {
    encoding: "utf8",
    env,
  });
  return { code: ran.status, said: ran.stdout + ran.stderr };
}

describe("processes by the command line", () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-cli-"));
  after(() => rmSync(folder, { recursive: true }));

  it("end with 2 when they cannot understand what they are told", () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ["lab bogus", /unknown verb bogus/],
      ["lab exec vm1", /expected: weft lab exec VM -- COMMAND/],
      ["lab status --bogus", /unknown word --bogus/],
      ["agent --datapath memory", /host-id is missing/],
      ["agent --datapath memory --host-id nope", /host-id: nope is no UUID/],
      ["api --bogus x", /unknown key --bogus/],
      ["store chek", /expected one of status, check/],
    ];
    for (const [line, sentence] of cases) {
      const { code, said } = weft(folder, ...line.split(" "));
      assert.equal(code, 2, `${line}: ${said}`);
      assert.match(said, sentence);
    }
  });

  it("print JSON wherever --json stands", () => {
    for (const line of ["lab status --json", "--json lab status"]) {
      const { code, said } = weft(folder, ...line.split(" "));
      assert.deepEqual([code, JSON.parse(said).error.message], [1, "no lab is up: start one with npm start"], line);
    }
  });
});
