/** The totals of a file or of a whole run, as node:test counts them (a subtest counts as a test). */
export interface Counts {
  readonly tests: number;
  readonly passed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly skipped: number;
  readonly todo: number;
}

/** What the reporter says, one a line. `file` is an absolute path; a summary without a file is that of the run. */
export type TestEvent =
  | { readonly kind: "start"; readonly file?: string; readonly name: string }
  | {
      readonly kind: "pass";
      readonly file?: string;
      readonly name: string;
      readonly skip?: string;
      readonly ms: number;
    }
  | {
      readonly kind: "fail";
      readonly file?: string;
      readonly name: string;
      readonly line?: number;
      readonly error: string;
    }
  | { readonly kind: "print"; readonly file?: string; readonly text: string }
  | { readonly kind: "summary"; readonly file?: string; readonly counts: Counts; readonly ms: number };

/** Cuts a stream of bytes into events: feed it chunks, it calls back once per complete line. */
export class EventLines {
  #rest = "";
  readonly #onEvent: (event: TestEvent) => void;

  constructor(onEvent: (event: TestEvent) => void) {
    this.#onEvent = onEvent;
  }

  /** Takes the next chunk; a line that is not complete waits for the next one. */
  push(chunk: string): void {
    const lines = (this.#rest + chunk).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") this.#onEvent(JSON.parse(line) as TestEvent);
  }
}
