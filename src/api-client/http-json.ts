import type { IncomingMessage } from "node:http";
import type { Duration } from "../base/clock.ts";
import { Agent, request } from "../base/http.ts";
import { formatTcpAddress, type ListenAddress } from "../base/listen-address.ts";
import { err, ok, type Result } from "../base/result.ts";
import { ANSWER_BYTES_MAX, ANSWER_WITHIN_MS, CONNECTIONS_MAX } from "./limits.ts";

/** Where an HTTP server listens. */
export type HttpTarget = ListenAddress;

/** A request with a JSON body or none. */
export interface JsonRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path and query. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** For the whole answer, in milliseconds. */
  readonly withinMs?: Duration;
}

/** An answer whose body, if any, was JSON. */
export interface JsonAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: unknown;
}

/** Why there is no answer. `why` is a sentence part for people. */
export interface HttpFailure {
  readonly kind: "unreachable" | "timeout" | "bad-answer";
  readonly why: string;
}

const DEFAULT_PORT = 8181;

/** Reads `unix:/path`, `http://host:port`, `host:port`, `[v6]:port`; the value of the error says what was expected. */
export function parseHttpTarget(text: string): Result<HttpTarget, string> {
  const expected = "an address such as unix:/path/to/socket or http://127.0.0.1:8181";
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    return path.startsWith("/") ? ok({ kind: "unix", path }) : err(expected);
  }
  const [, host = "", port] =
    /^(?:http:\/\/)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?\/?$/.exec(text) ?? [];
  const number = port === undefined ? DEFAULT_PORT : Number(port);
  if (host === "" || number < 1 || number > 65_535) return err(expected);
  return ok({ kind: "tcp", host: host.replace(/^\[|\]$/g, ""), port: number });
}

/** The address as it is written. */
export function formatHttpTarget(target: HttpTarget): string {
  if (target.kind === "unix") return `unix:${target.path}`;
  return `http://${formatTcpAddress(target)}`;
}

/** JSON over HTTP/1.1 to one server, over connections that stay open until `close`. */
export class JsonHttp {
  readonly target: HttpTarget;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX });

  constructor(target: HttpTarget) {
    this.target = target;
  }

  /** Sends a request and reads its answer; every failure is a value. Requests are independent of each other. */
  async send(call: JsonRequest): Promise<Result<JsonAnswer, HttpFailure>> {
    const signal = AbortSignal.timeout(call.withinMs ?? ANSWER_WITHIN_MS);
    try {
      const answer = await this.#open(call, signal);
      const text = await readText(answer);
      const body = text === "" ? undefined : parseJson(text);
      const { statusCode: status = 0, headers } = answer;
      if (body === notJson) return err({ kind: "bad-answer", why: `status ${status} with a body that is not JSON` });
      return ok({ status, headers, body });
    } catch (error) {
      if (signal.aborted)
        return err({ kind: "timeout", why: `no answer within ${call.withinMs ?? ANSWER_WITHIN_MS} ms` });
      return err(failureOf(error));
    }
  }

  /** Sends a GET and hands out the answer as it arrives, for as long as it lasts. */
  async stream(path: string, headers: Readonly<Record<string, string>>): Promise<Result<IncomingMessage, HttpFailure>> {
    try {
      return ok(await this.#open({ method: "GET", path, headers }));
    } catch (error) {
      return err(failureOf(error));
    }
  }

  /** Closes all connections. */
  close(): void {
    this.#agent.destroy();
  }

  #open(call: JsonRequest, signal?: AbortSignal): Promise<IncomingMessage> {
    const { target } = this;
    const text = call.body === undefined ? undefined : JSON.stringify(call.body);
    const length = text === undefined ? {} : { "content-length": Buffer.byteLength(text) };
    const type = text === undefined ? {} : { "content-type": "application/json" };
    return new Promise((resolve, reject) => {
      const outgoing = request({
        ...(target.kind === "unix" ? { socketPath: target.path } : { host: target.host, port: target.port }),
        method: call.method,
        path: call.path,
        agent: this.#agent,
        headers: { accept: "application/json", ...type, ...length, ...call.headers },
        ...(signal === undefined ? {} : { signal }),
      });
      outgoing.on("response", resolve);
      outgoing.on("error", reject);
      outgoing.end(text);
    });
  }
}

const notJson = Symbol("not JSON");

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return notJson;
  }
}

async function readText(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new AnswerTooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

class AnswerTooLarge extends Error {
  override readonly message = `an answer of more than ${ANSWER_BYTES_MAX} bytes`;
}

const SAYINGS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such socket",
  ECONNREFUSED: "nobody listens there",
  EACCES: "this user may not open the socket",
  ENOTFOUND: "there is no such host",
  ECONNRESET: "the connection was closed",
};

function failureOf(error: unknown): HttpFailure {
  if (error instanceof AnswerTooLarge) return { kind: "bad-answer", why: error.message };
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code.startsWith("HPE_")) return { kind: "bad-answer", why: "not HTTP" };
  return { kind: "unreachable", why: SAYINGS[code] ?? (error instanceof Error ? error.message : String(error)) };
}
