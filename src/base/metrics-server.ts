import type { RequestListener, Server } from "node:http";
import { EXPOSITION_TYPE } from "./exposition.ts";
import { createServer } from "./http.ts";
import { SCRAPE_WITHIN_MS, SCRAPERS_MAX } from "./limits.ts";
import { formatTcpAddress, type TcpAddress } from "./listen-address.ts";
import { parseMetricsListen } from "./metrics-listen.ts";
import { err, ok, type Result } from "./result.ts";

/** A listener for a scraper. */
export interface MetricsListener {
  /** As a scraper writes it; of port 0 the one that was given. */
  readonly address: string;
  close(): void;
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
export function serveMetrics(address: TcpAddress, text: () => string): Promise<Result<MetricsListener, string>> {
  const { host, port } = address;
  const server = createServer({ requestTimeout: SCRAPE_WITHIN_MS, headersTimeout: SCRAPE_WITHIN_MS }, answer(text));
  server.maxConnections = SCRAPERS_MAX;
  return new Promise((resolve) => {
    server.once("error", (error) =>
      resolve(err(`metrics-listen: cannot listen on ${formatTcpAddress(address)}: ${error.message}`)),
    );
    server.listen({ host, port }, () => {
      resolve(
        ok({
          address: `http://${formatTcpAddress({ host, port: portOf(server, port) })}/metrics`,
          close: () => closeNow(server),
        }),
      );
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
