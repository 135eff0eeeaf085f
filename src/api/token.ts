import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { makeFolder } from "../base/make-folder.ts";
import { err, ok, type Result } from "../base/result.ts";
import { TOKEN_LENGTH_MIN } from "./limits.ts";

const TOKEN_BYTES = 32;

/** The token of a file, which is made with 32 random bytes and mode 0600 when there is none. The error is one sentence. */
export function readToken(path: string): Result<string, string> {
  const folder = makeFolder(dirname(path));
  if (!folder.ok) return err(`token-file: cannot write ${path}: ${folder.error}`);
  try {
    writeFileSync(path, `${randomBytes(TOKEN_BYTES).toString("hex")}\n`, { flag: "wx", mode: 0o600 });
  } catch (error) {
    const isThere = error instanceof Error && "code" in error && error.code === "EEXIST";
    if (!isThere) return err(`token-file: cannot write ${path}: ${sentenceOf(error)}`);
  }
  try {
    const token = readFileSync(path, "utf8").trim();
    if (/^\S+$/.test(token) && token.length >= TOKEN_LENGTH_MIN) return ok(token);
    return err(`token-file: ${path}: expected at least ${TOKEN_LENGTH_MIN} characters without blanks`);
  } catch (error) {
    return err(`token-file: cannot read ${path}: ${sentenceOf(error)}`);
  }
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
