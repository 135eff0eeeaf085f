import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { record, u16 } from "./compliance/arbitrary.ts";
import { checkCodecLaws } from "./compliance/codec-laws.ts";
import { emitVlan, formatVlan, isVlanTpid, parseVlan, VLAN_LENGTH, type VlanFields } from "./vlan.ts";

checkCodecLaws<VlanFields>({
  name: "vlan",
  parse: parseVlan,
  emit: emitVlan,
  length: () => VLAN_LENGTH,
  format: formatVlan,
  arbitrary: record({
    priority: fc.integer({ min: 0, max: 7 }),
    dropEligible: fc.boolean(),
    vid: fc.integer({ min: 0, max: 0xfff }),
    etherType: u16,
  }),
  golden: [
    {
      source: "IEEE 802.1Q 9.6: PCP 5, DEI set, VID 100, IPv4 follows",
      hex: "b064 0800",
      fields: { priority: 5, dropEligible: true, vid: 100, etherType: 0x0800 },
      text: "vlan 100 p 5 dei ipv4",
    },
  ],
});

it("takes 0x8100 and 0x88a8 as tags and nothing else", () => {
  assert.deepEqual([0x8100, 0x88a8, 0x9100, 0x0800].filter(isVlanTpid), [0x8100, 0x88a8]);
});
