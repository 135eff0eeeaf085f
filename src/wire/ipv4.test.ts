import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { record, someBytes, u8, u16, u32 } from "./compliance/arbitrary.ts";
import { bytesOfHex, CAPTURED, captured } from "./compliance/captured.ts";
import { checkCodecLaws } from "./compliance/codec-laws.ts";
import {
  emitIpv4,
  formatIpv4Header,
  type Ipv4Fields,
  type Ipv4Option,
  Ipv4View,
  ipv4Length,
  isIpv4Fragment,
  parseIpv4,
  parseQuotedIpv4,
} from "./ipv4.ts";
import { formatParseError } from "./parse-error.ts";

const option: fc.Arbitrary<Ipv4Option> = fc.oneof(
  fc.constant({ type: 1, content: new Uint8Array(0) }),
  record({ type: fc.integer({ min: 2, max: 255 }), content: someBytes(0, 6) }),
);

const arbitrary: fc.Arbitrary<Ipv4Fields> = record({
  dscp: fc.integer({ min: 0, max: 63 }),
  ecn: fc.integer({ min: 0, max: 3 }),
  identification: u16,
  dontFragment: fc.boolean(),
  moreFragments: fc.boolean(),
  fragmentOffset: fc.integer({ min: 0, max: 0x1fff }).map((units) => units * 8),
  ttl: u8,
  protocol: u8,
  src: u32,
  dst: u32,
  options: fc.array(option, { maxLength: 5 }),
  payloadLength: fc.integer({ min: 0, max: 200 }),
});

const PLAIN: Ipv4Fields = {
  dscp: 0,
  ecn: 0,
  identification: 0x61b7,
  dontFragment: true,
  moreFragments: false,
  fragmentOffset: 0,
  ttl: 64,
  protocol: 1,
  src: 0x0a00_0001,
  dst: 0x0a00_0002,
  options: [],
  payloadLength: 24,
};

checkCodecLaws<Ipv4Fields>({
  name: "ipv4",
  parse: parseIpv4,
  emit: emitIpv4,
  length: ipv4Length,
  payloadLength: (fields) => fields.payloadLength,
  format: formatIpv4Header,
  arbitrary,
  golden: [
    {
      source: "echo request by iputils ping",
      hex: CAPTURED["echo request"].slice(28),
      fields: PLAIN,
      text: "10.0.0.1 > 10.0.0.2 icmpv4 ttl 64 df length 24",
    },
    {
      source: "record route (RFC 791 3.1) after a no-operation, by iputils ping",
      hex: CAPTURED["echo request with record route"].slice(28),
      fields: {
        ...PLAIN,
        identification: 0x61b8,
        options: [
          { type: 1, content: new Uint8Array(0) },
          { type: 7, content: Uint8Array.from({ length: 37 }, (_, i) => [8, 10, 0, 0, 1][i] ?? 0) },
        ],
      },
      text: "10.0.0.1 > 10.0.0.2 icmpv4 ttl 64 df options 1,7 length 24",
    },
    {
      source: "last fragment by Linux",
      hex: CAPTURED["last fragment"].slice(28),
      fields: {
        ...PLAIN,
        identification: Number.parseInt(CAPTURED["last fragment"].slice(36, 40), 16),
        dontFragment: false,
        fragmentOffset: 1480,
        payloadLength: 528,
      },
      text: `10.0.0.1 > 10.0.0.2 icmpv4 ttl 64 frag ${Number.parseInt(CAPTURED["last fragment"].slice(36, 40), 16)}:1480+528 length 528`,
    },
  ],
});

describe("ipv4", () => {
  const reasonFor = (change: (bytes: Uint8Array) => void): string => {
    const bytes = captured("echo request").subarray(14);
    change(bytes);
    const parsed = parseIpv4(bytes, 0, bytes.length);
    return parsed.ok ? "ok" : formatParseError(parsed.error);
  };
  it("says what is wrong with a header", () => {
    assert.equal(
      reasonFor((b) => b.fill(0x65, 0, 1)),
      "ipv4 has version 6",
    );
    assert.equal(
      reasonFor((b) => b.fill(0x44, 0, 1)),
      "ipv4 has header length 16",
    );
    assert.equal(
      reasonFor((b) => b.fill(0x13, 3, 4)),
      "ipv4 has total length 19",
    );
    assert.equal(
      reasonFor((b) => b.fill(0x2d, 3, 4)),
      "ipv4 truncated: 44 bytes of 45",
    );
    assert.equal(
      reasonFor((b) => b.fill(63, 8, 9)),
      "ipv4 has checksum 0xc517, not 0xc617",
    );
  });
  it("refuses an option that runs over the header, and says which", () => {
    const bytes = new Uint8Array(24);
    const length = emitIpv4(
      { ...PLAIN, options: [{ type: 7, content: Uint8Array.of(4, 0) }], payloadLength: 0 },
      bytes,
      0,
    );
    assert.equal(length, 24);
    bytes[21] = 5;
    new Ipv4View(bytes, 0).fillChecksum();
    assert.deepEqual(parseIpv4(bytes, 0, 24), {
      ok: false,
      error: { kind: "bad-option", header: "ipv4", option: 7, at: 20 },
    });
  });
  it("computes the checksum of a published header (192.168.0.1 > 192.168.0.199, 0xb861)", () => {
    const bytes = bytesOfHex("4500 0073 0000 4000 4011 0000 c0a8 0001 c0a8 00c7");
    new Ipv4View(bytes, 0).fillChecksum();
    assert.equal(new Ipv4View(bytes, 0).checksum, 0xb861);
  });
  it("reads a quoted header whose payload is cut short and whose checksum is stale", () => {
    const bytes = captured("echo request").subarray(14, 42);
    bytes[8] = 1;
    assert.equal(parseIpv4(bytes, 0, 28).ok, false);
    assert.deepEqual(parseQuotedIpv4(bytes, 0, 28), { ok: true, value: { ...PLAIN, ttl: 1 } });
  });
  it("calls the first fragment a fragment as well", () => {
    assert.equal(isIpv4Fragment({ ...PLAIN, moreFragments: true }), true);
    assert.equal(isIpv4Fragment({ ...PLAIN, fragmentOffset: 8 }), true);
    assert.equal(isIpv4Fragment(PLAIN), false);
  });
  it("refuses to write more options than a header holds", () => {
    const options = [{ type: 7, content: new Uint8Array(39) }];
    assert.throws(() => emitIpv4({ ...PLAIN, options }, new Uint8Array(100), 0), /too many IPv4 options/);
  });
});
