import { setU32 } from "./bytes.ts";

/**
 * Writes captures in the classic pcap format with nanosecond times (draft-ietf-opsawg-pcap), big-endian, link type
 * Ethernet. Pure: it makes bytes, whoever calls puts them in a file.
 */

const MAGIC_NANOSECONDS = 0xa1b2_3c4d;
const VERSION = 0x0002_0004;
const LINK_TYPE_ETHERNET = 1;
const NS_PER_S = 1_000_000_000;

const FILE_HEADER_LENGTH = 24;
const RECORD_HEADER_LENGTH = 16;

const FILE_OFFSET = { magic: 0, version: 4, snapLength: 16, linkType: 20 } as const;
const RECORD_OFFSET = { seconds: 0, nanoseconds: 4, captured: 8, original: 12 } as const;

/** Longest frame a capture may hold; larger ones are cut, their true length is kept. */
export const PCAP_SNAP_LENGTH = 262_144;

/** One frame of a capture: when it was seen, and its bytes. */
export interface PcapRecord {
  /** Seconds since 1970 and nanoseconds of that second. */
  readonly time: { readonly seconds: number; readonly nanoseconds: number };
  readonly frame: Uint8Array;
}

/** The bytes that start a file. */
export function pcapFileHeader(): Uint8Array {
  const bytes = new Uint8Array(FILE_HEADER_LENGTH);
  setU32(bytes, FILE_OFFSET.magic, MAGIC_NANOSECONDS);
  setU32(bytes, FILE_OFFSET.version, VERSION);
  setU32(bytes, FILE_OFFSET.snapLength, PCAP_SNAP_LENGTH);
  setU32(bytes, FILE_OFFSET.linkType, LINK_TYPE_ETHERNET);
  return bytes;
}

/** The bytes of one frame, to follow the file header or another record. */
export function pcapRecord({ time, frame }: PcapRecord): Uint8Array {
  const captured = Math.min(frame.length, PCAP_SNAP_LENGTH);
  const bytes = new Uint8Array(RECORD_HEADER_LENGTH + captured);
  setU32(bytes, RECORD_OFFSET.seconds, time.seconds);
  setU32(bytes, RECORD_OFFSET.nanoseconds, time.nanoseconds % NS_PER_S);
  setU32(bytes, RECORD_OFFSET.captured, captured);
  setU32(bytes, RECORD_OFFSET.original, frame.length);
  bytes.set(frame.subarray(0, captured), RECORD_HEADER_LENGTH);
  return bytes;
}

/** A whole file, the frames one microsecond apart from the start of 1970 (tests have no clock). */
export function pcapFile(frames: readonly Uint8Array[]): Uint8Array {
  const parts = [pcapFileHeader()];
  for (const [i, frame] of frames.entries())
    parts.push(pcapRecord({ time: { seconds: 0, nanoseconds: i * 1000 }, frame }));
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
