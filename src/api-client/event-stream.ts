import { EVENT_BYTES_MAX } from "./limits.ts";

/**
 * Reads server-sent events (WHATWG HTML 9.2.6): text in, the `data` of complete events out. Comments and other fields are
 * skipped. An event that is too large ends the stream: `isBroken` says so, and nothing more comes out.
 */
export class EventStream {
  #rest = "";
  #data: string[] = [];
  #isBroken = false;

  /** True once an event was larger than EVENT_BYTES_MAX. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Takes the next piece of text and returns the data of the events that it completed. */
  push(text: string): readonly string[] {
    if (this.#isBroken) return [];
    const lines = (this.#rest + text).split(/\r\n|\n/);
    this.#rest = lines.pop() ?? "";
    const done = lines.flatMap((line) => this.#line(line));
    const waiting = this.#rest.length + this.#data.reduce((sum, part) => sum + part.length, 0);
    if (waiting > EVENT_BYTES_MAX) this.#isBroken = true;
    return done;
  }

  #line(line: string): readonly string[] {
    if (line === "") {
      const data = this.#data;
      this.#data = [];
      return data.length === 0 ? [] : [data.join("\n")];
    }
    if (line.startsWith("data:")) this.#data.push(line.slice("data:".length).replace(/^ /, ""));
    return [];
  }
}
