import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { mac, record, someBytes, u8, u16, u32 } from "./compliance/arbitrary.ts";
import { bytesOfHex, CAPTURED } from "./compliance/captured.ts";
import { checkCodecLaws } from "./compliance/codec-laws.ts";
import {
  DHCPV4_LENGTH_MIN,
  type Dhcpv4Fields,
  dhcpv4Length,
  dhcpv4Message,
  emitDhcpv4,
  formatDhcpv4,
  parseDhcpv4,
} from "./dhcpv4.ts";
import {
  DHCPV4_MESSAGE,
  type Dhcpv4Option,
  dhcpv4OptionCode,
  dhcpv4OptionsLength,
  emitDhcpv4Options,
  parseDhcpv4Options,
} from "./dhcpv4-option.ts";

const route = fc.integer({ min: 0, max: 32 }).chain((length) =>
  record({
    length: fc.constant(length),
    // RFC 3442: only the octets that the length reaches into are sent.
    destination: u32.map((word) => (word - (word % 2 ** (32 - 8 * Math.ceil(length / 8)))) % 2 ** 32),
    router: u32,
  }),
);

const option: fc.Arbitrary<Dhcpv4Option> = fc.oneof(
  record({ kind: fc.constant("message-type" as const), message: u8 }),
  record({ kind: fc.constantFrom("subnet-mask", "broadcast", "requested-address", "server-identifier"), ip: u32 }),
  record({ kind: fc.constantFrom("routers", "dns-servers"), ips: fc.array(u32, { minLength: 1, maxLength: 70 }) }),
  record({ kind: fc.constantFrom("lease-time", "renewal-time", "rebinding-time"), seconds: u32 }),
  record({
    kind: fc.constantFrom("host-name", "domain-name"),
    text: fc.stringMatching(/^[ -~]{1,20}$/),
  }),
  record({ kind: fc.constant("mtu" as const), mtu: u16 }),
  record({ kind: fc.constant("parameter-request" as const), codes: fc.array(u8, { minLength: 1, maxLength: 9 }) }),
  record({ kind: fc.constant("client-identifier" as const), identifier: someBytes(2, 20) }),
  record({
    kind: fc.constant("classless-routes" as const),
    routes: fc.array(route, { minLength: 1, maxLength: 40 }),
  }),
  record({ kind: fc.constant("other" as const), code: fc.integer({ min: 150, max: 254 }), content: someBytes(0, 600) }),
);

const arbitrary: fc.Arbitrary<Dhcpv4Fields> = record({
  operation: fc.constantFrom("request", "reply"),
  hops: u8,
  transaction: u32,
  seconds: u16,
  isBroadcast: fc.boolean(),
  clientIp: u32,
  yourIp: u32,
  serverIp: u32,
  relayIp: u32,
  clientMac: mac,
  options: fc.uniqueArray(option, { maxLength: 5, selector: dhcpv4OptionCode }),
});

checkCodecLaws<Dhcpv4Fields>({
  name: "dhcpv4",
  parse: parseDhcpv4,
  emit: emitDhcpv4,
  length: dhcpv4Length,
  needed: () => DHCPV4_LENGTH_MIN,
  format: formatDhcpv4,
  arbitrary,
  golden: [
    {
      source: "discover by BusyBox udhcpc",
      hex: CAPTURED["dhcp discover"].slice(84),
      fields: {
        operation: "request",
        hops: 0,
        transaction: Number.parseInt(CAPTURED["dhcp discover"].slice(92, 100), 16),
        seconds: 0,
        isBroadcast: false,
        clientIp: 0,
        yourIp: 0,
        serverIp: 0,
        relayIp: 0,
        clientMac: 0x0200_0000_0001,
        options: [
          { kind: "message-type", message: DHCPV4_MESSAGE.discover },
          { kind: "other", code: 57, content: Uint8Array.of(2, 64) },
          { kind: "parameter-request", codes: [1, 3, 6, 12, 15, 28, 42] },
          { kind: "other", code: 60, content: new TextEncoder().encode("udhcp 1.35.0") },
          { kind: "client-identifier", identifier: Uint8Array.of(1, 2, 0, 0, 0, 0, 1) },
        ],
      },
      text: "dhcp discover 02:00:00:00:00:01 [option 57, parameter-request 1,3,6,12,15,28,42, option 60, client-identifier 7 bytes]",
    },
  ],
});

describe("dhcpv4 options", () => {
  const parse = (hex: string) => {
    const bytes = bytesOfHex(hex);
    return parseDhcpv4Options(bytes, 0, bytes.length);
  };
  it("reads and writes classless routes as RFC 3442 shows them", () => {
    // RFC 3442, "Classless Route Option Format": 10.0.0.0/8, 10.17.0.0/16, 10.27.129.0/24 and a default route.
    const hex = "791a 080a0a000001 100a110a000001 180a1b810a000001 000a0000fe";
    const routes = [
      { destination: 0x0a00_0000, length: 8, router: 0x0a00_0001 },
      { destination: 0x0a11_0000, length: 16, router: 0x0a00_0001 },
      { destination: 0x0a1b_8100, length: 24, router: 0x0a00_0001 },
      { destination: 0, length: 0, router: 0x0a00_00fe },
    ];
    const options: Dhcpv4Option[] = [{ kind: "classless-routes", routes }];
    assert.deepEqual(parse(hex), { ok: true, value: options });
    const bytes = new Uint8Array(dhcpv4OptionsLength(options));
    assert.equal(emitDhcpv4Options(options, bytes, 0), bytes.length);
    assert.deepEqual([...bytes], [...bytesOfHex(hex), 255]);
  });
  it("joins the parts of a split option, as RFC 3396 asks", () => {
    const joined = { kind: "host-name", text: "weft" };
    assert.deepEqual(parse("0c02 7765 350101 0c02 6674 ff 99"), {
      ok: true,
      value: [joined, { kind: "message-type", message: 1 }],
    });
  });
  it("keeps options of another size, and broken routes, as they came", () => {
    const value = [
      { kind: "other", code: 1, content: Uint8Array.of(255) },
      { kind: "other", code: 121, content: Uint8Array.of(33, 1, 2, 3, 4, 5, 6, 7, 8) },
    ];
    assert.deepEqual(parse("0101ff 7909 210102030405060708"), { ok: true, value });
  });
  it("refuses an option that runs over the end", () => {
    const error = { kind: "bad-option", header: "dhcpv4", option: 1, at: 1 };
    for (const hex of ["00 0104 ffffff", "00 01"]) assert.deepEqual(parse(hex), { ok: false, error });
  });
  it("knows a message without option 53 as plain BOOTP", () => {
    const fields = fc.sample(arbitrary, 1)[0];
    assert.ok(fields);
    assert.equal(dhcpv4Message({ ...fields, options: [] }), undefined);
  });
});
