import { chmodSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { dirname } from "node:path";
import { statusOf } from "../api-schema/errors.ts";
import { freeSocket } from "../base/free-socket.ts";
import { formatTcpAddress, type ListenAddress } from "../base/listen-address.ts";
import { makeFolder } from "../base/make-folder.ts";
import { err, ok, type Result } from "../base/result.ts";
import { answerClientError, flawOf } from "./client-error.ts";
import { HEADERS_WITHIN_MS, REQUEST_WITHIN_MS } from "./limits.ts";

/** A server that listens. */
export interface Listening {
  /** As clients write it; of port 0 the one that was given. */
  readonly address: string;
  close(): Promise<void>;
}

/** Listens on every address with one handler; on failure on none, and the error is one sentence that says what to do. */
export async function listenOn(
  addresses: readonly ListenAddress[],
  handle: RequestListener,
): Promise<Result<readonly Listening[], string>> {
  const listening: Listening[] = [];
  for (const address of addresses) {
    const opened = await open(address, handle);
    if (opened.ok) {
      listening.push(opened.value);
      continue;
    }
    for (const other of listening) await other.close();
    return opened;
  }
  return ok(listening);
}

async function open(address: ListenAddress, handle: RequestListener): Promise<Result<Listening, string>> {
  const limits = { headersTimeout: HEADERS_WITHIN_MS, requestTimeout: REQUEST_WITHIN_MS };
  // Node would answer a missing host itself, and say nothing.
  const server = createServer({ ...limits, requireHostHeader: false }, (request, response) => {
    const flaw = flawOf(request);
    if (flaw === undefined) return handle(request, response);
    const body = JSON.stringify({ error: flaw });
    const headers = {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      connection: "close",
    };
    response.writeHead(statusOf(flaw.code), headers).end(body);
  });
  server.on("clientError", answerClientError);
  if (address.kind === "tcp") return openTcp(server, address);
  const folder = makeFolder(dirname(address.path));
  if (!folder.ok) return err(`socket: ${folder.error}; give a path that can be written`);
  const free = await freeSocket(address.path);
  if (!free.ok) return err(`${free.error}: stop the other server, or choose another path with --socket`);
  // The socket must never be open to others, not even between bind and chmod.
  const umask = process.umask(0o177);
  const failure = await listening(server, { path: address.path });
  process.umask(umask);
  if (failure !== undefined) return err(`cannot listen on ${address.path}: ${failure.message}`);
  chmodSync(address.path, 0o600);
  return ok({ address: `unix:${address.path}`, close: () => closed(server) });
}

async function openTcp(
  server: Server,
  { host, port }: ListenAddress & { kind: "tcp" },
): Promise<Result<Listening, string>> {
  const failure = await listening(server, { host, port });
  const name = formatTcpAddress({ host, port });
  if (failure?.code === "EADDRINUSE")
    return err(`${name} is in use: stop the other server, or choose another port with --listen`);
  if (failure !== undefined) return err(`cannot listen on ${name}: ${failure.message}`);
  const bound = server.address();
  const given = typeof bound === "object" && bound !== null ? bound.port : port;
  return ok({ address: `http://${formatTcpAddress({ host, port: given })}`, close: () => closed(server) });
}

function listening(server: Server, on: { readonly path: string } | { readonly host: string; readonly port: number }) {
  return new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    server.once("error", resolve);
    server.listen(on, () => resolve(undefined));
  });
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
