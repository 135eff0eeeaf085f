import { chmodSync } from "node:fs";
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { AGENT_PATHS, agentTraceRequest } from "../api-schema/agent-api.ts";
import { parseBody } from "../api-schema/convert.ts";
import type { AgentDoctor, SupportPart } from "../api-schema/doctor-resource.ts";
import { type ApiError, apiError, statusOf } from "../api-schema/errors.ts";
import { FLOWS_MAX, FRAME_BYTES_MAX } from "../api-schema/limits.ts";
import type { Instant } from "../base/clock.ts";
import { EXPOSITION_TYPE } from "../base/exposition.ts";
import { freeSocket } from "../base/free-socket.ts";
import { createServer } from "../base/http.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { AgentState } from "./agent-state.ts";
import { FLOWS_DEFAULT } from "./limits.ts";

/** What the agent's API shows beyond the state: made when asked. */
export interface AgentViews {
  /** The metrics, in Prometheus' text format. */
  metrics(): string;
  /** Looks at this host. */
  doctor(): Promise<AgentDoctor>;
  /** What belongs into a bundle. */
  support(): SupportPart;
  /**
   * Leaves datapath and session to the next agent of this host; resolves with true when they are free. False, and nothing done, after
   * `before` of the monotonic clock: whoever asked has given up since, while this process was stopped or starved.
   */
  handOver(before: Instant): Promise<boolean>;
  /** The next agent has its answer, or has gone: this one has nothing left to do. */
  onHandedOver(): void;
}

/** An answer that is not JSON. */
class Text {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/**
 * The agent's own API on a Unix socket that only its owner can open. Plain `node:http`: a few questions need no framework, and
 * the agent's memory is for flows. A socket on which another process answers is left alone, and nothing is served.
 */
export async function listenAgent(
  socket: string,
  state: AgentState,
  views: AgentViews,
): Promise<Result<Server, string>> {
  const free = await freeSocket(socket);
  if (!free.ok) return err(`api-socket: ${free.error}: stop who has it, or give every agent another --api-socket`);
  const server = createServer(answering(state, views));
  return new Promise((resolve) => {
    server.once("error", (error) => resolve(err(`cannot listen on ${socket}: ${error.message}`)));
    server.listen(socket, () => {
      chmodSync(socket, 0o600);
      resolve(ok(server));
    });
  });
}

/** Answers what may be asked from other machines: everything but to hand over, which only the next agent of this host may ask for. */
export function answeringOthers(state: AgentState, views: AgentViews): RequestListener {
  const refuse = (): Promise<boolean> => Promise.resolve(false);
  return answering(state, { ...views, handOver: refuse });
}

function answering(state: AgentState, views: AgentViews): RequestListener {
  return (request, response) => {
    // A request that cannot be read, or whose sender has gone, must not end the agent.
    const answered = answer(request, state, views).catch(() => err(apiError("internal")));
    void answered.then((result) => {
      if (result.ok && isHandOver(request)) onceClosed(response, () => views.onHandedOver());
      reply(response, result);
    });
  };
}

function isHandOver({ method, url = "" }: IncomingMessage): boolean {
  return method === "POST" && url.split("?")[0] === AGENT_PATHS.handOver;
}

function onceClosed(response: ServerResponse, callback: () => void): void {
  if (response.destroyed) callback();
  else response.once("close", callback);
}

async function answer(
  request: IncomingMessage,
  state: AgentState,
  views: AgentViews,
): Promise<Result<unknown, ApiError>> {
  const url = new URL(request.url ?? "/", "http://agent");
  const route = `${request.method} ${url.pathname}`;
  switch (route) {
    case `GET ${AGENT_PATHS.status}`:
      return ok(await state.status());
    case `GET ${AGENT_PATHS.version}`:
      return ok(state.version());
    case `GET ${AGENT_PATHS.drops}`:
      return ok(state.drops());
    case `GET ${AGENT_PATHS.flows}`: {
      const limit = Math.min(FLOWS_MAX, Number(url.searchParams.get("limit") ?? FLOWS_DEFAULT) || 0);
      return answered(await state.flows(limit));
    }
    case `GET ${AGENT_PATHS.metrics}`: {
      const text = views.metrics();
      return ok(url.searchParams.get("format") === "json" ? { text } : new Text(text));
    }
    case `POST ${AGENT_PATHS.handOver}`: {
      const before = Number(url.searchParams.get("before") ?? Number.POSITIVE_INFINITY);
      return (await views.handOver(before)) ? ok({ pid: process.pid }) : err(apiError("agent-timeout"));
    }
    case `GET ${AGENT_PATHS.doctor}`:
      return ok(await views.doctor());
    case `GET ${AGENT_PATHS.support}`:
      return ok(views.support());
    case `POST ${AGENT_PATHS.trace}`:
      return trace(request, state);
    default:
      return err(apiError("no-path", { object: route }));
  }
}

async function trace(request: IncomingMessage, state: AgentState): Promise<Result<unknown, ApiError>> {
  const body = await readBody(request);
  const parsed = body.ok ? parseBody(agentTraceRequest, body.value) : body;
  if (!parsed.ok) return parsed;
  const { portId, frame } = parsed.value as { readonly portId: string; readonly frame: string };
  return answered(await state.trace(portId, Uint8Array.from(Buffer.from(frame, "hex"))));
}

function answered(value: unknown): Result<unknown, ApiError> {
  if (value !== undefined) return ok(value);
  return err(apiError("agent-timeout"));
}

async function readBody(request: IncomingMessage): Promise<Result<unknown, ApiError>> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += (part as Buffer).length;
    if (bytes > 4 * FRAME_BYTES_MAX) return err(apiError("body-too-large"));
    parts.push(part as Buffer);
  }
  try {
    return ok(JSON.parse(Buffer.concat(parts).toString("utf8")));
  } catch {
    return err(apiError("bad-json"));
  }
}

function reply(response: ServerResponse, result: Result<unknown, ApiError>): void {
  if (result.ok && result.value instanceof Text) {
    response.writeHead(200, { "content-type": EXPOSITION_TYPE });
    response.end(result.value.text);
    return;
  }
  const status = result.ok ? 200 : statusOf(result.error.code);
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(result.ok ? result.value : { error: result.error }));
}
