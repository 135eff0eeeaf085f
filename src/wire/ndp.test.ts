import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ip, mac, record, someBytes, u8, u16, u32 } from "./compliance/arbitrary.ts";
import { bytesOfHex, CAPTURED } from "./compliance/captured.ts";
import { checkCodecLaws } from "./compliance/codec-laws.ts";
import { emitNdp, formatNdp, isNdpType, type NdpFields, ndpLength, ndpMac, parseNdp } from "./ndp.ts";
import type { NdpOption } from "./ndp-option.ts";

const option: fc.Arbitrary<NdpOption> = fc.oneof(
  record({ kind: fc.constantFrom("source-mac" as const, "target-mac" as const), mac }),
  record({
    kind: fc.constant("prefix" as const),
    prefix: ip,
    length: fc.integer({ min: 0, max: 128 }),
    isOnLink: fc.boolean(),
    isAutonomous: fc.boolean(),
    validLifetimeS: u32,
    preferredLifetimeS: u32,
  }),
  record({
    kind: fc.constant("redirected-header" as const),
    packet: fc.integer({ min: 0, max: 6 }).chain((units) => someBytes(8 * units, 8 * units)),
  }),
  record({ kind: fc.constant("mtu" as const), mtu: u32 }),
  record({
    kind: fc.constant("rdnss" as const),
    lifetimeS: u32,
    servers: fc.array(ip, { minLength: 1, maxLength: 3 }),
  }),
  record({
    kind: fc.constant("other" as const),
    type: fc.integer({ min: 26, max: 255 }),
    content: fc.integer({ min: 0, max: 3 }).chain((units) => someBytes(6 + 8 * units, 6 + 8 * units)),
  }),
);
const options = fc.array(option, { maxLength: 4 });

const arbitrary: fc.Arbitrary<NdpFields> = fc.oneof(
  record({ kind: fc.constant("router-solicitation" as const), options }),
  record({
    kind: fc.constant("router-advertisement" as const),
    hopLimit: u8,
    isManaged: fc.boolean(),
    hasOtherConfig: fc.boolean(),
    routerLifetimeS: u16,
    reachableTimeMs: u32,
    retransTimerMs: u32,
    options,
  }),
  record({ kind: fc.constant("neighbor-solicitation" as const), target: ip, options }),
  record({
    kind: fc.constant("neighbor-advertisement" as const),
    isRouter: fc.boolean(),
    isSolicited: fc.boolean(),
    isOverride: fc.boolean(),
    target: ip,
    options,
  }),
  record({ kind: fc.constant("redirect" as const), target: ip, destination: ip, options }),
);

/** Length without options: a message cut between two options is a shorter message, not a broken one. */
function fixedLength(fields: NdpFields): number {
  return ndpLength({ ...fields, options: [] });
}

const FD00_2 = { w0: 0xfd00_0000, w1: 0, w2: 0, w3: 2 };

checkCodecLaws<NdpFields>({
  name: "ndp",
  parse: parseNdp,
  emit: emitNdp,
  length: ndpLength,
  needed: fixedLength,
  format: formatNdp,
  arbitrary,
  golden: [
    {
      source: "router solicitation by Linux",
      hex: CAPTURED["router solicitation"].slice(108),
      fields: { kind: "router-solicitation", options: [{ kind: "source-mac", mac: 0x0200_0000_0001 }] },
      emits: false,
      text: "nd router-solicitation [source-mac 02:00:00:00:00:01]",
    },
    {
      source: "neighbor solicitation by Linux",
      hex: CAPTURED["neighbor solicitation"].slice(108),
      fields: {
        kind: "neighbor-solicitation",
        target: FD00_2,
        options: [{ kind: "source-mac", mac: 0x0200_0000_0001 }],
      },
      emits: false,
      text: "nd who-has fd00::2 [source-mac 02:00:00:00:00:01]",
    },
    {
      source: "neighbor advertisement by Linux",
      hex: CAPTURED["neighbor advertisement"].slice(108),
      fields: {
        kind: "neighbor-advertisement",
        isRouter: false,
        isSolicited: true,
        isOverride: true,
        target: FD00_2,
        options: [{ kind: "target-mac", mac: 0x0200_0000_0002 }],
      },
      emits: false,
      text: "nd target fd00::2 flags [SO] [target-mac 02:00:00:00:00:02]",
    },
    {
      source: "router advertisement with prefix, MTU (RFC 4861 4.2, 4.6) and RDNSS (RFC 8106 5.1)",
      hex: `8600 0000 40 c0 0708 00007530 000003e8
        0304 40 c0 00278d00 00093a80 00000000 fd000000000000000000000000000000
        0501 0000 000005aa
        1903 0000 00000e10 fd000000000000000000000000000002`,
      fields: {
        kind: "router-advertisement",
        hopLimit: 64,
        isManaged: true,
        hasOtherConfig: true,
        routerLifetimeS: 1800,
        reachableTimeMs: 30000,
        retransTimerMs: 1000,
        options: [
          {
            kind: "prefix",
            prefix: { ...FD00_2, w3: 0 },
            length: 64,
            isOnLink: true,
            isAutonomous: true,
            validLifetimeS: 2592000,
            preferredLifetimeS: 604800,
          },
          { kind: "mtu", mtu: 1450 },
          { kind: "rdnss", lifetimeS: 3600, servers: [FD00_2] },
        ],
      },
      text: "nd router-advertisement lifetime 1800s [prefix fd00::/64 LA] [mtu 1450] [rdnss fd00::2]",
    },
    {
      source: "redirect, RFC 4861 4.5",
      hex: `8900 0000 00000000 fe800000000000000000000000000001 fd000000000000000000000000000002
        0402 000000000000 6000000000000000`,
      fields: {
        kind: "redirect",
        target: { w0: 0xfe80_0000, w1: 0, w2: 0, w3: 1 },
        destination: FD00_2,
        options: [{ kind: "redirected-header", packet: Uint8Array.of(0x60, 0, 0, 0, 0, 0, 0, 0) }],
      },
      text: "nd redirect fd00::2 to fe80::1 [redirected 8 bytes]",
    },
  ],
});

describe("ndp", () => {
  it("refuses an option of length zero, a code and a type that are not its own", () => {
    const solicitation = bytesOfHex(CAPTURED["neighbor solicitation"].slice(108));
    const zero = solicitation.slice();
    zero[25] = 0;
    const error = { kind: "bad-option", header: "ndp", option: 1, at: 0 };
    assert.deepEqual(parseNdp(zero, 0, zero.length), { ok: false, error });
    for (const [at, field] of [
      [0, "type"],
      [1, "code"],
    ] as const) {
      const bytes = solicitation.slice();
      bytes[at] = 99;
      const parsed = parseNdp(bytes, 0, bytes.length);
      assert.ok(!parsed.ok && parsed.error.kind === "bad-value" && parsed.error.field === field);
    }
  });
  it("finds the link-layer address that a message carries", () => {
    const parsed = parseNdp(bytesOfHex(CAPTURED["neighbor advertisement"].slice(108)), 0, 32);
    assert.ok(parsed.ok);
    assert.equal(ndpMac(parsed.value, "target-mac"), 0x0200_0000_0002);
    assert.equal(ndpMac(parsed.value, "source-mac"), undefined);
  });
  it("claims the types 133 to 137", () => {
    assert.deepEqual([132, 133, 135, 137, 138].filter(isNdpType), [133, 135, 137]);
  });
});
