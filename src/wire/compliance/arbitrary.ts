import fc from "fast-check";
import type { Ip } from "../../addr/ip.ts";

/** A plain object with one arbitrary value a key (fast-check's own default has no prototype, so it equals no literal). */
export function record<T>(model: { readonly [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true });
}

/** Any byte. */
export const u8 = fc.integer({ min: 0, max: 0xff });
/** Any sixteen bits. */
export const u16 = fc.integer({ min: 0, max: 0xffff });
/** Any thirty-two bits. */
export const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
/** Any MAC address. */
export const mac = fc.integer({ min: 0, max: 0xffff_ffff_ffff });
/** Any sixteen bytes as an address. */
export const ip: fc.Arbitrary<Ip> = record({ w0: u32, w1: u32, w2: u32, w3: u32 });
/** Some bytes. */
export const someBytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
