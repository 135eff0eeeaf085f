import fc from "fast-check";
import { formatIp } from "../../addr/ip.ts";
import { formatMac } from "../../addr/mac.ts";
import { formatPrefix, networkOf } from "../../addr/prefix.ts";
import type { Binding, Condition, Kind, NextHop, ObjectOf, RuleAction, TopologyObject } from "../objects.ts";
import { INVERTIBLE_FIELDS } from "../schema/condition.ts";

const u32 = fc.nat({ max: 0xffff_ffff });
const id = fc.uuid();
const ids = fc.uniqueArray(id, { maxLength: 4 });
const name = fc.stringMatching(/^[a-zA-Z0-9äß_.:/-]{1,20}$/u);
/** fast-check makes some objects without prototype; JSON never does. */
const plain = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T> => arbitrary.map((value) => structuredClone(value));
const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });

const v4 = u32.map((w3) => ({ w0: 0, w1: 0, w2: 0xffff, w3 }));
const v6 = fc.tuple(u32, u32, u32).map(([w1, w2, w3]) => ({ w0: 0xfd000000, w1, w2, w3 }));
const unicastMac = fc.nat({ max: 0xffff_ffff }).map((low) => formatMac(0x0200_0000_0000 + low));

const networkV4 = fc
  .tuple(v4, fc.integer({ min: 96, max: 128 }))
  .map(([ip, length]) => formatPrefix(networkOf({ ip, length })));
const networkV6 = fc
  .tuple(v6, fc.integer({ min: 0, max: 128 }))
  .map(([ip, length]) => formatPrefix(networkOf({ ip, length })));
const hostV4 = fc.nat({ max: 0xfffd }).map((low) => `10.0.${low >>> 8}.${low & 0xff || 1}/16`);
const hostV6 = v6.map((ip) => `${formatIp(ip)}/64`);

const binding: fc.Arbitrary<Binding> = fc.record({
  hostId: id,
  interfaceName: fc.stringMatching(/^[a-z0-9]{1,15}$/),
  generation: fc.integer({ min: 1, max: 2 ** 40 }),
});

/** Fields that are undefined are taken out: absent is a missing field. */
function compact<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as T;
}

const deviceFields = {
  id,
  tenant: name,
  name,
  isUp: fc.boolean(),
  inboundFilterId: optional(id),
  outboundFilterId: optional(id),
  portIds: ids,
};

const attachment = fc.oneof(
  fc.constant({}),
  id.map((peerId) => ({ peerId })),
  binding.map((value) => ({ binding: value })),
);

const portFields = {
  kind: fc.constant("port" as const),
  id,
  tenant: name,
  name: optional(name),
  isUp: fc.boolean(),
  inboundFilterId: optional(id),
  outboundFilterId: optional(id),
};

const bridgePort = fc
  .tuple(
    fc.record({
      ...portFields,
      deviceKind: fc.constant("bridge" as const),
      bridgeId: id,
      vlan: optional(fc.integer({ min: 1, max: 4094 })),
    }),
    attachment,
  )
  .map(([port, rest]) => compact({ ...port, ...rest }));

const routerPort = fc
  .tuple(
    fc.record({
      ...portFields,
      deviceKind: fc.constant("router" as const),
      routerId: id,
      mac: unicastMac,
      addresses: fc.uniqueArray(fc.oneof(hostV4, hostV6), { maxLength: 4, selector: (text) => text.split("/")[0] }),
      mtu: fc.integer({ min: 68, max: 9000 }),
    }),
    attachment,
  )
  .map(([port, rest]) => {
    const isV6 = port.addresses.some((text) => text.includes(":"));
    return compact({ ...port, ...rest, mtu: isV6 ? Math.max(1280, port.mtu) : port.mtu });
  });

const nextHop = (gateway: fc.Arbitrary<string>): fc.Arbitrary<NextHop> =>
  fc.oneof(
    fc.record({ type: fc.constant("port" as const), portId: id, gateway: optional(gateway) }).map(compact),
    fc.constantFrom({ type: "blackhole" as const }, { type: "reject" as const }, { type: "local" as const }),
  ) as fc.Arbitrary<NextHop>;

const routeFields = { kind: fc.constant("route" as const), id, routerId: id, weight: fc.nat({ max: 1000 }) };

const route = fc.oneof(
  fc.record({ ...routeFields, source: networkV4, destination: networkV4, nextHop: nextHop(fc.constant("10.0.0.1")) }),
  fc.record({ ...routeFields, source: networkV6, destination: networkV6, nextHop: nextHop(v6.map(formatIp)) }),
);

const portRange = fc.tuple(fc.nat({ max: 65_535 }), fc.nat({ max: 65_535 })).map(([a, b]) => ({
  from: Math.min(a, b),
  to: Math.max(a, b),
}));

const macMatch = fc.record({ mac: unicastMac, mask: optional(fc.constant("ff:ff:ff:00:00:00")) }).map(compact);

const l4 = fc.record({
  protocol: fc.constantFrom(6, 17, 132),
  sourcePorts: optional(portRange),
  destinationPorts: portRange,
  fragments: fc.constantFrom("header" as const, "whole" as const),
});

const inverted = fc.subarray([...INVERTIBLE_FIELDS]);

/** Conditions that validate. */
export const conditionArbitrary: fc.Arbitrary<Condition> = fc
  .tuple(
    fc.record({
      negated: optional(fc.boolean()),
      inPortIds: optional(fc.uniqueArray(id, { minLength: 1, maxLength: 3 })),
      outPortIds: optional(fc.uniqueArray(id, { minLength: 1, maxLength: 3 })),
      sourceMac: optional(macMatch),
      destinationMac: optional(macMatch),
      vlan: optional(fc.nat({ max: 4094 })),
      source: optional(networkV4),
      destination: optional(networkV4),
      dscp: optional(fc.nat({ max: 63 })),
    }),
    fc.oneof(l4, fc.record({ protocol: optional(fc.nat({ max: 50 })), etherType: optional(fc.constant(0x0800)) })),
    inverted,
  )
  .map(([fields, rest, names]) => {
    const condition = compact({ ...fields, ...rest }) as Condition;
    const present = names.filter((field) => condition[field] !== undefined && field !== "protocol");
    return present.length === 0 ? condition : { ...condition, inverted: present };
  });

const action: fc.Arbitrary<RuleAction> = fc.oneof(
  fc.constantFrom(
    { type: "accept" as const },
    { type: "drop" as const },
    { type: "reject" as const },
    { type: "return" as const },
  ),
  id.map((chainId) => ({ type: "jump" as const, chainId })),
);

const arbitraries: { readonly [K in Kind]: fc.Arbitrary<ObjectOf<K>> } = {
  host: fc.record({ kind: fc.constant("host" as const), id, name, portIds: ids, tunnelZoneIds: ids }),
  "tunnel-zone": fc.record({
    kind: fc.constant("tunnel-zone" as const),
    id,
    name,
    mtu: fc.integer({ min: 1280, max: 9000 }),
    members: ids.map((hostIds) => hostIds.map((hostId, i) => ({ hostId, address: `192.0.2.${i + 1}` }))),
  }),
  bridge: fc.record({ kind: fc.constant("bridge" as const), ...deviceFields }).map(compact) as fc.Arbitrary<
    ObjectOf<"bridge">
  >,
  router: fc
    .record({ kind: fc.constant("router" as const), ...deviceFields, routeIds: ids })
    .map(compact) as fc.Arbitrary<ObjectOf<"router">>,
  port: fc.oneof(bridgePort, routerPort) as fc.Arbitrary<ObjectOf<"port">>,
  route,
  chain: fc.record({ kind: fc.constant("chain" as const), id, tenant: name, name, ruleIds: ids }),
  rule: fc.record({ kind: fc.constant("rule" as const), id, chainId: id, condition: conditionArbitrary, action }),
};

/** Objects of one kind that validate by themselves; their references point nowhere. */
export function arbitraryOf<K extends Kind>(kind: K): fc.Arbitrary<ObjectOf<K>> {
  return plain(arbitraries[kind] as fc.Arbitrary<ObjectOf<K>>);
}

/** Objects of any kind that validate by themselves. */
export const objectArbitrary: fc.Arbitrary<TopologyObject> = plain(fc.oneof(...Object.values(arbitraries)));
