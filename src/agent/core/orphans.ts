import type { Ip } from "../../addr/ip.ts";
import type { Duration, Instant } from "../../base/clock.ts";
import type { Id } from "../../model/objects.ts";
import type { WorldChange } from "../../sim/world-change.ts";
import type { ControlEvent } from "./control-events.ts";
import { ORPHAN_GRACE_MS, ORPHANS_MAX } from "./limits.ts";
import type { RemotePorts } from "./remote-ports.ts";

/** An entry of a replicated map, or the end of one. */
export type EntryChange = Extract<WorldChange, { readonly kind: "fdb" | "router-neighbor" | "bridge-neighbor" }>;

/** Long before every clock's beginning, so that no resolver's jitter makes it fresh. */
const NEVER_FRESH: Instant = Number.MIN_SAFE_INTEGER;

interface Orphan {
  /** What it said. */
  readonly entry: EntryChange;
  /** Hosts that may have said it: those that lost their session just then. Not used for FDB entries, which name a port and so its host. */
  readonly hosts: Set<Id>;
  /** The workers have it. */
  isTold: boolean;
  /** Time until it goes, as long as none of its hosts is known to have lost only its session. */
  grace: Duration;
  /** How long ago it went: several hosts may lose their sessions at one time. */
  age: Duration;
}

/**
 * Entries of replicated maps that went because the session of whoever had learned them ended. They say where packets go just as the
 * port's `active` key does, and the same rule holds for them (decisions.md 6, `ownership.ts`): while their host answers and its ports
 * are unconfirmed they stay. They go when the host is dead, when its time is over, when it has a session again and does not say them
 * anew, when somebody says otherwise, and when their own time ends.
 *
 * An entry does not name its owner. What goes with a session goes at one time with the ports of its host, in any order: so an entry
 * that went without a successor is kept for a moment, until its host is known.
 */
export class Orphans {
  readonly #remote: Pick<RemotePorts, "ownerOf" | "lostHosts" | "isDead">;
  readonly #orphans = new Map<string, Orphan>();
  /** Hosts without a session that are sent to, and for how long that was seen. */
  readonly #lost = new Map<Id, Duration>();
  #refused = 0;

  constructor(remote: Pick<RemotePorts, "ownerOf" | "lostHosts" | "isDead">) {
    this.#remote = remote;
  }

  /** How many wait for their host, or are kept for it; and how many could not, for want of room, so far. */
  get counts(): { readonly kept: number; readonly refused: number } {
    return { kept: this.#orphans.size, refused: this.#refused };
  }

  /** Takes a change of an entry, `now` in wall-clock time. The value: what the workers are to be told. */
  take(event: ControlEvent & { kind: "entry" }, now: Instant): readonly WorldChange[] {
    const { change, lost, isMissed = false } = event;
    if (lost === undefined && this.#orphans.size === 0) return [change];
    const name = isEntry(change) ? nameOf(change) : "";
    const before = this.#orphans.get(name);
    this.#orphans.delete(name);
    const entry = lost !== undefined && isEntry(lost) ? lost : before?.entry;
    if (entry === undefined || !isGone(change) || isOver(entry, now)) return [change];
    if (lost === undefined) return [change];
    if (this.#orphans.size >= ORPHANS_MAX) {
      this.#refused++;
      return [change];
    }
    const isTold = !isMissed || before?.isTold === true;
    const orphan: Orphan = { entry, hosts: this.#lostLately(isMissed), isTold, grace: ORPHAN_GRACE_MS, age: 0 };
    if (this.#isOwnerGone(orphan)) return [change];
    this.#orphans.set(name, orphan);
    if (orphan.isTold) return entry.kind === "router-neighbor" ? [unwrittenOf(entry)] : [];
    return this.#isKept(orphan) ? told(orphan) : [];
  }

  /** Something else is known of a port's owner. What the workers are to be told. */
  look(now: Instant): readonly WorldChange[] {
    return this.#follow() ? this.time(0, now) : [];
  }

  /** Time has passed. What the workers are to be told. */
  time(elapsed: Duration, now: Instant): readonly WorldChange[] {
    this.#follow();
    for (const [hostId, age] of this.#lost) this.#lost.set(hostId, age + elapsed);
    const changes: WorldChange[] = [];
    for (const [name, orphan] of this.#orphans) {
      const isKept = this.#isKept(orphan);
      orphan.grace = isKept ? ORPHAN_GRACE_MS : orphan.grace - elapsed;
      orphan.age += elapsed;
      if (orphan.grace > 0 && !this.#isOwnerGone(orphan) && !isOver(orphan.entry, now)) {
        if (isKept) changes.push(...told(orphan));
        continue;
      }
      this.#orphans.delete(name);
      if (orphan.isTold) changes.push(goneOf(orphan.entry));
    }
    return changes;
  }

  /** A device is not followed any more, and its entries with it. */
  forget(deviceId: Id): void {
    for (const [name, { entry }] of this.#orphans) if (deviceOf(entry) === deviceId) this.#orphans.delete(name);
  }

  /** Entries that are kept for hosts without a session. */
  *kept(): Generator<EntryChange> {
    for (const orphan of this.#orphans.values()) if (this.#isKept(orphan)) yield orphan.entry;
  }

  /** Sees which hosts are without a session; true: others than before. */
  #follow(): boolean {
    const before = this.#lost.size;
    for (const hostId of this.#lost.keys()) if (!this.#remote.lostHosts.has(hostId)) this.#lost.delete(hostId);
    let isChanged = this.#lost.size !== before;
    for (const hostId of this.#remote.lostHosts) {
      if (this.#lost.has(hostId)) continue;
      isChanged = true;
      this.#lost.set(hostId, 0);
      for (const { hosts, age } of this.#orphans.values())
        if (hosts.size === 0 || age < ORPHAN_GRACE_MS) hosts.add(hostId);
    }
    return isChanged;
  }

  #lostLately(isAny: boolean): Set<Id> {
    this.#follow();
    const recent = [...this.#lost].filter(([, age]) => isAny || age < ORPHAN_GRACE_MS);
    return new Set(recent.map(([hostId]) => hostId));
  }

  #isKept({ entry, hosts }: Orphan): boolean {
    if (entry.kind === "fdb") return this.#lost.has(this.#ownerOf(entry) ?? "");
    for (const hostId of hosts) if (this.#lost.has(hostId)) return true;
    return false;
  }

  /** Whoever said it does not serve the port any more, or does not answer. An entry that nobody was told of may wait for its port. */
  #isOwnerGone({ entry, hosts, isTold }: Orphan): boolean {
    if (entry.kind === "fdb") return isTold && this.#ownerOf(entry) === undefined;
    return hosts.size > 0 && [...hosts].every((hostId) => this.#remote.isDead(hostId));
  }

  #ownerOf(entry: EntryChange & { kind: "fdb" }): Id | undefined {
    return entry.portId === undefined ? undefined : this.#remote.ownerOf(entry.portId);
  }
}

/** What the workers do not have yet. */
function told(orphan: Orphan): readonly WorldChange[] {
  if (orphan.isTold) return [];
  orphan.isTold = true;
  return [unwrittenOf(orphan.entry)];
}

/**
 * As the workers are told of it: a neighbor serves, but counts as stale. A resolver that hears a fresh one again has nothing to write, and
 * a host that does not know it would ask in vain: the store does not have it.
 */
function unwrittenOf(entry: EntryChange): EntryChange {
  if (entry.kind !== "router-neighbor" || entry.entry === undefined) return entry;
  return { ...entry, entry: { ...entry.entry, staleAt: NEVER_FRESH } };
}

/** Whether a change is about an entry of a map. */
export function isEntry(change: WorldChange): change is EntryChange {
  return change.kind === "fdb" || change.kind === "router-neighbor" || change.kind === "bridge-neighbor";
}

/** Whether it is the end of one. */
export function isGone(change: WorldChange): boolean {
  return isEntry(change) && saidOf(change) === undefined;
}

function saidOf(change: EntryChange): unknown {
  switch (change.kind) {
    case "fdb":
      return change.portId;
    case "router-neighbor":
      return change.entry;
    case "bridge-neighbor":
      return change.mac;
  }
}

function goneOf(entry: EntryChange): EntryChange {
  switch (entry.kind) {
    case "fdb":
      return { ...entry, portId: undefined };
    case "router-neighbor":
      return { ...entry, entry: undefined };
    case "bridge-neighbor":
      return { ...entry, mac: undefined };
  }
}

/** Neighbor entries of routers end by themselves. */
function isOver(entry: EntryChange, now: Instant): boolean {
  return entry.kind === "router-neighbor" && entry.entry !== undefined && entry.entry.expiresAt <= now;
}

/** The device of an entry. */
export function deviceOf(entry: EntryChange): Id {
  return entry.kind === "router-neighbor" ? entry.routerId : entry.bridgeId;
}

/** Names the map and the key of an entry. */
export function nameOf(entry: EntryChange): string {
  if (entry.kind === "fdb") return `fdb ${entry.bridgeId} ${entry.vlan} ${entry.mac}`;
  return `${entry.kind} ${deviceOf(entry)} ${wordsOf(entry.ip)}`;
}

function wordsOf({ w0, w1, w2, w3 }: Ip): string {
  return `${w0} ${w1} ${w2} ${w3}`;
}
