import type { Instant } from "../base/clock.ts";

/** A session as the data tree knows it. */
export interface TreeSession {
  readonly id: bigint;
  /** Negotiated, in milliseconds. */
  readonly timeoutMs: number;
  /** Shown by a client that resumes the session. */
  readonly password: Uint8Array;
  /** When it ends if nothing is heard of it: monotonic, not stored (a restart gives every session its full time again). */
  deadline: Instant;
  /** Paths of its ephemeral nodes, in order of creation. */
  readonly ephemerals: Set<string>;
}

/** The sessions of a data tree. Changed by the data tree only. */
export class SessionTable {
  readonly #sessions = new Map<bigint, TreeSession>();

  /** How many sessions live. */
  get size(): number {
    return this.#sessions.size;
  }

  /** A living session. */
  get(id: bigint): TreeSession | undefined {
    return this.#sessions.get(id);
  }

  /** All living sessions, in order of opening. */
  values(): IterableIterator<TreeSession> {
    return this.#sessions.values();
  }

  /** Adds a session. It has no deadline until it is touched. */
  add(opened: { readonly session: bigint; readonly timeoutMs: number; readonly password: Uint8Array }): void {
    const { session: id, timeoutMs, password } = opened;
    const deadline = Number.POSITIVE_INFINITY;
    this.#sessions.set(id, { id, timeoutMs, password, deadline, ephemerals: new Set() });
  }

  /** Takes a session out. */
  remove(id: bigint): void {
    this.#sessions.delete(id);
  }

  /** Ids of the sessions whose time has run out, the longest overdue first. */
  overdue(now: Instant): readonly bigint[] {
    const late = [...this.#sessions.values()].filter((session) => session.deadline <= now);
    return late.sort((a, b) => a.deadline - b.deadline).map((session) => session.id);
  }
}

/** Whether two passwords are equal, in a time that depends on the length only. */
export function samePassword(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}
