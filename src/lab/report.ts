import type { Clock } from "../base/clock.ts";

/** What a step came to. */
export type StepOutcome =
  | {
      readonly kind: "worked";
      /** What was seen, in a few words. */
      readonly result?: string;
      /** Commands that show it, to be pasted as they stand. */
      readonly commands?: readonly string[];
      /** More of what was seen. */
      readonly lines?: readonly string[];
    }
  | { readonly kind: "left-out"; readonly why: string }
  | { readonly kind: "failed"; readonly why: string; readonly logPath?: string };

/** A step that did not work. */
export interface FailedStep {
  readonly title: string;
  readonly why: string;
  readonly logPath: string | undefined;
}

/** How a report is written. */
export interface ReportOptions {
  readonly clock: Clock;
  /** Takes one line, without its end. */
  readonly print: (line: string) => void;
  /** Marks every step as simulated. */
  readonly isSimulated?: boolean;
}

/** What the lab tells its user: one tick a step with its time, and below it what shows it. */
export class Report {
  readonly #options: ReportOptions;
  readonly #failed: FailedStep[] = [];
  readonly #leftOut: string[] = [];
  #isSilent = false;

  constructor(options: ReportOptions) {
    this.#options = options;
  }

  /** Prints a line. */
  say(line: string): void {
    if (!this.#isSilent) this.#options.print(line);
  }

  /** Runs a step and prints how it went. True when it worked. */
  async step(title: string, body: () => StepOutcome | Promise<StepOutcome>): Promise<boolean> {
    const { clock, isSimulated = false } = this.#options;
    const begun = clock.now();
    const outcome = await body();
    const seconds = `${((clock.now() - begun) / 1_000).toFixed(2)} s`;
    const name = isSimulated ? `${title} (simulated)` : title;
    const head = (mark: string, rest: string): string =>
      `${mark} ${seconds.padStart(8)}  ${name}${rest === "" ? "" : `: ${rest}`}`;
    switch (outcome.kind) {
      case "worked":
        this.say(head("✓", outcome.result ?? ""));
        for (const line of outcome.lines ?? []) this.say(`              ${line}`);
        for (const command of outcome.commands ?? []) this.say(`            $ ${command}`);
        return true;
      case "left-out":
        this.#leftOut.push(title);
        this.say(head("-", `left out, ${outcome.why}`));
        return false;
      case "failed":
        if (!this.#isSilent) this.#failed.push({ title, why: outcome.why, logPath: outcome.logPath });
        this.say(head("✗", outcome.why));
        if (outcome.logPath !== undefined) this.say(`              log: ${outcome.logPath}`);
        return false;
    }
  }

  /** The first step that did not work. */
  get firstFailure(): FailedStep | undefined {
    return this.#failed[0];
  }

  /** Titles of the steps that were left out. */
  get leftOut(): readonly string[] {
    return this.#leftOut;
  }

  /** Prints and remembers nothing more: steps that end because everything is being taken away would only confuse. */
  silence(): void {
    this.#isSilent = true;
  }
}
