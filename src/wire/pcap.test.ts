import assert from "node:assert/strict";
import { it } from "node:test";
import { captured, hexOf } from "./compliance/captured.ts";
import { PCAP_SNAP_LENGTH, pcapFile, pcapFileHeader, pcapRecord } from "./pcap.ts";

it("starts a file with the nanosecond magic, version 2.4 and link type Ethernet", () => {
  assert.equal(hexOf(pcapFileHeader()), "a1b23c4d00020004000000000000000000040000" + "00000001");
});

it("writes time, both lengths and the frame", () => {
  const frame = captured("arp request");
  const record = pcapRecord({ time: { seconds: 5, nanoseconds: 123_456_789 }, frame });
  assert.equal(hexOf(record), `00000005075bcd150000002a0000002a${hexOf(frame)}`);
});

it("cuts what is too long and keeps its true length", () => {
  const record = pcapRecord({ time: { seconds: 0, nanoseconds: 0 }, frame: new Uint8Array(PCAP_SNAP_LENGTH + 5) });
  assert.equal(record.length, 16 + PCAP_SNAP_LENGTH);
  assert.equal(hexOf(record.subarray(8, 16)), "0004000000040005");
});

it("joins header and records to a file", () => {
  const frame = captured("arp reply");
  assert.equal(pcapFile([frame, frame]).length, 24 + 2 * (16 + frame.length));
});
