import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { type ConfigSchema, type ConfigSources, configHelp, readConfig, variableOf } from "./config.ts";
import { readConfigValue } from "./config-value.ts";
import { unwrap } from "./result.ts";

const schema = {
  host: { type: "string", default: "h1", help: "the host's name" },
  workers: { type: "integer", default: 1, min: 1, max: 16, help: "number of workers" },
  "log.level": { type: "string", default: "info", choices: ["debug", "info"], help: "least level" },
  patience: { type: "duration", default: 1_000, help: "how long to wait" },
  "dry-run": { type: "boolean", default: false, help: "do nothing" },
  peers: { type: "list", default: [], help: "addresses" },
  token: { type: "string", help: "the token", isSecret: true },
} as const satisfies ConfigSchema;

function withFile<T>(text: string, use: (path: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "weft-config-"));
  try {
    const path = join(folder, "weft.yaml");
    writeFileSync(path, text);
    return use(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function faultsOf(sources: ConfigSources): readonly string[] {
  const read = readConfig(schema, sources);
  return read.ok ? [] : read.error.map(({ text }) => text);
}

test("without any source every key has its default and says so", () => {
  const { values, lines } = unwrap(readConfig(schema, {}));
  assert.equal(values.workers, 1);
  values["log.level"] satisfies "debug" | "info";
  assert.equal(values.token, undefined);
  assert.deepEqual(lines[1], { key: "workers", value: "1", origin: "default", from: "default" });
  assert.deepEqual(lines[6], { key: "token", value: "", origin: "unset", from: "" });
});

test("a flag wins over a variable, a variable over the file, the file over the default", () => {
  withFile("workers: 2\nhost: file\nlog:\n  level: debug\n", (file) => {
    const env = { WEFT_WORKERS: "3", WEFT_HOST: "env", PATH: "/bin" };
    const { values, lines } = unwrap(readConfig(schema, { args: ["--workers=4"], env, file }));
    assert.deepEqual([values.workers, values.host, values["log.level"]], [4, "env", "debug"]);
    const origins = lines.slice(0, 4).map(({ origin, from }) => `${origin} ${from === file ? "file" : from}`);
    assert.deepEqual(origins, ["environment WEFT_HOST", "flag --workers", "file file", "default default"]);
  });
});

test("flags take their value behind = or as the next word; booleans need none and can be negated", () => {
  const read = (...args: string[]): unknown => unwrap(readConfig(schema, { args })).values;
  assert.deepEqual(read("--host", "a", "--dry-run", "--patience", "5m", "--peers", "a, b"), {
    ...unwrap(readConfig(schema, {})).values,
    host: "a",
    "dry-run": true,
    patience: 300_000,
    peers: ["a", "b"],
  });
  assert.equal(
    unwrap(readConfig(schema, { args: ["--no-dry-run"], env: { WEFT_DRY_RUN: "yes" } })).values["dry-run"],
    false,
  );
});

test("an unknown key is a fault that names the nearest one, from every source", () => {
  assert.deepEqual(
    faultsOf({ args: ["--worker", "3"] })[0],
    "the command line: unknown key --worker; did you mean workers?",
  );
  assert.deepEqual(faultsOf({ env: { WEFT_HOTS: "a" } }), ["unknown variable WEFT_HOTS; did you mean WEFT_HOST?"]);
  withFile("log:\n  levle: debug\n", (file) => {
    assert.deepEqual(faultsOf({ file }), [`${file}: unknown key log.levle; did you mean log.level?`]);
  });
  assert.deepEqual(faultsOf({ args: ["--constructor=1"] }), ["the command line: unknown key --constructor"]);
});

test("a bad value names source, key and what was expected, and all faults come at once", () => {
  assert.deepEqual(faultsOf({ args: ["--workers", "99", "--log.level=loud"], env: { WEFT_PATIENCE: "soon" } }), [
    'WEFT_PATIENCE: "soon" for patience: expected a duration such as 500ms, 30s, 5m, 1h',
    '--workers: "99" for workers: expected a whole number, at least 1 and at most 16',
    '--log.level: "loud" for log.level: expected one of debug, info',
  ]);
});

test("a bad value in a weaker source is a fault even when a stronger source has a good one", () => {
  assert.equal(faultsOf({ args: ["--workers=2"], env: { WEFT_WORKERS: "many" } }).length, 1);
});

test("a secret is never shown, not even in a fault", () => {
  const { lines } = unwrap(readConfig(schema, { env: { WEFT_TOKEN: "s3cret" } }));
  assert.equal(lines.find(({ key }) => key === "token")?.value, "(set)");
  withFile("token: [s3cret]\n", (file) => assert.doesNotMatch(faultsOf({ file }).join(), /s3cret/));
});

test("a file that is missing, is no YAML or has no keys is one clear fault", () => {
  assert.match(faultsOf({ file: "/nonexistent/weft.yaml" })[0] ?? "", /ENOENT/);
  withFile("a: [\n", (file) => assert.match(faultsOf({ file })[0] ?? "", /weft\.yaml: /));
  withFile("- a\n", (file) => assert.match(faultsOf({ file })[0] ?? "", /expected keys with values/));
  withFile("", (file) => assert.deepEqual(faultsOf({ file }), []));
});

test("variables that are not configuration are left alone", () => {
  assert.deepEqual(faultsOf({ env: { WEFT_PARENT_FD: "3", WEFT_MINE: "1" }, reserved: ["WEFT_MINE"] }), []);
});

test("help lists every key with what it expects and its default", () => {
  assert.match(
    configHelp(schema),
    /--workers {2}a whole number, at least 1 and at most 16 \(default 1\)\n {6}number of/,
  );
  assert.equal(variableOf("log.level"), "WEFT_LOG_LEVEL");
});

test("durations are milliseconds unless they carry a unit", () => {
  const read = (raw: unknown): unknown => readConfigValue({ type: "duration", help: "" }, raw);
  const shouldBe: readonly (readonly [unknown, number])[] = [
    ["250", 250],
    [250, 250],
    ["1.5s", 1_500],
    ["2h", 7_200_000],
  ];
  for (const [raw, value] of shouldBe) assert.deepEqual(read(raw), { ok: true, value });
  for (const raw of ["", "-1s", "5 parsecs", null, true, -1]) assert.equal((read(raw) as { ok: boolean }).ok, false);
});

test("no value whatever makes reading throw, and what is accepted has the key's type", () => {
  const types = {
    string: "string",
    integer: "number",
    number: "number",
    boolean: "boolean",
    duration: "number",
  } as const;
  const type = fc.constantFrom(...(Object.keys(types) as (keyof typeof types)[]));
  fc.assert(
    fc.property(type, fc.anything(), (kind, raw) => {
      const read = readConfigValue({ type: kind, help: "" }, raw);
      return !read.ok || typeof read.value === types[kind];
    }),
  );
});
