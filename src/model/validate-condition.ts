import { isV4 } from "../addr/ip.ts";
import type { Condition } from "./objects.ts";
import { prefixOf } from "./validate-port.ts";

/** A condition that can never mean what its author wanted. `field` is relative to the condition. */
export interface ConditionProblem {
  readonly field: string;
  readonly expected: string;
}

/** IP protocol numbers whose packets have the fields that `sourcePorts` and `destinationPorts` compare. */
export const L4_PROTOCOLS: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, icmp6: 58, sctp: 132 };

const ICMP = 1;
const ICMPV6 = 58;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
/** Ethertypes whose packets have the fields of IP. */
export const ETHERTYPES_OF_IP: readonly number[] = [ETHERTYPE_IPV4, ETHERTYPE_IPV6];
const ICMP_TYPE_MAX = 255;

/** Contradictions within a condition: they are refused when a rule is written, instead of never matching in silence. */
export function conditionProblems(condition: Condition): readonly ConditionProblem[] {
  const problems: ConditionProblem[] = [];
  const add = (field: string, expected: string): void => void problems.push({ field, expected });
  for (const [i, field] of (condition.inverted ?? []).entries()) {
    if (condition[field] === undefined) add(`inverted[${i}]`, `a field that the condition has; ${field} is absent`);
  }
  checkRanges(condition, add);
  checkFamilies(condition, add);
  return problems;
}

/** True when the condition compares layer 4 fields, which later fragments do not carry. */
export function readsL4(condition: Condition): boolean {
  return condition.sourcePorts !== undefined || condition.destinationPorts !== undefined;
}

type Add = (field: string, expected: string) => void;

function checkRanges(condition: Condition, add: Add): void {
  if (!readsL4(condition)) return;
  const { protocol, fragments } = condition;
  const isKnown = protocol !== undefined && Object.values(L4_PROTOCOLS).includes(protocol);
  if (!isKnown || condition.inverted?.includes("protocol") === true) {
    add(
      "protocol",
      "one of 1 (ICMP), 6 (TCP), 17 (UDP), 58 (ICMPv6), 132 (SCTP), not inverted, where ports are compared",
    );
  }
  if (fragments !== "header" && fragments !== "whole") {
    add("fragments", "header or whole where ports are compared: later fragments carry none");
  }
  const max = protocol === ICMP || protocol === ICMPV6 ? ICMP_TYPE_MAX : 65_535;
  for (const field of ["sourcePorts", "destinationPorts"] as const) {
    const range = condition[field];
    if (range === undefined) continue;
    if (range.from > range.to) add(`${field}.from`, `at most ${range.to}, the end of the range`);
    if (range.to > max) add(`${field}.to`, `at most ${max}`);
  }
}

type Family = 4 | 6;

/** Which families the fields speak of; fields that are inverted exclude rather than demand and are left out. */
function checkFamilies(condition: Condition, add: Add): void {
  const said: { readonly field: string; readonly family: Family }[] = [];
  const say = (field: "etherType" | "source" | "destination" | "protocol", family: Family | undefined): void => {
    if (family !== undefined && condition.inverted?.includes(field) !== true) said.push({ field, family });
  };
  say("etherType", familyOfEtherType(condition.etherType));
  say("source", familyOfPrefix(condition.source));
  say("destination", familyOfPrefix(condition.destination));
  say("protocol", condition.protocol === ICMP ? 4 : condition.protocol === ICMPV6 ? 6 : undefined);
  const first = said[0];
  if (first === undefined) return;
  for (const { field, family } of said) {
    if (family !== first.family) add(field, `IPv${first.family}, as ${first.field} says`);
  }
}

function familyOfEtherType(etherType: number | undefined): Family | undefined {
  if (etherType === ETHERTYPE_IPV4) return 4;
  return etherType === ETHERTYPE_IPV6 ? 6 : undefined;
}

function familyOfPrefix(text: string | undefined): Family | undefined {
  const prefix = text === undefined ? undefined : prefixOf(text);
  if (prefix === undefined) return undefined;
  return isV4(prefix.ip) ? 4 : 6;
}
