import { formatIp } from "../../../src/addr/ip.ts";
import { parsePrefix } from "../../../src/addr/prefix.ts";
import { unwrap } from "../../../src/base/result.ts";
import type { Chain, Condition, Id, Rule } from "../../../src/model/objects.ts";

/** A packet as the evaluator sees it: what a person would write down. Addresses are text. */
export interface PlainPacket {
  readonly srcMac: string;
  readonly dstMac: string;
  readonly etherType: number;
  /** Tag on the wire; 0: none. */
  readonly vlan: number;
  /** Empty when the packet is not IP. */
  readonly src: string;
  readonly dst: string;
  readonly protocol: number;
  readonly dscp: number;
  readonly ttl: number;
  /** Ports; of ICMP type and code. */
  readonly srcPort: number;
  readonly dstPort: number;
}

/** What filters are looked up in. */
export interface Rulebook {
  chain(id: Id): Chain | undefined;
  rule(id: Id): Rule | undefined;
}

/** Where a packet is when a filter sees it. */
export interface FilterPlace {
  readonly inPort: Id | undefined;
  readonly outPort: Id | undefined;
}

/** True when the filter lets the packet through. Written from the model's documentation, rule by rule, without any shortcut. */
export function passes(
  book: Rulebook,
  chainId: Id | undefined,
  at: { readonly packet: PlainPacket; readonly place: FilterPlace },
): boolean {
  if (chainId === undefined) return true;
  return verdictOf({ book, at, entered: new Set() }, chainId) !== "deny";
}

interface Evaluation {
  readonly book: Rulebook;
  readonly at: { readonly packet: PlainPacket; readonly place: FilterPlace };
  readonly entered: Set<Id>;
}

function verdictOf(evaluation: Evaluation, chainId: Id): "allow" | "deny" | "undecided" {
  const { book, at, entered } = evaluation;
  if (entered.has(chainId)) return "undecided";
  entered.add(chainId);
  for (const ruleId of book.chain(chainId)?.ruleIds ?? []) {
    const rule = book.rule(ruleId);
    if (rule === undefined || !holds(rule.condition, at.packet, at.place)) continue;
    const { action } = rule;
    if (action.type === "accept") return "allow";
    if (action.type === "drop" || action.type === "reject") return "deny";
    if (action.type === "return") return "undecided";
    const verdict = verdictOf(evaluation, action.chainId);
    if (verdict !== "undecided") return verdict;
  }
  return "undecided";
}

function holds(condition: Condition, packet: PlainPacket, place: FilterPlace): boolean {
  const isIp = packet.src !== "";
  const hasPorts = isIp && [1, 6, 17, 58, 132].includes(packet.protocol);
  const checks: (readonly [NonNullable<Condition["inverted"]>[number], boolean])[] = [];
  const { inPortIds, outPortIds, etherType, source, destination, protocol, dscp, sourcePorts, destinationPorts } =
    condition;
  if (inPortIds !== undefined)
    checks.push(["inPortIds", place.inPort !== undefined && inPortIds.includes(place.inPort)]);
  if (outPortIds !== undefined)
    checks.push(["outPortIds", place.outPort !== undefined && outPortIds.includes(place.outPort)]);
  if (etherType !== undefined) checks.push(["etherType", packet.etherType === etherType]);
  if (source !== undefined) checks.push(["source", isIp && isInside(packet.src, source)]);
  if (destination !== undefined) checks.push(["destination", isIp && isInside(packet.dst, destination)]);
  if (protocol !== undefined) checks.push(["protocol", isIp && packet.protocol === protocol]);
  if (dscp !== undefined) checks.push(["dscp", isIp && packet.dscp === dscp]);
  if (sourcePorts !== undefined) {
    checks.push(["sourcePorts", hasPorts && packet.srcPort >= sourcePorts.from && packet.srcPort <= sourcePorts.to]);
  }
  if (destinationPorts !== undefined) {
    const { from, to } = destinationPorts;
    checks.push(["destinationPorts", hasPorts && packet.dstPort >= from && packet.dstPort <= to]);
  }
  const all = checks.every(([field, isMatch]) => isMatch !== (condition.inverted ?? []).includes(field));
  return all !== (condition.negated ?? false);
}

/** True when an address lies in a prefix, both as text, compared bit by bit. */
export function isInside(address: string, prefix: string): boolean {
  const { ip, length } = unwrap(parsePrefix(prefix));
  const [network, bits] = [bitsOf(formatIp(ip)), bitsOf(address)];
  if (network.length !== bits.length) return false;
  const written = bits.length === 32 ? length - 96 : length;
  return network.slice(0, written) === bits.slice(0, written);
}

/** An address as a text of 32 or 128 zeros and ones. */
export function bitsOf(address: string): string {
  if (!address.includes(":")) {
    return address
      .split(".")
      .map((octet) => Number(octet).toString(2).padStart(8, "0"))
      .join("");
  }
  const [head = "", tail] = address.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...zeros, ...right]
    .map((group) => Number.parseInt(group, 16).toString(2).padStart(16, "0"))
    .join("");
}
