import { JsonHttp, parseHttpTarget } from "../api-client/http-json.ts";
import type { AgentDrops, AgentFlows, AgentStatus, AgentTrace } from "../api-schema/agent-api.ts";
import {
  AGENT_PATHS,
  type AgentTraceRequest,
  agentDrops,
  agentFlows,
  agentStatus,
  agentTrace,
} from "../api-schema/agent-api.ts";
import { type AgentDoctor, agentDoctor, type SupportPart, supportPart } from "../api-schema/doctor-resource.ts";
import { type ApiError, apiError, isErrorCode } from "../api-schema/errors.ts";
import { type AgentMetrics, agentMetrics } from "../api-schema/metrics-resource.ts";
import type { Duration } from "../base/clock.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Id } from "../model/objects.ts";
import { checkSchema } from "../model/schema/check.ts";
import type { JsonSchema } from "../model/schema/json-schema.ts";
import type { Facts } from "./facts.ts";
import { AGENT_DEADLINE_MS, AGENTS_AT_ONCE } from "./limits.ts";

/** Asks the agents of hosts, each within a deadline. Every failure names the host and is a value. */
export interface Agents {
  status(hostId: Id): Promise<Result<AgentStatus, ApiError>>;
  flows(hostId: Id, limit: number): Promise<Result<AgentFlows, ApiError>>;
  drops(hostId: Id): Promise<Result<AgentDrops, ApiError>>;
  trace(hostId: Id, request: AgentTraceRequest): Promise<Result<AgentTrace, ApiError>>;
  metrics(hostId: Id): Promise<Result<AgentMetrics, ApiError>>;
  /** `isLastKnown`: also where the agent served last, when the store does not say where it serves now. */
  doctor(hostId: Id, isLastKnown?: boolean): Promise<Result<AgentDoctor, ApiError>>;
  support(hostId: Id): Promise<Result<SupportPart, ApiError>>;
  close(): void;
}

/** How agents are reached. */
export interface AgentsOptions {
  readonly facts: Facts;
  /** The cloud's token, for agents on a management address. */
  readonly token: string;
  readonly deadlineMs?: Duration;
}

/** Agents over HTTP, at the addresses that they publish. */
export class HttpAgents implements Agents {
  readonly #options: AgentsOptions;
  /** One connection pool an address, replaced when a host publishes another one. */
  readonly #pools = new Map<Id, { readonly address: string; readonly http: JsonHttp }>();

  constructor(options: AgentsOptions) {
    this.#options = options;
  }

  status(hostId: Id): Promise<Result<AgentStatus, ApiError>> {
    return this.#ask(hostId, { path: AGENT_PATHS.status, schema: agentStatus });
  }

  flows(hostId: Id, limit: number): Promise<Result<AgentFlows, ApiError>> {
    return this.#ask(hostId, { path: `${AGENT_PATHS.flows}?limit=${limit}`, schema: agentFlows });
  }

  drops(hostId: Id): Promise<Result<AgentDrops, ApiError>> {
    return this.#ask(hostId, { path: AGENT_PATHS.drops, schema: agentDrops });
  }

  trace(hostId: Id, body: AgentTraceRequest): Promise<Result<AgentTrace, ApiError>> {
    return this.#ask(hostId, { path: AGENT_PATHS.trace, schema: agentTrace, body });
  }

  metrics(hostId: Id): Promise<Result<AgentMetrics, ApiError>> {
    return this.#ask(hostId, { path: `${AGENT_PATHS.metrics}?format=json`, schema: agentMetrics });
  }

  doctor(hostId: Id, isLastKnown = false): Promise<Result<AgentDoctor, ApiError>> {
    return this.#ask(hostId, { path: AGENT_PATHS.doctor, schema: agentDoctor, isLastKnown });
  }

  support(hostId: Id): Promise<Result<SupportPart, ApiError>> {
    return this.#ask(hostId, { path: AGENT_PATHS.support, schema: supportPart });
  }

  close(): void {
    for (const { http } of this.#pools.values()) http.close();
    this.#pools.clear();
  }

  async #ask<T>(hostId: Id, question: Question): Promise<Result<T, ApiError>> {
    const object = `host ${hostId}`;
    const { path, body, schema, isLastKnown } = question;
    const http = this.#poolOf(hostId, isLastKnown === true);
    if (!http.ok) return http;
    const answer = await http.value.send({
      method: body === undefined ? "GET" : "POST",
      path,
      ...(body === undefined ? {} : { body }),
      headers: { authorization: `Bearer ${this.#options.token}` },
      withinMs: this.#options.deadlineMs ?? AGENT_DEADLINE_MS,
    });
    if (!answer.ok) {
      const { kind, why } = answer.error;
      if (kind === "timeout") return err(apiError("agent-timeout", { object, expected: `an answer (${why})` }));
      const code = kind === "bad-answer" ? "agent-failed" : "agent-not-alive";
      return err(apiError(code, { object, expected: `an answer (${why})` }));
    }
    if (answer.value.status >= 300) return err(refusalOf(object, answer.value.status, answer.value.body));
    const problem = checkSchema(schema, answer.value.body, { canonical: false })[0];
    if (problem === undefined) return ok(answer.value.body as T);
    return err(apiError("agent-failed", { object, field: problem.field, expected: problem.expected }));
  }

  #poolOf(hostId: Id, isLastKnown: boolean): Result<JsonHttp, ApiError> {
    const { facts } = this.#options;
    const object = `host ${hostId}`;
    const address = isLastKnown ? facts.lastAgentAddress(hostId) : facts.agentAddress(hostId);
    const known = this.#pools.get(hostId);
    if (known !== undefined && known.address === address) return ok(known.http);
    known?.http.close();
    this.#pools.delete(hostId);
    if (address === undefined) return err(apiError("agent-not-alive", { object }));
    const target = parseHttpTarget(address);
    if (!target.ok) return err(apiError("agent-failed", { object, expected: target.error }));
    const http = new JsonHttp(target.value);
    this.#pools.set(hostId, { address, http });
    return ok(http);
  }
}

/** Asks many hosts, a few at a time; the answers in the order of the hosts. */
export async function askAll<T>(
  hostIds: readonly Id[],
  ask: (hostId: Id) => Promise<Result<T, ApiError>>,
): Promise<readonly (readonly [Id, Result<T, ApiError>])[]> {
  const answers: (readonly [Id, Result<T, ApiError>])[] = [];
  for (let i = 0; i < hostIds.length; i += AGENTS_AT_ONCE) {
    const some = hostIds.slice(i, i + AGENTS_AT_ONCE);
    answers.push(...(await Promise.all(some.map(async (hostId) => [hostId, await ask(hostId)] as const))));
  }
  return answers;
}

interface Question {
  readonly path: string;
  readonly schema: JsonSchema;
  readonly body?: unknown;
  readonly isLastKnown?: boolean;
}

/** An agent's own error of the catalogue is passed on with the host's name; anything else is a failure of the agent. */
function refusalOf(object: string, status: number, body: unknown): ApiError {
  const error = typeof body === "object" && body !== null && "error" in body ? body.error : undefined;
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  if (isErrorCode(code)) return { ...apiError(code), ...(error as Partial<ApiError>), object };
  return apiError("agent-failed", { object, expected: `an answer, not status ${status}` });
}
