import { HOST_ALIVE_KEY } from "../api-schema/agent-api.ts";
import type { Log } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { Id } from "../model/objects.ts";
import type { StateKeys } from "../store/recipes/state-keys.ts";
import type { TopologyStore } from "../store/recipes/topology-store.ts";

/** What is needed to join. */
export interface JoinOptions {
  readonly topology: TopologyStore;
  readonly stateKeys: StateKeys;
  readonly hostId: Id;
  readonly hostName: string;
  /** Text of the host's `alive` key. */
  readonly alive: string;
  readonly log: Log;
}

/** Makes the host known and claims its id. A second agent with the same id is refused, and told who holds it. */
export async function joinCloud(options: JoinOptions): Promise<Result<void, string>> {
  const { topology, stateKeys, hostId, hostName } = options;
  const known = await topology.get("host", hostId);
  if (!known.ok) return err(`the store does not answer as it should: ${JSON.stringify(known.error)}`);
  if (known.value === undefined) {
    const object = { kind: "host", id: hostId, name: hostName, portIds: [], tunnelZoneIds: [] } as const;
    const created = await topology.transact([{ op: "create", object }]);
    if (!created.ok) return err(`cannot register host ${hostName}: ${JSON.stringify(created.error)}`);
  }
  const key = { kind: "host", id: hostId, name: HOST_ALIVE_KEY };
  const onLost = (): void => options.log.error("host.id.taken", { host: hostId });
  const claimed = await stateKeys.set(key, options.alive, { writer: "first", onLost });
  if (claimed.ok) return ok(undefined);
  const holder = await stateKeys.get(key);
  const who = holder.ok && holder.value !== undefined ? `session 0x${holder.value.owner.toString(16)}, ${holder.value.text}` : "somebody else";
  return err(`host id ${hostId} is in use by another agent (${who}): stop that one, or give this host an id of its own`);
}
