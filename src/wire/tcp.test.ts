import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { pseudoSumV4 } from "./checksum.ts";
import { record, someBytes, u8, u16, u32 } from "./compliance/arbitrary.ts";
import { CAPTURED, captured } from "./compliance/captured.ts";
import { checkCodecLaws } from "./compliance/codec-laws.ts";
import { emitTcp, formatTcp, parseTcp, type TcpFields, type TcpOption, TcpView, tcpLength } from "./tcp.ts";

const option: fc.Arbitrary<TcpOption> = fc.oneof(
  record({ kind: fc.constant("mss" as const), mss: u16 }),
  record({ kind: fc.constant("window-scale" as const), shift: u8 }),
  record({ kind: fc.constant("sack-permitted" as const) }),
  record({
    kind: fc.constant("sack" as const),
    blocks: fc.array(record({ left: u32, right: u32 }), { maxLength: 1 }),
  }),
  record({ kind: fc.constant("timestamps" as const), value: u32, echo: u32 }),
  record({
    kind: fc.constant("other" as const),
    type: fc.integer({ min: 9, max: 255 }),
    content: someBytes(0, 8),
  }),
);

checkCodecLaws<TcpFields>({
  name: "tcp",
  parse: parseTcp,
  emit: emitTcp,
  length: tcpLength,
  format: formatTcp,
  arbitrary: record({
    srcPort: u16,
    dstPort: u16,
    sequence: u32,
    acknowledgment: u32,
    flags: u8,
    window: u16,
    urgentPointer: u16,
    options: fc.array(option, { maxLength: 4 }),
  }),
  golden: [
    {
      source: "SYN by Linux; its no-operation before window scale is padding to us",
      hex: CAPTURED["tcp syn"].slice(68),
      fields: {
        srcPort: 39984,
        dstPort: 9,
        sequence: 2917533241,
        acknowledgment: 0,
        flags: 2,
        window: 64240,
        urgentPointer: 0,
        options: [
          { kind: "mss", mss: 1460 },
          { kind: "sack-permitted" },
          { kind: "timestamps", value: Number.parseInt(CAPTURED["tcp syn"].slice(124, 132), 16), echo: 0 },
          { kind: "window-scale", shift: Number.parseInt(CAPTURED["tcp syn"].slice(146, 148), 16) },
        ],
      },
      emits: false,
      text: `tcp 39984 > 9 syn seq 2917533241 win 64240 [mss 1460,sackOK,ts ${Number.parseInt(CAPTURED["tcp syn"].slice(124, 132), 16)}/0,wscale ${Number.parseInt(CAPTURED["tcp syn"].slice(146, 148), 16)}]`,
    },
    {
      source: "reset by Linux",
      hex: CAPTURED["tcp reset"].slice(68),
      fields: {
        srcPort: 9,
        dstPort: 39984,
        sequence: 0,
        acknowledgment: 2917533242,
        flags: 0x14,
        window: 0,
        urgentPointer: 0,
        options: [],
      },
      emits: false,
      text: "tcp 9 > 39984 rst+ack seq 0 ack 2917533242 win 0",
    },
  ],
});

describe("tcp", () => {
  it("computes the checksum that Linux sends", () => {
    const bytes = captured("tcp syn");
    const length = bytes.length - 34;
    const pseudo = pseudoSumV4({ src: 0x0a00_0001, dst: 0x0a00_0002, protocol: 6, length });
    const view = new TcpView(bytes, 34);
    const { checksum } = view;
    assert.equal(view.checksumIsGood(pseudo, bytes.length), true);
    view.fillChecksum(pseudo, bytes.length);
    assert.equal(view.checksum, checksum);
    view.window = 1;
    assert.equal(view.checksumIsGood(pseudo, bytes.length), false);
  });
  it("refuses a data offset below its header and options that run over it", () => {
    const bytes = captured("tcp syn").subarray(34);
    const view = new TcpView(bytes, 0);
    view.headerLength = 16;
    assert.equal(parseTcp(bytes, 0, bytes.length).ok, false);
    view.headerLength = 24;
    bytes[21] = 5;
    const error = { kind: "bad-option", header: "tcp", option: 2, at: 20 };
    assert.deepEqual(parseTcp(bytes, 0, bytes.length), { ok: false, error });
  });
  it("keeps an option of a known type but another size as it came", () => {
    const options: TcpOption[] = [{ kind: "other", type: 2, content: Uint8Array.of(1) }];
    const fields: TcpFields = {
      srcPort: 1,
      dstPort: 2,
      sequence: 3,
      acknowledgment: 4,
      flags: 16,
      window: 5,
      urgentPointer: 0,
      options,
    };
    const bytes = new Uint8Array(tcpLength(fields));
    emitTcp(fields, bytes, 0);
    assert.deepEqual(parseTcp(bytes, 0, bytes.length), { ok: true, value: fields });
  });
});
