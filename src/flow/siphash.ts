/**
 * SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012) of whole 64-bit words, without BigInt: a 64-bit
 * word is two u32, low first. `bpf/keepalive.h` has the same for 24 bytes.
 *
 * `key` has four words (16 bytes loaded little-endian), `words` an even number of them from `from` to `to`.
 */
export function sipHash24(
  key: ArrayLike<number>,
  words: Uint32Array,
  range: { readonly from: number; readonly to: number },
): readonly [low: number, high: number] {
  const [k0 = 0, k1 = 0, k2 = 0, k3 = 0] = Array.from(key);
  const v = new Uint32Array(8);
  v.set([k0 ^ 0x7073_6575, k1 ^ 0x736f_6d65, k2 ^ 0x6e64_6f6d, k3 ^ 0x646f_7261]);
  v.set([k0 ^ 0x6e65_7261, k1 ^ 0x6c79_6765, k2 ^ 0x7974_6573, k3 ^ 0x7465_6462], 4);
  for (let i = range.from; i < range.to; i += 2) absorb(v, words[i] as number, words[i + 1] as number);
  absorb(v, 0, ((range.to - range.from) * 4) << 24);
  v[4] = (v[4] as number) ^ 0xff;
  for (let i = 0; i < 4; i++) round(v);
  return [xorOf(v, 0), xorOf(v, 1)];
}

function absorb(v: Uint32Array, low: number, high: number): void {
  v[6] = (v[6] as number) ^ low;
  v[7] = (v[7] as number) ^ high;
  round(v);
  round(v);
  v[0] = (v[0] as number) ^ low;
  v[1] = (v[1] as number) ^ high;
}

function xorOf(v: Uint32Array, half: 0 | 1): number {
  return ((v[half] as number) ^ (v[2 + half] as number) ^ (v[4 + half] as number) ^ (v[6 + half] as number)) >>> 0;
}

function round(v: Uint32Array): void {
  add(v, 0, 2);
  rotate(v, 2, 13);
  xor(v, 2, 0);
  rotate(v, 0, 32);
  add(v, 4, 6);
  rotate(v, 6, 16);
  xor(v, 6, 4);
  add(v, 0, 6);
  rotate(v, 6, 21);
  xor(v, 6, 0);
  add(v, 4, 2);
  rotate(v, 2, 17);
  xor(v, 2, 4);
  rotate(v, 4, 32);
}

function add(v: Uint32Array, to: number, from: number): void {
  const low = (v[to] as number) + (v[from] as number);
  v[to + 1] = (v[to + 1] as number) + (v[from + 1] as number) + (low > 0xffff_ffff ? 1 : 0);
  v[to] = low;
}

function xor(v: Uint32Array, to: number, from: number): void {
  v[to] = (v[to] as number) ^ (v[from] as number);
  v[to + 1] = (v[to + 1] as number) ^ (v[from + 1] as number);
}

function rotate(v: Uint32Array, at: number, bits: number): void {
  const low = v[at] as number;
  const high = v[at + 1] as number;
  v[at] = bits === 32 ? high : (low << bits) | (high >>> (32 - bits));
  v[at + 1] = bits === 32 ? low : (high << bits) | (low >>> (32 - bits));
}
