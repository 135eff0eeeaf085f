import { hostname } from "node:os";
import { LOG_EVENTS_MAX, LOG_LINES_PER_EVENT, LOG_TAIL_LINES, LOG_WINDOW_MS } from "./limits.ts";
import type { Log, LogFields, LogLine } from "./log.ts";
import { descriptorWriter, type LogLevel, openLog } from "./log-pino.ts";
import type { Scheduler } from "./scheduler.ts";

/** How a process logs. */
export interface ProcessLogOptions {
  readonly level: LogLevel;
  /** agent, api, store-server. */
  readonly process: string;
  /** Id of the host; default: the machine's name. */
  readonly host?: string;
  readonly scheduler: Scheduler;
  /** Takes the lines in place of standard error. */
  readonly write?: (line: string) => void;
}

/** Standard output belongs to a program's answer. */
const STANDARD_ERROR = 2;
/** What takes the place of a secret in a line. */
const HIDDEN = "(secret)";
/** Shorter texts are no secrets, and would tear ordinary words apart. */
const SECRET_LENGTH_MIN = 8;

/**
 * The log of a process: one JSON document a line, the same first fields everywhere. It keeps the last lines for a bundle, leaves
 * out what repeats too often and says how many it left out, and never lets a secret through that it was told of.
 */
export class ProcessLog {
  readonly log: Log;
  readonly #tail: string[] = [];
  readonly #secrets: string[] = [];
  readonly #counts: Record<LogLevel, number> = { debug: 0, info: 0, warn: 0, error: 0 };

  constructor(options: ProcessLogOptions) {
    const { level, process: name, host = hostname(), scheduler } = options;
    const write = options.write ?? descriptorWriter(STANDARD_ERROR);
    const sink = openLog({
      ...{ level, fields: { process: name, host } },
      write: (line) => {
        const clean = this.#withoutSecrets(line);
        this.#tail.push(clean.trimEnd());
        if (this.#tail.length > LOG_TAIL_LINES) this.#tail.shift();
        write(clean);
      },
    });
    this.log = new LimitedLog(new Repetition(sink, scheduler, this.#counts), sink);
  }

  /** The last lines, oldest first. */
  get tail(): readonly string[] {
    return this.#tail;
  }

  /** Lines so far by level, those left out included. */
  get counts(): Readonly<Record<LogLevel, number>> {
    return this.#counts;
  }

  /** From now on this text is not written, wherever it turns up. */
  hide(secret: string): void {
    if (secret.length >= SECRET_LENGTH_MIN) this.#secrets.push(secret);
  }

  /** Logs what would end the process as a bug, in one line, and ends it. */
  endOnCrash(): void {
    process.on("uncaughtException", (error) => {
      this.log.error("process.crashed", { error: error.message, stack: error.stack });
      process.exit(1);
    });
  }

  #withoutSecrets(line: string): string {
    return this.#secrets.reduce((text, secret) => text.replaceAll(secret, HIDDEN), line);
  }
}

/** Counts the lines of each event in a window of time. */
class Repetition {
  readonly #log: Log;
  readonly #scheduler: Scheduler;
  readonly #counts: Record<LogLevel, number>;
  readonly #windows = new Map<string, { lines: number; leftOut: number }>();

  constructor(log: Log, scheduler: Scheduler, counts: Record<LogLevel, number>) {
    this.#log = log;
    this.#scheduler = scheduler;
    this.#counts = counts;
  }

  /** Whether one more line of this event is written. Debug lines always are: who asks for them wants all. */
  admits(level: LogLine["level"], event: string): boolean {
    this.#counts[level]++;
    if (level === "debug") return true;
    const name = this.#windows.has(event) || this.#windows.size < LOG_EVENTS_MAX ? event : "";
    const window = this.#windows.get(name) ?? { lines: 0, leftOut: 0 };
    this.#windows.set(name, window);
    window.lines++;
    if (window.lines === LOG_LINES_PER_EVENT) this.#scheduler.after(LOG_WINDOW_MS, () => this.#end(name));
    if (window.lines <= LOG_LINES_PER_EVENT) return true;
    window.leftOut++;
    return false;
  }

  #end(event: string): void {
    const leftOut = this.#windows.get(event)?.leftOut ?? 0;
    this.#windows.delete(event);
    if (leftOut > 0) this.#log.warn("log.repeated", { of: event, leftOut });
  }
}

class LimitedLog implements Log {
  readonly #repetition: Repetition;
  readonly #log: Log;

  constructor(repetition: Repetition, log: Log) {
    this.#repetition = repetition;
    this.#log = log;
  }

  debug(event: string, fields?: LogFields): void {
    if (this.#repetition.admits("debug", event)) this.#log.debug(event, fields);
  }

  info(event: string, fields?: LogFields): void {
    if (this.#repetition.admits("info", event)) this.#log.info(event, fields);
  }

  warn(event: string, fields?: LogFields): void {
    if (this.#repetition.admits("warn", event)) this.#log.warn(event, fields);
  }

  error(event: string, fields?: LogFields): void {
    if (this.#repetition.admits("error", event)) this.#log.error(event, fields);
  }

  with(fields: LogFields): Log {
    return new LimitedLog(this.#repetition, this.#log.with(fields));
  }
}
