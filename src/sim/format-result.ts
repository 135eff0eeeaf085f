import { formatIp } from "../addr/ip.ts";
import { formatMac } from "../addr/mac.ts";
import { unreachable } from "../base/assert.ts";
import { formatAction } from "../flow/format-action.ts";
import { ACTION_POP_SHIFT, ACTION_PUSH_SHIFT } from "../flow/layout.ts";
import { formatFrame } from "../wire/frame.ts";
import type { ForwardResult, SimResult, WaitOn } from "./result.ts";
import { isTtlUsedUp } from "./result.ts";
import type { World } from "./world.ts";

const LEVELS: readonly string[] = ["port", "l2", "l3-dst", "l3-pair", "proto", "full"];

/** A result as text, one fact a line; ids stand for handles. `ttl`: that of the frame that was walked. */
export function formatResult(result: SimResult, world: World, ttl = 255): readonly string[] {
  const { facts } = result;
  const lines = [`${headline(result, world)}${result.kind === "forward" ? "" : wayTo(result, ttl)}`];
  if (result.kind === "forward" && result.outputs.count > 1) {
    for (let i = 0; i < result.outputs.count; i++) lines.push(`  to ${formatOutput(result, i, world)}`);
  }
  if (result.kind === "forward") {
    for (const fragment of result.fragments) lines.push(`  fragment ${formatFrame(fragment)}`);
  }
  if ((result.kind === "forward" || result.kind === "drop") && !result.isTransient) {
    lines.push(`  mask ${LEVELS[facts.level] ?? facts.level}`);
  }
  for (const { bridge, ip, mac } of facts.writes) {
    lines.push(`  write bridge-neighbor ${world.idOf(bridge)} ${formatIp(ip)} ${formatMac(mac)}`);
  }
  for (const { port, bytes } of facts.frames) lines.push(`  emit ${world.idOf(port)}: ${formatFrame(bytes)}`);
  return lines;
}

function headline(result: SimResult, world: World): string {
  switch (result.kind) {
    case "wait":
      return `wait for ${formatWait(result.on, world)}`;
    case "consume":
      return "consume";
    case "needs-frame":
      return "needs frame";
    case "drop": {
      const how = result.isTransient ? " (once)" : result.isTemporary ? " (for now)" : "";
      return `drop ${result.reason}${how}`;
    }
    case "forward":
      return formatForward(result, world);
    default:
      return unreachable(result);
  }
}

/** The routers before the end, and whether the frame gets there: a forward says both in its own way. */
function wayTo(result: SimResult, ttl: number): string {
  const { routers } = result.facts;
  if (routers === 0) return "";
  return ` behind ${routers} router${routers === 1 ? "" : "s"}${isTtlUsedUp(result, ttl) ? " but ttl-expired" : ""}`;
}

function formatForward(result: ForwardResult, world: World): string {
  const steps = formatAction(result.action, 0).split(",").slice(0, -1).join(",");
  const { count } = result.outputs;
  const target = count === 1 ? world.idOf(result.outputs.ports[0] ?? 0) : `${count} ports`;
  const marks = [result.isTransient ? " (once)" : "", result.fit === "fits" ? "" : ` but ${result.fit}`];
  return `forward ${steps === "" ? "" : `${steps} `}to ${target}${marks.join("")}`;
}

function formatOutput(result: ForwardResult, i: number, world: World): string {
  const { ports, vlanOps, vlanTags } = result.outputs;
  const op = vlanOps[i] ?? 0;
  const pop = ((op >>> ACTION_POP_SHIFT) & 3) > 0 ? " pop" : "";
  const push = ((op >>> ACTION_PUSH_SHIFT) & 3) > 0 ? ` push ${(vlanTags[i] ?? 0) & 0xfff}` : "";
  return `${world.idOf(ports[i] ?? 0)}${pop}${push}`;
}

function formatWait(on: WaitOn, world: World): string {
  if (on.kind === "topology") return `topology ${on.ids.join(" ")}`;
  return `neighbor ${formatIp(on.ip)} of ${world.idOf(on.router)}`;
}
