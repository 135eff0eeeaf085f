import { formatIp } from "../../addr/ip.ts";
import type { Instant } from "../../base/clock.ts";
import { formatAction } from "../../flow/format-action.ts";
import { extractKey, formatKey } from "../../flow/key.ts";
import { CLASS_NAMES, KEY_WORDS } from "../../flow/layout.ts";
import { frameTtl } from "../../sim/frame-ttl.ts";
import { isTtlUsedUp, type SimResult, type WaitOn } from "../../sim/result.ts";
import type { SimInput } from "../../sim/sim-input.ts";
import type { Simulator } from "../../sim/simulator.ts";
import { TraceText } from "../../sim/trace.ts";
import type { World } from "../../sim/world.ts";
import { formatFrame } from "../../wire/frame.ts";
import type { FlowBook } from "./flow-book.ts";
import { FLOW_LIST_MAX } from "./limits.ts";
import type { FlowLine, FromWorker, ToWorker, TraceReport } from "./messages.ts";
import type { Translator } from "./translate.ts";

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

/** What a trace is made with. */
export interface TraceAnswerParts {
  readonly simulator: Simulator;
  readonly translator: Translator;
}

/**
 * Walks a packet through the live topology and prints the way. Teaches nothing, sends nothing, installs nothing. Where the very
 * packet goes another way than its flow, because it is too long or its TTL ends, its own way is printed, and beside it the flow.
 */
export function answerTrace(parts: TraceAnswerParts, ask: ToWorker & { kind: "ask-trace" }, now: Instant): FromWorker {
  const { simulator, translator } = parts;
  const key = new Uint32Array(KEY_WORDS);
  extractKey(ask.frame, { vportIndex: 0 }, key);
  const frame = { bytes: ask.frame, offset: 0, length: ask.frame.length, gsoSize: 0 };
  const ingress = simulator.world.handleOf(ask.portId);
  const input: SimInput = { mode: "trace", key, keyOffset: 0, ingress, frame, unresolved: undefined };
  const text = new TraceText();
  simulator.trace(text);
  const result = simulator.simulate(input, now);
  const flowClass = CLASS_NAMES[result.facts.level] as string;
  const tags = [...text.dependencies.values()];
  const ttl = frameTtl(frame);
  const flow = { flowClass, tags, ...outcomeOf(result, parts, tags) };
  const exception = exceptionOf(result, flow.verdict, { translator, ttl });
  let report: TraceReport = { ...flow, walk: text.lines };
  if (exception !== undefined) {
    const own = new TraceText();
    simulator.trace(own);
    const { limit } = translator;
    const end = exception === "too-big" ? simulator.tooBig(input, limit, now) : simulator.ttlExpired(input, ttl, now);
    report = { ...report, ...fateOf(end), walk: [...own.lines, ...fragmentLines(end)] };
  }
  simulator.trace(undefined);
  return { kind: "trace", request: ask.request, report };
}

type Outcome = Pick<TraceReport, "verdict" | "reason" | "action">;

/** What the walk comes to; the translator holds the action afterwards. */
function outcomeOf(result: SimResult, { simulator, translator }: TraceAnswerParts, reads: readonly string[]): Outcome {
  if (result.kind === "drop") {
    translator.drop(result.reason, result.facts.routers);
    return { verdict: "drop", reason: result.reason, action: formatAction(translator.action, 0) };
  }
  if (result.kind === "wait")
    return { verdict: "wait", reason: waitText(result.on, simulator.world, reads), action: "none" };
  if (result.kind !== "forward") return { verdict: result.kind, action: "none" };
  const nowhere = translator.forward(result);
  if (nowhere !== undefined) return { verdict: "drop", reason: nowhere, action: formatAction(translator.action, 0) };
  return { verdict: "forward", action: formatAction(translator.action, 0) };
}

/** What a packet waits for. Of missing objects only what asked for them knows the kind: it is among what was read. */
function waitText(on: WaitOn, world: World, reads: readonly string[]): string {
  if (on.kind === "neighbor")
    return `neighbor ${formatIp(on.ip)} of router ${world.router(on.router)?.label ?? world.idOf(on.router)}`;
  const names = on.ids.map((id) => reads.find((text) => text.endsWith(` ${id}`)) ?? `object ${id}`);
  return `topology: ${names.join(", ")}`;
}

/** Why this packet does not go the way of its flow, as the worker decides it. */
function exceptionOf(
  result: SimResult,
  verdict: string,
  { translator, ttl }: { readonly translator: Translator; readonly ttl: number },
): "ttl-expired" | "too-big" | undefined {
  if (result.kind !== "forward") return isTtlUsedUp(result, ttl) ? "ttl-expired" : undefined;
  const { fit } = translator;
  return fit === "fits" || (fit === "too-big" && verdict === "drop") ? undefined : fit;
}

function fateOf(end: SimResult): Pick<TraceReport, "verdict" | "reason"> {
  if (end.kind === "drop") return { verdict: "drop", reason: end.reason };
  return end.kind === "forward"
    ? { verdict: "forward", reason: `in ${end.fragments.length} fragments` }
    : { verdict: end.kind };
}

function fragmentLines(end: SimResult): readonly string[] {
  return end.kind === "forward" ? end.fragments.map((bytes) => `fragment ${formatFrame(bytes)}`) : [];
}
