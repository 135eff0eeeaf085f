import { unreachable } from "../base/assert.ts";
import { err } from "../base/result.ts";

/** The headers that wire knows; also the tag of a layer in a parsed frame. */
export type HeaderName =
  | "ethernet"
  | "vlan"
  | "arp"
  | "ipv4"
  | "ipv6"
  | "ipv6-extension"
  | "icmpv4"
  | "icmpv6"
  | "ndp"
  | "udp"
  | "tcp"
  | "dhcpv4"
  | "vxlan";

/**
 * Why bytes are not the header they should be. Closed: callers switch over `kind` and end in `unreachable`.
 * A number that is merely unknown (a protocol, an option, an ICMP type) is never an error; it is kept as a number.
 */
export type ParseError =
  | {
      /** The region ends inside the header, or before the end that the header itself announces. */
      readonly kind: "truncated";
      readonly header: HeaderName;
      /** Bytes wanted from the start of the header. */
      readonly need: number;
      /** Bytes there from the start of the header. */
      readonly have: number;
    }
  | { readonly kind: "bad-version"; readonly header: HeaderName; readonly version: number }
  | {
      /** A length field contradicts the header that carries it. */
      readonly kind: "bad-length";
      readonly header: HeaderName;
      readonly field: string;
      readonly value: number;
    }
  | {
      /** The stored checksum is not the one of the bytes. */
      readonly kind: "bad-checksum";
      readonly header: HeaderName;
      readonly found: number;
      readonly expected: number;
    }
  | {
      /** An option runs over the end of the options, or is shorter than its kind demands. */
      readonly kind: "bad-option";
      readonly header: HeaderName;
      readonly option: number;
      /** Bytes from the start of the header to the option. */
      readonly at: number;
    }
  | {
      /** A field has a value that its RFC forbids, so that the rest of the header means nothing. */
      readonly kind: "bad-value";
      readonly header: HeaderName;
      readonly field: string;
      readonly value: number;
    };

/** The failed result for a region of `have` bytes where the header wants `need`. */
export function truncated(header: HeaderName, need: number, have: number): { ok: false; error: ParseError } {
  return err<ParseError>({ kind: "truncated", header, need, have: Math.max(0, have) });
}

/** The failed result for a length field that contradicts its header. */
export function badLength(header: HeaderName, field: string, value: number): { ok: false; error: ParseError } {
  return err<ParseError>({ kind: "bad-length", header, field, value });
}

/** The failed result for a forbidden value. */
export function badValue(header: HeaderName, field: string, value: number): { ok: false; error: ParseError } {
  return err<ParseError>({ kind: "bad-value", header, field, value });
}

/** The failed result for an option that does not fit. */
export function badOption(header: HeaderName, option: number, at: number): { ok: false; error: ParseError } {
  return err<ParseError>({ kind: "bad-option", header, option, at });
}

/** One line of text: what is wrong, and what was expected. */
export function formatParseError(error: ParseError): string {
  const { header } = error;
  switch (error.kind) {
    case "truncated":
      return `${header} truncated: ${error.have} bytes of ${error.need}`;
    case "bad-version":
      return `${header} has version ${error.version}`;
    case "bad-length":
      return `${header} has ${error.field} ${error.value}`;
    case "bad-checksum":
      return `${header} has checksum 0x${error.found.toString(16)}, not 0x${error.expected.toString(16)}`;
    case "bad-option":
      return `${header} has a broken option ${error.option} at byte ${error.at}`;
    case "bad-value":
      return `${header} has ${error.field} ${error.value}`;
    default:
      return unreachable(error);
  }
}
