import type { Instant } from "../../base/clock.ts";
import { formatAction } from "../../flow/format-action.ts";
import { extractKey, formatKey } from "../../flow/key.ts";
import { CLASS_NAMES, KEY_WORDS } from "../../flow/layout.ts";
import type { SimResult } from "../../sim/result.ts";
import type { Simulator } from "../../sim/simulator.ts";
import { TraceText } from "../../sim/trace.ts";
import type { FlowBook } from "./flow-book.ts";
import { FLOW_LIST_MAX } from "./limits.ts";
import type { FlowLine, FromWorker, ToWorker, TraceReport } from "./messages.ts";
import type { Translator } from "./translate.ts";
import { waitKey } from "./wait-key.ts";

/** Lists installed flows. */
export function answerFlows(book: FlowBook, ask: ToWorker & { kind: "ask-flows" }, now: Instant): FromWorker {
  const flows: FlowLine[] = [];
  let total = 0;
  const limit = Math.min(ask.limit, FLOW_LIST_MAX);
  for (let slot = 0; slot < book.table.slots; slot++) {
    if (!book.table.isLive(slot)) continue;
    total++;
    if (flows.length < limit) flows.push(flowLine(book, slot, now));
  }
  return { kind: "flows", request: ask.request, flows, total };
}

function flowLine(book: FlowBook, slot: number, now: Instant): FlowLine {
  const at = book.table.keyAt(slot);
  const flowClass = book.table.classAt(slot);
  return {
    slot,
    vport: (book.table.words[at] as number) & 0xffff,
    key: formatKey(book.table.words, at),
    flowClass: CLASS_NAMES[flowClass] as string,
    action: formatAction(book.actionOf(slot), 0),
    packets: book.table.packetsAt(slot),
    bytes: book.table.bytesAt(slot),
    idleMs: Math.max(0, ((now >>> 0) - book.table.usedAt(slot)) | 0),
    tags: book.tagsOf(slot).length,
  };
}

/** Walks a packet through the live topology and prints the way. Teaches nothing, sends nothing, installs nothing. */
export function answerTrace(
  parts: { readonly simulator: Simulator; readonly translator: Translator },
  ask: ToWorker & { kind: "ask-trace" },
  now: Instant,
): FromWorker {
  const { simulator, translator } = parts;
  const text = new TraceText();
  const key = new Uint32Array(KEY_WORDS);
  extractKey(ask.frame, { vportIndex: 0 }, key);
  const frame = { bytes: ask.frame, offset: 0, length: ask.frame.length, gsoSize: 0 };
  const ingress = simulator.world.handleOf(ask.portId);
  simulator.trace(text);
  const result = simulator.simulate({ mode: "trace", key, keyOffset: 0, ingress, frame, unresolved: undefined }, now);
  simulator.trace(undefined);
  const level = CLASS_NAMES[result.facts.level] as string;
  const tags = [...text.dependencies.values()];
  const report = { walk: text.lines, flowClass: level, tags, ...outcomeOf(result, translator) };
  return { kind: "trace", request: ask.request, report };
}

function outcomeOf(result: SimResult, translator: Translator): Pick<TraceReport, "verdict" | "reason" | "action"> {
  if (result.kind === "drop") return { verdict: "drop", reason: result.reason, action: `drop(${result.reason})` };
  if (result.kind === "wait") return { verdict: "wait", reason: waitKey(result.on), action: "none" };
  if (result.kind !== "forward") return { verdict: result.kind, action: "none" };
  const nowhere = translator.forward(result);
  if (nowhere !== undefined) return { verdict: "drop", reason: nowhere, action: `drop(${nowhere})` };
  const action = formatAction(translator.action, 0);
  return result.fit === "fits" ? { verdict: "forward", action } : { verdict: "forward", reason: result.fit, action };
}
