import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type ApiError, apiError, type ErrorCode, statusOf } from "../api-schema/errors.ts";

/** What Node's parser found on a connection, as the catalogue calls it. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: "headers-too-large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "body-too-large",
  ERR_HTTP_REQUEST_TIMEOUT: "request-timeout",
};

/**
 * Answers what is no request, and so never comes to a handler: in the catalogue's words, as everything else, and then closes. Where an
 * answer has begun already, nothing may be put into it.
 */
export function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  const response = "_httpMessage" in socket ? (socket._httpMessage as ServerResponse | null) : null;
  if (error.code === "ECONNRESET" || !socket.writable || response?.headersSent === true) {
    socket.destroy(error);
    return;
  }
  const what = apiError(CODES[error.code ?? ""] ?? "bad-request");
  const status = statusOf(what.code);
  const body = JSON.stringify({ error: what });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Connection: close",
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}

/** Why a request that was read is none after all: HTTP/1.1 demands a host (RFC 9112 section 3.2). */
export function flawOf({ httpVersion, headers }: IncomingMessage): ApiError | undefined {
  if (httpVersion !== "1.1" || headers.host !== undefined) return undefined;
  return apiError("bad-request", { field: "Host", expected: "one header of this name" });
}
