import { type Ip, parseIp } from "../../addr/ip.ts";
import { MAC_BROADCAST, type Mac, parseMac } from "../../addr/mac.ts";
import { unwrap } from "../../base/result.ts";

/** One line of a walk script: words, and options written `name=value` (a bare word after the fixed ones is an option too). */
export class ScriptLine {
  readonly text: string;
  readonly #words: string[];
  readonly #options = new Map<string, string>();
  readonly #used = new Set<string>();

  constructor(text: string) {
    this.text = text;
    const parts = text.trim().split(/\s+/);
    this.#words = parts.filter((part) => !part.includes("="));
    for (const part of parts.filter((each) => each.includes("="))) {
      const at = part.indexOf("=");
      this.#options.set(part.slice(0, at), part.slice(at + 1));
    }
  }

  /** The next word; a line that ends too early is an error of its author. */
  next(what: string): string {
    const word = this.#words.shift();
    if (word === undefined) throw new Error(`${this.text}: ${what} expected`);
    return word;
  }

  /** Takes the next word if it is this one. */
  skip(word: string): boolean {
    if (this.#words[0] !== word) return false;
    this.#words.shift();
    return true;
  }

  /** Takes a word out from wherever it stands. */
  flag(word: string): boolean {
    const at = this.#words.indexOf(word);
    if (at < 0) return false;
    this.#words.splice(at, 1);
    return true;
  }

  /** An option's value. */
  option(name: string): string | undefined {
    this.#used.add(name);
    return this.#options.get(name);
  }

  /** An option's value as a number. */
  number(name: string): number | undefined {
    const value = this.option(name);
    return value === undefined ? undefined : Number(value);
  }

  /** The options that nobody has asked for yet. */
  rest(): readonly (readonly [string, string])[] {
    return [...this.#options].filter(([name]) => !this.#used.has(name));
  }

  /** Throws when something was not understood. */
  end(): void {
    const left = [...this.#words, ...this.rest().map(([name]) => `${name}=`)];
    if (left.length > 0) throw new Error(`${this.text}: not understood: ${left.join(" ")}`);
  }
}

/** A MAC address; `02:1` is short for 02:00:00:00:00:01, `all` for broadcast. */
export function macOf(text: string): Mac {
  if (text === "all") return MAC_BROADCAST;
  const parts = text.split(":");
  if (parts.length > 2) return unwrap(parseMac(text));
  const [first = "", last = ""] = parts;
  return unwrap(parseMac(`${first.padStart(2, "0")}:00:00:00:00:${last.padStart(2, "0")}`));
}

/** An IP address. */
export function ipOf(text: string): Ip {
  return unwrap(parseIp(text));
}
