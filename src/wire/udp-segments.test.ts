import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { buildFrame, type FrameSpec } from "./build-frame.ts";
import { layerOf, parseFrame } from "./frame.ts";
import { badChecksumsOf } from "./frame-checksum.ts";
import { type UdpTrain, udpSegmentCount, udpSegmentLength, writeUdpSegment } from "./udp-segments.ts";

const ETH = { src: 0x0200_0000_0001, dst: 0x0200_0000_0002 };
const V4 = { src: 0x0a00_0001, dst: 0x0a00_0102, identification: 0xffff, ttl: 64 };
const V6 = { src: { w0: 0xfd00_0000, w1: 0, w2: 0, w3: 1 }, dst: { w0: 0xfd00_0000, w1: 1, w2: 0, w3: 2 } };
const UDP = { srcPort: 40_000, dstPort: 443 };

const SHAPES = {
  v4: { eth: ETH, ipv4: V4, udp: UDP },
  v6: { eth: ETH, ipv6: V6, udp: UDP },
  "v4 with a tag": { eth: ETH, vlans: [{ vid: 7 }], ipv4: V4, udp: UDP },
} as const;

/** A train as it lies in a record: with other bytes before and behind it. */
function trainOf(shape: keyof typeof SHAPES, payload: Uint8Array, segmentBytes: number): UdpTrain {
  const frame = buildFrame({ ...SHAPES[shape], payload } as FrameSpec);
  const offset = 5;
  const bytes = new Uint8Array(offset + frame.length + 9).fill(0xee);
  bytes.set(frame, offset);
  const isIpv6 = shape === "v6";
  const l3 = shape === "v4 with a tag" ? 18 : 14;
  return { bytes, offset, length: frame.length, l3, l4: l3 + (isIpv6 ? 40 : 20), isIpv6, segmentBytes };
}

function cut(train: UdpTrain): readonly Uint8Array[] {
  return Array.from({ length: udpSegmentCount(train) }, (_, index) => {
    const into = new Uint8Array(udpSegmentLength(train, index) + 6).fill(0xdd);
    writeUdpSegment(train, index, { bytes: into, at: 3 });
    assert.deepEqual([...into.subarray(0, 3), ...into.subarray(-3)], new Array(6).fill(0xdd), "it keeps to its place");
    return into.slice(3, -3);
  });
}

describe("segmentation of UDP", () => {
  it("makes of a train the frames that its sender would have sent one by one", () => {
    const payload = Uint8Array.from({ length: 250 }, (_, i) => i);
    const frames = cut(trainOf("v4", payload, 100));
    const expected = [0, 100, 200].map((from, i) => {
      const ipv4 = { ...V4, identification: (0xffff + i) & 0xffff };
      return buildFrame({ ...SHAPES.v4, ipv4, payload: payload.slice(from, from + 100) });
    });
    assert.deepEqual(frames, expected);
    const six = cut(trainOf("v6", payload, 125));
    assert.deepEqual(
      six,
      [0, 125].map((from) => buildFrame({ ...SHAPES.v6, payload: payload.slice(from, from + 125) })),
    );
  });

  it("keeps tags, every byte of the payload and its order, and its checksums are good", () => {
    const shapes = fc.constantFrom(...(Object.keys(SHAPES) as (keyof typeof SHAPES)[]));
    const payloads = fc.uint8Array({ minLength: 1, maxLength: 3000 });
    fc.assert(
      fc.property(shapes, payloads, fc.integer({ min: 1, max: 1500 }), (shape, payload, segmentBytes) => {
        const frames = cut(trainOf(shape, payload, segmentBytes));
        const parts = frames.map((bytes) => {
          const frame = parseFrame(bytes);
          assert.deepEqual(badChecksumsOf(frame), []);
          assert.equal(frame.malformed, undefined);
          const udp = layerOf(frame, "udp");
          assert.ok(udp !== undefined);
          return [...bytes.subarray(udp.offset + 8)];
        });
        assert.deepEqual(parts.flat(), [...payload]);
        assert.ok(parts.slice(0, -1).every(({ length }) => length === segmentBytes));
      }),
    );
  });

  it("finds nothing to cut in a datagram without payload, or without a size", () => {
    assert.equal(udpSegmentCount(trainOf("v4", new Uint8Array(0), 100)), 0);
    assert.equal(udpSegmentCount(trainOf("v4", new Uint8Array(10), 0)), 0);
  });
});
