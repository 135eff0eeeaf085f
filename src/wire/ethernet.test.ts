import { mac, record, u16 } from "./compliance/arbitrary.ts";
import { CAPTURED } from "./compliance/captured.ts";
import { checkCodecLaws } from "./compliance/codec-laws.ts";
import { ETHERNET_LENGTH, type EthernetFields, emitEthernet, formatEthernet, parseEthernet } from "./ethernet.ts";

checkCodecLaws<EthernetFields>({
  name: "ethernet",
  parse: parseEthernet,
  emit: emitEthernet,
  length: () => ETHERNET_LENGTH,
  format: formatEthernet,
  arbitrary: record({ dst: mac, src: mac, etherType: u16 }),
  golden: [
    {
      source: "ARP request by Linux",
      hex: CAPTURED["arp request"],
      fields: { dst: 0xffff_ffff_ffff, src: 0x0200_0000_0001, etherType: 0x0806 },
      text: "02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff arp",
    },
    {
      source: "spanning tree BPDU, IEEE 802.1D 9.3.1 over LLC",
      hex: "0180c2000000 020000000001 0026 424203",
      fields: { dst: 0x0180_c200_0000, src: 0x0200_0000_0001, etherType: 0x26 },
      text: "02:00:00:00:00:01 > 01:80:c2:00:00:00 llc",
    },
  ],
});
