import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { record, someBytes, u8, u32 } from "./compliance/arbitrary.ts";
import { CAPTURED } from "./compliance/captured.ts";
import { checkCodecLaws } from "./compliance/codec-laws.ts";
import {
  emitIpv6Extension,
  formatIpv6Extension,
  type Ipv6ExtensionFields,
  Ipv6ExtensionView,
  ipv6ExtensionLength,
  ipv6ExtensionProtocol,
  isIpv6Extension,
  parseIpv6Extension,
} from "./ipv6-extension.ts";

const options = fc.array(record({ type: fc.integer({ min: 2, max: 255 }), content: someBytes(0, 9) }), {
  maxLength: 4,
});

const LAWS: readonly {
  readonly protocol: number;
  readonly arbitrary: fc.Arbitrary<Ipv6ExtensionFields>;
  readonly source: string;
  readonly hex: string;
  readonly fields: Ipv6ExtensionFields;
  readonly emits?: boolean;
  readonly text: string;
}[] = [
  {
    protocol: 0,
    arbitrary: record({ kind: fc.constant("hop-by-hop"), nextHeader: u8, options }),
    source: "router alert (RFC 2711) of a multicast listener report by Linux",
    hex: CAPTURED["multicast listener report, hop-by-hop"].slice(108, 124),
    fields: { kind: "hop-by-hop", nextHeader: 58, options: [{ type: 5, content: new Uint8Array(2) }] },
    text: "hop-by-hop options [5] > icmpv6",
  },
  {
    protocol: 60,
    arbitrary: record({ kind: fc.constant("destination-options"), nextHeader: u8, options }),
    source: "home address option (RFC 6275 6.3) after PadN",
    hex: "3a02 0102 0000 c910 20010db8000000000000000000000001",
    fields: {
      kind: "destination-options",
      nextHeader: 58,
      options: [{ type: 0xc9, content: Uint8Array.of(0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1) }],
    },
    emits: false,
    text: "destination-options options [201] > icmpv6",
  },
  {
    protocol: 43,
    arbitrary: record({
      kind: fc.constant("routing"),
      nextHeader: u8,
      routingType: u8,
      segmentsLeft: u8,
      content: fc.integer({ min: 0, max: 5 }).chain((units) => someBytes(4 + 8 * units, 4 + 8 * units)),
    }),
    source: "type 2 routing header (RFC 6275 6.4)",
    hex: "3a02 0201 00000000 20010db8000000000000000000000001",
    fields: {
      kind: "routing",
      nextHeader: 58,
      routingType: 2,
      segmentsLeft: 1,
      content: Uint8Array.of(0, 0, 0, 0, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
    },
    text: "routing type 2 left 1 > icmpv6",
  },
  {
    protocol: 44,
    arbitrary: record({
      kind: fc.constant("fragment"),
      nextHeader: u8,
      fragmentOffset: fc.integer({ min: 0, max: 0x1fff }).map((units) => units * 8),
      moreFragments: fc.boolean(),
      identification: u32,
    }),
    source: "last fragment of an echo request by Linux",
    hex: CAPTURED["last fragment v6"].slice(108, 124),
    fields: {
      kind: "fragment",
      nextHeader: 58,
      fragmentOffset: 1448,
      moreFragments: false,
      identification: 0x7d4c_4fce,
    },
    text: "frag 0x7d4c4fce:1448 > icmpv6",
  },
  {
    protocol: 51,
    arbitrary: record({
      kind: fc.constant("authentication"),
      nextHeader: u8,
      spi: u32,
      sequence: u32,
      integrity: fc.integer({ min: 0, max: 8 }).chain((words) => someBytes(4 * words, 4 * words)),
    }),
    source: "AH with a 96-bit value (RFC 4302 2)",
    hex: "0604 0000 00000100 00000001 a1a2a3a4b1b2b3b4c1c2c3c4",
    fields: {
      kind: "authentication",
      nextHeader: 6,
      spi: 0x100,
      sequence: 1,
      integrity: Uint8Array.of(0xa1, 0xa2, 0xa3, 0xa4, 0xb1, 0xb2, 0xb3, 0xb4, 0xc1, 0xc2, 0xc3, 0xc4),
    },
    text: "ah spi 0x100 seq 1 > tcp",
  },
];

for (const { protocol, arbitrary, source, hex, fields, emits = true, text } of LAWS) {
  checkCodecLaws<Ipv6ExtensionFields>({
    name: `ipv6-extension ${protocol}`,
    parse: (bytes, offset, end) => parseIpv6Extension(bytes, { offset, end }, protocol),
    emit: emitIpv6Extension,
    length: ipv6ExtensionLength,
    format: formatIpv6Extension,
    arbitrary,
    golden: [{ source, hex, fields, emits, text }],
  });
  it(`knows that ${fields.kind} has number ${protocol} and how long it is`, () => {
    const bytes = new Uint8Array(ipv6ExtensionLength(fields));
    emitIpv6Extension(fields, bytes, 0);
    assert.equal(ipv6ExtensionProtocol(fields), protocol);
    assert.equal(new Ipv6ExtensionView(bytes, 0).headerLength(protocol), bytes.length);
    assert.equal(isIpv6Extension(protocol), true);
  });
}

it("cannot walk through ESP, nor past no-next-header", () => {
  assert.deepEqual([50, 59, 6, 17, 58].filter(isIpv6Extension), []);
});
