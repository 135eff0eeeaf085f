import { createHash, timingSafeEqual } from "node:crypto";

/** Compares tokens in a time that tells nothing about where they differ, nor about their lengths. */
export class TokenCheck {
  readonly #digest: Buffer;

  constructor(token: string) {
    this.#digest = digestOf(token);
  }

  /** True when the `Authorization` header carries the token as `Bearer TOKEN`. */
  accepts(header: string | undefined): boolean {
    const [, token = ""] = /^Bearer +([^\s]+)$/i.exec(header ?? "") ?? [];
    return timingSafeEqual(digestOf(token), this.#digest);
  }
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
