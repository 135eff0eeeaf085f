import { ok, type Result } from "../base/result.ts";
import { assertRegion, setU16, u16At } from "./bytes.ts";
import { ETHER_TYPE, formatEtherType } from "./ethernet.ts";
import { type ParseError, truncated } from "./parse-error.ts";

/**
 * Bytes of an 802.1Q tag as a header of its own: tag control information and the EtherType that follows it.
 * The tag's TPID is the EtherType of the header before it (IEEE 802.1Q 9.5).
 */
export const VLAN_LENGTH = 4;

const OFFSET = { tci: 0, etherType: 2 } as const;

/** True for the tag protocol identifiers 0x8100 (802.1Q) and 0x88a8 (802.1ad service tag). */
export function isVlanTpid(etherType: number): boolean {
  return etherType === ETHER_TYPE.vlan || etherType === ETHER_TYPE.serviceVlan;
}

/** A view over the four bytes of a tag. */
export class VlanView {
  readonly #bytes: Uint8Array;
  readonly #at: number;

  /** The tag at `offset` (after its TPID); throws unless it lies in `bytes`. */
  constructor(bytes: Uint8Array, offset: number) {
    assertRegion(bytes, offset, VLAN_LENGTH);
    this.#bytes = bytes;
    this.#at = offset;
  }

  /** Tag control information: priority (3 bits), drop eligible (1), VLAN identifier (12). */
  get tci(): number {
    return u16At(this.#bytes, this.#at + OFFSET.tci);
  }
  set tci(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.tci, value);
  }

  /** EtherType of what follows the tag. */
  get etherType(): number {
    return u16At(this.#bytes, this.#at + OFFSET.etherType);
  }
  set etherType(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.etherType, value);
  }
}

/** The meaning of a tag. */
export interface VlanFields {
  /** Priority code point, 0..7. */
  readonly priority: number;
  /** Drop eligible indicator. */
  readonly dropEligible: boolean;
  /** VLAN identifier, 0..4095; 0 means priority only. */
  readonly vid: number;
  /** EtherType of what follows the tag. */
  readonly etherType: number;
}

/** Reads the tag at `offset` of a region that ends before `end`. */
export function parseVlan(bytes: Uint8Array, offset: number, end: number): Result<VlanFields, ParseError> {
  if (end - offset < VLAN_LENGTH) return truncated("vlan", VLAN_LENGTH, end - offset);
  const view = new VlanView(bytes, offset);
  const { tci } = view;
  return ok({
    priority: tci >>> 13,
    dropEligible: (tci & 0x1000) !== 0,
    vid: tci & 0xfff,
    etherType: view.etherType,
  });
}

/** Writes the tag at `offset`; returns where it ends. */
export function emitVlan(fields: VlanFields, bytes: Uint8Array, offset: number): number {
  const view = new VlanView(bytes, offset);
  view.tci = (fields.priority << 13) | (fields.dropEligible ? 0x1000 : 0) | (fields.vid & 0xfff);
  view.etherType = fields.etherType;
  return offset + VLAN_LENGTH;
}

/** One line: identifier, priority, what follows. */
export function formatVlan(fields: VlanFields): string {
  const drop = fields.dropEligible ? " dei" : "";
  return `vlan ${fields.vid} p ${fields.priority}${drop} ${formatEtherType(fields.etherType)}`;
}
