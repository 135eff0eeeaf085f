import { formatIpv4, type Ipv4 } from "../addr/ip.ts";
import { unreachable } from "../base/assert.ts";
import { ok, type Result } from "../base/result.ts";
import { u8At, u16At } from "./bytes.ts";
import { ICMP_LENGTH, IcmpView } from "./icmp-view.ts";
import { type ParseError, truncated } from "./parse-error.ts";

const OFFSET = { pointer: 4, mtu: 6 } as const;

/** Message types (RFC 792). Others stay numbers. */
export const ICMPV4_TYPE = {
  echoReply: 0,
  unreachable: 3,
  redirect: 5,
  echoRequest: 8,
  timeExceeded: 11,
  parameterProblem: 12,
} as const;

/** Codes of destination unreachable (RFC 792, RFC 1812 5.2.7.1). */
export const ICMPV4_UNREACHABLE = {
  net: 0,
  host: 1,
  protocol: 2,
  port: 3,
  fragmentationNeeded: 4,
  sourceRouteFailed: 5,
  netProhibited: 9,
  hostProhibited: 10,
  communicationProhibited: 13,
} as const;

/** Codes of time exceeded (RFC 792). */
export const ICMPV4_TIME_EXCEEDED = { ttl: 0, reassembly: 1 } as const;

/**
 * The meaning of an ICMP header. After it follow the echo data, or, for the errors and redirect, the quoted packet
 * (`parseQuotedIpv4`).
 */
export type Icmpv4Fields =
  | { readonly kind: "echo-request" | "echo-reply"; readonly identifier: number; readonly sequence: number }
  | {
      /** One of `ICMPV4_UNREACHABLE`, or another number. */
      readonly kind: "unreachable";
      readonly code: number;
      /** MTU of the next hop in bytes; 0 unless the code is fragmentation needed (RFC 1191 4). */
      readonly nextHopMtu: number;
    }
  | { readonly kind: "time-exceeded"; readonly code: number }
  | { readonly kind: "parameter-problem"; readonly code: number; readonly pointer: number }
  | { readonly kind: "redirect"; readonly code: number; readonly gateway: Ipv4 }
  | { readonly kind: "other"; readonly type: number; readonly code: number; readonly rest: number };

/** True for messages that answer a packet with trouble; ICMP never answers those (RFC 1122 3.2.2). */
export function isIcmpv4Error(fields: Icmpv4Fields): boolean {
  return fields.kind !== "echo-request" && fields.kind !== "echo-reply" && fields.kind !== "other";
}

/** Reads the header at `offset` of a region that ends before `end`; the checksum is `IcmpView`'s affair. */
export function parseIcmpv4(bytes: Uint8Array, offset: number, end: number): Result<Icmpv4Fields, ParseError> {
  if (end - offset < ICMP_LENGTH) return truncated("icmpv4", ICMP_LENGTH, end - offset);
  const view = new IcmpView(bytes, offset);
  const { type, code } = view;
  switch (type) {
    case ICMPV4_TYPE.echoRequest:
    case ICMPV4_TYPE.echoReply: {
      if (code !== 0) break;
      const kind = type === ICMPV4_TYPE.echoRequest ? "echo-request" : "echo-reply";
      return ok({ kind, identifier: view.identifier, sequence: view.sequence });
    }
    case ICMPV4_TYPE.unreachable: {
      const tooBig = code === ICMPV4_UNREACHABLE.fragmentationNeeded;
      return ok({ kind: "unreachable", code, nextHopMtu: tooBig ? u16At(bytes, offset + OFFSET.mtu) : 0 });
    }
    case ICMPV4_TYPE.timeExceeded:
      return ok({ kind: "time-exceeded", code });
    case ICMPV4_TYPE.parameterProblem:
      return ok({ kind: "parameter-problem", code, pointer: u8At(bytes, offset + OFFSET.pointer) });
    case ICMPV4_TYPE.redirect:
      return ok({ kind: "redirect", code, gateway: view.rest });
  }
  return ok({ kind: "other", type, code, rest: view.rest });
}

/** Writes the header at `offset` with checksum zero; returns where echo data or quoted packet start. */
export function emitIcmpv4(fields: Icmpv4Fields, bytes: Uint8Array, offset: number): number {
  const view = new IcmpView(bytes, offset);
  view.type = icmpv4Type(fields);
  view.code = "code" in fields ? fields.code : 0;
  view.checksum = 0;
  view.rest = restOf(fields);
  return offset + ICMP_LENGTH;
}

/** The type number of a message. */
export function icmpv4Type(fields: Icmpv4Fields): number {
  switch (fields.kind) {
    case "echo-request":
      return ICMPV4_TYPE.echoRequest;
    case "echo-reply":
      return ICMPV4_TYPE.echoReply;
    case "unreachable":
      return ICMPV4_TYPE.unreachable;
    case "time-exceeded":
      return ICMPV4_TYPE.timeExceeded;
    case "parameter-problem":
      return ICMPV4_TYPE.parameterProblem;
    case "redirect":
      return ICMPV4_TYPE.redirect;
    case "other":
      return fields.type;
    default:
      return unreachable(fields);
  }
}

/** One line. */
export function formatIcmpv4(fields: Icmpv4Fields): string {
  switch (fields.kind) {
    case "echo-request":
    case "echo-reply":
      return `icmp ${fields.kind} id ${fields.identifier} seq ${fields.sequence}`;
    case "unreachable":
      return `icmp unreachable ${formatUnreachable(fields.code)}${fields.nextHopMtu > 0 ? ` mtu ${fields.nextHopMtu}` : ""}`;
    case "time-exceeded":
      return `icmp time-exceeded ${fields.code === ICMPV4_TIME_EXCEEDED.ttl ? "ttl" : "reassembly"}`;
    case "parameter-problem":
      return `icmp parameter-problem code ${fields.code} pointer ${fields.pointer}`;
    case "redirect":
      return `icmp redirect code ${fields.code} to ${formatIpv4(fields.gateway)}`;
    case "other":
      return `icmp type ${fields.type} code ${fields.code}`;
    default:
      return unreachable(fields);
  }
}

function restOf(fields: Icmpv4Fields): number {
  switch (fields.kind) {
    case "echo-request":
    case "echo-reply":
      return (fields.identifier << 16) | fields.sequence;
    case "unreachable":
      return fields.nextHopMtu;
    case "time-exceeded":
      return 0;
    case "parameter-problem":
      return fields.pointer << 24;
    case "redirect":
      return fields.gateway;
    case "other":
      return fields.rest;
    default:
      return unreachable(fields);
  }
}

function formatUnreachable(code: number): string {
  for (const [name, value] of Object.entries(ICMPV4_UNREACHABLE)) if (value === code) return name;
  return `code ${code}`;
}
