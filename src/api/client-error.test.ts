import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { answerClientError } from "./client-error.ts";

function failure(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code });
}

test("a request that does not arrive in time is told so, in the catalogue's words", async () => {
  const socket = new PassThrough({ encoding: "utf8" });
  answerClientError(failure("ERR_HTTP_REQUEST_TIMEOUT"), socket);
  const text: string = socket.read();
  assert.match(text, /^HTTP\/1\.1 408 Request Timeout\r\nConnection: close\r\n/);
  assert.equal(JSON.parse(text.split("\r\n\r\n")[1] ?? "").error.code, "request-timeout");
});

test("nothing is put into an answer that has begun, nor sent to who has gone", () => {
  const busy = Object.assign(new PassThrough(), { _httpMessage: { headersSent: true } });
  busy.on("error", () => undefined);
  answerClientError(failure("HPE_INVALID_METHOD"), busy);
  const gone = new PassThrough();
  gone.on("error", () => undefined);
  answerClientError(failure("ECONNRESET"), gone);
  for (const socket of [busy, gone]) assert.deepEqual([socket.read(), socket.destroyed], [null, true]);
});
