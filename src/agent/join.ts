import { HOST_ALIVE_KEY } from "../api-schema/agent-api.ts";
import type { Duration, Instant } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type Scheduler, sleep } from "../base/scheduler.ts";
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
  readonly scheduler: Scheduler;
  /** How long an earlier holder of the host id may take to go: its session's time-out and some. */
  readonly patienceMs: Duration;
  readonly log: Log;
}

/** Makes the host known and claims its id. A second agent with the same id is refused, and told who holds it. */
export async function joinCloud(options: JoinOptions): Promise<Result<void, string>> {
  const { topology, hostId, hostName } = options;
  const known = await topology.get("host", hostId);
  if (!known.ok) return err(`the store does not answer as it should: ${JSON.stringify(known.error)}`);
  if (known.value === undefined) {
    const object = { kind: "host", id: hostId, name: hostName, portIds: [], tunnelZoneIds: [] } as const;
    const created = await topology.transact([{ op: "create", object }]);
    // An operator may have created it in between: then it is there now.
    const now = created.ok ? undefined : await topology.get("host", hostId);
    const isThere = now === undefined || (now.ok && now.value !== undefined);
    if (!created.ok && !isThere) return err(`cannot register host ${hostName}: ${JSON.stringify(created.error)}`);
  }
  return claim(options, options.scheduler.clock.now() + options.patienceMs);
}

/** An agent that was killed holds the id until its session ends: worth waiting for, but not for ever. */
async function claim(options: JoinOptions, until: Instant): Promise<Result<void, string>> {
  const { stateKeys, hostId, log, scheduler } = options;
  const key = { kind: "host", id: hostId, name: HOST_ALIVE_KEY };
  const onLost = (): void => log.error("host.id.taken", { host: hostId });
  for (let isFirst = true; ; isFirst = false) {
    const claimed = await stateKeys.set(key, options.alive, { writer: "first", onLost });
    if (claimed.ok) return ok(undefined);
    const holder = await stateKeys.get(key);
    const who =
      holder.ok && holder.value !== undefined
        ? `session 0x${holder.value.owner.toString(16)}, ${holder.value.text}`
        : "somebody else";
    if (scheduler.clock.now() >= until) {
      return err(
        `host id ${hostId} is in use by another agent (${who}): stop that one, or give this host an id of its own`,
      );
    }
    if (isFirst) log.info("host.id.waiting", { host: hostId, holder: who });
    await sleep(scheduler, RETRY_MS);
  }
}

/** Time between two attempts to claim the host id. */
const RETRY_MS = 200;
