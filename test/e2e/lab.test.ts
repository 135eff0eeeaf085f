import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileOf, mainOf, nodeOptions } from "../../src/base/entry.ts";
import { systemScheduler } from "../../src/base/scheduler.ts";
import { type LabFile, parseLabFile } from "../../src/lab/lab-file.ts";
import { until } from "../../src/lab/until.ts";
import { listNetns } from "../../src/linux/netns.ts";
import { isAlive, type ProcessIdentity } from "../../src/linux/process.ts";
import { needs } from "../needs.ts";

const skip = needs("root", "bpffs", "libbpf", "clang", "libbpf-dev", "ping", "traceroute");
const timeout = 90_000;
let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-lab-"));
});

const started: LabProcess[] = [];

after(async () => {
  for (const lab of started) {
    lab.process.kill("SIGTERM");
    await lab.ended;
  }
  rmSync(folder, { recursive: true, force: true });
});

/** A `main.ts` of the lab, with a folder of its own in the place of the clone's `.weft`. */
class LabProcess {
  readonly process: ChildProcess;
  readonly ended: Promise<number>;
  output = "";

  constructor(...args: readonly string[]) {
    const env = { ...process.env, WEFT_LAB_FOLDER: folder, WEFT_NO_INSTALL: "1" };
    this.process = spawn(process.execPath, [...nodeOptions, mainOf("lab"), ...args], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
    this.ended = new Promise((resolve) => this.process.once("close", (code) => resolve(code ?? -1)));
    started.push(this);
  }

  /** Waits until it has printed something. */
  async says(pattern: RegExp): Promise<void> {
    const options = { scheduler: systemScheduler, withinMs: 60_000 };
    const said = await until(options, () => {
      if (pattern.test(this.output)) return "yes";
      return this.process.exitCode === null ? undefined : "ended";
    });
    assert.ok(said === "yes" || pattern.test(this.output), this.output);
  }
}

function labFile(): LabFile {
  const file = parseLabFile(readFileSync(join(folder, "lab.json"), "utf8"));
  assert.ok(file !== undefined);
  return file;
}

/** Runs a command that the tour printed, as it stands, at the root of the clone. */
async function paste(command: string, { api, token }: LabFile): Promise<void> {
  const env = { ...process.env, WEFT_LAB_FOLDER: folder, WEFT_API: api, WEFT_TOKEN: token };
  const shell = spawn("sh", ["-c", command], { cwd: fileOf(""), env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const code = await new Promise((resolve) => shell.once("close", resolve));
  assert.equal(code, 0, `${command}\n${output}`);
  assert.notEqual(output.trim(), "", command);
}

function processesOf({ folder: runFolder }: LabFile): readonly ProcessIdentity[] {
  const lines = readFileSync(join(runFolder, "processes"), "utf8").trim().split("\n");
  return lines.map((line) => line.split(" ").map(Number)).map(([pid = 0, startTicks = 0]) => ({ pid, startTicks }));
}

/** The user that a process runs as. */
function userOf(pid: number): string | undefined {
  return /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
}

/** Whether this clone lies where others may read it. */
function canNobodyRun(): boolean {
  const read = `require("node:fs").accessSync(${JSON.stringify(fileOf("package.json"))}, 4)`;
  return spawnSync(process.execPath, ["-e", read], { uid: 65_534, gid: 65_534, env: {} }).status === 0;
}

function assertNothingLeft(id: string): void {
  assert.deepEqual(
    listNetns().filter((name) => name.startsWith(`weft-${id}-`)),
    [],
  );
  assert.ok(!existsSync(`/run/weft/${id}`), "run folder");
  assert.ok(!existsSync(`/sys/fs/bpf/weft/${id}`), "pinned maps");
  assert.ok(!existsSync(join(folder, "lab.json")), "lab.json");
}

/** A lab's devices are all in its namespaces: the root namespace shows the same ones before and after. */
const rootDevices = (): readonly string[] => readdirSync("/sys/class/net").sort();

test("a lab that is up can be joined, refuses a second one, and Ctrl-C leaves nothing", { skip, timeout }, async () => {
  const devices = rootDevices();
  const lab = new LabProcess();
  await lab.says(/Ctrl-C takes everything away/);
  const file = labFile();
  const processes = processesOf(file);
  assert.equal(processes.filter(isAlive).length, 4);
  const users = processes.map(({ pid }) => userOf(pid));
  assert.equal(users.filter((uid) => uid === "0").length, canNobodyRun() ? 2 : 4, "only the agents are root");

  const second = new LabProcess();
  assert.equal(await second.ended, 1);
  assert.match(second.output, new RegExp(`a lab is up: ${file.id}, process ${file.pid}.*weft lab status`));

  const status = new LabProcess("status");
  assert.equal(await status.ended, 0, status.output);
  assert.match(status.output, /h1 {2}agent alive[\s\S]*vm4 .* forwarded/);

  const ping = new LabProcess("exec", "vm1", "--", "ping", "-c", "1", "vm4");
  assert.equal(await ping.ended, 0, ping.output);
  const shell = new LabProcess("exec", "vm1", "--", "sh", "-c", "exit 7");
  assert.equal(await shell.ended, 7);
  for (const command of lab.output.matchAll(/^ +\$ (.+)$/gm)) await paste(command[1] as string, file);

  lab.process.kill("SIGINT");
  assert.equal(await lab.ended, 0, lab.output);
  assertNothingLeft(file.id);
  assert.deepEqual(processes.filter(isAlive), []);
  assert.deepEqual(rootDevices(), devices);
});

test("after kill -9 every process dies by itself; the next start removes the rest, and its tour works", {
  skip,
  timeout,
}, async () => {
  const killed = new LabProcess();
  await killed.says(/✓ .* tenant/);
  const file = labFile();
  const processes = processesOf(file);
  killed.process.kill("SIGKILL");
  await killed.ended;
  const areGone = (): true | undefined => (processes.some(isAlive) ? undefined : true);
  assert.ok(await until({ scheduler: systemScheduler, withinMs: 15_000 }, areGone), "processes outlived their lab");
  assert.ok(listNetns().includes(`weft-${file.id}-vm1`), "namespaces have no owner who could remove them");

  const next = new LabProcess("--once");
  assert.equal(await next.ended, 0, next.output);
  assert.match(next.output, new RegExp(`removed what was left of lab ${file.id}`));
  assert.match(next.output, /✓ .*across the router: 3 of 3/);
  assert.ok(next.output.trim().split("\n").length <= 45, next.output);
  assertNothingLeft(file.id);
  const [, id = ""] = /^weft lab (\w+)/.exec(next.output) ?? [];
  assertNothingLeft(id);
});

test("a lab that is stopped while it is built leaves nothing", { skip, timeout }, async () => {
  const lab = new LabProcess("--once");
  await lab.says(/namespaces and links/);
  const [, id = ""] = /^weft lab (\w+)/.exec(lab.output) ?? [];
  lab.process.kill("SIGTERM");
  assert.equal(await lab.ended, 1, lab.output);
  assertNothingLeft(id);
});

test("without a lab, joining says what to do; a word that nobody knows is refused", { skip, timeout }, async () => {
  const exec = new LabProcess("exec", "vm1", "--", "true");
  assert.equal(await exec.ended, 1);
  assert.match(exec.output, /no lab is up: start one with npm start/);
  const typo = new LabProcess("statsu");
  assert.equal(await typo.ended, 2);
  assert.match(typo.output, /unknown verb statsu; did you mean status/);
});
