import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { unwrap } from "../base/result.ts";
import { formatIp, ipFromV4, isV4, parseIp, parseIpv4, sameIp } from "./ip.ts";
import { formatMac, isMulticastMac, MAC_BROADCAST, macFrom, macHigh, macLow, parseMac } from "./mac.ts";
import { formatPrefix, networkOf, parsePrefix, prefixContains } from "./prefix.ts";

const word = fc.integer({ min: 0, max: 0xffff_ffff });

describe("mac", () => {
  it("survives text", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff }), word, (high, low) => {
        const mac = macFrom(high, low);
        assert.equal(unwrap(parseMac(formatMac(mac))), mac);
        assert.equal(macHigh(mac), high);
        assert.equal(macLow(mac), low);
      }),
    );
  });
  it("refuses what is no MAC address", () => {
    for (const text of ["", "02:00:00:00:00", "02:00:00:00:00:0g", "02:00-00:00:00:01", "020000000001"])
      assert.equal(parseMac(text).ok, false, text);
  });
  it("knows group addresses", () => {
    assert.ok(isMulticastMac(MAC_BROADCAST));
    assert.ok(isMulticastMac(unwrap(parseMac("01:00:5e:00:00:01"))));
    assert.ok(!isMulticastMac(unwrap(parseMac("02:00:00:00:00:01"))));
  });
});

describe("ip", () => {
  it("survives text in both families", () => {
    fc.assert(
      fc.property(fc.tuple(word, word, word, word), ([w0, w1, w2, w3]) => {
        for (const ip of [{ w0, w1, w2, w3 }, ipFromV4(w3)]) assert.ok(sameIp(unwrap(parseIp(formatIp(ip))), ip));
      }),
    );
  });
  it("prints IPv6 as RFC 5952 section 4 asks", () => {
    const cases = [
      ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
      ["2001:DB8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
      ["0:0:0:0:0:0:0:1", "::1"],
      ["::", "::"],
      ["fe80::", "fe80::"],
      ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ] as const;
    for (const [text, canonical] of cases) assert.equal(formatIp(unwrap(parseIp(text))), canonical);
  });
  it("reads a mapped address as IPv4", () => {
    assert.ok(isV4(unwrap(parseIp("::ffff:10.0.0.1"))));
  });
  it("refuses what is no address", () => {
    for (const text of [
      "10.0.0",
      "10.0.0.256",
      "010.0.0.1",
      "1:2:3",
      "::1::",
      ":::",
      "1:2:3:4:5:6:7:8:9",
      "::12345",
      "1.2.3.4::",
    ])
      assert.equal(parseIp(text).ok, false, text);
    assert.equal(parseIpv4("1.2.3.-4").ok, false);
  });
});

describe("prefix", () => {
  it("contains its own addresses and no other family", () => {
    const prefix = unwrap(parsePrefix("10.1.2.3/24"));
    assert.equal(formatPrefix(networkOf(prefix)), "10.1.2.0/24");
    assert.ok(prefixContains(prefix, unwrap(parseIp("10.1.2.200"))));
    assert.ok(!prefixContains(prefix, unwrap(parseIp("10.1.3.1"))));
    assert.ok(!prefixContains(unwrap(parsePrefix("::/0")), unwrap(parseIp("10.1.2.3"))));
    assert.ok(prefixContains(unwrap(parsePrefix("fd00:1::/32")), unwrap(parseIp("fd00:1:2::3"))));
  });
  it("refuses a length beyond its family", () => {
    for (const text of ["10.0.0.0/33", "fd00::/129", "10.0.0.0", "10.0.0.0/", "10.0.0.0/08"])
      assert.equal(parsePrefix(text).ok, false, text);
  });
});
