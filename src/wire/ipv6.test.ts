import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { ip, record, u8 } from "./compliance/arbitrary.ts";
import { CAPTURED, captured } from "./compliance/captured.ts";
import { checkCodecLaws } from "./compliance/codec-laws.ts";
import { emitIpv6, formatIpv6Header, IPV6_LENGTH, type Ipv6Fields, parseIpv6, parseQuotedIpv6 } from "./ipv6.ts";

checkCodecLaws<Ipv6Fields>({
  name: "ipv6",
  parse: parseIpv6,
  emit: emitIpv6,
  length: () => IPV6_LENGTH,
  payloadLength: (fields) => fields.payloadLength,
  format: formatIpv6Header,
  arbitrary: record({
    dscp: fc.integer({ min: 0, max: 63 }),
    ecn: fc.integer({ min: 0, max: 3 }),
    flowLabel: fc.integer({ min: 0, max: 0xf_ffff }),
    payloadLength: fc.integer({ min: 0, max: 200 }),
    nextHeader: u8,
    hopLimit: u8,
    src: ip,
    dst: ip,
  }),
  golden: [
    {
      source: "echo request by iputils ping",
      hex: CAPTURED["echo request v6"].slice(28),
      fields: {
        dscp: 0,
        ecn: 0,
        flowLabel: 0xb1d05,
        payloadLength: 24,
        nextHeader: 58,
        hopLimit: 64,
        src: { w0: 0xfd00_0000, w1: 0, w2: 0, w3: 1 },
        dst: { w0: 0xfd00_0000, w1: 0, w2: 0, w3: 2 },
      },
      text: "fd00::1 > fd00::2 icmpv6 hlim 64 flowlabel 0xb1d05 length 24",
    },
  ],
});

it("reads a quoted IPv6 header whose payload is cut short", () => {
  const bytes = captured("echo request v6").subarray(14, 54);
  assert.equal(parseIpv6(bytes, 0, 40).ok, false);
  assert.equal(parseQuotedIpv6(bytes, 0, 40).ok, true);
});

it("refuses another version", () => {
  const bytes = captured("echo request v6").subarray(14);
  bytes[0] = 0x45;
  const error = { kind: "bad-version", header: "ipv6", version: 4 };
  assert.deepEqual(parseIpv6(bytes, 0, bytes.length), { ok: false, error });
});
