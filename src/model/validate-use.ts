import { isV4, parseIp } from "../addr/ip.ts";
import type { ModelError } from "./model-error.ts";
import type { Condition, RouterPort, Rule, TopologyObject, TunnelZone } from "./objects.ts";
import { conditionProblems, ETHERTYPES_OF_IP } from "./validate-condition.ts";
import { prefixOf } from "./validate-port.ts";

/** The smallest packet that every link of IPv6 carries whole (RFC 8200 section 5). */
export const MTU_MIN_V6 = 1280;

/**
 * What an object says that can never work, though it could be stored before this was known: it is refused when it is written, by
 * a creation or by a change that brings it in. What is stored already counts on, and can be changed in other ways.
 */
export function uselessIn(object: TopologyObject): readonly ModelError[] {
  switch (object.kind) {
    case "tunnel-zone":
      return mixedFamilies(object);
    case "rule":
      return neverMatching(object);
    case "port":
      return object.deviceKind === "router" ? tooNarrow(object) : [];
    default:
      return [];
  }
}

/** What a change brings in of it. */
export function uselessAfter(before: TopologyObject, after: TopologyObject): readonly ModelError[] {
  return uselessIn(before).length > 0 ? [] : uselessIn(after);
}

/** Hosts of a zone tunnel straight to each other: one with an address of another family reaches nobody. */
function mixedFamilies(zone: TunnelZone): readonly ModelError[] {
  const families = zone.members.map(({ address }) => familyOf(address));
  const [first] = families;
  const at = families.findIndex((family) => family !== first);
  if (at < 0) return [];
  const expected = `an IPv${first} address, as the zone's first member has: hosts tunnel to each other by one family`;
  return [{ kind: "bad-value", object: refOf(zone), field: `members[${at}].address`, expected }];
}

function familyOf(address: string): 4 | 6 | undefined {
  const ip = parseIp(address);
  if (!ip.ok) return undefined;
  return isV4(ip.value) ? 4 : 6;
}

const IP_FIELDS = ["source", "destination", "protocol", "dscp", "sourcePorts", "destinationPorts"] as const;

/** A packet of another ethertype has none of the fields of IP: only their inversion holds of it. */
function neverMatching({ id, condition }: Rule): readonly ModelError[] {
  const { etherType } = condition;
  const is = (field: keyof Condition): boolean => condition.inverted?.includes(field as never) === true;
  if (etherType === undefined || is("etherType") || ETHERTYPES_OF_IP.includes(etherType)) return [];
  const field = IP_FIELDS.find((name) => condition[name] !== undefined && !is(name));
  if (field === undefined || conditionProblems(condition).length > 0) return [];
  const expected = `nothing where the ethertype is 0x${etherType.toString(16).padStart(4, "0")}, whose packets have no such field`;
  return [{ kind: "bad-condition", object: { kind: "rule", id }, field: `condition.${field}`, expected }];
}

function tooNarrow(port: RouterPort): readonly ModelError[] {
  const isV6 = port.addresses.some((text) => {
    const prefix = prefixOf(text);
    return prefix !== undefined && !isV4(prefix.ip);
  });
  if (!isV6 || port.mtu >= MTU_MIN_V6) return [];
  const expected = `at least ${MTU_MIN_V6} where the port has an IPv6 address (RFC 8200 section 5)`;
  return [{ kind: "bad-value", object: refOf(port), field: "mtu", expected }];
}

function refOf({ kind, id }: TopologyObject): ModelError["object"] {
  return { kind, id };
}
