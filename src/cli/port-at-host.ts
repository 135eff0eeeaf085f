import type { ApiClient } from "../api-client/client.ts";
import type { AgentStatus } from "../api-schema/agent-api.ts";
import type { ResourceOf } from "../api-schema/resources.ts";

type PortStatus = AgentStatus["ports"][number];

/** What a host says of a port that is bound there, or why it says nothing. */
export interface PortAtHost {
  readonly state?: string;
  /** One sentence; absent when all is well. */
  readonly why?: string;
}

/** Why a bound port is not active, by the word of its host; undefined for a port that is active or not bound. */
export async function portAtHost(client: ApiClient, port: ResourceOf<"port">): Promise<PortAtHost | undefined> {
  if (port.binding === undefined || port.isActive === true) return undefined;
  const status = await client.hostStatus(port.binding.hostId);
  if (!status.ok) return status.error.kind === "refused" ? { why: status.error.error.message } : {};
  const own = status.value.ports.find(({ portId }) => portId === port.id);
  if (own === undefined) return { why: "the host does not know of the binding yet, or has no room for another port" };
  const why = whyNotServed(own);
  return { state: own.state, ...(why === undefined ? {} : { why }) };
}

/** Why a host does not forward for a port bound there; undefined: it does. */
export function whyNotServed({ interfaceName, state, why }: PortStatus): string | undefined {
  switch (state) {
    case "up":
      return undefined;
    case "down":
      return `interface ${interfaceName} is down: set both of its ends up`;
    case "absent":
      return `there is no interface ${interfaceName} on the host`;
    case "wanted":
      return `interface ${interfaceName} is being attached`;
    default:
      return why ?? `interface ${interfaceName}: ${state}`;
  }
}
