import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";

const root = dirname(import.meta.dirname);
const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly scripts: Readonly<Record<string, string>>;
};

function run(entry: string, ...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const options = { cwd: root, encoding: "utf8" } as const;
  return spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", entry, ...args], options);
}

describe("the commands of package.json", () => {
  for (const [name, command] of Object.entries(scripts)) {
    if (name === "clean") continue;
    test(`${name} says with --help what it does, with an example, and does nothing`, () => {
      const [entry = ""] = command.split(" ").slice(command.includes("tools/run.mjs") ? 3 : 2);
      const { status, stdout, stderr } = run(entry, "--help");
      assert.equal(status, 0, stderr);
      assert.match(stdout, /^Usage: /m);
      assert.match(stdout, /^Examples?:/m);
    });
  }

  test("clean says so too, and only without it removes what was made", () => {
    const copy = mkdtempSync(join(tmpdir(), "weft-clean-"));
    mkdirSync(join(copy, "tools"));
    mkdirSync(join(copy, "dist"));
    copyFileSync(join(root, "tools", "clean.mjs"), join(copy, "tools", "clean.mjs"));
    const { status, stdout } = run(join(copy, "tools", "clean.mjs"), "--help");
    assert.equal(status, 0);
    assert.match(stdout, /^Usage: [\s\S]*^Example: /m);
    assert.ok(existsSync(join(copy, "dist")));
    run(join(copy, "tools", "clean.mjs"));
    assert.ok(!existsSync(join(copy, "dist")));
    rmSync(copy, { recursive: true });
  });

  test("a word that is not known is one sentence", () => {
    const { status, stderr } = run("tools/test.mjs", "--onyl", "x");
    assert.equal(status, 2);
    assert.equal(stderr, "weft: Unknown option '--onyl'; --help says what there is\n");
  });
});
