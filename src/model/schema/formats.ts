import { formatIp, parseIp } from "../../addr/ip.ts";
import { formatMac, parseMac } from "../../addr/mac.ts";
import { formatPrefix, networkOf, parsePrefix, samePrefix } from "../../addr/prefix.ts";
import type { FormatName } from "./json-schema.ts";

/** A named check of text: the one canonical writing of a value, or undefined when the text is none. */
interface Format {
  readonly expected: string;
  canonical(text: string): string | undefined;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const FORMATS: Readonly<Record<FormatName, Format>> = {
  uuid: {
    expected: "a UUID such as 6f1c0c5e-3c9f-4b57-9d1e-0a4b8f0e2d11",
    canonical: (text) => {
      const lower = text.toLowerCase();
      return UUID.test(lower) ? lower : undefined;
    },
  },
  mac: {
    expected: "a MAC address such as 02:00:00:00:00:01",
    canonical: (text) => {
      const mac = parseMac(text);
      return mac.ok ? formatMac(mac.value) : undefined;
    },
  },
  ip: {
    expected: "an IP address such as 10.0.0.1 or fd00::1",
    canonical: (text) => {
      const ip = parseIp(text);
      return ip.ok ? formatIp(ip.value) : undefined;
    },
  },
  prefix: {
    expected: "an address with its prefix length such as 10.0.0.1/24 or fd00::1/64",
    canonical: (text) => {
      const prefix = parsePrefix(text);
      return prefix.ok ? formatPrefix(prefix.value) : undefined;
    },
  },
  network: {
    expected: "a prefix without host bits such as 10.0.0.0/24 or fd00::/64",
    canonical: (text) => canonicalNetwork(text),
  },
};

/** The canonical writing of a text of that format, or undefined. A bare address is a network of one. */
export function canonicalText(format: FormatName, text: string): string | undefined {
  return FORMATS[format].canonical(text);
}

/** What a text of that format looks like, for "expected ...". */
export function formatExpected(format: FormatName): string {
  return FORMATS[format].expected;
}

function canonicalNetwork(text: string): string | undefined {
  const ip = text.includes("/") ? undefined : parseIp(text);
  if (ip !== undefined) return ip.ok ? `${formatIp(ip.value)}/${text.includes(":") ? 128 : 32}` : undefined;
  const prefix = parsePrefix(text);
  if (!prefix.ok || !samePrefix(prefix.value, networkOf(prefix.value))) return undefined;
  return formatPrefix(prefix.value);
}
