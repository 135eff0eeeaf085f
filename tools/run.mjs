// Plain JavaScript that Node 18 can read: the first thing that runs on a fresh clone.
// Usage: node tools/run.mjs ENTRY [ARGUMENT...]. Installs the packages when package-lock.json changed, then runs ENTRY
// under Node 24 with the same terminal, forwards signals to it and ends with its code.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { basename, delimiter, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { lock } from "./lock.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stampPath = join(root, "node_modules", ".weft-stamp");
const packagedNode = join(root, "node_modules", ".bin", "node");
const logPath = join(root, ".weft", "install.log");
const nodeMajor = 24;
const hasPackagedNode = process.platform === "linux" && (process.arch === "x64" || process.arch === "arm64");
const parentPollMs = 500;

main().catch((error) => fail(error instanceof Error ? error.message : String(error)));

async function main() {
  const [entry, ...args] = process.argv.slice(2);
  if (entry === undefined) fail("usage: node tools/run.mjs ENTRY [ARGUMENT...]");
  const wanted = lockfileHash();
  if (!isInstalled(wanted)) await install(wanted);
  run(findNode(), [join(root, entry), ...args]);
}

/** What the stamp must say: the packages wanted and the machine that they were installed for. */
function lockfileHash() {
  const text = readFileSync(join(root, "package-lock.json"));
  return createHash("sha256").update(text).update(`${process.platform} ${process.arch}`).digest("hex");
}

/**
 * The stamp is right and nobody has removed a package since: half of node_modules fails in ways that nobody can read.
 *
 * @param {string} wanted
 */
function isInstalled(wanted) {
  if (!existsSync(stampPath) || readFileSync(stampPath, "utf8").trim() !== wanted) return false;
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const needed = Object.keys(packages).filter((path) => path !== "" && packages[path].optional !== true);
  if (hasPackagedNode) needed.push(relative(root, packagedNode));
  return needed.every((path) => existsSync(join(root, path)));
}

/** @param {string} wanted */
async function install(wanted) {
  const release = await lock(join(root, ".weft", "install.lock"), (holder) =>
    say(`process ${holder} is installing the Node packages; waiting for it`),
  );
  try {
    if (isInstalled(wanted)) return;
    say("installing the Node packages (npm ci, no install scripts; undo: rm -rf node_modules)");
    const started = process.hrtime.bigint();
    npmCi();
    linkNode();
    writeFileSync(stampPath, `${wanted}\n`);
    say(`installed in ${Number((process.hrtime.bigint() - started) / 100_000_000n) / 10} s`);
  } finally {
    release();
  }
}

function npmCi() {
  const npm = findNpm();
  // A production NODE_ENV or a user's `omit` must not leave out the packaged Node or koffi's binary: both are optional.
  const options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const keep = ["--include=dev", "--include=optional"];
  const result = spawnSync(npm.command, [...npm.args, ...options, ...keep], { cwd: root, encoding: "utf8" });
  if (result.status === 0) return;
  const output = `${result.stdout ?? ""}${result.stderr ?? ""}${result.error?.message ?? ""}`;
  mkdirSync(dirname(logPath), { recursive: true });
  writeFileSync(logPath, output);
  fail(`${explainNpm(output)} (all that npm said: ${logPath})`);
}

/** npm 9, which Debian 12 has, leaves out the link of an optional package. */
function linkNode() {
  const target = join("..", `node-${process.platform}-${process.arch}`, "bin", "node");
  if (existsSync(packagedNode) || !existsSync(join(dirname(packagedNode), target))) return;
  rmSync(packagedNode, { force: true });
  symlinkSync(target, packagedNode);
}

/** The npm that started this script, else the one on PATH. */
function findNpm() {
  const script = process.env.npm_execpath;
  if (script !== undefined && basename(script).startsWith("npm-cli") && existsSync(script)) {
    return { command: process.execPath, args: [script] };
  }
  if (spawnSync("npm", ["--version"]).status === 0) return { command: "npm", args: [] };
  const sudo = process.env.SUDO_UID === undefined ? "" : "; behind sudo keep your PATH: sudo env PATH=$PATH npm start";
  return fail(`npm is not there: on Debian 12, apt install npm${sudo}`);
}

/** @param {string} output of a failed npm */
function explainNpm(output) {
  if (/ENOSPC/.test(output)) return "the disk is full: free about 400 MB and run the same command again";
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET/.test(output)) {
    return "no network: npm could not reach its registry (npm config get registry); run the same command again with it";
  }
  if (/EBADPLATFORM/.test(output)) return `${process.platform}-${process.arch} is not supported by a package of weft`;
  if (/EACCES|EPERM|EROFS/.test(output)) return `${root} cannot be written by this user: chown it, or use its owner`;
  return "npm ci failed";
}

/** Path of a Node that is new enough: the packaged one, else this one, else the one on PATH. */
function findNode() {
  const candidates = [packagedNode, process.execPath, "node"];
  const found = candidates.find((path) => majorOf(path) >= nodeMajor);
  if (found !== undefined) return found;
  if (existsSync(packagedNode)) {
    return fail("the packaged Node does not run here: rm -rf node_modules and run the same command again");
  }
  const machine = `${process.platform}-${process.arch}`;
  return fail(`${machine} has no packaged Node and its own is ${process.version}: install Node ${nodeMajor} or newer`);
}

/** @param {string} path */
function majorOf(path) {
  if (path === process.execPath) return Number.parseInt(process.versions.node, 10);
  const answer = spawnSync(path, ["--version"], { encoding: "utf8" });
  return answer.status === 0 ? Number.parseInt(answer.stdout.slice(1), 10) : 0;
}

/** @param {string} node @param {string[]} args */
function run(node, args) {
  // The fourth descriptor is a pipe that nobody writes to: it closes when this process dies, however it dies.
  const child = spawn(node, ["--disable-warning=ExperimentalWarning", ...args], {
    stdio: ["inherit", "inherit", "inherit", "pipe"],
    env: {
      ...process.env,
      // Scripts that begin with `env node` get the same one.
      PATH: [dirname(packagedNode), process.env.PATH ?? ""].join(delimiter),
      WEFT_PARENT_FD: "3",
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, "node_modules", ".cache", "weft-compile"),
    },
  });
  for (const signal of /** @type {NodeJS.Signals[]} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.on(signal, () => child.kill(signal));
  }
  watchNpm(child);
  child.on("error", (error) => fail(`cannot start ${node}: ${error.message}`));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal ?? "SIGKILL"]));
}

/**
 * npm killed with -9 tells nobody. A shell that ends may leave its background jobs; npm's jobs end with it.
 *
 * @param {import("node:child_process").ChildProcess} child
 */
function watchNpm(child) {
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event === undefined) return;
  setInterval(() => {
    if (process.ppid !== parent) child.kill("SIGTERM");
  }, parentPollMs).unref();
}

/** @param {string} sentence */
function say(sentence) {
  process.stderr.write(`weft: ${sentence}\n`);
}

/** @param {string} sentence @returns {never} */
function fail(sentence) {
  say(sentence);
  process.exit(1);
}
