import type { Opinion } from "./messages.ts";

/**
 * Which workers hold which learned FDB entry. Flows of one source may be in several workers' shards; the host has one opinion,
 * written when the first worker learns it and taken back when the last one lets go.
 */
export class HeldOpinions {
  readonly #holders = new Map<string, Set<number>>();

  /** A worker learned it. It is written in any case: the entry may have moved elsewhere meanwhile. */
  hold(worker: number, opinion: Opinion): void {
    const name = nameOf(opinion);
    if (name === undefined) return;
    const holders = this.#holders.get(name);
    if (holders === undefined) this.#holders.set(name, new Set([worker]));
    else holders.add(worker);
  }

  /** A worker let go. True when no other holds it and it must be taken back. */
  release(worker: number, opinion: Opinion): boolean {
    const name = nameOf(opinion);
    const holders = name === undefined ? undefined : this.#holders.get(name);
    if (name === undefined || holders === undefined) return true;
    holders.delete(worker);
    if (holders.size > 0) return false;
    this.#holders.delete(name);
    return true;
  }
}

/** Only FDB entries are held by flows; a neighbor entry ends by its own time. */
function nameOf(opinion: Opinion): string | undefined {
  if (opinion.map !== "fdb") return undefined;
  return `${opinion.deviceId} ${opinion.vlan} ${opinion.mac} ${opinion.portId}`;
}
