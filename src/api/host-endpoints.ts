import { agentStatus } from "../api-schema/agent-api.ts";
import { type ApiError, apiError } from "../api-schema/errors.ts";
import { FLOWS_MAX } from "../api-schema/limits.ts";
import { metricsAnswer } from "../api-schema/metrics-resource.ts";
import { dropsAnswer, flowsAnswer, traceAnswer, traceRequest } from "../api-schema/trace-resource.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Id } from "../model/objects.ts";
import { askAll } from "./agents.ts";
import type { ApiMetrics } from "./api-metrics.ts";
import type { Answer, ApiRequest, Endpoint } from "./endpoint.ts";
import type { Facts } from "./facts.ts";
import { targetOf } from "./object-endpoints.ts";
import { type TraceParts, trace } from "./trace.ts";

const FLOWS_DEFAULT = 1_000;

/** What endpoints about hosts need. */
export interface HostParts extends TraceParts {
  readonly facts: Facts;
  readonly metrics: ApiMetrics;
}

/** What the agents of hosts know: flows, drops, their state, and the walk of a packet. */
export function hostEndpoints(parts: HostParts): readonly Endpoint[] {
  const asked: Pick<Endpoint, "errors" | "status" | "tag"> = {
    tag: "hosts",
    status: 200,
    errors: ["bad-query", "not-found", "agent-not-alive", "agent-timeout", "agent-failed"],
  };
  return [
    {
      ...asked,
      method: "GET",
      path: "/v1/hosts/{id}/status",
      operation: "getHostStatus",
      summary: "State of a host's agent",
      answer: agentStatus,
      handle: async (request) => {
        const host = await parts.objects.stored("host", targetOf("host", request).id);
        if (!host.ok) return host;
        return bodyOf(await parts.agents.status(host.value.object.id));
      },
    },
    {
      ...asked,
      method: "GET",
      path: "/v1/flows",
      operation: "listFlows",
      summary: "Flows that are installed, on one host or on all that live",
      query: {
        host: "Id of the host; all when absent",
        limit: `At most so many a host, 1 to ${FLOWS_MAX}; ${FLOWS_DEFAULT} when absent`,
      },
      answer: flowsAnswer,
      handle: (request) => flows(parts, request),
    },
    {
      ...asked,
      method: "GET",
      path: "/v1/drops",
      operation: "listDrops",
      summary: "Packets that were dropped, by reason and port, on one host or on all that live",
      query: { host: "Id of the host; all when absent" },
      answer: dropsAnswer,
      handle: (request) => drops(parts, request),
    },
    {
      ...asked,
      method: "GET",
      path: "/v1/metrics",
      operation: "listMetrics",
      summary: "Metrics of one host's agent, or of this server and of every agent that lives",
      query: { host: "Id of the host; this server and all hosts when absent" },
      answer: metricsAnswer,
      handle: (request) => metrics(parts, request),
    },
    {
      ...asked,
      method: "POST",
      path: "/v1/trace",
      operation: "trace",
      summary: "Walks a packet through the live topology; nothing is sent, nothing is learned",
      body: traceRequest,
      answer: traceAnswer,
      errors: [...asked.errors, "missing-field", "bad-value", "bad-frame"],
      handle: async (request) => bodyOf(await trace(parts, request.body)),
    },
  ];
}

async function flows(parts: HostParts, request: ApiRequest): Promise<Result<Answer, ApiError>> {
  const text = request.query["limit"];
  const limit = text === undefined ? FLOWS_DEFAULT : Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > FLOWS_MAX) {
    return err(apiError("bad-query", { field: "limit", expected: `a whole number from 1 to ${FLOWS_MAX}` }));
  }
  const asked = await askHosts(parts, request, (hostId) => parts.agents.flows(hostId, limit));
  if (!asked.ok) return asked;
  const { answers, missing } = asked.value;
  const items = answers.flatMap(([hostId, answer]) => answer.flows.map((flow) => ({ hostId, ...flow })));
  const total = answers.reduce((sum, [, answer]) => sum + answer.total, 0);
  return ok({ body: { items: items.slice(0, FLOWS_MAX), total, missing } });
}

async function drops(parts: HostParts, request: ApiRequest): Promise<Result<Answer, ApiError>> {
  const asked = await askHosts(parts, request, (hostId) => parts.agents.drops(hostId));
  if (!asked.ok) return asked;
  const { answers, missing } = asked.value;
  const items = answers.flatMap(([hostId, answer]) => answer.drops.map((drop) => ({ hostId, ...drop })));
  return ok({ body: { items, missing } });
}

async function metrics(parts: HostParts, request: ApiRequest): Promise<Result<Answer, ApiError>> {
  const asked = await askHosts(parts, request, (hostId) => parts.agents.metrics(hostId));
  if (!asked.ok) return asked;
  const { answers, missing } = asked.value;
  const own = request.query["host"] === undefined ? [{ process: "api", text: parts.metrics.text() }] : [];
  const agents = answers.map(([hostId, { text }]) => ({ process: "agent", hostId, text }));
  return ok({ body: { items: [...own, ...agents], missing } });
}

/** What the hosts that were asked answered, and who did not. */
export interface Asked<T> {
  readonly answers: readonly (readonly [Id, T])[];
  readonly missing: readonly {
    readonly hostId: Id;
    readonly name: string;
    readonly code: string;
    readonly message: string;
  }[];
}

/**
 * Asks the host that the request names, whose failure is the answer then; or every host, where those that fail are named
 * and the rest is answered without them.
 */
export async function askHosts<T>(
  { objects, facts }: HostParts,
  request: ApiRequest,
  question: (hostId: Id) => Promise<Result<T, ApiError>>,
): Promise<Result<Asked<T>, ApiError>> {
  const wanted = request.query["host"];
  if (wanted !== undefined) {
    const host = await objects.stored("host", wanted.toLowerCase());
    if (!host.ok) return host;
    const answer = await question(host.value.object.id);
    return answer.ok ? ok({ answers: [[host.value.object.id, answer.value]], missing: [] }) : answer;
  }
  const hosts = await objects.list("host");
  if (!hosts.ok) return hosts;
  const known = new Map(hosts.value.resources.map((host) => [host.id, host.name]));
  const asked = await askAll([...known.keys()], async (hostId) => {
    return facts.isAlive(hostId) ? question(hostId) : err(apiError("agent-not-alive", { object: `host ${hostId}` }));
  });
  const answers = asked.flatMap(([hostId, answer]) => (answer.ok ? [[hostId, answer.value] as const] : []));
  const missing = asked.flatMap(([hostId, answer]) => {
    if (answer.ok) return [];
    return [{ hostId, name: known.get(hostId) ?? hostId, code: answer.error.code, message: answer.error.message }];
  });
  return ok({ answers, missing });
}

function bodyOf<T>(result: Result<T, ApiError>): Result<Answer, ApiError> {
  return result.ok ? ok({ body: result.value }) : result;
}
