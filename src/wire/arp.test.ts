import assert from "node:assert/strict";
import { it } from "node:test";
import { ARP_LENGTH, type ArpFields, emitArp, formatArp, parseArp } from "./arp.ts";
import { mac, record, u16, u32 } from "./compliance/arbitrary.ts";
import { CAPTURED, captured } from "./compliance/captured.ts";
import { checkCodecLaws } from "./compliance/codec-laws.ts";

const A = { mac: 0x0200_0000_0001, ip: 0x0a00_0001 };
const B = { mac: 0x0200_0000_0002, ip: 0x0a00_0002 };

checkCodecLaws<ArpFields>({
  name: "arp",
  parse: parseArp,
  emit: emitArp,
  length: () => ARP_LENGTH,
  format: formatArp,
  arbitrary: record({ operation: u16, senderMac: mac, senderIp: u32, targetMac: mac, targetIp: u32 }),
  golden: [
    {
      source: "request by Linux",
      hex: CAPTURED["arp request"].slice(28),
      fields: { operation: 1, senderMac: A.mac, senderIp: A.ip, targetMac: 0, targetIp: B.ip },
      text: "arp who-has 10.0.0.2 tell 10.0.0.1",
    },
    {
      source: "reply by Linux",
      hex: CAPTURED["arp reply"].slice(28),
      fields: { operation: 2, senderMac: B.mac, senderIp: B.ip, targetMac: A.mac, targetIp: A.ip },
      text: "arp reply 10.0.0.2 is-at 02:00:00:00:00:02",
    },
  ],
});

it("refuses ARP that is not IPv4 over Ethernet, and names the field", () => {
  const fields = { 0: "hardware type", 2: "protocol type", 4: "hardware length", 5: "protocol length" };
  for (const [at, field] of Object.entries(fields)) {
    const bytes = captured("arp request").subarray(14);
    bytes[Number(at)] = 0x77;
    const parsed = parseArp(bytes, 0, bytes.length);
    assert.ok(!parsed.ok && parsed.error.kind === "bad-value");
    assert.equal(parsed.error.field, field);
  }
});
