import assert from "node:assert/strict";
import { createServer } from "node:http";
import { join } from "node:path";
import { ApiFixture, TOKEN } from "../../api/testdata/fixture.ts";
import { runProgram } from "../program.ts";

/** How a command line ended, and what it printed on either stream. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Command lines over a whole API on a socket of its own, over a tree in memory. */
export class CliFixture {
  readonly api = new ApiFixture();
  readonly #server = createServer((request, response) => this.api.server?.http.routing(request, response));

  /** Starts the API. */
  async open(): Promise<this> {
    await this.api.open();
    await new Promise<void>((resolve) => this.#server.listen(this.#socket, resolve));
    return this;
  }

  /** Runs one command line, its words separated by single spaces. */
  async weft(line: string): Promise<Ended> {
    const out: string[] = [];
    const err: string[] = [];
    const terminal = {
      print: (text: string) => void out.push(text),
      complain: (text: string) => void err.push(text),
      width: undefined,
    };
    const env = { WEFT_API: `unix:${this.#socket}`, WEFT_TOKEN: TOKEN };
    const code = await runProgram({ args: line.split(" "), env, terminal, release: "9.9.9", labFile: "/nonexistent" });
    return { code, out: out.join("\n"), err: err.join("\n") };
  }

  /** What a command line prints that has to succeed. */
  async done(line: string): Promise<string> {
    const ended = await this.weft(line);
    assert.equal(ended.code, 0, `${line}: ${ended.err}`);
    return ended.out;
  }

  /** Ends everything. */
  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.api.close();
  }

  get #socket(): string {
    return join(this.api.folder, "api.sock");
  }
}
