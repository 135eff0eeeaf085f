import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { sameIp } from "../addr/ip.ts";
import { macFrom } from "../addr/mac.ts";
import { formatAction } from "../flow/format-action.ts";
import { KeyView } from "../flow/key.ts";
import {
  ACTION_WORDS,
  CLASS_FULL,
  CLASS_L2,
  CLASS_L3_DST,
  CLASS_L3_PAIR,
  CLASS_PORT,
  CLASS_PROTO,
  KEY_WORDS,
} from "../flow/layout.ts";
import { Packet } from "./packet.ts";

const protocols = [1, 6, 17, 58, 132, 47] as const;
const words = fc.uint32Array({ minLength: KEY_WORDS, maxLength: KEY_WORDS }).map((key) => {
  key[14] = ((key[14] as number) & 0x3f00) | (protocols[(key[3] as number) % protocols.length] as number);
  key[4] = (key[4] as number) & 0x0fff_ffff;
  key[5] = (key[5] as number) & 0x0fff;
  // Addresses of IPv4 and ARP have one word.
  if ((((key[0] as number) >>> 16) & 3) !== 2) for (const i of [7, 8, 9, 11, 12, 13]) key[i] = 0;
  return key;
});

function load(key: Uint32Array): Packet {
  const packet = new Packet();
  packet.load(Uint32Array.from([99, ...key]), 1);
  return packet;
}

describe("a packet", () => {
  it("has the fields that the key has", () => {
    fc.assert(
      fc.property(words, (key) => {
        const packet = load(key);
        const view = new KeyView(key);
        assert.equal(packet.vport, view.vportIndex);
        assert.equal(packet.frameClass, view.frameClass);
        assert.equal(packet.fragment, view.fragment);
        assert.equal(packet.parseState, view.parseState);
        assert.equal(packet.vlanCount, view.vlanCount);
        assert.equal(packet.dstMac, view.dstMac);
        assert.equal(packet.srcMac, view.srcMac);
        assert.equal(macFrom(packet.dstMacHigh, packet.dstMacLow), view.dstMac);
        assert.equal(packet.etherType, view.etherType);
        assert.equal(packet.vlan, view.outerVlan);
        assert.ok(sameIp(unsigned(packet.dst), view.dstIp));
        assert.ok(sameIp(unsigned(packet.src), view.srcIp));
        assert.equal(packet.protocol, view.protocol);
        assert.equal(packet.dscp, view.dscp);
        const isIcmp = packet.protocol === 1 || packet.protocol === 58;
        if (packet.hasPorts) assert.equal(packet.portOrType, isIcmp ? view.icmpType : view.srcPort);
        if (packet.hasPorts) assert.equal(packet.portOrCode, isIcmp ? view.icmpCode : view.dstPort);
        assert.equal(packet.icmpType, view.icmpType);
        assert.equal(packet.icmpCode, view.icmpCode);
        assert.equal(packet.arpOperation, view.arpOperation);
      }),
    );
  });

  it("marks the class of each field that is read, and nothing is unread by reading less", () => {
    const reads: readonly (readonly [(packet: Packet) => unknown, number])[] = [
      [(packet) => packet.isIp, CLASS_PORT],
      [(packet) => packet.fragment, CLASS_PORT],
      [(packet) => packet.dstMacHigh, CLASS_L2],
      [(packet) => packet.srcMacLow, CLASS_L2],
      [(packet) => packet.etherType, CLASS_L2],
      [(packet) => packet.vlan, CLASS_L2],
      [(packet) => packet.dst, CLASS_L3_DST],
      [(packet) => packet.src, CLASS_L3_PAIR],
      [(packet) => packet.protocol, CLASS_PROTO],
      [(packet) => packet.dscp, CLASS_PROTO],
      [(packet) => packet.hasPorts, CLASS_PROTO],
      [(packet) => packet.portOrType, CLASS_FULL],
      [(packet) => packet.portOrCode, CLASS_FULL],
      [(packet) => packet.icmpType, CLASS_FULL],
    ];
    for (const [read, level] of reads) {
      const packet = load(new Uint32Array(KEY_WORDS));
      read(packet);
      assert.equal(packet.level, level);
      packet.l4Word;
      read(packet);
      assert.equal(packet.level, CLASS_FULL);
      packet.load(new Uint32Array(KEY_WORDS), 0);
      assert.equal(packet.level, CLASS_PORT);
    }
  });

  it("writes what routers did as an action", () => {
    const packet = load(new Uint32Array(KEY_WORDS));
    const action = new Uint32Array(ACTION_WORDS).fill(7);
    packet.writeAction(action);
    assert.equal(formatAction(action, 0), "miss", "nothing was done");
    packet.spendTtl();
    packet.route({ macHigh: 0x0a0b, macLow: 0x8c0d_0e0f | 0 }, { macHigh: 0x0102, macLow: 0x0304_0506 });
    packet.spendTtl();
    packet.route({ macHigh: 0x0a0b, macLow: 0x8c0d_0e0f | 0 }, { macHigh: 0xf102, macLow: 0xf304_0506 | 0 });
    packet.maxLength = 1400;
    packet.writeAction(action);
    assert.equal(formatAction(action, 0), "max_len(1400),ttl-2,set_mac(f1:02:f3:04:05:06,0a:0b:8c:0d:0e:0f),miss");
  });
});

describe("VLAN tags", () => {
  const key = new Uint32Array(KEY_WORDS);
  key[0] = 2 << 23;
  key[4] = 10 << 16;
  key[5] = 7;

  it("that were pushed are popped before those of the frame", () => {
    const packet = load(key);
    packet.pushVlan(30);
    assert.deepEqual([packet.vlan, packet.vlanCount], [30, 3]);
    packet.popVlan();
    assert.deepEqual([packet.vlan, packet.vlanOp], [10, 0]);
    packet.popVlan();
    assert.deepEqual([packet.vlan, packet.vlanCount, packet.vlanOp >>> 16], [7, 1, 1]);
    packet.pushVlan(40);
    assert.deepEqual([packet.vlan, packet.vlanTags, packet.vlanOp >>> 16], [40, 40, 5]);
  });

  it("go back to what was saved", () => {
    const packet = load(key);
    const saved = packet.saveVlan();
    packet.popVlan();
    packet.popVlan();
    packet.pushVlan(4000);
    packet.restoreVlan(saved);
    assert.deepEqual([packet.vlan, packet.vlanCount, packet.vlanOp, packet.vlanTags], [10, 2, 0, 0]);
  });
});

function unsigned(ip: { w0: number; w1: number; w2: number; w3: number }): typeof ip {
  return { w0: ip.w0 >>> 0, w1: ip.w1 >>> 0, w2: ip.w2 >>> 0, w3: ip.w3 >>> 0 };
}
