import { localRecordBytesMax } from "./limits.ts";
import type { LocalContent } from "./local.ts";

/** Bytes in front of each record: its length and the CRC-32 of length and content, both big-endian. */
export const recordHeaderBytes = 8;

/** A record as it stands in a journal file. */
export function encodeRecord(record: Uint8Array): Uint8Array {
  const framed = new Uint8Array(recordHeaderBytes + record.length);
  const view = new DataView(framed.buffer);
  view.setUint32(0, record.length);
  framed.set(record, recordHeaderBytes);
  view.setUint32(4, checksum(framed, record.length));
  return framed;
}

/** All whole records from the front. What follows the first damaged one is not believed, also when it looks whole. */
export function decodeRecords(bytes: Uint8Array): LocalContent {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: Uint8Array[] = [];
  let start = 0;
  while (start + recordHeaderBytes <= bytes.length) {
    const length = view.getUint32(start);
    const end = start + recordHeaderBytes + length;
    if (length > localRecordBytesMax || end > bytes.length) break;
    if (view.getUint32(start + 4) !== checksum(bytes.subarray(start, end), length)) break;
    records.push(bytes.slice(start + recordHeaderBytes, end));
    start = end;
  }
  return { records, damagedBytes: bytes.length - start };
}

/** CRC-32 (IEEE 802.3) of a framed record without its checksum: the length first, so that zeros are no record. */
function checksum(framed: Uint8Array, length: number): number {
  let crc = 0xffffffff;
  for (let shift = 24; shift >= 0; shift -= 8) crc = next(crc, (length >>> shift) & 0xff);
  for (let i = recordHeaderBytes; i < framed.length; i++) crc = next(crc, framed[i] as number);
  return (crc ^ 0xffffffff) >>> 0;
}

function next(crc: number, byte: number): number {
  return (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] as number);
}

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});
