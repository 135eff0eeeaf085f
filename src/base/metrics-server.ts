import { createServer, type RequestListener, type Server } from "node:http";
import { EXPOSITION_TYPE } from "./exposition.ts";
import { SCRAPE_WITHIN_MS, SCRAPERS_MAX } from "./limits.ts";
import { err, ok, type Result } from "./result.ts";

/** Where `--metrics-listen` asks to listen. */
export interface MetricsAddress {
  readonly host: string;
  readonly port: number;
}

/** A listener for a scraper. */
export interface MetricsListener {
  /** As a scraper writes it; of port 0 the one that was given. */
  readonly address: string;
  close(): void;
}

/** Help of the key `metrics-listen`, the same in every process. */
export const METRICS_LISTEN_HELP =
  "Address for Prometheus, as 127.0.0.1:9601 or 9601 (loopback): GET /metrics there needs no token. Default: none.";

/** Reads `PORT`, `HOST:PORT`, `[v6]:PORT`. A port alone means loopback: what is told there is open to whoever connects. */
export function parseMetricsListen(text: string): Result<MetricsAddress, string> {
  const [, host = "127.0.0.1", port = ""] = /^(?:(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):)?([0-9]{1,5})$/.exec(text) ?? [];
  if (port !== "" && Number(port) <= 65_535) return ok({ host: host.replace(/^\[|\]$/g, ""), port: Number(port) });
  return err(`metrics-listen: ${text}: expected a port, or an address and a port, as 127.0.0.1:9601`);
}

/** Listens where the key `metrics-listen` says; undefined where it says nothing. */
export async function openScraper(
  listen: string | undefined,
  text: () => string,
): Promise<Result<MetricsListener | undefined, string>> {
  if (listen === undefined) return ok(undefined);
  const address = parseMetricsListen(listen);
  return address.ok ? serveMetrics(address.value, text) : address;
}

/** Serves `GET /metrics` and nothing else. Made anew for each request. The error is one sentence. */
export function serveMetrics(address: MetricsAddress, text: () => string): Promise<Result<MetricsListener, string>> {
  const { host, port } = address;
  const server = createServer({ requestTimeout: SCRAPE_WITHIN_MS, headersTimeout: SCRAPE_WITHIN_MS }, answer(text));
  server.maxConnections = SCRAPERS_MAX;
  const name = (given: number): string => `${host.includes(":") ? `[${host}]` : host}:${given}`;
  return new Promise((resolve) => {
    server.once("error", (error) => resolve(err(`metrics-listen: cannot listen on ${name(port)}: ${error.message}`)));
    server.listen({ host, port }, () => {
      resolve(ok({ address: `http://${name(portOf(server, port))}/metrics`, close: () => closeNow(server) }));
    });
  });
}

function answer(text: () => string): RequestListener {
  return (request, response) => {
    const isMetrics = request.method === "GET" && (request.url ?? "").split("?")[0] === "/metrics";
    response.writeHead(isMetrics ? 200 : 404, { "content-type": isMetrics ? EXPOSITION_TYPE : "text/plain" });
    response.end(isMetrics ? text() : "only GET /metrics is here\n");
  };
}

function portOf(server: Server, asked: number): number {
  const bound = server.address();
  return typeof bound === "object" && bound !== null ? bound.port : asked;
}

function closeNow(server: Server): void {
  server.closeAllConnections();
  server.close();
}
