import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MessageReader, readMessages } from "./message-reader.ts";
import { MessageWriter } from "./message-writer.ts";

const header = { type: 16, flags: 5, sequence: 0xdeadbeef };

test("a message is laid out as linux/netlink.h says", () => {
  const bytes = new Uint8Array(64);
  const writer = new MessageWriter(bytes).begin(header);
  writer.u8(2).u8(0).u16(0);
  writer.attributeString(3, "eth0");
  writer.nested(18, (inner) => inner.attributeU8(1, 7));
  assert.equal(writer.finish(), 16 + 4 + 12 + 12);
  assert.equal(
    Buffer.from(bytes.subarray(0, 44)).toString("hex"),
    "2c00000010000500efbeadde00000000" + "02000000" + "0900030065746830000000000c00128005000100" + "07000000",
  );
});

test("attributes come back as they were written", () => {
  const attribute = fc.tuple(fc.integer({ min: 1, max: 0x3fff }), fc.uint8Array({ maxLength: 40 }));
  fc.assert(
    fc.property(fc.uniqueArray(attribute, { selector: ([type]) => type, maxLength: 12 }), (attributes) => {
      const bytes = new Uint8Array(1024);
      const writer = new MessageWriter(bytes).begin(header).u32(9);
      for (const [type, value] of attributes) writer.attribute(type, value);
      const length = writer.finish() ?? 0;
      let seen = 0;
      const isWhole = readMessages(bytes, length, (message) => {
        seen++;
        assert.deepEqual([message.type, message.flags, message.sequence], [16, 5, 0xdeadbeef]);
        assert.equal(message.headerU32(0), 9);
        for (const [type, value] of attributes) assert.deepEqual(message.attributes(4).bytes(type), value);
      });
      assert.ok(isWhole);
      assert.equal(seen, 1);
    }),
  );
});

test("a message that does not fit is never half-written: it has no length", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 80 }), (room) => {
      const bytes = new Uint8Array(120).fill(0xee);
      const writer = new MessageWriter(bytes, 8, 8 + room).begin(header);
      writer.attributeString(1, "name").nested(2, (inner) => inner.attributeU32(3, 4).attribute(4, new Uint8Array(9)));
      const length = writer.finish();
      assert.equal(length, room >= 16 + 12 + 28 ? 56 : undefined);
      assert.ok(bytes.subarray(8 + room).every((byte) => byte === 0xee));
      assert.ok(bytes.subarray(0, 8).every((byte) => byte === 0xee));
    }),
  );
});

test("damaged datagrams and attributes are read up to the damage, without a crash", () => {
  const anyByte = fc.oneof(fc.constantFrom(0, 1, 3, 4, 5, 8, 12), fc.nat(255));
  fc.assert(
    fc.property(fc.array(anyByte, { maxLength: 96 }), fc.boolean(), (body, isHeaderSound) => {
      const bytes = Uint8Array.from([...new Array<number>(isHeaderSound ? 20 : 0).fill(0), ...body]);
      if (isHeaderSound) new DataView(bytes.buffer).setUint32(0, bytes.length, true);
      readMessages(bytes, bytes.length, (message) => {
        const attributes = message.attributes(4);
        for (let type = 0; type < 8; type++) {
          attributes.u32(type);
          attributes.string(type);
          attributes.nested(type)?.list(type);
        }
        message.acknowledgement();
      });
    }),
  );
  assert.equal(
    readMessages(new Uint8Array(16), 16, () => assert.fail("no message has length 0")),
    false,
  );
});

test("an acknowledgement gives errno and the kernel's words, with a whole or a cut request in it", () => {
  for (const isCapped of [false, true]) {
    const bytes = new Uint8Array(256);
    const writer = new MessageWriter(bytes).begin({ type: 2, flags: 0x200 | (isCapped ? 0x100 : 0), sequence: 1 });
    writer.u32(-17);
    writer.u32(24).u16(16).u16(5).u32(1).u32(0);
    if (!isCapped) writer.u32(0x11111111).u32(0x22222222);
    writer.attributeString(1, "already there");
    const message = new MessageReader(bytes, 0, writer.finish() ?? 0);
    assert.deepEqual(message.acknowledgement(), { errno: 17, detail: "already there" });
  }
});
