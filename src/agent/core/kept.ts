import type { Instant } from "../../base/clock.ts";
import { err, ok, type Result } from "../../base/result.ts";
import type { Id } from "../../model/objects.ts";

/** Version of the records that this release writes into an agent's journal, and the newest that it reads. */
export const KEPT_VERSION = 1;

/** A tunnel key in use. `generation`: of the port's binding, 0 for a flood group. */
export interface KeptKey {
  readonly owner: Id;
  readonly key: number;
  readonly generation: number;
}

/** A key that rests before it may name something else. Wall-clock time. */
export interface RestingKey {
  readonly key: number;
  readonly until: Instant;
}

/** What resumes the agent's session with the store, as text: id and last transaction in hexadecimal, password in hexadecimal. */
export interface KeptSession {
  readonly id: string;
  readonly password: string;
  readonly lastZxid: string;
}

/** One line of an agent's journal. The last word about a session, a mark or a key counts. */
export type KeptRecord =
  | { readonly record: "agent-journal"; readonly v: number; readonly hostId: Id }
  | { readonly record: "session"; readonly session: KeptSession | null }
  /** The store's layout was made by this transaction: a store without it has been emptied. */
  | { readonly record: "layout"; readonly madeBy: string }
  | ({ readonly record: "key" } & KeptKey)
  | ({ readonly record: "rest" } & RestingKey);

/** What an agent keeps across restarts besides its snapshot. */
export class Kept {
  session: KeptSession | undefined;
  layoutMadeBy: string | undefined;
  readonly keys = new Map<Id, KeptKey>();
  readonly resting = new Map<number, Instant>();

  /** Takes a record in. */
  take(record: KeptRecord): void {
    switch (record.record) {
      case "agent-journal":
        return;
      case "session":
        this.session = record.session ?? undefined;
        return;
      case "layout":
        this.layoutMadeBy = record.madeBy;
        return;
      case "key": {
        const { owner, key, generation } = record;
        this.keys.set(owner, { owner, key, generation });
        return;
      }
      case "rest":
        for (const { owner, key } of this.keys.values()) if (key === record.key) this.keys.delete(owner);
        this.resting.set(record.key, record.until);
        return;
    }
  }

  /** The fewest records that say all this. Keys that have rested enough are left out. */
  records(hostId: Id, now: Instant): readonly KeptRecord[] {
    for (const [key, until] of this.resting) if (until <= now) this.resting.delete(key);
    return [
      { record: "agent-journal", v: KEPT_VERSION, hostId },
      { record: "session", session: this.session ?? null },
      ...(this.layoutMadeBy === undefined ? [] : [{ record: "layout", madeBy: this.layoutMadeBy } as const]),
      ...[...this.resting].map(([key, until]) => ({ record: "rest", key, until }) as const),
      ...[...this.keys.values()].map((kept) => ({ record: "key", ...kept }) as const),
    ];
  }

  /** How many records that would be. */
  get size(): number {
    return 3 + this.keys.size + this.resting.size;
  }
}

/** A record as it stands in the journal. */
export function encodeKept(record: KeptRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record));
}

/**
 * All records of a journal. Refused, with a sentence: one of a newer release, one of another host (a copied folder would put two
 * hosts into one session), and what is no journal of an agent.
 */
export function decodeKept(records: readonly Uint8Array[], hostId: Id): Result<Kept, string> {
  const kept = new Kept();
  for (const [i, bytes] of records.entries()) {
    const record = parsed(bytes);
    if (record === undefined || (i === 0) !== (record.record === "agent-journal"))
      return err(`record ${i + 1} of the journal is none of an agent: move the state folder away`);
    if (record.record === "agent-journal") {
      if (record.v > KEPT_VERSION)
        return err(`the journal is of version ${record.v}, this agent knows ${KEPT_VERSION}: upgrade the agent`);
      if (record.hostId !== hostId)
        return err(`the journal belongs to host ${record.hostId}: every host needs a state folder of its own`);
    }
    kept.take(record);
  }
  return ok(kept);
}

function parsed(bytes: Uint8Array): KeptRecord | undefined {
  try {
    const record: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isKept(record) ? record : undefined;
  } catch {
    return undefined;
  }
}

function isKept(value: unknown): value is KeptRecord {
  const record = value as Partial<Record<string, unknown>> | null;
  if (typeof record !== "object" || record === null) return false;
  switch (record["record"]) {
    case "agent-journal":
      return typeof record["v"] === "number" && typeof record["hostId"] === "string";
    case "session":
      return record["session"] === null || isSession(record["session"]);
    case "layout":
      return typeof record["madeBy"] === "string";
    case "key":
      return typeof record["owner"] === "string" && isKey(record["key"]) && Number.isInteger(record["generation"]);
    case "rest":
      return isKey(record["key"]) && Number.isFinite(record["until"]);
    default:
      return false;
  }
}

function isSession(value: unknown): boolean {
  const session = value as Partial<Record<string, unknown>> | undefined;
  const isHex = (text: unknown): boolean => typeof text === "string" && /^[0-9a-f]*$/.test(text);
  return isHex(session?.["id"]) && isHex(session?.["password"]) && isHex(session?.["lastZxid"]);
}

/** Keys have 20 bits; 0 is never given. */
function isKey(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) < 1 << 20;
}
