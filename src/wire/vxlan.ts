import { ok, type Result } from "../base/result.ts";
import { assertRegion, setU8, setU24, u8At, u24At } from "./bytes.ts";
import { badValue, type ParseError, truncated } from "./parse-error.ts";

/** Bytes of a VXLAN header; an Ethernet frame follows (RFC 7348 5). */
export const VXLAN_LENGTH = 8;

const OFFSET = { flags: 0, reserved: 1, vni: 4, reserved2: 7 } as const;

const FLAG_VNI = 0x08;

/** A view over the eight bytes of a VXLAN header. */
export class VxlanView {
  readonly #bytes: Uint8Array;
  readonly #at: number;

  /** The header at `offset`; throws unless it lies in `bytes`. */
  constructor(bytes: Uint8Array, offset: number) {
    assertRegion(bytes, offset, VXLAN_LENGTH);
    this.#bytes = bytes;
    this.#at = offset;
  }

  get flags(): number {
    return u8At(this.#bytes, this.#at + OFFSET.flags);
  }
  set flags(value: number) {
    setU8(this.#bytes, this.#at + OFFSET.flags, value);
    setU24(this.#bytes, this.#at + OFFSET.reserved, 0);
  }

  /** VXLAN network identifier, 24 bits; weft's own tunnels carry a tunnel key here. */
  get vni(): number {
    return u24At(this.#bytes, this.#at + OFFSET.vni);
  }
  set vni(value: number) {
    setU24(this.#bytes, this.#at + OFFSET.vni, value);
    setU8(this.#bytes, this.#at + OFFSET.reserved2, 0);
  }
}

/** The meaning of a VXLAN header. */
export interface VxlanFields {
  readonly vni: number;
}

/** Reads the header at `offset` of a region that ends before `end`; reserved bits are ignored, as RFC 7348 5 asks. */
export function parseVxlan(bytes: Uint8Array, offset: number, end: number): Result<VxlanFields, ParseError> {
  if (end - offset < VXLAN_LENGTH) return truncated("vxlan", VXLAN_LENGTH, end - offset);
  const view = new VxlanView(bytes, offset);
  if ((view.flags & FLAG_VNI) === 0) return badValue("vxlan", "flags", view.flags);
  return ok({ vni: view.vni });
}

/** Writes the header at `offset`; returns where the inner frame starts. */
export function emitVxlan(fields: VxlanFields, bytes: Uint8Array, offset: number): number {
  const view = new VxlanView(bytes, offset);
  view.flags = FLAG_VNI;
  view.vni = fields.vni;
  return offset + VXLAN_LENGTH;
}

/** One line. */
export function formatVxlan(fields: VxlanFields): string {
  return `vxlan vni ${fields.vni}`;
}
