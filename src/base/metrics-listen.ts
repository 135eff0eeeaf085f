import { parseTcpAddress, type TcpAddress } from "./listen-address.ts";
import type { Result } from "./result.ts";

/** Help of the key `metrics-listen`, the same in every process. */
export const METRICS_LISTEN_HELP =
  "Address for Prometheus, as 127.0.0.1:9601 or 9601 (loopback): GET /metrics there needs no token. Default: none.";

/** Reads `PORT`, `HOST:PORT`, `[v6]:PORT`. A port alone means loopback: what is told there is open to whoever connects. */
export function parseMetricsListen(text: string): Result<TcpAddress, string> {
  const expected = "a port, or an address and a port, as 127.0.0.1:9601";
  return parseTcpAddress(text, { key: "metrics-listen", expected, defaultHost: "127.0.0.1" });
}
