import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { buildFrame, type FrameSpec, frameLength } from "./build-frame.ts";
import { CAPTURED, type CapturedName, captured, hexOf } from "./compliance/captured.ts";
import { formatFrame, layerOf, parseFrame } from "./frame.ts";
import { badChecksumsOf, fillChecksums } from "./frame-checksum.ts";
import type { HeaderName } from "./parse-error.ts";

const NAMES = Object.keys(CAPTURED) as CapturedName[];
const ETH = { src: 0x0200_0000_0001, dst: 0x0200_0000_0002 };
const V4 = { src: 0x0a00_0001, dst: 0x0a00_0002 };
const V6 = { src: { w0: 0xfd00_0000, w1: 0, w2: 0, w3: 1 }, dst: { w0: 0xfd00_0000, w1: 0, w2: 0, w3: 2 } };
const PAYLOAD = new TextEncoder().encode("hello");

const headersOf = (bytes: Uint8Array): HeaderName[] => parseFrame(bytes).layers.map((layer) => layer.header);

/** One spec for each thing a frame can carry, and the line that tells it. */
const SPECS: readonly { readonly spec: FrameSpec; readonly text: string }[] = [
  {
    spec: { eth: ETH, arp: { operation: 1, senderMac: ETH.src, senderIp: V4.src, targetMac: 0, targetIp: V4.dst } },
    text: "02:00:00:00:00:01 > 02:00:00:00:00:02 arp | arp who-has 10.0.0.2 tell 10.0.0.1",
  },
  {
    spec: {
      eth: ETH,
      vlans: [
        { vid: 100, tpid: 0x88a8 },
        { vid: 7, priority: 3 },
      ],
      ipv4: { ...V4, ttl: 3, dscp: 46 },
      udp: { srcPort: 1, dstPort: 2 },
      payload: PAYLOAD,
    },
    text: "02:00:00:00:00:01 > 02:00:00:00:00:02 serviceVlan | vlan 100 p 0 vlan | vlan 7 p 3 ipv4 | 10.0.0.1 > 10.0.0.2 udp ttl 3 dscp 46 length 13 | udp 1 > 2 length 5",
  },
  {
    spec: { eth: ETH, ipv4: V4, tcp: { srcPort: 80, dstPort: 4000, options: [{ kind: "mss", mss: 1400 }] } },
    text: "02:00:00:00:00:01 > 02:00:00:00:00:02 ipv4 | 10.0.0.1 > 10.0.0.2 tcp ttl 64 length 24 | tcp 80 > 4000 ack seq 0 ack 0 win 65535 [mss 1400]",
  },
  {
    spec: {
      eth: ETH,
      ipv4: V4,
      icmpv4: { kind: "unreachable", code: 4, nextHopMtu: 1400 },
      payload: captured("udp").subarray(14, 42),
    },
    text: "02:00:00:00:00:01 > 02:00:00:00:00:02 ipv4 | 10.0.0.1 > 10.0.0.2 icmpv4 ttl 64 length 36 | icmp unreachable fragmentationNeeded mtu 1400 | quoting 10.0.0.1 > 10.0.0.2 udp ttl 64 df length 13",
  },
  {
    spec: {
      eth: ETH,
      ipv6: {
        ...V6,
        extensions: [
          { kind: "hop-by-hop", nextHeader: 0, options: [{ type: 5, content: new Uint8Array(2) }] },
          { kind: "fragment", nextHeader: 0, fragmentOffset: 0, moreFragments: false, identification: 9 },
        ],
      },
      icmpv6: { kind: "packet-too-big", mtu: 1280 },
      payload: captured("udp v6").subarray(14),
    },
    text: "02:00:00:00:00:01 > 02:00:00:00:00:02 ipv6 | fd00::1 > fd00::2 hopByHop hlim 64 length 77 | hop-by-hop options [5] > fragment | frag 0x9:0 > icmpv6 | icmp6 packet-too-big mtu 1280 | quoting fd00::1 > fd00::2 udp hlim 64 flowlabel 0x5e7af length 13",
  },
  {
    spec: {
      eth: ETH,
      ipv6: { ...V6, hopLimit: 255 },
      ndp: { kind: "neighbor-solicitation", target: V6.dst, options: [] },
    },
    text: "02:00:00:00:00:01 > 02:00:00:00:00:02 ipv6 | fd00::1 > fd00::2 icmpv6 hlim 255 length 24 | nd who-has fd00::2",
  },
  {
    spec: {
      eth: ETH,
      ipv6: V6,
      udp: { srcPort: 9, dstPort: 4789 },
      vxlan: { vni: 5 },
      inner: { eth: ETH, ipv4: V4, icmpv4: { kind: "echo-request", identifier: 1, sequence: 2 } },
    },
    text: "02:00:00:00:00:01 > 02:00:00:00:00:02 ipv6 | fd00::1 > fd00::2 udp hlim 64 length 58 | udp 9 > 4789 length 50 | vxlan vni 5 | 02:00:00:00:00:01 > 02:00:00:00:00:02 ipv4 | 10.0.0.1 > 10.0.0.2 icmpv4 ttl 64 length 8 | icmp echo-request id 1 seq 2",
  },
  {
    spec: { eth: ETH, ipv4: { ...V4, moreFragments: true }, protocol: 17, payload: captured("udp").subarray(34, 42) },
    text: "02:00:00:00:00:01 > 02:00:00:00:00:02 ipv4 | 10.0.0.1 > 10.0.0.2 udp ttl 64 frag 0:0+8+ length 8",
  },
  {
    spec: { eth: ETH, etherType: 0x88cc, payload: PAYLOAD },
    text: "02:00:00:00:00:01 > 02:00:00:00:00:02 lldp",
  },
];

describe("frames of others", () => {
  it("are read to the last header without complaint, checksums included", () => {
    for (const name of NAMES) {
      const frame = parseFrame(captured(name));
      assert.equal(frame.malformed, undefined, name);
      assert.deepEqual(badChecksumsOf(frame), [], name);
      assert.equal(frame.payload.end, frame.bytes.length, name);
    }
  });
  it("are read as the headers that they have", () => {
    assert.deepEqual(headersOf(captured("dhcp discover")), ["ethernet", "ipv4", "udp", "dhcpv4"]);
    assert.deepEqual(headersOf(captured("last fragment v6")), ["ethernet", "ipv6", "ipv6-extension"]);
    const tunnel = ["ethernet", "ipv4", "udp", "vxlan", "ethernet", "ipv6", "ipv6-extension", "icmpv6"];
    assert.deepEqual(headersOf(captured("vxlan")), tunnel);
  });
  it("get the checksums back that they had", () => {
    for (const name of NAMES) {
      const bytes = captured(name);
      // The kernel sends VXLAN over IPv4 without a UDP checksum; filling computes one.
      if (name === "vxlan") continue;
      fillChecksums(parseFrame(bytes));
      assert.equal(hexOf(bytes), CAPTURED[name], name);
    }
  });
});

describe("built frames", () => {
  for (const { spec, text } of SPECS) {
    it(`tell themselves: ${text.slice(44, 120)}`, () => {
      const bytes = buildFrame(spec);
      assert.equal(bytes.length, frameLength(spec));
      assert.equal(formatFrame(bytes), text);
      const frame = parseFrame(bytes);
      assert.equal(frame.malformed, undefined);
      assert.deepEqual(badChecksumsOf(frame), []);
    });
  }
  it("are what the neighbor of a captured frame would have sent", () => {
    const reply = buildFrame({
      eth: { src: ETH.dst, dst: ETH.src },
      arp: { operation: 2, senderMac: ETH.dst, senderIp: V4.dst, targetMac: ETH.src, targetIp: V4.src },
    });
    assert.equal(hexOf(reply), CAPTURED["arp reply"]);
    const advertisement = buildFrame({
      eth: { src: ETH.dst, dst: ETH.src },
      ipv6: { src: V6.dst, dst: V6.src, hopLimit: 255 },
      ndp: {
        kind: "neighbor-advertisement",
        isRouter: false,
        isSolicited: true,
        isOverride: true,
        target: V6.dst,
        options: [{ kind: "target-mac", mac: ETH.dst }],
      },
    });
    assert.equal(hexOf(advertisement), CAPTURED["neighbor advertisement"]);
  });
});

describe("any frame", () => {
  it("is read without exception when it is cut anywhere, and says so unless what is cut was payload", () => {
    for (const { spec } of SPECS) {
      const whole = buildFrame(spec);
      const { layers } = parseFrame(whole);
      for (let length = 0; length < whole.length; length++) {
        const frame = parseFrame(whole.subarray(0, length));
        assert.ok(frame.layers.length <= layers.length);
        assert.ok(frame.payload.offset <= frame.payload.end && frame.payload.end <= length);
        if (length < (layers.at(-1)?.end ?? 0)) assert.notEqual(frame.malformed, undefined);
        formatFrame(whole.subarray(0, length));
      }
    }
  });
  it("is read without exception whatever its bytes are", () => {
    const seeds = [...NAMES.map(captured), ...SPECS.map(({ spec }) => buildFrame(spec))];
    const change = fc.tuple(fc.nat({ max: 120 }), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(fc.constantFrom(...seeds), fc.array(change, { maxLength: 6 }), (seed, changes) => {
        const bytes = seed.slice();
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        const frame = parseFrame(bytes);
        let at = 0;
        for (const layer of frame.layers) {
          assert.ok(layer.offset >= at && layer.end > layer.offset && layer.end <= bytes.length);
          at = layer.end;
        }
        assert.doesNotMatch(formatFrame(bytes), /\n/);
        badChecksumsOf(frame);
        fillChecksums(frame);
        assert.deepEqual(badChecksumsOf(parseFrame(bytes)), []);
      }),
      { numRuns: 2000 },
    );
  });
  it("is not malformed for carrying something else on the ports of DHCP and VXLAN", () => {
    for (const udp of [
      { srcPort: 68, dstPort: 67 },
      { srcPort: 9, dstPort: 4789 },
    ]) {
      const frame = parseFrame(buildFrame({ eth: ETH, ipv4: V4, udp, payload: PAYLOAD }));
      assert.equal(frame.malformed, undefined);
      assert.equal(frame.payload.end - frame.payload.offset, PAYLOAD.length);
    }
  });
  it("gives its outermost header of a kind, or none", () => {
    const frame = parseFrame(captured("vxlan"));
    assert.equal(layerOf(frame, "ethernet")?.offset, 0);
    assert.equal(layerOf(frame, "ipv4")?.fields.dst, V4.src);
    assert.equal(layerOf(frame, "arp"), undefined);
  });
});
