import { ok, type Result } from "../../base/result.ts";
import type { LinuxError } from "../errno.ts";
import { type Mapping, mmapFile } from "../memory.ts";
import type { BpfMap } from "./map.ts";

const pageBytes = 4096;

/**
 * The three parts of a BPF ring buffer in memory (Documentation/bpf/ringbuf.rst): one page with the consumer's position
 * (a 64-bit byte count, ours to store), one page with the producer's (read only), and the data, followed by as much of its
 * beginning as the longest record needs so that it never wraps. A record is an 8-byte header (length with busy bit 31 and discard bit 30; page offset)
 * and its bytes, rounded up to 8.
 */
export interface RingbufMappings {
  readonly consumer: Mapping;
  /** The producer's page, the data, and its beginning again. */
  readonly producerAndData: Mapping;
  readonly dataBytes: number;
  /** Offset of the data in `producerAndData`. */
  readonly dataOffset: number;
}

/**
 * Maps a ring buffer (map type `ringbuf`, whose `maxEntries` is its data size) for its one consumer. `recordBytesMax`: its longest
 * record; without it the data is mapped twice, which may be told of twice as resident memory.
 */
export function mmapRingbuf(map: BpfMap, recordBytesMax?: number): Result<RingbufMappings, LinuxError> {
  const dataBytes = map.shape.maxEntries;
  const consumer = mmapFile({ fd: map.fd, length: pageBytes, protection: "read-write" });
  if (!consumer.ok) return consumer;
  const again = Math.min(dataBytes, pageBytes * Math.ceil((recordBytesMax ?? dataBytes) / pageBytes));
  const length = pageBytes + dataBytes + again;
  const producerAndData = mmapFile({ fd: map.fd, length, protection: "read", offset: pageBytes });
  if (!producerAndData.ok) {
    consumer.value.unmap();
    return producerAndData;
  }
  const dataOffset = pageBytes;
  return ok({ consumer: consumer.value, producerAndData: producerAndData.value, dataBytes, dataOffset });
}
