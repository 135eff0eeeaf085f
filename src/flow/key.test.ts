import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatMac } from "../addr/mac.ts";
import { buildFrame, type FrameSpec } from "../wire/build-frame.ts";
import { bytesOfHex, type CapturedName, captured, hexOf } from "../wire/compliance/captured.ts";
import { extractKey, type FrameMeta, formatKey, KeyView } from "./key.ts";
import {
  CLASS_FULL,
  CLASS_L2,
  CLASS_L3_DST,
  CLASS_L3_PAIR,
  CLASS_PROTO,
  CLASS_WORDS,
  KEY_WORDS,
  PARSE_BAD,
  PARSE_EXTENSIONS,
  PARSE_OK,
  PARSE_OPTIONS,
  PARSE_SHORT,
  W0_CLASS_SHIFT,
} from "./layout.ts";

const ETH = { src: 0x0200_0000_0001, dst: 0x0200_0000_0002 };
const V4 = { src: 0x0a00_0001, dst: 0x0a00_0002 };
const V6 = { src: { w0: 0xfd00_0000, w1: 0, w2: 0, w3: 1 }, dst: { w0: 0xfd00_0000, w1: 0, w2: 0, w3: 2 } };
const PORTS = Uint8Array.of(0, 80, 1, 187);

function keyOf(frame: Uint8Array, meta: Partial<FrameMeta> = {}): Uint32Array {
  const words = new Uint32Array(KEY_WORDS).fill(0xa5a5_a5a5);
  extractKey(frame, { vportIndex: 7, ...meta }, words);
  return words;
}

const textOf = (spec: FrameSpec): string => formatKey(keyOf(buildFrame(spec))).replace("vport 7 ", "");
const wordsOf = (words: Uint32Array): string => hexOf(new Uint8Array(words.buffer));
const stateOf = (frame: Uint8Array): number => new KeyView(keyOf(frame)).parseState;

/** The words of a key by hand: word 0 as a number, then the bytes in memory order (little-endian machines only). */
function expectWords(name: CapturedName, word0: number, rest: string): void {
  const words = keyOf(captured(name));
  assert.equal(words[0], word0, name);
  assert.equal(wordsOf(words.subarray(1).slice()), rest.replaceAll(/\s/g, "").padEnd(120, "0"), name);
}

describe("extractKey: words of captured frames, computed by hand from layout.ts", () => {
  it("ARP request: class arp, addresses, opcode in host order", () => {
    expectWords(
      "arp request",
      7 | (3 << 16),
      "ffffffffffff020000000001 08060000 00000000 0a000002 000000000000000000000000 0a000001 000000000000000000000000 00000000 01000000",
    );
  });
  it("UDP over IPv4: addresses and ports in wire order", () => {
    expectWords(
      "udp",
      7 | (1 << 16),
      "020000000002020000000001 08000000 00000000 0a000002 000000000000000000000000 0a000001 000000000000000000000000 11000000 d0dc270f",
    );
  });
  it("echo over IPv6: type, code and identifier; DSCP beside the protocol", () => {
    expectWords(
      "echo request v6",
      7 | (2 << 16),
      "020000000002020000000001 86dd0000 00000000 fd000000000000000000000000000002 fd000000000000000000000000000001 3a000000 8000334e",
    );
  });
  it("error messages of ICMP have no identifier", () => {
    assert.equal(keyOf(captured("port unreachable"))[15], 0x0303);
    assert.equal(keyOf(captured("port unreachable v6"))[15], 0x0401);
  });
  it("a later fragment has protocol but no transport word", () => {
    const key = keyOf(captured("last fragment v6"));
    assert.equal(
      formatKey(key),
      "vport 7 ip6 later-fragment 02:00:00:00:00:01 > 02:00:00:00:00:02 fd00::1 > fd00::2 icmpv6",
    );
    assert.equal(key[15], 0);
  });
});

describe("extractKey: rules of layout.ts", () => {
  it("reads tags in the bytes and a tag beside them alike", () => {
    const ipv4 = { eth: ETH, ipv4: V4, protocol: 6, payload: PORTS } as const;
    const tagged = buildFrame({ ...ipv4, vlans: [{ vid: 100, priority: 5, tpid: 0x88a8 }, { vid: 7 }] });
    const stripped = buildFrame({ ...ipv4, vlans: [{ vid: 7 }] });
    assert.equal(wordsOf(keyOf(stripped, { vlanTci: 0xa064 })), wordsOf(keyOf(tagged)));
    const text = "ip4 02:00:00:00:00:01 > 02:00:00:00:00:02 vlan 100,7 10.0.0.1 > 10.0.0.2 tcp 80 > 443";
    assert.equal(formatKey(keyOf(tagged)), `vport 7 ${text}`);
  });
  it("takes a third tag for the ethertype of an unknown frame", () => {
    const vlans = [{ vid: 1 }, { vid: 2 }, { vid: 3 }];
    assert.equal(
      textOf({ eth: ETH, vlans, ipv4: V4, protocol: 6, payload: PORTS }),
      "other 02:00:00:00:00:01 > 02:00:00:00:00:02 vlan vlan 1,2",
    );
  });
  it("gives LLC frames ethertype 0", () => {
    const key = new KeyView(keyOf(buildFrame({ eth: ETH, etherType: 0x26, payload: new Uint8Array(40) })));
    assert.equal(key.etherType, 0);
    assert.equal(key.frameClass, 0);
    assert.equal(key.parseState, PARSE_OK);
  });
  it("reads ports behind IPv4 options and says options", () => {
    const options = [{ type: 7, content: new Uint8Array(5) }];
    const spec: FrameSpec = { eth: ETH, ipv4: { ...V4, options, dscp: 46 }, udp: { srcPort: 5, dstPort: 6 } };
    const text = "ip4 options 02:00:00:00:00:01 > 02:00:00:00:00:02 10.0.0.1 > 10.0.0.2 udp dscp 46 5 > 6";
    assert.equal(textOf(spec), text);
    assert.equal(stateOf(buildFrame(spec)), PARSE_OPTIONS);
  });
  it("reads ports of the first fragment only", () => {
    const first: FrameSpec = { eth: ETH, ipv4: { ...V4, moreFragments: true }, protocol: 17, payload: PORTS };
    const macs = "02:00:00:00:00:01 > 02:00:00:00:00:02";
    assert.equal(textOf(first), `ip4 first-fragment ${macs} 10.0.0.1 > 10.0.0.2 udp 80 > 443`);
    const later: FrameSpec = { eth: ETH, ipv4: { ...V4, fragmentOffset: 8 }, protocol: 17, payload: PORTS };
    assert.equal(textOf(later), `ip4 later-fragment ${macs} 10.0.0.1 > 10.0.0.2 udp`);
  });
  it("walks eight extension headers, and calls nine `extensions`", () => {
    const extension = { kind: "hop-by-hop", nextHeader: 0, options: [] } as const;
    const spec = (count: number): FrameSpec => ({
      eth: ETH,
      ipv6: { ...V6, extensions: Array.from({ length: count }, () => extension) },
      udp: { srcPort: 5, dstPort: 6 },
    });
    assert.match(textOf(spec(8)), /udp 5 > 6$/);
    assert.equal(stateOf(buildFrame(spec(9))), PARSE_EXTENSIONS);
  });
  it("cannot walk ESP and no-next-header", () => {
    for (const protocol of [50, 59]) {
      const frame = buildFrame({ eth: ETH, ipv6: V6, protocol, payload: new Uint8Array(20) });
      assert.equal(stateOf(frame), PARSE_EXTENSIONS);
      assert.equal(new KeyView(keyOf(frame)).protocol, protocol);
    }
  });
  it("calls an IPv6 fragment header a fragment even when it cuts nothing", () => {
    const fragment = {
      kind: "fragment",
      nextHeader: 0,
      fragmentOffset: 0,
      moreFragments: false,
      identification: 1,
    } as const;
    const text = textOf({ eth: ETH, ipv6: { ...V6, extensions: [fragment] }, udp: { srcPort: 5, dstPort: 6 } });
    assert.match(text, /^ip6 first-fragment .* udp 5 > 6$/);
  });
  it("calls malformed packets bad", () => {
    const changes: readonly (readonly [CapturedName, number, number])[] = [
      ["udp", 14, 0x65],
      ["udp", 14, 0x44],
      ["udp", 17, 19],
      ["udp", 16, 1],
      ["udp v6", 14, 0x40],
      ["udp v6", 18, 1],
      ["arp request", 15, 2],
      ["arp request", 18, 8],
    ];
    for (const [name, at, value] of changes) {
      const frame = captured(name);
      frame[at] = value;
      const words = keyOf(frame);
      assert.equal(new KeyView(words).parseState, PARSE_BAD, `${name} ${at}`);
      assert.ok(
        words.subarray(6).every((word) => word === 0),
        "no address of a malformed header",
      );
    }
  });
  it("calls a frame short when a header that its class promises is cut", () => {
    // UDP: four bytes of ports; ICMP: eight. The IP length is cut with the frame, so that only the transport is short.
    const cuts: readonly (readonly [number, number])[] = [
      [17, 3],
      [6, 0],
      [132, 3],
      [1, 7],
    ];
    for (const [protocol, length] of cuts) {
      const frame = buildFrame({ eth: ETH, ipv4: V4, protocol, payload: new Uint8Array(length) });
      assert.equal(stateOf(frame), PARSE_SHORT, `protocol ${protocol}`);
      assert.equal(
        stateOf(buildFrame({ eth: ETH, ipv4: V4, protocol, payload: new Uint8Array(length + 4) })),
        PARSE_OK,
      );
    }
    assert.equal(stateOf(captured("udp").subarray(0, 33)), PARSE_SHORT);
    assert.equal(stateOf(captured("arp reply").subarray(0, 41)), PARSE_SHORT);
    assert.equal(stateOf(new Uint8Array(13)), PARSE_SHORT);
    const tagOnly = bytesOfHex("020000000002 020000000001 8100 0005 8100 00");
    assert.equal(formatKey(keyOf(tagOnly)), "vport 7 other short 02:00:00:00:00:01 > 02:00:00:00:00:02 llc vlan 5");
  });
  it("writes at the given word and leaves the others alone", () => {
    const words = new Uint32Array(KEY_WORDS + 4).fill(9);
    extractKey(captured("udp"), { vportIndex: 7, keyOffset: 2 }, words);
    assert.equal(wordsOf(words.slice(2, 18)), wordsOf(keyOf(captured("udp"))));
    assert.deepEqual([words[0], words[1], words[18], words[19]], [9, 9, 9, 9]);
  });
});

describe("KeyView", () => {
  it("gives the fields as numbers and addresses", () => {
    const spec: FrameSpec = {
      eth: ETH,
      vlans: [{ vid: 9 }],
      ipv6: { ...V6, dscp: 10 },
      tcp: { srcPort: 80, dstPort: 443 },
    };
    const key = new KeyView(keyOf(buildFrame(spec)));
    assert.equal(formatMac(key.dstMac), "02:00:00:00:00:02");
    assert.equal(key.srcMac, ETH.src);
    assert.deepEqual([key.srcIp, key.dstIp], [V6.src, V6.dst]);
    assert.deepEqual([key.etherType, key.vlanCount, key.outerVlan, key.innerVlan], [0x86dd, 1, 9, 0]);
    assert.deepEqual([key.protocol, key.dscp, key.srcPort, key.dstPort], [6, 10, 80, 443]);
  });
  it("gives ICMP and ARP fields", () => {
    const echo = new KeyView(keyOf(captured("echo request")));
    assert.deepEqual([echo.icmpType, echo.icmpCode, echo.icmpIdentifier], [8, 0, 13132]);
    assert.equal(echo.srcIpv4, V4.src);
    const arp = new KeyView(keyOf(captured("arp reply")));
    assert.deepEqual([arp.arpOperation, arp.dstIpv4, arp.srcIpv4], [2, V4.src, V4.dst]);
  });
  it("prints of a flow only what its class matches", () => {
    const line = (flowClass: number): string => {
      const words = keyOf(captured("udp"));
      words.fill(0, CLASS_WORDS[flowClass]);
      words[0] = (words[0] ?? 0) | (flowClass << W0_CLASS_SHIFT);
      return formatKey(words);
    };
    const l2 = "vport 7 ip4 02:00:00:00:00:01 > 02:00:00:00:00:02";
    assert.equal(line(0), "vport 7 ip4");
    assert.equal(line(CLASS_L2), l2);
    assert.equal(line(CLASS_L3_DST), `${l2} * > 10.0.0.2`);
    assert.equal(line(CLASS_L3_PAIR), `${l2} 10.0.0.1 > 10.0.0.2`);
    assert.equal(line(CLASS_PROTO), `${l2} 10.0.0.1 > 10.0.0.2 udp`);
    assert.equal(line(CLASS_FULL), `${l2} 10.0.0.1 > 10.0.0.2 udp 53468 > 9999`);
  });
});
