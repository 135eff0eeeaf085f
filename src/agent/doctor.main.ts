import { JsonHttp } from "../api-client/http-json.ts";
import { AGENT_PATHS } from "../api-schema/agent-api.ts";
import { type AgentDoctor, agentDoctor, type Finding, warning, well } from "../api-schema/doctor-resource.ts";
import { checkSchema } from "../model/schema/check.ts";
import { checkHost, checkPins } from "./doctor/host-checks.ts";
import { LOCAL_DOCTOR_MS } from "./limits.ts";
import { readHostFacts } from "./read-host-facts.main.ts";

/** `weft agent --doctor`: findings about this host as JSON, from the agent that serves the socket or, without one, from facts alone. */
export async function examineLocally(socket: string): Promise<string> {
  const served = await askAgent(socket);
  const findings = served === undefined ? await withoutAgent(socket) : [serving(socket), ...served.findings];
  return JSON.stringify({ findings }, undefined, 2);
}

function serving(socket: string): Finding {
  return well("agent-socket", { subject: socket, found: "an agent answers" });
}

async function withoutAgent(socket: string): Promise<readonly Finding[]> {
  const facts = await readHostFacts([]);
  const remedy =
    "start the agent (weft agent), or name its socket with --api-socket; what keeps it from starting is in its log";
  const silent = warning("agent-socket", { subject: socket, found: "no agent answers", remedy });
  return [silent, ...checkHost(facts), ...checkPins(facts, undefined)];
}

async function askAgent(socket: string): Promise<AgentDoctor | undefined> {
  const http = new JsonHttp({ kind: "unix", path: socket });
  const answer = await http.send({ method: "GET", path: AGENT_PATHS.doctor, withinMs: LOCAL_DOCTOR_MS });
  http.close();
  if (!answer.ok || answer.value.status !== 200) return undefined;
  const problem = checkSchema(agentDoctor, answer.value.body, { canonical: false })[0];
  return problem === undefined ? (answer.value.body as AgentDoctor) : undefined;
}
