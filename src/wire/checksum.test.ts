import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { setU16, setU32, u16At, u32At } from "./bytes.ts";
import { checksumOf, crc32c, foldSum, sumIsGood, sumOf, updateChecksum16, updateChecksum32 } from "./checksum.ts";
import { someBytes, u16, u32 } from "./compliance/arbitrary.ts";
import { bytesOfHex } from "./compliance/captured.ts";

const checksum = (bytes: Uint8Array): number => checksumOf(sumOf(bytes, 0, bytes.length));

describe("internet checksum", () => {
  it("sums the example of RFC 1071 section 3", () => {
    assert.equal(foldSum(sumOf(bytesOfHex("0001 f203 f4f5 f6f7"), 0, 8)), 0xddf2);
  });
  it("pads an odd byte with zero", () => {
    assert.equal(foldSum(sumOf(bytesOfHex("0001 f2"), 0, 3)), 0xf201);
  });
  it("is good exactly when the stored checksum is the computed one", () => {
    fc.assert(
      fc.property(someBytes(2, 60), u16, (bytes, other) => {
        const rest = bytes.subarray(2);
        const right = checksum(rest);
        setU16(bytes, 0, right);
        assert.equal(sumIsGood(sumOf(bytes, 0, bytes.length)), true);
        setU16(bytes, 0, other);
        // 0 and 0xffff are the same number, except for bytes that are all zero: their sum has not gone round.
        const isAllZero = bytes.every((byte) => byte === 0);
        const same = other === right || (other % 0xffff === 0 && right % 0xffff === 0 && !isAllZero);
        assert.equal(sumIsGood(sumOf(bytes, 0, bytes.length)), same);
      }),
    );
  });
  it("folds sums of the largest packets without loss", () => {
    assert.equal(foldSum(sumOf(new Uint8Array(1 << 20).fill(0xff), 0, 1 << 20)), 0xffff);
  });
});

describe("incremental update", () => {
  it("gives the result of RFC 1624 section 4, where the older method gave 0xffff", () => {
    assert.equal(updateChecksum16(0xdd2f, { from: 0x5555, to: 0x3285 }), 0x0000);
  });
  it("equals a fresh computation, for words of both sizes", () => {
    fc.assert(
      fc.property(someBytes(8, 40), u16, u32, (bytes, word, dword) => {
        // The all-zero packet has two representations of zero; a real header is never all zero.
        bytes[7] = 1;
        const before = checksum(bytes);
        const first = updateChecksum16(before, { from: u16At(bytes, 0), to: word });
        setU16(bytes, 0, word);
        assert.equal(first, checksum(bytes));
        const second = updateChecksum32(first, { from: u32At(bytes, 2), to: dword });
        setU32(bytes, 2, dword);
        assert.equal(second, checksum(bytes));
      }),
    );
  });
});

describe("crc32c", () => {
  it("gives the values of RFC 3720 appendix B.4", () => {
    const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);
    assert.equal(crc32c(new Uint8Array(32), 0, 32), 0x8a91_36aa);
    assert.equal(crc32c(new Uint8Array(32).fill(0xff), 0, 32), 0x62a8_ab43);
    assert.equal(crc32c(ascending, 0, 32), 0x46dd_794e);
    assert.equal(crc32c(ascending.toReversed(), 0, 32), 0x113f_db5c);
  });
  it("gives the check value of the catalogue for 123456789", () => {
    assert.equal(crc32c(new TextEncoder().encode("123456789"), 0, 9), 0xe306_9283);
  });
});
