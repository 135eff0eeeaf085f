import { HOST_ALIVE_KEY, parseHostAlive } from "../api-schema/agent-api.ts";
import type { Duration, Instant } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type Scheduler, sleep } from "../base/scheduler.ts";
import type { Id } from "../model/objects.ts";
import type { StateKeys } from "../store/recipes/state-keys.ts";
import { formatStoreError, type StoreError } from "../store/recipes/store-error.ts";
import type { TopologyStore } from "../store/recipes/topology-store.ts";
import { CLAIM_RETRY_MS, REMOVED_AGAIN_MS } from "./limits.ts";
import { type Refusal, refusal, storeRefusal } from "./refusal.ts";

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
  /** The store may be away for long: what it does not answer is asked again until `isOver`. */
  readonly persists?: boolean;
  isOver?(): boolean;
  /** Whether the store was emptied: then this host is not made known to it, as if it were a new one. */
  isWiped?(): Promise<boolean>;
  /** Told when our session has expired and another agent has claimed the id since. */
  onLost?(): void;
}

/** Makes the host known and claims its id. A second agent with the same id is refused, and told who holds it. */
export async function joinCloud(options: JoinOptions): Promise<Result<void, Refusal>> {
  for (let isFirst = true; ; isFirst = false) {
    const joined = await introduce(options);
    const claimed = joined.ok ? await claim(options, options.scheduler.clock.now() + options.patienceMs) : joined;
    if (claimed.ok) return claimed;
    if (typeof claimed.error === "string") return err(refusal(claimed.error));
    const { kind } = claimed.error;
    const mayPass = kind === "store-unavailable" || kind === "layout-gone" || kind === "outcome-unknown";
    if (options.persists !== true || options.isOver?.() === true || !mayPass) return err(storeRefusal(claimed.error));
    if (isFirst) options.log.warn("join.waiting", { why: formatStoreError(claimed.error) });
    await sleep(options.scheduler, CLAIM_RETRY_MS);
  }
}

async function introduce({ topology, hostId, hostName, isWiped }: JoinOptions): Promise<Result<void, StoreError>> {
  const known = await topology.get("host", hostId);
  if (!known.ok || known.value !== undefined) return known.ok ? ok(undefined) : known;
  if ((await isWiped?.()) === true) return err({ kind: "layout-gone", why: WIPED });
  const object = { kind: "host", id: hostId, name: hostName, portIds: [], tunnelZoneIds: [] } as const;
  const created = await topology.transact([{ op: "create", object }]);
  // An operator may have created it in between: then it is there now.
  const now = created.ok ? undefined : await topology.get("host", hostId);
  const isThere = now === undefined || (now.ok && now.value !== undefined);
  return created.ok || isThere ? ok(undefined) : created;
}

const WIPED =
  "it was begun anew and does not know this host: restore it, or remove the agent's state folder to join it as a new host";

/** An agent that was killed holds the id until its session ends: worth waiting for, but not for ever. */
async function claim(options: JoinOptions, until: Instant): Promise<Result<void, StoreError | string>> {
  const { stateKeys, hostId, log, scheduler } = options;
  const key = { kind: "host", id: hostId, name: HOST_ALIVE_KEY };
  const isTaken = (): void => {
    log.error("host.id.taken", { id: hostId });
    options.onLost?.();
  };
  // Nobody has it: the store was emptied or somebody removed the key. Whoever claims it first is this host's agent.
  const again = async (): Promise<void> => {
    await sleep(scheduler, REMOVED_AGAIN_MS);
    if (!(await joinCloud({ ...options, persists: true })).ok && options.isOver?.() !== true) isTaken();
  };
  const onLost = (why: "taken" | "removed"): void => {
    if (why === "taken") isTaken();
    else if (options.isOver?.() !== true) void again();
  };
  for (let isFirst = true; ; isFirst = false) {
    const claimed = await stateKeys.set(key, options.alive, { writer: "first", onLost });
    if (claimed.ok) return ok(undefined);
    if (claimed.error.kind !== "held") return claimed;
    const holder = await stateKeys.get(key);
    const who = holder.ok && holder.value !== undefined ? holderText(holder.value) : "somebody else";
    if (scheduler.clock.now() >= until) {
      return err(
        `host id ${hostId} is in use by another agent (${who}): stop that one, or give this host an id of its own`,
      );
    }
    if (isFirst) log.info("host.id.waiting", { id: hostId, holder: who });
    await sleep(scheduler, CLAIM_RETRY_MS);
  }
}

/** Who holds a host id, for people: where it answers, and what an operator of the store finds it by. */
function holderText({ owner, text }: { readonly owner: bigint; readonly text: string }): string {
  const alive = parseHostAlive(text);
  const where = alive.ok && alive.value.address !== "" ? `at ${alive.value.address}, ` : "";
  return `${where}session 0x${owner.toString(16)}`;
}
