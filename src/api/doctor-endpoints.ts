import { doctorAnswer, type SupportPart, supportAnswer } from "../api-schema/doctor-resource.ts";
import type { ApiError } from "../api-schema/errors.ts";
import { ok, type Result } from "../base/result.ts";
import { type CloudDoctorParts, examineCloud } from "./doctor/doctor.ts";
import type { Answer, ApiRequest, Endpoint } from "./endpoint.ts";
import { askHosts, type HostParts } from "./host-endpoints.ts";

/** What the endpoints of the doctor need. */
export interface DoctorEndpointParts extends HostParts {
  readonly doctor: CloudDoctorParts;
  /** What this process adds to a bundle. */
  support(): SupportPart;
}

/** `weft doctor`: findings, and what belongs into a bundle. */
export function doctorEndpoints(parts: DoctorEndpointParts): readonly Endpoint[] {
  const asked: Pick<Endpoint, "errors" | "status" | "tag" | "method"> = {
    ...{ method: "GET", tag: "hosts", status: 200 },
    errors: ["bad-query", "not-found", "agent-not-alive", "agent-timeout", "agent-failed"],
  };
  return [
    {
      ...asked,
      path: "/v1/doctor",
      operation: "examine",
      summary: "Looks for what is wrong: at the store, at the cloud, and through the agents at every host that lives",
      query: { host: "Id of the host; the store, the cloud and all hosts when absent" },
      answer: doctorAnswer,
      handle: (request) => examine(parts, request),
    },
    {
      ...asked,
      path: "/v1/support",
      operation: "listSupport",
      summary: "Releases, configuration (secrets cut) and last log lines of this server and of every agent that lives",
      query: { host: "Id of the host; this server and all hosts when absent" },
      answer: supportAnswer,
      handle: (request) => support(parts, request),
    },
  ];
}

async function examine(
  { doctor, objects }: DoctorEndpointParts,
  request: ApiRequest,
): Promise<Result<Answer, ApiError>> {
  const wanted = request.query["host"]?.toLowerCase();
  const host = wanted === undefined ? undefined : await objects.stored("host", wanted);
  // Of a store that cannot be used the doctor tells more than one sentence.
  const isUnknown = wanted !== undefined && !doctor.facts.lastKnownHosts().includes(wanted);
  if (host?.ok === false && (host.error.code === "not-found" || isUnknown)) return host;
  return ok({ body: await examineCloud(doctor, wanted) });
}

async function support(parts: DoctorEndpointParts, request: ApiRequest): Promise<Result<Answer, ApiError>> {
  const asked = await askHosts(parts, request, (hostId) => parts.agents.support(hostId));
  if (!asked.ok) return asked;
  const { answers, missing } = asked.value;
  const own = request.query["host"] === undefined ? [parts.support()] : [];
  return ok({ body: { items: [...own, ...answers.map(([hostId, part]) => ({ ...part, hostId }))], missing } });
}
