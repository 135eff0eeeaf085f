import { FRAGMENT_FIRST, FRAGMENT_LATER, FRAGMENT_NO } from "../flow/layout.ts";
import { ACTION, FIELD, FRAGMENTS, type MacPattern, type SimChain, type SimRule } from "./sim-chain.ts";
import { VERDICT, type Verdict } from "./step.ts";
import type { Walk } from "./walk.ts";

/** What a chain says of a packet; `continue` returns to the caller, at top level that is accept. */
const CONTINUE = 4;

const PORT_FIELDS = FIELD.sourcePorts | FIELD.destinationPorts;
const NETWORK_FIELDS = FIELD.destination | FIELD.source | FIELD.protocol | FIELD.dscp;
/** What the key's first words and the walk itself say. */
const LINK_FIELDS = FIELD.destination - 1;

/**
 * Evaluates a filter at the present device: rules in order, the first that matches and decides wins, the end accepts. A
 * chain is entered at most once an evaluation; a jump back into one goes on with the next rule. A filter of more chains than there
 * is room for drops, whatever their rules say.
 */
export function evaluateFilter(walk: Walk, handle: number): Verdict {
  if (handle === 0) return VERDICT.accept;
  walk.chains.clear();
  const verdict = evaluateChain(walk, handle);
  return verdict === CONTINUE ? VERDICT.accept : verdict;
}

/** Why a packet is dropped that a filter has told to drop. */
export function dropReasonOfFilter(walk: Walk): "filter" | "chain-limit" {
  return walk.chains.isShort ? "chain-limit" : "filter";
}

function evaluateChain(walk: Walk, handle: number): Verdict | typeof CONTINUE {
  const chain = walk.chain(handle);
  if (chain === undefined) return lackingChain(walk, handle);
  if (chain.missing.length > 0) {
    walk.waitFor(chain.missing);
    return VERDICT.wait;
  }
  if (!walk.chains.enter(handle)) return VERDICT.drop;
  if (walk.sink !== undefined) return evaluateRulesAloud(walk, chain);
  const { rules } = chain;
  for (let i = 0; i < rules.length; i++) {
    const rule = rules[i] as SimRule;
    if (!matches(rule, walk)) continue;
    const verdict = act(walk, rule);
    if (verdict !== CONTINUE) return verdict;
    if (rule.action === ACTION.return) break;
  }
  return CONTINUE;
}

/** The same with every rule written to the trace. */
function evaluateRulesAloud(walk: Walk, chain: SimChain): Verdict | typeof CONTINUE {
  walk.note(`chain ${chain.label}`);
  walk.indent++;
  let verdict: Verdict | typeof CONTINUE = CONTINUE;
  for (const [i, rule] of chain.rules.entries()) {
    const isMatch = matches(rule, walk);
    walk.note(`rule ${i + 1} ${isMatch ? actionName(rule) : "no match"}`);
    if (!isMatch) continue;
    verdict = act(walk, rule);
    if (verdict !== CONTINUE || rule.action === ACTION.return) break;
  }
  walk.indent--;
  return verdict;
}

function act(walk: Walk, rule: SimRule): Verdict | typeof CONTINUE {
  switch (rule.action) {
    case ACTION.accept:
      return VERDICT.accept;
    case ACTION.drop:
      return VERDICT.drop;
    case ACTION.reject:
      return VERDICT.reject;
    case ACTION.jump:
      return jump(walk, rule.target);
    default:
      return CONTINUE;
  }
}

function jump(walk: Walk, target: number): Verdict | typeof CONTINUE {
  if (!walk.chains.has(target)) return evaluateChain(walk, target);
  if (walk.sink !== undefined) walk.note("entered before");
  return CONTINUE;
}

/** A chain that does not exist decides nothing; one that is not here yet must be waited for. */
function lackingChain(walk: Walk, handle: number): Verdict | typeof CONTINUE {
  if (walk.isAbsent(handle)) return CONTINUE;
  walk.lack(handle);
  return VERDICT.wait;
}

function actionName(rule: SimRule): string {
  for (const [name, code] of Object.entries(ACTION)) if (code === rule.action) return name;
  return "?";
}

/** True when the condition holds. Fields are read in the order of their mask classes, and only as far as needed. */
function matches(rule: SimRule, walk: Walk): boolean {
  if (rule.fragments !== FRAGMENTS.any && !fragmentMatches(rule.fragments, walk.packet.fragment)) return false;
  const { fields } = rule;
  const isMatch =
    ((fields & LINK_FIELDS) === 0 || linkMatches(rule, walk)) &&
    ((fields & NETWORK_FIELDS) === 0 || networkMatches(rule, walk)) &&
    ((fields & PORT_FIELDS) === 0 || portsMatch(rule, walk));
  return isMatch !== rule.isNegated;
}

function linkMatches(rule: SimRule, walk: Walk): boolean {
  const { fields, inverted } = rule;
  const { packet } = walk;
  if ((fields & FIELD.inPortIds) !== 0) {
    const isIn = walk.inPort !== undefined && rule.inPorts.includes(walk.inPort.handle);
    if (isIn === ((inverted & FIELD.inPortIds) !== 0)) return false;
  }
  if ((fields & FIELD.outPortIds) !== 0) {
    const isOut = walk.outPort !== undefined && rule.outPorts.includes(walk.outPort.handle);
    if (isOut === ((inverted & FIELD.outPortIds) !== 0)) return false;
  }
  if ((fields & FIELD.etherType) !== 0) {
    if ((packet.etherType === rule.etherType) === ((inverted & FIELD.etherType) !== 0)) return false;
  }
  if ((fields & FIELD.sourceMac) !== 0) {
    const isMatch = macMatches(rule.sourceMac, packet.srcMacHigh, packet.srcMacLow);
    if (isMatch === ((inverted & FIELD.sourceMac) !== 0)) return false;
  }
  if ((fields & FIELD.destinationMac) !== 0) {
    const isMatch = macMatches(rule.destinationMac, packet.dstMacHigh, packet.dstMacLow);
    if (isMatch === ((inverted & FIELD.destinationMac) !== 0)) return false;
  }
  if ((fields & FIELD.vlan) !== 0) {
    if ((packet.vlan === rule.vlan) === ((inverted & FIELD.vlan) !== 0)) return false;
  }
  return true;
}

function networkMatches(rule: SimRule, walk: Walk): boolean {
  const { fields, inverted } = rule;
  const { packet } = walk;
  const { isIp } = packet;
  if ((fields & FIELD.destination) !== 0) {
    const isMatch = isIp && rule.destination.contains(packet.dst);
    if (isMatch === ((inverted & FIELD.destination) !== 0)) return false;
  }
  if ((fields & FIELD.source) !== 0) {
    const isMatch = isIp && rule.source.contains(packet.src);
    if (isMatch === ((inverted & FIELD.source) !== 0)) return false;
  }
  if ((fields & FIELD.protocol) !== 0) {
    const isMatch = isIp && packet.protocol === rule.protocol;
    if (isMatch === ((inverted & FIELD.protocol) !== 0)) return false;
  }
  if ((fields & FIELD.dscp) !== 0) {
    const isMatch = isIp && packet.dscp === rule.dscp;
    if (isMatch === ((inverted & FIELD.dscp) !== 0)) return false;
  }
  return true;
}

/**
 * Port ranges match packets of protocols with ports (or ICMP, with type and code) only. A later fragment of such a protocol
 * shows no ports and matches every range, before inversion.
 */
function portsMatch(rule: SimRule, walk: Walk): boolean {
  const { fields, inverted } = rule;
  const { packet } = walk;
  const { hasPorts } = packet;
  const isLater = packet.fragment === FRAGMENT_LATER;
  if ((fields & FIELD.sourcePorts) !== 0) {
    const isMatch = hasPorts && (isLater || isWithin(packet.portOrType, rule.sourceFrom, rule.sourceTo));
    if (isMatch === ((inverted & FIELD.sourcePorts) !== 0)) return false;
  }
  if ((fields & FIELD.destinationPorts) !== 0) {
    const isMatch = hasPorts && (isLater || isWithin(packet.portOrCode, rule.destinationFrom, rule.destinationTo));
    if (isMatch === ((inverted & FIELD.destinationPorts) !== 0)) return false;
  }
  return true;
}

function isWithin(value: number, from: number, to: number): boolean {
  return value >= from && value <= to;
}

function macMatches(pattern: MacPattern, high: number, low: number): boolean {
  return (high & pattern.highMask) === pattern.high && (low & pattern.lowMask) === pattern.low;
}

function fragmentMatches(policy: number, fragment: number): boolean {
  if (policy === FRAGMENTS.whole) return fragment === FRAGMENT_NO;
  if (policy === FRAGMENTS.header) return fragment === FRAGMENT_NO || fragment === FRAGMENT_FIRST;
  return fragment === FRAGMENT_LATER;
}
