import { err, ok, type Result } from "./result.ts";

/** A host and a port. An IPv6 address stands without its brackets. */
export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

/** Where a process listens. */
export type ListenAddress = { readonly kind: "unix"; readonly path: string } | ({ readonly kind: "tcp" } & TcpAddress);

/** What may stand where an address and a port are asked for. */
export interface TcpAddressRule {
  /** The configuration's key, and what it may say, both for the sentence. */
  readonly key: string;
  readonly expected: string;
  /** The host of a text that is a port alone; without it there must be a host. */
  readonly defaultHost?: string;
  /** The least port: 1 where others are told it, as 0 is any that is free (default 0). */
  readonly minPort?: number;
  /** Whether this host is allowed here (default: any is). */
  isAllowed?(host: string): boolean;
}

/** Bytes of the path of a Unix socket: sun_path of unix(7) holds one more, a zero. */
const SOCKET_PATH_BYTES_MAX = 107;

/** Reads `HOST:PORT`, `[v6]:PORT` or, where the rule allows it, `PORT`. The error is one sentence with the key. */
export function parseTcpAddress(text: string, rule: TcpAddressRule): Result<TcpAddress, string> {
  const [, name = rule.defaultHost, digits] =
    /^(?:(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):)?([0-9]{1,5})$/.exec(text) ?? [];
  const host = name?.replace(/^\[|\]$/g, "");
  const port = Number(digits);
  const isPort = digits !== undefined && port >= (rule.minPort ?? 0) && port <= 65_535;
  if (isPort && host !== undefined && (rule.isAllowed?.(host) ?? true)) return ok({ host, port });
  return err(`${rule.key}: ${text}: expected ${rule.expected}`);
}

/** As `parseTcpAddress` reads it: an IPv6 address in brackets. */
export function formatTcpAddress({ host, port }: TcpAddress): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** A Unix socket to listen on. The error is one sentence with the key. */
export function socketAddress(key: string, path: string): Result<ListenAddress, string> {
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return ok({ kind: "unix", path });
  return err(`${key}: ${path} is longer than the ${SOCKET_PATH_BYTES_MAX} bytes that a socket path may have`);
}
