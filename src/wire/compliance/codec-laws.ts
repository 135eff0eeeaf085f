import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Result } from "../../base/result.ts";
import { formatParseError, type ParseError } from "../parse-error.ts";
import { bytesOfHex, hexOf } from "./captured.ts";

/** What a codec must offer to be held to the laws. */
export interface CodecUnderTest<Fields> {
  readonly name: string;
  readonly parse: (bytes: Uint8Array, offset: number, end: number) => Result<Fields, ParseError>;
  readonly emit: (fields: Fields, bytes: Uint8Array, offset: number) => number;
  /** Bytes that emit writes. */
  readonly length: (fields: Fields) => number;
  readonly format: (fields: Fields) => string;
  /** Bytes after the header that parse wants to be there; none unless given. */
  readonly payloadLength?: (fields: Fields) => number;
  /** A region shorter than this cannot parse; header and payload unless given. */
  readonly needed?: (fields: Fields) => number;
  readonly arbitrary: fc.Arbitrary<Fields>;
  readonly golden: readonly {
    readonly source: string;
    readonly hex: string;
    readonly fields: Fields;
    /** False when emit has another, equally right form (padding, a checksum that is filled later). */
    readonly emits?: boolean;
    readonly text: string;
  }[];
}

/** Any byte, as often as wanted, with the values that length fields like. */
const randomBytes = fc.uint8Array({ minLength: 0, maxLength: 120 });

/** Bytes around and under a region: what they are must never matter. */
const BACKGROUNDS = [0xa5, 0x5a] as const;

/**
 * The laws of every codec: golden bytes both ways, round trip, every byte written and none outside, failure at every
 * truncation, and on any bytes neither an exception nor a look outside the region.
 */
export function checkCodecLaws<Fields>(codec: CodecUnderTest<Fields>): void {
  describe(`${codec.name}: laws of a codec`, () => {
    for (const golden of codec.golden) checkGolden(codec, golden);
    it("gives back what it wrote, over any background, at any offset", () => {
      fc.assert(
        fc.property(codec.arbitrary, fc.nat({ max: 9 }), (fields, offset) => checkRoundTrip(codec, fields, offset)),
      );
    });
    it("fails at every truncation and never looks behind the end", () => {
      fc.assert(
        fc.property(codec.arbitrary, (fields) => checkTruncation(codec, fields)),
        { numRuns: 40 },
      );
    });
    it("throws on no bytes, and what it accepts it can write", () => {
      fc.assert(
        fc.property(randomBytes, (bytes) => checkAnyBytes(codec, bytes)),
        { numRuns: 400 },
      );
    });
    it("survives every changed byte of what it wrote", () => {
      fc.assert(
        fc.property(codec.arbitrary, fc.nat(), fc.nat({ max: 255 }), (fields, position, value) => {
          const { bytes } = emitted(codec, { fields, offset: 0, background: 0 });
          bytes[position % bytes.length] = value;
          checkAnyBytes(codec, bytes);
        }),
      );
    });
  });
}

function checkGolden<Fields>(codec: CodecUnderTest<Fields>, golden: CodecUnderTest<Fields>["golden"][number]): void {
  const bytes = bytesOfHex(golden.hex);
  it(`reads golden bytes: ${golden.source}`, () => {
    const parsed = codec.parse(bytes, 0, bytes.length);
    assert.deepEqual(parsed, { ok: true, value: golden.fields });
    assert.equal(codec.format(golden.fields), golden.text);
  });
  if (golden.emits === false) return;
  it(`writes golden bytes: ${golden.source}`, () => {
    const length = codec.length(golden.fields);
    const written = new Uint8Array(length).fill(0xa5);
    assert.equal(codec.emit(golden.fields, written, 0), length);
    assert.equal(hexOf(written), hexOf(bytes.subarray(0, length)));
  });
}

interface Emission<Fields> {
  readonly fields: Fields;
  readonly offset: number;
  readonly background: number;
}

/** The header (and zeros for its payload) at an offset, with eight bytes of background behind. */
function emitted<Fields>(codec: CodecUnderTest<Fields>, { fields, offset, background }: Emission<Fields>) {
  const header = codec.length(fields);
  const end = offset + header + (codec.payloadLength?.(fields) ?? 0);
  const bytes = new Uint8Array(end + 8).fill(background);
  assert.equal(codec.emit(fields, bytes, offset), offset + header, "emit returns where the header ends");
  return { bytes, end, header };
}

function checkRoundTrip<Fields>(codec: CodecUnderTest<Fields>, fields: Fields, offset: number): void {
  const headers: string[] = [];
  for (const background of BACKGROUNDS) {
    const { bytes, end, header } = emitted(codec, { fields, offset, background });
    assert.deepEqual(codec.parse(bytes, offset, end), { ok: true, value: fields });
    const outside = [...bytes.subarray(0, offset), ...bytes.subarray(offset + header)];
    assert.ok(
      outside.every((byte) => byte === background),
      "no byte outside the header is written",
    );
    headers.push(hexOf(bytes.subarray(offset, offset + header)));
  }
  assert.equal(headers[0], headers[1], "every byte of the header is written");
  assert.doesNotMatch(codec.format(fields), /\n/);
}

function checkTruncation<Fields>(codec: CodecUnderTest<Fields>, fields: Fields): void {
  const { bytes, end, header } = emitted(codec, { fields, offset: 3, background: 0 });
  const needed = codec.needed?.(fields) ?? end - 3;
  for (let have = 0; have < header; have++) {
    const result = parseTwice(codec, bytes.subarray(3, 3 + have));
    if (have < needed) assert.equal(result.ok, false, `${have} bytes are not enough`);
    if (!result.ok) assert.match(formatParseError(result.error), /^[a-z]/);
  }
  for (let have = header; have < Math.min(needed, header + 64); have++) {
    assert.equal(parseTwice(codec, bytes.subarray(3, 3 + have)).ok, false, `${have} bytes are not enough`);
  }
}

function checkAnyBytes<Fields>(codec: CodecUnderTest<Fields>, content: Uint8Array): void {
  const first = parseTwice(codec, content);
  if (!first.ok) return;
  const length = codec.length(first.value);
  const bytes = new Uint8Array(length + (codec.payloadLength?.(first.value) ?? 0));
  assert.equal(codec.emit(first.value, bytes, 0), length);
  assert.deepEqual(codec.parse(bytes, 0, bytes.length), first);
}

/** Parses a region inside two different backgrounds, exactly and at an offset; all must agree. */
function parseTwice<Fields>(codec: CodecUnderTest<Fields>, content: Uint8Array): Result<Fields, ParseError> {
  const exact = codec.parse(content, 0, content.length);
  for (const background of BACKGROUNDS) {
    const bytes = new Uint8Array(content.length + 80).fill(background);
    bytes.set(content, 16);
    assert.deepEqual(codec.parse(bytes, 16, 16 + content.length), exact, "bytes outside the region change nothing");
  }
  return exact;
}
