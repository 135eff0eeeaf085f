import { randomBytes, timingSafeEqual } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { err, ok, type Result } from "../base/result.ts";

/** The user in the credential of scheme `digest`: `weft:<secret>`. */
export const secretUser = "weft";

/** Reads the secret of a file, which is made with 32 random bytes and mode 0600 when there is none. The error is a sentence. */
export function readSecret(path: string): Result<string, string> {
  try {
    writeFileSync(path, `${randomBytes(32).toString("hex")}\n`, { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") return err(`cannot write ${path}: ${messageOf(error)}`);
  }
  try {
    const secret = readFileSync(path, "utf8").trim();
    return secret.length >= 16 ? ok(secret) : err(`${path}: a secret has at least 16 characters`);
  } catch (error) {
    return err(`cannot read ${path}: ${messageOf(error)}`);
  }
}

/** Whether a credential is scheme `digest` with `weft:<secret>`; takes the same time however much of it is right. */
export function isSecret(secret: string, scheme: string, auth: Uint8Array): boolean {
  const expected = Buffer.from(`${secretUser}:${secret}`);
  return scheme === "digest" && auth.length === expected.length && timingSafeEqual(auth, expected);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
