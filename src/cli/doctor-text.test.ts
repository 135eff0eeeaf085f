import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { failure, warning, well } from "../api-schema/doctor-resource.ts";
import { doctorExit, doctorText } from "./doctor-text.ts";
import { tarOf } from "./tar.ts";

const good = { ...well("kernel", { subject: "kernel", found: "Linux 6.1" }), from: "h1" };
const poor = { ...warning("jit", { subject: "jit", found: "0", remedy: "set it" }), from: "h1" };
const worst = { ...failure("store", { subject: "session", found: "lost", remedy: "start it" }), from: "" };

describe("findings for people", () => {
  it("begin with the worst, say what to do, and leave out what is well", () => {
    assert.deepEqual(doctorText([good, poor, worst], false), [
      "✗ store          session: lost",
      "                 → start it",
      "! jit            h1: jit: 0",
      "                 → set it",
      "1 failure, 1 warning, 1 well (--all shows them)",
    ]);
    assert.deepEqual(doctorText([good], true), [
      "✓ kernel         h1: kernel: Linux 6.1",
      "0 failures, 0 warnings, 1 well",
    ]);
  });

  it("end the command by the worst of them", () => {
    assert.equal(doctorExit([good]), "done");
    assert.equal(doctorExit([good, poor]), "warnings");
    assert.equal(doctorExit([poor, worst]), "failures");
  });
});

it("an archive is what tar reads", () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-tar-"));
  const files = [
    { name: "a.json", text: "{}\n" },
    { name: "b.log", text: "é".repeat(600) },
    { name: "empty", text: "" },
  ];
  writeFileSync(join(folder, "x.tar"), tarOf(files, 1_700_000_000));
  const read = (...words: readonly string[]): string =>
    spawnSync("tar", words, { cwd: folder, encoding: "utf8" }).stdout;
  assert.equal(read("tf", "x.tar"), "a.json\nb.log\nempty\n");
  for (const { name, text } of files) assert.equal(read("xOf", "x.tar", name), text);
  rmSync(folder, { recursive: true });
});
