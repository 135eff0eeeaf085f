import type { StoreConnection } from "../../src/store/recipes/connection.ts";
import { type Candidacy, TreeElection } from "../../src/store/recipes/election.ts";
import { Layout } from "../../src/store/recipes/layout.ts";
import { type HeldLock, TreeLock } from "../../src/store/recipes/lock.ts";
import { ServiceOwnership } from "../../src/store/recipes/service-ownership.ts";
import { TreePortLeases } from "../../src/store/recipes/tree-port-leases.ts";
import type { Claim } from "./hold-recorder.ts";

/** To want one (more), to give one back, to give everything back. */
export type Intent = "want" | "give" | "leave";

/** A process with a way to the store, in a simulated world or a real one. */
export interface ConnectedProcess {
  readonly connection: StoreConnection;
}

/** Somebody who wants what one at a time may have, and says what it has. */
export interface Contender {
  do(intent: Intent): void;
  claims(): readonly Claim[];
}

const layout = new Layout();

/** Each kind of thing that one at a time may have, by its name. */
export const contenders: Readonly<Record<string, (process: ConnectedProcess, client: number) => Contender>> = {
  lock: lockContender,
  leadership: candidate,
  ownership: owner,
  lease: leaseholder,
};

function lockContender({ connection }: ConnectedProcess, process: number): Contender {
  const lock = new TreeLock(connection, layout.lock("x"));
  const held = new Set<{ readonly lock: HeldLock; readonly client: number }>();
  let requests = 0;
  const want = async (client: number): Promise<void> => {
    const outcome = await lock.acquire({ label: String(client), waitMs: 8_000 });
    if (outcome.ok) held.add({ lock: outcome.value, client });
  };
  const give = (): void => {
    const [first] = held;
    if (first === undefined) return;
    held.delete(first);
    void first.lock.release();
  };
  return {
    do(intent) {
      requests += 1;
      // Each request is somebody of its own: two of one process must not have it at once either.
      if (intent === "want") void want(process + 1_000 * requests);
      else if (intent === "give") give();
      else while (held.size > 0) give();
    },
    claims: () =>
      [...held]
        .filter(({ lock: one }) => one.isHeld())
        .map(({ lock: one, client }) => ({ client, what: "lock", fence: one.fence })),
  };
}

function candidate({ connection }: ConnectedProcess, client: number): Contender {
  const election = new TreeElection(connection, layout.election("x"));
  let candidacy: Candidacy | undefined;
  let fence = 0n;
  const stand = (): Candidacy =>
    election.stand({
      label: String(client),
      onElected: (number) => {
        fence = number;
      },
      onDeposed: () => undefined,
    });
  return {
    do(intent) {
      if (intent === "want") candidacy ??= stand();
      else {
        void candidacy?.resign();
        candidacy = undefined;
      }
    },
    claims: () => (candidacy?.isLeader() === true ? [{ client, what: "leadership", fence }] : []),
  };
}

function owner({ connection }: ConnectedProcess, client: number): Contender {
  const fences = new Map<string, bigint>();
  const ids = ["1", "2"];
  let turn = 0;
  const ownership = new ServiceOwnership(connection, {
    ...{ folder: layout.owners("x"), label: String(client) },
    onOwned: (id, fence) => void fences.set(id, fence),
    onLost: () => undefined,
  });
  return {
    do(intent) {
      turn += 1;
      const id = ids[turn % ids.length] ?? "";
      if (intent === "want") ownership.claim(id);
      else if (intent === "give") void ownership.release(id);
      else for (const each of ids) void ownership.release(each);
    },
    claims: () => ownership.owned().map((what) => ({ client, what, fence: fences.get(what) ?? 0n })),
  };
}

function leaseholder({ connection }: ConnectedProcess, client: number): Contender {
  const listener = { onLost: () => undefined };
  const leases = new TreePortLeases({ connection, label: String(client), listener, seed: client });
  const wanted = { device: "r1", address: "203.0.113.1", firstPort: 0, lastPort: 127 };
  return {
    do(intent) {
      if (intent === "want") void leases.take(wanted);
      else if (intent === "give") void leases.held()[0]?.release();
      else for (const lease of leases.held()) void lease.release();
    },
    claims: () =>
      leases
        .held()
        .filter((lease) => lease.isUsable())
        .map(({ block, fence }) => ({ client, what: String(block), fence })),
  };
}
