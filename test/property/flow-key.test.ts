import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sameIp } from "../../src/addr/ip.ts";
import { Prng } from "../../src/base/prng.ts";
import { extractKey, formatKey, KeyView } from "../../src/flow/key.ts";
import {
  FRAGMENT_LATER,
  FRAME_ARP,
  FRAME_IP4,
  FRAME_IP6,
  FRAME_OTHER,
  KEY_WORDS,
  PARSE_OK,
  PARSE_OPTIONS,
} from "../../src/flow/layout.ts";
import { buildFrame } from "../../src/wire/build-frame.ts";
import { type Frame, layerOf, parseFrame } from "../../src/wire/frame.ts";
import { Ipv4View } from "../../src/wire/ipv4.ts";
import { FRAME_KINDS } from "../fixtures/frames.ts";
import { FrameMutator, type MutatedFrame } from "../fixtures/mutate-frame.ts";

const FRAMES = 20_000;

function keyOf(bytes: Uint8Array, vlanTci?: number): Uint32Array {
  const words = new Uint32Array(KEY_WORDS);
  extractKey(bytes, { vportIndex: 9, vlanTci }, words);
  return words;
}

function eachMutated(seed: number, visit: (frame: MutatedFrame) => void): void {
  const mutator = new FrameMutator(new Prng(seed));
  for (let i = 0; i < FRAMES; i++) visit(mutator.next());
}

/** What `wire` says of the innermost headers that the key is about; compared where both call the frame well-formed. */
function assertAgrees(frame: Frame, key: KeyView, story: string): void {
  const ethernet = layerOf(frame, "ethernet");
  assert.ok(ethernet, story);
  assert.equal(key.dstMac, ethernet.fields.dst, story);
  assert.equal(key.srcMac, ethernet.fields.src, story);
  const vlans = frame.layers.filter((layer) => layer.header === "vlan");
  assert.equal(key.vlanCount, Math.min(2, vlans.length), story);
  if (vlans.length > 2) {
    assert.equal(key.frameClass, FRAME_OTHER, story);
    return;
  }
  const network = frame.layers[1 + vlans.length];
  switch (network?.header) {
    case "arp":
      assert.equal(key.frameClass, FRAME_ARP, story);
      assert.deepEqual([key.srcIpv4, key.dstIpv4], [network.fields.senderIp, network.fields.targetIp], story);
      assert.equal(key.arpOperation, network.fields.operation, story);
      break;
    case "ipv4": {
      const { src, dst, dscp, protocol, options } = network.fields;
      assert.equal(key.frameClass, FRAME_IP4, story);
      assert.deepEqual([key.srcIpv4, key.dstIpv4, key.dscp, key.protocol], [src, dst, dscp, protocol], story);
      if (options.length > 0) assert.equal(key.parseState, PARSE_OPTIONS, story);
      break;
    }
    case "ipv6":
      assert.equal(key.frameClass, FRAME_IP6, story);
      assert.ok(sameIp(key.srcIp, network.fields.src) && sameIp(key.dstIp, network.fields.dst), story);
      assert.equal(key.dscp, network.fields.dscp, story);
      break;
    default:
      assert.equal(key.frameClass, FRAME_OTHER, story);
  }
  assertTransportAgrees(frame, key, story);
}

function assertTransportAgrees(frame: Frame, key: KeyView, story: string): void {
  const transport = frame.layers.find(
    ({ header }) => header === "udp" || header === "tcp" || header === "icmpv4" || header === "icmpv6",
  );
  if (transport?.header === "udp" || transport?.header === "tcp") {
    assert.deepEqual([key.srcPort, key.dstPort], [transport.fields.srcPort, transport.fields.dstPort], story);
  } else if (transport?.header === "icmpv4" || transport?.header === "icmpv6") {
    const { fields } = transport;
    if ("identifier" in fields) assert.equal(key.icmpIdentifier, fields.identifier, story);
    else assert.equal(key.icmpIdentifier === 0 || fields.kind === "other", true, story);
  }
  if (key.fragment === FRAGMENT_LATER) assert.equal(transport, undefined, story);
}

/** Fills the IPv4 checksum that a mutation broke: the datapath does not look at it, `wire` does. */
function repaired(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  const ip = parseFrame(copy).layers.find((layer) => layer.header === "ipv4");
  if (ip !== undefined) return copy;
  for (const at of [14, 18, 22]) {
    if (at + 60 <= copy.length && (copy[at - 2] ?? 0) === 8 && (copy[at - 1] ?? 1) === 0)
      new Ipv4View(copy, at).fillChecksum();
  }
  return copy;
}

describe("flow key of any frame", () => {
  it("agrees with wire field by field where both call the frame well-formed", () => {
    let compared = 0;
    eachMutated(1, ({ bytes, story }) => {
      const copy = repaired(bytes);
      const frame = parseFrame(copy);
      const key = new KeyView(keyOf(copy));
      if (frame.malformed !== undefined) return;
      if (key.parseState !== PARSE_OK && key.parseState !== PARSE_OPTIONS) return;
      assertAgrees(frame, key, story);
      compared++;
    });
    assert.ok(compared > FRAMES / 4, `only ${compared} frames were compared`);
  });
  it("depends on nothing outside the frame", () => {
    eachMutated(2, ({ bytes, vlanTci, story }) => {
      const around = new Uint8Array(bytes.length + 64).fill(0xff);
      around.set(bytes, 16);
      const key = keyOf(bytes, vlanTci);
      assert.deepEqual(keyOf(around.subarray(16, 16 + bytes.length), vlanTci), key, story);
      assert.doesNotMatch(formatKey(key), /undefined|NaN|\n/);
    });
  });
  it("is the same for a tag in the bytes and beside them", () => {
    eachMutated(3, ({ bytes, vlanTci, story }) => {
      if (vlanTci === undefined || bytes.length < 14) return;
      const tag = [0x81, 0x00, vlanTci >>> 8, vlanTci & 0xff];
      const tagged = Uint8Array.of(...bytes.subarray(0, 12), ...tag, ...bytes.subarray(12));
      assert.deepEqual(keyOf(tagged), keyOf(bytes, vlanTci), story);
    });
  });
  it("never claims more of a cut frame than of the whole one, unless the whole is malformed", () => {
    for (const { name, spec } of FRAME_KINDS) {
      const whole = buildFrame(spec);
      const full = keyOf(whole);
      for (let length = 0; length < whole.length; length++) {
        const part = keyOf(whole.subarray(0, length));
        for (let word = 1; word < KEY_WORDS; word++) {
          const value = part[word] ?? 0;
          if (word !== 4) assert.ok(value === 0 || value === full[word], `${name} cut at ${length}, word ${word}`);
        }
      }
    }
  });
  it("tells frames of every kind apart", () => {
    const texts = new Set(FRAME_KINDS.map(({ spec }) => formatKey(keyOf(buildFrame(spec)))));
    assert.ok(texts.size > FRAME_KINDS.length / 2);
  });
});
