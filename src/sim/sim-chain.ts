import { macHigh, macLow, parseMac } from "../addr/mac.ts";
import { parsePrefix } from "../addr/prefix.ts";
import { unreachable } from "../base/assert.ts";
import { unwrap } from "../base/result.ts";
import { type FlowTag, tagObject } from "../flow/tag.ts";
import type { Chain, Condition, ConditionField, Id, MacMatch, Rule, RuleAction } from "../model/objects.ts";
import type { Handles } from "./handles.ts";
import { IpMask } from "./ip-words.ts";

/** A chain as the walk reads it. `missing`: ids of rules that this thread does not have yet. Immutable. */
export interface SimChain {
  readonly handle: number;
  readonly id: Id;
  readonly label: string;
  readonly tag: FlowTag;
  readonly rules: readonly SimRule[];
  readonly missing: readonly Id[];
}

/** Bits of `SimRule.fields` and `SimRule.inverted`, in the order of evaluation: what is cheap to have read comes first. */
export const FIELD = {
  inPortIds: 1,
  outPortIds: 2,
  etherType: 4,
  sourceMac: 8,
  destinationMac: 16,
  vlan: 32,
  destination: 64,
  source: 128,
  protocol: 256,
  dscp: 512,
  sourcePorts: 1024,
  destinationPorts: 2048,
} as const satisfies Record<ConditionField, number>;

/** Codes of `SimRule.fragments`. */
export const FRAGMENTS = { any: 0, whole: 1, header: 2, later: 3 } as const;

/** Codes of `SimRule.action`. */
export const ACTION = { accept: 0, drop: 1, reject: 2, return: 3, jump: 4 } as const;

/** A rule with its condition taken apart; a field that is not in `fields` is not looked at. Immutable, one shape. */
export interface SimRule {
  readonly id: Id;
  readonly chain: number;
  readonly fields: number;
  readonly inverted: number;
  readonly isNegated: boolean;
  readonly fragments: number;
  readonly action: number;
  /** Chain to jump to; 0: none. */
  readonly target: number;
  readonly inPorts: readonly number[];
  readonly outPorts: readonly number[];
  readonly etherType: number;
  readonly sourceMac: MacPattern;
  readonly destinationMac: MacPattern;
  readonly vlan: number;
  readonly source: IpMask;
  readonly destination: IpMask;
  readonly protocol: number;
  readonly dscp: number;
  readonly sourceFrom: number;
  readonly sourceTo: number;
  readonly destinationFrom: number;
  readonly destinationTo: number;
}

/** A MAC address under a mask, in words (upper 16 bits, lower 32 signed). */
export interface MacPattern {
  readonly high: number;
  readonly low: number;
  readonly highMask: number;
  readonly lowMask: number;
}

const ANY_PREFIX = new IpMask({ w0: 0, w1: 0, w2: 0, w3: 0 }, 0);
const ANY_MAC: MacPattern = { high: 0, low: 0, highMask: 0, lowMask: 0 };

/** Prepares a chain; `ruleOf` gives the rules that are here. */
export function compileChain(
  chain: Chain,
  handle: number,
  parts: { readonly handles: Handles; readonly ruleOf: (handle: number) => SimRule | undefined },
): SimChain {
  const { handles } = parts;
  const rules: SimRule[] = [];
  const missing: Id[] = [];
  for (const id of chain.ruleIds) {
    const rule = parts.ruleOf(handles.of(id));
    if (rule !== undefined) rules.push(rule);
    else if (!handles.isAbsent(handles.of(id))) missing.push(id);
  }
  return { handle, id: chain.id, label: chain.name, tag: tagObject(handle), rules, missing };
}

/** Prepares a rule. The object has passed the model's validation; texts that do not parse are bugs and throw. */
export function compileRule(rule: Rule, handles: Handles): SimRule {
  const { condition, action } = rule;
  // What every walk reads comes first and lies together: of a rule that no one has read lately two lines of memory are fetched, not four.
  return {
    fields: fieldsOf(condition),
    inverted: (condition.inverted ?? []).reduce((bits, field) => bits | FIELD[field], 0),
    isNegated: condition.negated ?? false,
    fragments: FRAGMENTS[condition.fragments ?? "any"],
    action: ACTION[action.type],
    protocol: condition.protocol ?? 0,
    destinationFrom: condition.destinationPorts?.from ?? 0,
    destinationTo: condition.destinationPorts?.to ?? 0,
    sourceFrom: condition.sourcePorts?.from ?? 0,
    sourceTo: condition.sourcePorts?.to ?? 0,
    source: prefixOf(condition.source),
    destination: prefixOf(condition.destination),
    target: targetOf(action, handles),
    dscp: condition.dscp ?? 0,
    etherType: condition.etherType ?? 0,
    vlan: condition.vlan ?? 0,
    sourceMac: macPattern(condition.sourceMac),
    destinationMac: macPattern(condition.destinationMac),
    inPorts: (condition.inPortIds ?? []).map((id) => handles.of(id)),
    outPorts: (condition.outPortIds ?? []).map((id) => handles.of(id)),
    chain: handles.of(rule.chainId),
    id: rule.id,
  };
}

function fieldsOf(condition: Condition): number {
  let bits = 0;
  for (const [name, bit] of Object.entries(FIELD)) {
    const value = condition[name as ConditionField];
    // An empty list of ports matches every port.
    if (value !== undefined && !(Array.isArray(value) && value.length === 0)) bits |= bit;
  }
  return bits;
}

function targetOf(action: RuleAction, handles: Handles): number {
  switch (action.type) {
    case "jump":
      return handles.of(action.chainId);
    case "accept":
    case "drop":
    case "reject":
    case "return":
      return 0;
    default:
      return unreachable(action);
  }
}

function macPattern(match: MacMatch | undefined): MacPattern {
  if (match === undefined) return ANY_MAC;
  const mac = unwrap(parseMac(match.mac));
  const mask = match.mask === undefined ? 0xffff_ffff_ffff : unwrap(parseMac(match.mask));
  const highMask = macHigh(mask);
  const lowMask = macLow(mask) | 0;
  return { high: macHigh(mac) & highMask, low: macLow(mac) & lowMask, highMask, lowMask };
}

function prefixOf(text: string | undefined): IpMask {
  if (text === undefined) return ANY_PREFIX;
  const { ip, length } = unwrap(parsePrefix(text));
  return new IpMask(ip, length);
}
