import { pino } from "pino";
import type { Log, LogFields } from "./log.ts";

/** The least level that is written. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Where and what a process logs. */
export interface LogOptions {
  readonly level: LogLevel;
  /** On every line: the process's name, the host's id. */
  readonly fields: LogFields;
  /** Descriptor to write to; standard error by default, because standard output belongs to a program's answer. */
  readonly fd?: number;
  /** Takes the lines in place of a descriptor. */
  readonly write?: (line: string) => void;
}

/**
 * A Log that writes one JSON document a line: `time` (RFC 3339, UTC), `level`, `event`, then the fields. A line that was
 * logged is written when the call returns, so that the last words of a process that dies are there.
 */
export function openLog({ level, fields, fd = 2, write }: LogOptions): Log {
  const destination = write === undefined ? pino.destination({ fd, sync: true }) : { write };
  const options = {
    level,
    base: withoutUndefined(fields),
    messageKey: "event",
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return new PinoLog(pino(options, destination));
}

/** Writes lines to a descriptor; each is written when the call returns. */
export function descriptorWriter(fd: number): (line: string) => void {
  const destination = pino.destination({ fd, sync: true });
  return (line) => void destination.write(line);
}

/** The part of pino that is used here. */
type Sink = Pick<pino.Logger, "debug" | "info" | "warn" | "error" | "child">;

class PinoLog implements Log {
  readonly #sink: Sink;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  debug(event: string, fields: LogFields = {}): void {
    this.#sink.debug(fields, event);
  }

  info(event: string, fields: LogFields = {}): void {
    this.#sink.info(fields, event);
  }

  warn(event: string, fields: LogFields = {}): void {
    this.#sink.warn(fields, event);
  }

  error(event: string, fields: LogFields = {}): void {
    this.#sink.error(fields, event);
  }

  with(fields: LogFields): Log {
    return new PinoLog(this.#sink.child(withoutUndefined(fields)));
  }
}

function withoutUndefined(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
