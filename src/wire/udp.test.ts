import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { pseudoSumV4, pseudoSumV6 } from "./checksum.ts";
import { record, u16 } from "./compliance/arbitrary.ts";
import { CAPTURED, captured } from "./compliance/captured.ts";
import { checkCodecLaws } from "./compliance/codec-laws.ts";
import { emitUdp, formatUdp, parseUdp, UDP_LENGTH, type UdpFields, UdpView } from "./udp.ts";

checkCodecLaws<UdpFields>({
  name: "udp",
  parse: parseUdp,
  emit: emitUdp,
  length: () => UDP_LENGTH,
  payloadLength: (fields) => fields.payloadLength,
  format: formatUdp,
  arbitrary: record({ srcPort: u16, dstPort: u16, payloadLength: fc.integer({ min: 0, max: 200 }) }),
  golden: [
    {
      source: "datagram by Linux",
      hex: CAPTURED.udp.slice(68),
      fields: { srcPort: 53468, dstPort: 9999, payloadLength: 5 },
      emits: false,
      text: "udp 53468 > 9999 length 5",
    },
  ],
});

describe("udp", () => {
  const pseudo = pseudoSumV4({ src: 0x0a00_0001, dst: 0x0a00_0002, protocol: 17, length: 13 });
  it("computes the checksums that Linux sends", () => {
    const v4 = captured("udp");
    const v6 = captured("udp v6");
    const [src, dst] = [1, 2].map((w3) => ({ w0: 0xfd00_0000, w1: 0, w2: 0, w3 }));
    assert.ok(src !== undefined && dst !== undefined);
    for (const [bytes, at, sum] of [
      [v4, 34, pseudo] as const,
      [v6, 54, pseudoSumV6({ src, dst, protocol: 17, length: 13 })] as const,
    ]) {
      const view = new UdpView(bytes, at);
      const { checksum } = view;
      assert.equal(view.checksumIsGood(sum), true);
      view.fillChecksum(sum);
      assert.equal(view.checksum, checksum);
      bytes[at + 9] = 0x99;
      assert.equal(view.checksumIsGood(sum), false);
    }
  });
  it("takes an absent checksum as good and never sends zero", () => {
    const bytes = new Uint8Array(10);
    emitUdp({ srcPort: 0, dstPort: 0, payloadLength: 2 }, bytes, 0);
    const view = new UdpView(bytes, 0);
    assert.equal(view.checksumIsGood(12345), true);
    view.fillChecksum(0xffff - 10);
    assert.equal(view.checksum, 0xffff);
    assert.equal(view.checksumIsGood(0xffff - 10), true);
  });
  it("refuses a length below its own header", () => {
    const bytes = captured("udp").subarray(34);
    bytes[5] = 7;
    const error = { kind: "bad-length", header: "udp", field: "length", value: 7 };
    assert.deepEqual(parseUdp(bytes, 0, bytes.length), { ok: false, error });
  });
});
