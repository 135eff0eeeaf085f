import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { record, u8, u16, u32 } from "./compliance/arbitrary.ts";
import { CAPTURED, captured } from "./compliance/captured.ts";
import { checkCodecLaws } from "./compliance/codec-laws.ts";
import { ICMP_LENGTH, IcmpView } from "./icmp-view.ts";
import { emitIcmpv4, formatIcmpv4, type Icmpv4Fields, isIcmpv4Error, parseIcmpv4 } from "./icmpv4.ts";

checkCodecLaws<Icmpv4Fields>({
  name: "icmpv4",
  parse: parseIcmpv4,
  emit: emitIcmpv4,
  length: () => ICMP_LENGTH,
  format: formatIcmpv4,
  arbitrary: fc.oneof(
    record({ kind: fc.constantFrom("echo-request" as const, "echo-reply" as const), identifier: u16, sequence: u16 }),
    record({ kind: fc.constant("unreachable" as const), code: fc.constant(4), nextHopMtu: u16 }),
    record({
      kind: fc.constant("unreachable" as const),
      code: fc.constantFrom(0, 1, 3, 13),
      nextHopMtu: fc.constant(0),
    }),
    record({ kind: fc.constant("time-exceeded" as const), code: u8 }),
    record({ kind: fc.constant("parameter-problem" as const), code: u8, pointer: u8 }),
    record({ kind: fc.constant("redirect" as const), code: u8, gateway: u32 }),
    record({ kind: fc.constant("other" as const), type: fc.constantFrom(1, 13, 255), code: u8, rest: u32 }),
  ),
  golden: [
    {
      source: "echo request by iputils ping",
      hex: CAPTURED["echo request"].slice(68),
      fields: { kind: "echo-request", identifier: 0x334c, sequence: 1 },
      emits: false,
      text: "icmp echo-request id 13132 seq 1",
    },
    {
      source: "port unreachable by Linux",
      hex: CAPTURED["port unreachable"].slice(68),
      fields: { kind: "unreachable", code: 3, nextHopMtu: 0 },
      emits: false,
      text: "icmp unreachable port",
    },
    {
      source: "net unreachable by Linux",
      hex: CAPTURED["net unreachable"].slice(68),
      fields: { kind: "unreachable", code: 0, nextHopMtu: 0 },
      emits: false,
      text: "icmp unreachable net",
    },
    {
      source: "fragmentation needed, RFC 1191 4",
      hex: "0304 0000 0000 05aa",
      fields: { kind: "unreachable", code: 4, nextHopMtu: 1450 },
      text: "icmp unreachable fragmentationNeeded mtu 1450",
    },
    {
      source: "parameter problem, RFC 792",
      hex: "0c00 0000 1400 0000",
      fields: { kind: "parameter-problem", code: 0, pointer: 20 },
      text: "icmp parameter-problem code 0 pointer 20",
    },
    {
      source: "redirect for a host, RFC 792",
      hex: "0501 0000 0a0000fe",
      fields: { kind: "redirect", code: 1, gateway: 0x0a00_00fe },
      text: "icmp redirect code 1 to 10.0.0.254",
    },
  ],
});

describe("icmpv4", () => {
  it("computes the checksum that Linux sends", () => {
    for (const name of ["echo request", "echo reply", "port unreachable"] as const) {
      const bytes = captured(name);
      const view = new IcmpView(bytes, 34);
      const { checksum } = view;
      assert.equal(view.checksumIsGood(0, bytes.length), true);
      view.fillChecksum(0, bytes.length);
      assert.equal(view.checksum, checksum);
      view.sequence ^= 1;
      assert.equal(view.checksumIsGood(0, bytes.length), false);
    }
  });
  it("keeps an echo with a code it does not know as it came", () => {
    const fields: Icmpv4Fields = { kind: "other", type: 8, code: 1, rest: 7 };
    assert.deepEqual(parseIcmpv4(Uint8Array.of(8, 1, 0, 0, 0, 0, 0, 7), 0, 8), { ok: true, value: fields });
  });
  it("tells errors from questions and answers", () => {
    assert.equal(isIcmpv4Error({ kind: "time-exceeded", code: 0 }), true);
    assert.equal(isIcmpv4Error({ kind: "redirect", code: 0, gateway: 1 }), true);
    assert.equal(isIcmpv4Error({ kind: "echo-reply", identifier: 1, sequence: 1 }), false);
  });
});
