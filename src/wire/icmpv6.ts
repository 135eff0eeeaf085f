import { unreachable } from "../base/assert.ts";
import { ok, type Result } from "../base/result.ts";
import { ICMP_LENGTH, IcmpView } from "./icmp-view.ts";
import { type ParseError, truncated } from "./parse-error.ts";

/** Message types (RFC 4443; neighbor discovery's are in `ndp.ts`). Others stay numbers. */
export const ICMPV6_TYPE = {
  unreachable: 1,
  packetTooBig: 2,
  timeExceeded: 3,
  parameterProblem: 4,
  echoRequest: 128,
  echoReply: 129,
} as const;

/** Codes of destination unreachable (RFC 4443 3.1). */
export const ICMPV6_UNREACHABLE = {
  noRoute: 0,
  prohibited: 1,
  beyondScope: 2,
  address: 3,
  port: 4,
  sourcePolicy: 5,
  rejectRoute: 6,
} as const;

/** Codes of time exceeded (RFC 4443 3.3). */
export const ICMPV6_TIME_EXCEEDED = { hopLimit: 0, reassembly: 1 } as const;

/**
 * The meaning of an ICMPv6 header that is not neighbor discovery. After it follow the echo data, or, for the errors,
 * the quoted packet (`parseQuotedIpv6`).
 */
export type Icmpv6Fields =
  | { readonly kind: "echo-request" | "echo-reply"; readonly identifier: number; readonly sequence: number }
  | { readonly kind: "unreachable"; readonly code: number }
  | { readonly kind: "packet-too-big"; readonly mtu: number }
  | { readonly kind: "time-exceeded"; readonly code: number }
  | { readonly kind: "parameter-problem"; readonly code: number; readonly pointer: number }
  | { readonly kind: "other"; readonly type: number; readonly code: number; readonly rest: number };

/** True for the types below 128, known or not; ICMPv6 never answers those (RFC 4443 2.4 e.1). */
export function isIcmpv6Error(fields: Icmpv6Fields): boolean {
  return icmpv6Type(fields) < 128;
}

/** Reads the header at `offset` of a region that ends before `end`; the checksum is `IcmpView`'s affair. */
export function parseIcmpv6(bytes: Uint8Array, offset: number, end: number): Result<Icmpv6Fields, ParseError> {
  if (end - offset < ICMP_LENGTH) return truncated("icmpv6", ICMP_LENGTH, end - offset);
  const view = new IcmpView(bytes, offset);
  const { type, code, rest } = view;
  switch (type) {
    case ICMPV6_TYPE.echoRequest:
    case ICMPV6_TYPE.echoReply: {
      if (code !== 0) break;
      const kind = type === ICMPV6_TYPE.echoRequest ? "echo-request" : "echo-reply";
      return ok({ kind, identifier: view.identifier, sequence: view.sequence });
    }
    case ICMPV6_TYPE.unreachable:
      return ok({ kind: "unreachable", code });
    case ICMPV6_TYPE.packetTooBig:
      return ok({ kind: "packet-too-big", mtu: rest });
    case ICMPV6_TYPE.timeExceeded:
      return ok({ kind: "time-exceeded", code });
    case ICMPV6_TYPE.parameterProblem:
      return ok({ kind: "parameter-problem", code, pointer: rest });
  }
  return ok({ kind: "other", type, code, rest });
}

/** Writes the header at `offset` with checksum zero; returns where echo data or quoted packet start. */
export function emitIcmpv6(fields: Icmpv6Fields, bytes: Uint8Array, offset: number): number {
  const view = new IcmpView(bytes, offset);
  view.type = icmpv6Type(fields);
  view.code = "code" in fields ? fields.code : 0;
  view.checksum = 0;
  view.rest = restOf(fields);
  return offset + ICMP_LENGTH;
}

/** The type number of a message. */
export function icmpv6Type(fields: Icmpv6Fields): number {
  switch (fields.kind) {
    case "echo-request":
      return ICMPV6_TYPE.echoRequest;
    case "echo-reply":
      return ICMPV6_TYPE.echoReply;
    case "unreachable":
      return ICMPV6_TYPE.unreachable;
    case "packet-too-big":
      return ICMPV6_TYPE.packetTooBig;
    case "time-exceeded":
      return ICMPV6_TYPE.timeExceeded;
    case "parameter-problem":
      return ICMPV6_TYPE.parameterProblem;
    case "other":
      return fields.type;
    default:
      return unreachable(fields);
  }
}

/** One line. */
export function formatIcmpv6(fields: Icmpv6Fields): string {
  switch (fields.kind) {
    case "echo-request":
    case "echo-reply":
      return `icmp6 ${fields.kind} id ${fields.identifier} seq ${fields.sequence}`;
    case "unreachable":
      return `icmp6 unreachable ${formatUnreachable(fields.code)}`;
    case "packet-too-big":
      return `icmp6 packet-too-big mtu ${fields.mtu}`;
    case "time-exceeded":
      return `icmp6 time-exceeded ${fields.code === ICMPV6_TIME_EXCEEDED.hopLimit ? "hop-limit" : "reassembly"}`;
    case "parameter-problem":
      return `icmp6 parameter-problem code ${fields.code} pointer ${fields.pointer}`;
    case "other":
      return `icmp6 type ${fields.type} code ${fields.code}`;
    default:
      return unreachable(fields);
  }
}

function restOf(fields: Icmpv6Fields): number {
  switch (fields.kind) {
    case "echo-request":
    case "echo-reply":
      return (fields.identifier << 16) | fields.sequence;
    case "packet-too-big":
      return fields.mtu;
    case "parameter-problem":
      return fields.pointer;
    case "unreachable":
    case "time-exceeded":
      return 0;
    case "other":
      return fields.rest;
    default:
      return unreachable(fields);
  }
}

function formatUnreachable(code: number): string {
  for (const [name, value] of Object.entries(ICMPV6_UNREACHABLE)) if (value === code) return name;
  return `code ${code}`;
}
