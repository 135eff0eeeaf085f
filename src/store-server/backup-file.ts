import { createHash } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, unlinkSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { err, ok, type Result } from "../base/result.ts";
import { type Backup, backupEnd, backupLines, readBackup } from "../store/upkeep/backup-text.ts";

/**
 * Writes a backup, mode 0600 (it holds the whole topology): beside the file first, durable, then in its place, so that no file by
 * this name is ever half a backup. A name that ends in .gz is compressed. The value is the size in bytes, the error one sentence.
 */
export function writeBackupFile(
  path: string,
  backup: Backup,
  { mayReplace }: { readonly mayReplace: boolean },
): Result<number, string> {
  if (existsSync(path) && !mayReplace) return err(`${path} exists: give another name, or --replace`);
  const body = [...backupLines(backup)].join("");
  const whole = Buffer.from(body + backupEnd(backup.nodes.length, sha256(body)));
  const bytes = path.endsWith(".gz") ? gzipSync(whole) : whole;
  const partial = `${path}.partial`;
  try {
    const file = openSync(partial, "w", 0o600);
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    fsyncSync(file);
    closeSync(file);
    renameSync(partial, path);
    const folder = openSync(dirname(path), "r");
    fsyncSync(folder);
    closeSync(folder);
    return ok(bytes.length);
  } catch (error) {
    if (existsSync(partial)) unlinkSync(partial);
    return err(`${path}: ${sentenceOf(error)}`);
  }
}

/** Reads a backup, compressed or not, and checks all of it. The error is one sentence. */
export function readBackupFile(path: string): Result<Backup, string> {
  let text: string;
  try {
    const bytes = readFileSync(path);
    const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
    text = (isGzip ? gunzipSync(bytes) : bytes).toString("utf8");
  } catch (error) {
    return err(`${path}: ${sentenceOf(error)}`);
  }
  const backup = readBackup(text, sha256);
  return backup.ok ? backup : err(`${path}: ${backup.error}`);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
