// Plain JavaScript that Node 18 can read: tools/run.mjs needs it before the right Node is there.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Tells apart what one process does with locks. */
let attempts = 0;

/**
 * A file that one process at a time may hold. It names the holder by pid and start time, so that a lock left behind
 * by a process that died is recognised (also when its pid is in use again) and taken over.
 *
 * @param {string} path where the lock lives; its folder is made when it is missing
 * @returns {{ ok: true, release: () => void } | { ok: false, holder: number }} the lock, or the pid that holds it
 */
export function tryLock(path) {
  mkdirSync(dirname(path), { recursive: true });
  const mine = `${process.pid} ${startTime(process.pid)} ${++attempts}\n`;
  const draft = `${path}.${process.pid}.${attempts}`;
  writeFileSync(draft, mine);
  try {
    for (let attempt = 0; attempt < 5; attempt++) {
      if (links(draft, path)) return { ok: true, release: () => release(path, mine) };
      const holder = readOrEmpty(path);
      if (holder === "") continue;
      if (isAlive(holder)) return { ok: false, holder: Number.parseInt(holder, 10) };
      removeDead(path, holder);
    }
    return { ok: false, holder: Number.parseInt(readOrEmpty(path), 10) || 0 };
  } finally {
    rmSync(draft, { force: true });
  }
}

/**
 * Waits for a lock.
 *
 * @param {string} path see tryLock
 * @param {(holder: number) => void} onWait told once when somebody else holds it
 * @returns {Promise<() => void>} gives the lock back
 */
export async function lock(path, onWait) {
  for (let told = false; ; told = true) {
    const taken = tryLock(path);
    if (taken.ok) return taken.release;
    if (!told) onWait(taken.holder);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** @param {string} draft @param {string} path */
function links(draft, path) {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** @param {string} path @param {string} mine */
function release(path, mine) {
  if (readOrEmpty(path) === mine) rmSync(path, { force: true });
}

/**
 * Moves the lock away before it is removed: had a third process taken it since we read it, it is put back.
 *
 * @param {string} path @param {string} holder
 */
function removeDead(path, holder) {
  const aside = `${path}.dead.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw error;
  }
  if (readOrEmpty(aside) !== holder) links(aside, path);
  rmSync(aside, { force: true });
}

/** @param {string} holder the text of a lock file */
function isAlive(holder) {
  const [pidText = "", started = ""] = holder.trim().split(" ");
  const pid = Number.parseInt(pidText, 10);
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (codeOf(error) === "ESRCH") return false;
  }
  return startTime(pid) === started;
}

/**
 * The kernel's start time of a process in clock ticks, "0" where there is no /proc.
 *
 * @param {number} pid
 */
function startTime(pid) {
  const stat = readOrEmpty(`/proc/${pid}/stat`);
  // proc(5): the second field is in parentheses and may contain anything; start time is field 22.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "0";
}

/** @param {string} path */
function readOrEmpty(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** @param {unknown} error */
function codeOf(error) {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
