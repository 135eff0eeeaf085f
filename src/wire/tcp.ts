import { assert, unreachable } from "../base/assert.ts";
import { ok, type Result } from "../base/result.ts";
import { assertRegion, setU8, setU16, setU32, u8At, u16At, u32At } from "./bytes.ts";
import { checksumOf, sumIsGood, sumOf } from "./checksum.ts";
import { badLength, badOption, type ParseError, truncated } from "./parse-error.ts";

/** Bytes of a TCP header without options (RFC 9293 3.1). */
export const TCP_LENGTH_MIN = 20;
/** Bytes of a TCP header with all options that fit. */
export const TCP_LENGTH_MAX = 60;

const OFFSET = {
  srcPort: 0,
  dstPort: 2,
  sequence: 4,
  acknowledgment: 8,
  dataOffset: 12,
  flags: 13,
  window: 14,
  checksum: 16,
  urgentPointer: 18,
  options: 20,
} as const;

/** Control bits (RFC 9293 3.1, RFC 3168). */
export const TCP_FLAG = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const;

const OPTION = { end: 0, nop: 1, mss: 2, windowScale: 3, sackPermitted: 4, sack: 5, timestamps: 8 } as const;

/** A view over a TCP header. */
export class TcpView {
  readonly #bytes: Uint8Array;
  readonly #at: number;

  /** The header at `offset`; throws unless its first twenty bytes lie in `bytes`. */
  constructor(bytes: Uint8Array, offset: number) {
    assertRegion(bytes, offset, TCP_LENGTH_MIN);
    this.#bytes = bytes;
    this.#at = offset;
  }

  get srcPort(): number {
    return u16At(this.#bytes, this.#at + OFFSET.srcPort);
  }
  set srcPort(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.srcPort, value);
  }

  get dstPort(): number {
    return u16At(this.#bytes, this.#at + OFFSET.dstPort);
  }
  set dstPort(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.dstPort, value);
  }

  get sequence(): number {
    return u32At(this.#bytes, this.#at + OFFSET.sequence);
  }
  set sequence(value: number) {
    setU32(this.#bytes, this.#at + OFFSET.sequence, value);
  }

  get acknowledgment(): number {
    return u32At(this.#bytes, this.#at + OFFSET.acknowledgment);
  }
  set acknowledgment(value: number) {
    setU32(this.#bytes, this.#at + OFFSET.acknowledgment, value);
  }

  /** Bytes of header and options as the header says, 0..60; below 20 is malformed. */
  get headerLength(): number {
    return (u8At(this.#bytes, this.#at + OFFSET.dataOffset) >>> 4) * 4;
  }
  set headerLength(bytes: number) {
    setU8(this.#bytes, this.#at + OFFSET.dataOffset, (bytes >>> 2) << 4);
  }

  /** The eight control bits, see `TCP_FLAG`. */
  get flags(): number {
    return u8At(this.#bytes, this.#at + OFFSET.flags);
  }
  set flags(value: number) {
    setU8(this.#bytes, this.#at + OFFSET.flags, value);
  }

  get window(): number {
    return u16At(this.#bytes, this.#at + OFFSET.window);
  }
  set window(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.window, value);
  }

  get checksum(): number {
    return u16At(this.#bytes, this.#at + OFFSET.checksum);
  }
  set checksum(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.checksum, value);
  }

  get urgentPointer(): number {
    return u16At(this.#bytes, this.#at + OFFSET.urgentPointer);
  }
  set urgentPointer(value: number) {
    setU16(this.#bytes, this.#at + OFFSET.urgentPointer, value);
  }

  /** True when the checksum of the segment that ends before `end` is right; `pseudoSum` covers the same length. */
  checksumIsGood(pseudoSum: number, end: number): boolean {
    return sumIsGood(pseudoSum + sumOf(this.#bytes, this.#at, end));
  }

  /** Computes and stores the checksum of the segment that ends before `end`. */
  fillChecksum(pseudoSum: number, end: number): void {
    assertRegion(this.#bytes, this.#at, end - this.#at);
    this.checksum = 0;
    this.checksum = checksumOf(pseudoSum + sumOf(this.#bytes, this.#at, end));
  }
}

/** One option; padding (end of list, no-operation) is never listed. */
export type TcpOption =
  | { readonly kind: "mss"; readonly mss: number }
  | { readonly kind: "window-scale"; readonly shift: number }
  | { readonly kind: "sack-permitted" }
  | { readonly kind: "sack"; readonly blocks: readonly { readonly left: number; readonly right: number }[] }
  | { readonly kind: "timestamps"; readonly value: number; readonly echo: number }
  | { readonly kind: "other"; readonly type: number; readonly content: Uint8Array };

/** No options, shared. */
export const NO_TCP_OPTIONS: readonly TcpOption[] = [];

/** The meaning of a TCP header. The checksum belongs to header and payload together: see `TcpView`. */
export interface TcpFields {
  readonly srcPort: number;
  readonly dstPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  /** Control bits, see `TCP_FLAG`. */
  readonly flags: number;
  readonly window: number;
  readonly urgentPointer: number;
  readonly options: readonly TcpOption[];
}

/**
 * Reads the header at `offset` of a region that ends before `end`, without looking at the checksum (see `parseUdp`).
 * The payload starts at `TcpView.headerLength`.
 */
export function parseTcp(bytes: Uint8Array, offset: number, end: number): Result<TcpFields, ParseError> {
  const have = end - offset;
  if (have < TCP_LENGTH_MIN) return truncated("tcp", TCP_LENGTH_MIN, have);
  const view = new TcpView(bytes, offset);
  const { headerLength } = view;
  if (headerLength < TCP_LENGTH_MIN) return badLength("tcp", "data offset", headerLength);
  if (have < headerLength) return truncated("tcp", headerLength, have);
  const options = parseOptions(bytes, offset, headerLength);
  if (!options.ok) return options;
  return ok({
    srcPort: view.srcPort,
    dstPort: view.dstPort,
    sequence: view.sequence,
    acknowledgment: view.acknowledgment,
    flags: view.flags,
    window: view.window,
    urgentPointer: view.urgentPointer,
    options: options.value,
  });
}

/** Bytes that `emitTcp` writes: options are padded to a multiple of four. */
export function tcpLength(fields: Pick<TcpFields, "options">): number {
  let length = 0;
  for (const option of fields.options) length += optionLength(option);
  return TCP_LENGTH_MIN + ((length + 3) & ~3);
}

/** Writes header and options at `offset` with checksum zero; returns where the payload starts. */
export function emitTcp(fields: TcpFields, bytes: Uint8Array, offset: number): number {
  const length = tcpLength(fields);
  assert(length <= TCP_LENGTH_MAX, "too many TCP options", { length });
  assertRegion(bytes, offset, length);
  const view = new TcpView(bytes, offset);
  view.srcPort = fields.srcPort;
  view.dstPort = fields.dstPort;
  view.sequence = fields.sequence;
  view.acknowledgment = fields.acknowledgment;
  view.headerLength = length;
  view.flags = fields.flags;
  view.window = fields.window;
  view.checksum = 0;
  view.urgentPointer = fields.urgentPointer;
  let at = offset + OFFSET.options;
  for (const option of fields.options) at = emitOption(option, bytes, at);
  bytes.fill(OPTION.end, at, offset + length);
  return offset + length;
}

/** One line: ports, control bits, numbers and options. */
export function formatTcp(fields: TcpFields): string {
  const { srcPort, dstPort, sequence, acknowledgment, flags, window } = fields;
  const ack = flags & TCP_FLAG.ack ? ` ack ${acknowledgment}` : "";
  const options = fields.options.length === 0 ? "" : ` [${fields.options.map(formatOption).join(",")}]`;
  return `tcp ${srcPort} > ${dstPort} ${formatTcpFlags(flags)} seq ${sequence}${ack} win ${window}${options}`;
}

/** The names of the control bits that are set, with plus signs; `none` without any. */
export function formatTcpFlags(flags: number): string {
  const names = Object.entries(TCP_FLAG).filter(([, bit]) => (flags & bit) !== 0);
  return names.length === 0 ? "none" : names.map(([name]) => name).join("+");
}

function optionLength(option: TcpOption): number {
  switch (option.kind) {
    case "mss":
      return 4;
    case "window-scale":
      return 3;
    case "sack-permitted":
      return 2;
    case "sack":
      return 2 + 8 * option.blocks.length;
    case "timestamps":
      return 10;
    case "other":
      return 2 + option.content.length;
    default:
      return unreachable(option);
  }
}

function parseOptions(bytes: Uint8Array, offset: number, length: number): Result<readonly TcpOption[], ParseError> {
  if (length === TCP_LENGTH_MIN) return ok(NO_TCP_OPTIONS);
  const options: TcpOption[] = [];
  const end = offset + length;
  for (let at = offset + OFFSET.options; at < end; ) {
    const type = u8At(bytes, at);
    if (type === OPTION.end) break;
    if (type === OPTION.nop) {
      at++;
      continue;
    }
    const size = at + 1 < end ? u8At(bytes, at + 1) : 0;
    if (size < 2 || at + size > end) return badOption("tcp", type, at - offset);
    options.push(parseOption(bytes, at, size));
    at += size;
  }
  return ok(options);
}

/** An option of a known type but another size is kept as it came: RFC 9293 3.1 lets receivers ignore it. */
function parseOption(bytes: Uint8Array, at: number, size: number): TcpOption {
  const type = u8At(bytes, at);
  if (type === OPTION.mss && size === 4) return { kind: "mss", mss: u16At(bytes, at + 2) };
  if (type === OPTION.windowScale && size === 3) return { kind: "window-scale", shift: u8At(bytes, at + 2) };
  if (type === OPTION.sackPermitted && size === 2) return { kind: "sack-permitted" };
  if (type === OPTION.timestamps && size === 10) {
    return { kind: "timestamps", value: u32At(bytes, at + 2), echo: u32At(bytes, at + 6) };
  }
  if (type === OPTION.sack && size % 8 === 2) {
    const blocks: { left: number; right: number }[] = [];
    for (let b = at + 2; b < at + size; b += 8) blocks.push({ left: u32At(bytes, b), right: u32At(bytes, b + 4) });
    return { kind: "sack", blocks };
  }
  return { kind: "other", type, content: bytes.slice(at + 2, at + size) };
}

function emitOption(option: TcpOption, bytes: Uint8Array, at: number): number {
  const length = optionLength(option);
  setU8(bytes, at + 1, length);
  switch (option.kind) {
    case "mss":
      setU8(bytes, at, OPTION.mss);
      setU16(bytes, at + 2, option.mss);
      break;
    case "window-scale":
      setU8(bytes, at, OPTION.windowScale);
      setU8(bytes, at + 2, option.shift);
      break;
    case "sack-permitted":
      setU8(bytes, at, OPTION.sackPermitted);
      break;
    case "sack":
      setU8(bytes, at, OPTION.sack);
      for (const [i, block] of option.blocks.entries()) {
        setU32(bytes, at + 2 + 8 * i, block.left);
        setU32(bytes, at + 6 + 8 * i, block.right);
      }
      break;
    case "timestamps":
      setU8(bytes, at, OPTION.timestamps);
      setU32(bytes, at + 2, option.value);
      setU32(bytes, at + 6, option.echo);
      break;
    case "other":
      setU8(bytes, at, option.type);
      bytes.set(option.content, at + 2);
      break;
    default:
      unreachable(option);
  }
  return at + length;
}

function formatOption(option: TcpOption): string {
  switch (option.kind) {
    case "mss":
      return `mss ${option.mss}`;
    case "window-scale":
      return `wscale ${option.shift}`;
    case "sack-permitted":
      return "sackOK";
    case "sack":
      return `sack ${option.blocks.map((b) => `${b.left}:${b.right}`).join(" ")}`;
    case "timestamps":
      return `ts ${option.value}/${option.echo}`;
    case "other":
      return `option ${option.type}`;
    default:
      return unreachable(option);
  }
}
