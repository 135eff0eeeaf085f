import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { pseudoSumV6 } from "./checksum.ts";
import { record, u8, u16, u32 } from "./compliance/arbitrary.ts";
import { CAPTURED, captured } from "./compliance/captured.ts";
import { checkCodecLaws } from "./compliance/codec-laws.ts";
import { ICMP_LENGTH, IcmpView } from "./icmp-view.ts";
import { emitIcmpv6, formatIcmpv6, type Icmpv6Fields, isIcmpv6Error, parseIcmpv6 } from "./icmpv6.ts";
import { Ipv6View } from "./ipv6.ts";

checkCodecLaws<Icmpv6Fields>({
  name: "icmpv6",
  parse: parseIcmpv6,
  emit: emitIcmpv6,
  length: () => ICMP_LENGTH,
  format: formatIcmpv6,
  arbitrary: fc.oneof(
    record({ kind: fc.constantFrom("echo-request" as const, "echo-reply" as const), identifier: u16, sequence: u16 }),
    record({ kind: fc.constant("unreachable" as const), code: u8 }),
    // RFC 4443 3.2: the code of packet too big is ignored by the receiver.
    record({ kind: fc.constant("packet-too-big" as const), mtu: u32 }),
    record({ kind: fc.constant("time-exceeded" as const), code: u8 }),
    record({ kind: fc.constant("parameter-problem" as const), code: u8, pointer: u32 }),
    record({ kind: fc.constant("other" as const), type: fc.constantFrom(100, 143, 255), code: u8, rest: u32 }),
  ),
  golden: [
    {
      source: "echo request by iputils ping",
      hex: CAPTURED["echo request v6"].slice(108),
      fields: { kind: "echo-request", identifier: 0x334e, sequence: 1 },
      emits: false,
      text: "icmp6 echo-request id 13134 seq 1",
    },
    {
      source: "port unreachable by Linux",
      hex: CAPTURED["port unreachable v6"].slice(108),
      fields: { kind: "unreachable", code: 4 },
      emits: false,
      text: "icmp6 unreachable port",
    },
    {
      source: "packet too big, RFC 4443 3.2",
      hex: "0200 0000 000005aa",
      fields: { kind: "packet-too-big", mtu: 1450 },
      text: "icmp6 packet-too-big mtu 1450",
    },
    {
      source: "hop limit exceeded, RFC 4443 3.3",
      hex: "0300 0000 00000000",
      fields: { kind: "time-exceeded", code: 0 },
      text: "icmp6 time-exceeded hop-limit",
    },
  ],
});

describe("icmpv6", () => {
  it("computes the checksums that Linux sends, neighbor discovery included", () => {
    const names = ["echo request v6", "port unreachable v6", "neighbor solicitation", "router solicitation"] as const;
    for (const name of names) {
      const bytes = captured(name);
      const { src, dst, payloadLength } = new Ipv6View(bytes, 14);
      const pseudo = pseudoSumV6({ src, dst, protocol: 58, length: payloadLength });
      const view = new IcmpView(bytes, 54);
      const { checksum } = view;
      assert.equal(view.checksumIsGood(pseudo, bytes.length), true, name);
      view.fillChecksum(pseudo, bytes.length);
      assert.equal(view.checksum, checksum);
      view.rest ^= 1;
      assert.equal(view.checksumIsGood(pseudo, bytes.length), false);
    }
  });
  it("calls every type below 128 an error, known or not (RFC 4443 2.1)", () => {
    assert.equal(isIcmpv6Error({ kind: "other", type: 100, code: 0, rest: 0 }), true);
    assert.equal(isIcmpv6Error({ kind: "packet-too-big", mtu: 1280 }), true);
    assert.equal(isIcmpv6Error({ kind: "echo-request", identifier: 0, sequence: 0 }), false);
  });
});
