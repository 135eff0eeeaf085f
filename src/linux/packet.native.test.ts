import assert from "node:assert/strict";
import { test } from "node:test";
import { unwrap } from "../base/result.ts";
import { testNamespace } from "./fixture/namespace.ts";
import { createVeth } from "./netlink/route/create-link.ts";
import { changeLink } from "./netlink/route/link.ts";
import { PacketReceiver } from "./packet-receiver.ts";
import { gsoType, PacketSender } from "./packet-sender.ts";

const { netns, connection, ifindex } = testNamespace();
unwrap(connection.run(createVeth({ link: { name: "a", usesArp: false }, peer: { name: "b", usesArp: false } })));
for (const name of ["a", "b"]) unwrap(connection.run(changeLink({ name }, { isUp: true })));
const sender = unwrap(
  netns.runResult(() => PacketSender.open({ ifindex: ifindex("a"), slots: 8, sendBufferBytes: 4 << 20 })),
);
const receiver = unwrap(netns.runResult(() => PacketReceiver.open(ifindex("b"))));

// Local experimental EtherType 2 (IEEE 802): nobody but these tests sends it.
const ours = 0xb6;

function put(slot: number, length: number, tag: number): void {
  const at = sender.frameOffset(slot);
  sender.bytes.fill(tag, at, at + length);
  sender.bytes.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, ours], at);
  sender.describe(slot, length, 0);
}

function received() {
  return receiver.receiveAll().filter((frame) => frame.bytes[12] === 0x88 && frame.bytes[13] === ours);
}

test("a batch arrives in order, byte for byte", () => {
  received();
  for (let slot = 0; slot < 8; slot++) put(slot, 60 + slot, slot);
  assert.equal(sender.flush(0, 8), 8);
  const frames = received();
  assert.deepEqual(
    frames.map((frame) => [frame.bytes.length, frame.bytes[20]]),
    Array.from({ length: 8 }, (_, slot) => [60 + slot, slot]),
  );
  assert.equal(frames[0]?.isOutgoing, false);
});

test("a frame longer than the interface takes stops the batch, and the rest goes after it is skipped", () => {
  put(0, 100, 1);
  put(1, 3000, 2);
  put(2, 100, 3);
  assert.equal(sender.flush(0, 3), 1);
  assert.equal(sender.flush(1, 2), 0);
  assert.equal(sender.errno, "EMSGSIZE");
  assert.equal(sender.flush(2, 1), 1);
  assert.equal(sender.errno, undefined);
  assert.deepEqual(
    received().map((frame) => frame.bytes[20]),
    [1, 3],
  );
});

test("a VLAN tag in the sent bytes is reported beside the received ones", () => {
  const at = sender.frameOffset(0);
  put(0, 80, 9);
  sender.bytes.set([0x81, 0, 0x60, 42, 0x88, ours], at + 12);
  assert.equal(sender.flush(0, 1), 1);
  const [frame] = received();
  assert.deepEqual(frame?.vlan, { tpid: 0x8100, tci: 0x602a });
  assert.equal(frame?.bytes.length, 76);
});

test("a segmented packet with a partial checksum passes whole and says so", () => {
  const frame = tcpFrame(4000);
  sender.bytes.set(frame, sender.frameOffset(3));
  sender.describe(3, frame.length, 0);
  sender.completeChecksum(3, 34, 16);
  sender.segment(3, gsoType.tcp4, 1000);
  assert.equal(sender.flush(3, 1), 1);
  const [arrived] = receiver.receiveAll().filter(({ bytes }) => bytes[12] === 8 && bytes[23] === 6);
  assert.equal(arrived?.bytes.length, frame.length);
  assert.equal(arrived?.gsoSize, 1000);
  assert.equal(arrived?.isChecksumPartial, true);
  sender.describe(3, 60, 0);
  assert.equal(sender.bytes[sender.frameOffset(3) - 10], 0);
});

function tcpFrame(payload: number): Uint8Array {
  const frame = new Uint8Array(54 + payload);
  const view = new DataView(frame.buffer);
  frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45], 0);
  view.setUint16(16, 40 + payload);
  frame.set([64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], 22);
  frame[46] = 0x50;
  return frame;
}
