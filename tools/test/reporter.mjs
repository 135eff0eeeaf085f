// A node:test reporter. It writes one JSON document a line to descriptor 3, so that what tests print cannot be
// mistaken for what the runner says.
import { writeSync } from "node:fs";
import { inspect } from "node:util";

/** @param {AsyncIterable<{ type: string, data: any }>} source */
export default async function* report(source) {
  for await (const { type, data } of source) {
    const line = toLine(type, data);
    if (line !== undefined) writeSync(3, `${JSON.stringify(line)}\n`);
  }
  yield "";
}

/** @param {string} type @param {any} data */
function toLine(type, data) {
  const { file, name } = data;
  switch (type) {
    case "test:dequeue":
      return { kind: "start", file, name };
    case "test:pass":
      if (data.details.type === "suite") return undefined;
      return { kind: "pass", file, name, skip: reasonOf(data.skip ?? data.todo), ms: data.details.duration_ms };
    case "test:fail":
      return { kind: "fail", file, name, line: data.line, error: describe(data.details.error) };
    case "test:stdout":
    case "test:stderr":
      return { kind: "print", file, text: data.message };
    case "test:summary":
      return { kind: "summary", file, counts: data.counts, ms: data.duration_ms };
    default:
      return undefined;
  }
}

/** @param {string | boolean | undefined} mark */
function reasonOf(mark) {
  if (mark === undefined || mark === false) return undefined;
  return mark === true || mark === "" ? "no reason given" : mark;
}

/** @param {any} error */
function describe(error) {
  if (error?.failureType === "subtestsFailed") return "";
  const cause = error?.cause ?? error;
  return cause instanceof Error ? (cause.stack ?? cause.message) : inspect(cause);
}
