import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { AGENT_PATHS, agentTraceRequest } from "../api-schema/agent-api.ts";
import { parseBody } from "../api-schema/convert.ts";
import { type ApiError, apiError, statusOf } from "../api-schema/errors.ts";
import { FLOWS_MAX, FRAME_BYTES_MAX } from "../api-schema/limits.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { AgentState } from "./agent-state.ts";

/** Flows listed when the question does not say. */
const FLOWS_DEFAULT = 100;

/**
 * The agent's own API on a Unix socket that only its owner can open. Plain `node:http`: five questions need no framework, and
 * the agent's memory is for flows.
 */
export async function listenAgent(socket: string, state: AgentState): Promise<Result<Server, string>> {
  rmSync(socket, { force: true });
  const server = createServer((request, response) => {
    // A request that cannot be read, or whose sender has gone, must not end the agent.
    const answered = answer(request, state).catch(() => err(apiError("internal")));
    void answered.then((result) => reply(response, result));
  });
  return new Promise((resolve) => {
    server.once("error", (error) => resolve(err(`cannot listen on ${socket}: ${error.message}`)));
    server.listen(socket, () => {
      chmodSync(socket, 0o600);
      resolve(ok(server));
    });
  });
}

async function answer(request: IncomingMessage, state: AgentState): Promise<Result<unknown, ApiError>> {
  const url = new URL(request.url ?? "/", "http://agent");
  const route = `${request.method} ${url.pathname}`;
  if (route === `GET ${AGENT_PATHS.status}`) return ok(await state.status());
  if (route === `GET ${AGENT_PATHS.version}`) return ok(state.version());
  if (route === `GET ${AGENT_PATHS.drops}`) return ok(state.drops());
  if (route === `GET ${AGENT_PATHS.flows}`) {
    const limit = Math.min(FLOWS_MAX, Number(url.searchParams.get("limit") ?? FLOWS_DEFAULT) || 0);
    return answered(await state.flows(limit));
  }
  if (route === `POST ${AGENT_PATHS.trace}`) return trace(request, state);
  return err(apiError("no-path", { object: route }));
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
  const status = result.ok ? 200 : statusOf(result.error.code);
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(result.ok ? result.value : { error: result.error }));
}
