import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { limitsOf } from "../docs/limits.ts";
import { checkSource } from "./check-all.ts";
import { checkLimits, checkPages } from "./documents.ts";
import { checkLayout, dropConstants } from "./layout.ts";
import { checkDependencies, checkLockfile, checkText } from "./repository.ts";
import { parseSource, type Violation } from "./source.ts";

const rulesOf = (violations: readonly Violation[]): readonly string[] => violations.map(({ rule }) => rule);
const messagesOf = (path: string, text: string): string =>
  checkSource(parseSource(path, text))
    .map(({ line, rule, message }) => `${line} ${rule}: ${message}`)
    .join("\n");

describe("imports", () => {
  test("an import from a higher folder is refused with both levels", () => {
    const text = 'import { simulate } from "../sim/simulate.ts";\n';
    assert.match(messagesOf("src/wire/arp.ts", text), /1 imports: wire \(level 2\) may not know sim \(level 6\)/);
  });

  test("a type-only import counts, also across lines and inside a type", () => {
    const text = 'import type {\n  Store,\n} from "../store/tree.ts";\ntype A = import("../api/main.ts").A;\n';
    assert.match(messagesOf("src/model/bridge.ts", text), /3 imports: model.*store[\s\S]*4 imports: model.*api/);
  });

  test("folders of one level do not know each other", () => {
    assert.match(messagesOf("src/model/a.ts", 'import { b } from "../wire/b.ts";\n'), /model .* may not know wire/);
  });

  test("a lower folder and the own folder may be imported", () => {
    const text = 'import { ok } from "../base/result.ts";\nimport { b } from "./b.ts";\n';
    assert.equal(messagesOf("src/wire/a.ts", text), "");
  });

  test("a folder that is not in the table is refused", () => {
    assert.match(messagesOf("src/misty/a.ts", 'import { ok } from "../base/result.ts";\n'), /not in the table/);
  });

  test("a comment or a string that looks like an import is none", () => {
    assert.equal(messagesOf("src/wire/a.ts", '// import { a } from "../sim/a.ts";\nconst x = 1;\n'), "");
  });

  test("a driver is named by mains only", () => {
    const text = 'import { open } from "../ebpf/driver.ts";\n';
    assert.match(messagesOf("src/agent/shell.ts", text), /named only by main/);
    assert.equal(messagesOf("src/agent/main.ts", text), "");
    assert.equal(messagesOf("src/agent/worker.main.ts", text), "");
  });

  test("src/ does not lean on test/, tools/ or bench/, but its tests may", () => {
    const text = 'import { needs } from "../../test/needs.ts";\n';
    assert.match(messagesOf("src/wire/a.ts", text), /leaves src/);
    assert.equal(messagesOf("src/wire/a.test.ts", text), "");
  });

  test("an alias, a missing ending and a URL beside the file are refused", () => {
    assert.match(messagesOf("src/wire/a.ts", 'import { a } from "#wire/a.ts";\n'), /alias/);
    assert.match(messagesOf("src/wire/a.ts", 'import { a } from "./b";\n'), /must end in \.ts/);
    const worker = 'const url = new URL("./worker.main.ts", import.meta.url);\n';
    assert.match(messagesOf("src/agent/a.ts", worker), /base\/entry/);
  });
});

describe("sizes", () => {
  const long = (lines: number): string => `function f() {\n${"  g();\n".repeat(lines - 2)}}\n`;

  test("a function of 70 lines passes, one of 71 does not", () => {
    assert.equal(messagesOf("src/wire/a.ts", long(70)), "");
    assert.match(messagesOf("src/wire/a.ts", long(71)), /1 sizes: a function of 71 lines/);
  });

  test("a method counts as a function", () => {
    assert.match(messagesOf("src/wire/a.ts", `class A {\n  f() {\n${"    g();\n".repeat(70)}  }\n}\n`), /72 lines/);
  });

  test("a file of more than 400 lines does not pass, nor does a test", () => {
    assert.equal(messagesOf("src/wire/a.ts", "g();\n".repeat(400)), "");
    assert.match(messagesOf("src/wire/a.ts", "g();\n".repeat(401)), /401 lines, at most 400/);
    assert.match(messagesOf("src/wire/a.test.ts", "g();\n".repeat(401)), /401 lines, at most 400/);
  });

  test("a fourth positional parameter is refused", () => {
    assert.match(messagesOf("src/wire/a.ts", "const f = (a, b, c, d) => a;\n"), /4 positional parameters/);
  });
});

describe("names", () => {
  test("empty words are refused in declarations and file names", () => {
    for (const name of ["FlowManager", "PortHelper", "StringUtils", "StoreImpl", "ManagerOfFlows"]) {
      assert.match(messagesOf("src/wire/a.ts", `class ${name} {}\n`), /names no thing/, name);
    }
    for (const file of ["flow-manager.ts", "utils.ts", "common.ts", "store-impl.test.ts"]) {
      assert.match(messagesOf(`src/wire/${file}`, "g();\n"), /names no thing/, file);
    }
  });

  test("words that only contain them pass", () => {
    assert.equal(messagesOf("src/wire/utility-pole.ts", "class Implicit {}\nconst managerial = 1;\n"), "");
  });

  test("a default export is refused", () => {
    assert.match(messagesOf("src/wire/a.ts", "export default 1;\n"), /default export/);
  });
});

describe("purity", () => {
  test("time and chance are refused outside the clock and the scheduler", () => {
    const calls = [
      "Date.now()",
      "new Date()",
      "Math.random()",
      "performance.now()",
      "setTimeout(f, 1)",
      "queueMicrotask(f)",
    ];
    for (const call of calls) {
      assert.match(messagesOf("src/store/a.ts", `const x = ${call};\n`), /1 time: /, call);
      assert.equal(messagesOf("src/base/clock.ts", `const x = ${call};\n`), "", call);
      assert.equal(messagesOf("src/store/a.test.ts", `const x = ${call};\n`), "", call);
    }
  });

  test("a timer passed on as a value is refused, a property of that name is not", () => {
    assert.match(messagesOf("src/store/a.ts", "const later = setImmediate;\n"), /setImmediate/);
    assert.equal(messagesOf("src/store/a.ts", "const o = { setTimeout: 1 };\no.setTimeout;\n"), "");
  });

  test("promises are refused in pure folders and cores, types included", () => {
    assert.match(messagesOf("src/sim/a.ts", "async function f() {}\n"), /pure: async/);
    assert.match(messagesOf("src/agent/core/control/a.ts", "type A = Promise<number>;\n"), /pure: Promise/);
    assert.equal(messagesOf("src/agent/shell.ts", "async function f() {}\n"), "");
    assert.equal(messagesOf("src/sim/a.ts", '// no await here\nconst s = "await";\n'), "");
  });

  test("modules that do I/O are refused outside drivers, shells and mains", () => {
    const text = 'import { readFileSync } from "node:fs";\n';
    assert.match(messagesOf("src/sim/a.ts", text), /io: node:fs/);
    assert.match(messagesOf("src/agent/core/a.ts", text), /io: node:fs/);
    assert.match(messagesOf("src/base/clock.ts", text), /io: node:fs/);
    for (const path of ["src/linux/a.ts", "src/agent/a.ts", "src/weftsim/main.ts", "src/base/config.ts"]) {
      assert.equal(messagesOf(path, text), "", path);
    }
  });
});

describe("docstrings", () => {
  test("an export without one is refused, whatever it is", () => {
    for (const thing of ["function f() {}", "class A {}", "const a = 1;", "type A = 1;", "interface A {}"]) {
      assert.match(messagesOf("src/wire/a.ts", `export ${thing}\n`), /docstrings: \w+ is exported/, thing);
      assert.equal(messagesOf("src/wire/a.ts", `/** Says it. */\nexport ${thing}\n`), "", thing);
    }
  });

  test("an ordinary comment is no docstring", () => {
    assert.match(messagesOf("src/wire/a.ts", "/* no */\nexport const a = 1;\n"), /docstrings/);
  });
});

describe("repository", () => {
  test("a path or a registry of one machine is refused", () => {
    assert.deepEqual(rulesOf(checkText("README.md", `cd /${"work"}/main`)), ["machine"]);
    assert.deepEqual(rulesOf(checkText("README.md", `https:/${"/registry"}.example.org/x`)), ["machine"]);
    assert.deepEqual(checkText("README.md", `see src/${"work"}/main.ts and https://example.org/${"registry"}`), []);
  });

  test("an install script and a host in the lock file are refused", () => {
    const lock = (entry: object): string => JSON.stringify({ packages: entry });
    assert.deepEqual(checkLockfile(lock({ "node_modules/koffi": { hasInstallScript: true } })), []);
    assert.deepEqual(rulesOf(checkLockfile(lock({ "node_modules/x": { hasInstallScript: true } }))), ["lockfile"]);
    assert.deepEqual(rulesOf(checkLockfile(lock({ "node_modules/x": { resolved: "https://a/x.tgz" } }))), ["lockfile"]);
  });

  test("a dependency without a reason is refused", () => {
    const wanted = JSON.stringify({ dependencies: { left: "1.0.0" }, devDependencies: { right: "1.0.0" } });
    assert.deepEqual(
      checkDependencies(wanted, "| `left` | why |").map(({ message }) => message),
      ["right: why do we need it?"],
    );
  });
});

describe("documents", () => {
  test("a page that is missing or differs from the code is refused", () => {
    const wanted = new Map([["docs/a.md", "new"]]);
    assert.deepEqual(rulesOf(checkPages(wanted, () => "old")), ["docs"]);
    assert.deepEqual(rulesOf(checkPages(wanted, () => undefined)), ["docs"]);
    assert.deepEqual(
      checkPages(wanted, () => "new"),
      [],
    );
  });

  test("limits are read from constants and from members of an object, and need a reason", () => {
    const text = [
      "/** Why one. */",
      "export const oneMax = 1;",
      "/** All. */",
      "export const more = { /** Why two. */ twoMax: 2 * 3, threeMax: 3 };",
      "export const fourMax = 4;",
    ].join("\n");
    const rows = limitsOf(parseSource("src/wire/limits.ts", text));
    assert.deepEqual(
      rows.map(({ name, value, reason }) => `${name} ${value} ${reason}`),
      ["oneMax 1 Why one.", "twoMax 2 * 3 Why two.", "threeMax 3 Why two.", "fourMax 4 "],
    );
    assert.deepEqual(
      checkLimits(rows).map(({ message }) => message),
      ["fourMax has no docstring with its reason"],
    );
  });

  test("a constant of the C header that differs from TypeScript, or has no twin there, is refused", () => {
    const header = [
      "#ifndef WEFT_LAYOUT_H",
      "#define WEFT_LAYOUT_H",
      "#define WEFT_KEY_WORDS 16 /* u32 */",
      "#define WEFT_KEY_BYTES (WEFT_KEY_WORDS * 4u)",
      "#define WEFT_MAGIC 0x77656674u",
      "#define WEFT_LOST 3",
      "#define WEFT_FIELD(x) ((x) + 1)",
      "enum { WEFT_DROP_NO_ROUTE = 7 };",
      "WEFT_DROP_TOO_BIG = 11,",
    ].join("\n");
    const drops = dropConstants([{ code: 11, name: "too-big" }]);
    const expected = { KEY_WORDS: 16, KEY_BYTES: 60, MAGIC: 0x77656674, ...drops };
    assert.deepEqual(
      checkLayout("bpf/layout.h", header, expected).map(({ line, message }) => `${line} ${message}`),
      ["4 WEFT_KEY_BYTES is 64, in TypeScript 60", "6 WEFT_LOST has no twin in TypeScript"],
    );
  });
});
