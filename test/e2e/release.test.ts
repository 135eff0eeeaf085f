import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { fileOf } from "../../src/base/entry.ts";

const out = "build/release/dist";
const node = (...args: readonly string[]): ReturnType<typeof spawnSync> =>
  spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", ...args], {
    cwd: fileOf(""),
    encoding: "utf8",
  });

before(() => {
  const { status, stdout, stderr } = node("tools/build.ts", "--out", out);
  assert.equal(status, 0, `${stdout}${stderr}`);
});

test("every module of the released form loads, but for mains, which would start", () => {
  const files = globSync("**/*.js", { cwd: fileOf(out), exclude: ["**/*main.js"] });
  const script = files.map((file) => `import ${JSON.stringify(join(fileOf(out), file))};`).join("\n");
  const { status, stderr } = node("--no-experimental-strip-types", "--input-type=module", "--eval", script);
  assert.equal(status, 0, String(stderr));
  assert.ok(files.length > 50, `${files.length} modules`);
});

test("the released form finds its own modules and eBPF programs, not those of the sources", () => {
  const entry = JSON.stringify(join(fileOf(out), "base", "entry.js"));
  const script = `
    import { bpfObjectOf, moduleOf } from ${entry};
    console.log(moduleOf("base/entry"), bpfObjectOf("weft") ?? "");
  `;
  const { stdout } = node("--input-type=module", "--eval", script);
  const [module = "", object = ""] = String(stdout).trim().split(" ");
  assert.equal(module, join(fileOf(out), "base", "entry.js"));
  if (globSync("bpf/weft.bpf.c", { cwd: fileOf("") }).length > 0) {
    assert.equal(object, join(fileOf(out), "bpf", "weft.bpf.o"));
  }
});

test("the released command line says its version", {
  skip: !existsSync(fileOf("src/cli/main.ts")) && "no CLI yet",
}, () => {
  const { status, stdout, stderr } = node(join(out, "cli", "main.js"), "--version");
  assert.equal(status, 0, String(stderr));
  assert.match(String(stdout), /\d+\.\d+\.\d+/);
});
