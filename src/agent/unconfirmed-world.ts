import type { Id } from "../model/objects.ts";
import { BRIDGE_NEIGHBOR_MAP, FDB_MAP, NEIGHBOR_MAP } from "../state/map-kinds.ts";
import type { PortActive } from "./core/control-events.ts";
import type { EntryChange, Orphans } from "./core/orphans.ts";
import type { RemotePorts } from "./core/remote-ports.ts";
import type { KnownWorld, Unconfirmed } from "./core/world-snapshot.ts";

/** What of a control core is not in the store any more and is to be remembered all the same. */
export interface UnconfirmedParts {
  readonly remote: Pick<RemotePorts, "remembered">;
  readonly orphans: Pick<Orphans, "kept">;
}

/** What is known, with what the host goes on with although the session of whoever said it has ended. */
export function withUnconfirmed(known: KnownWorld, { remote, orphans }: UnconfirmedParts): KnownWorld {
  return { ...known, actives: activesOf(known.actives, remote), maps: mapsOf(known.maps, orphans) };
}

function* activesOf(
  actives: KnownWorld["actives"],
  remote: UnconfirmedParts["remote"],
): Generator<readonly [Id, PortActive, Unconfirmed?]> {
  yield* actives;
  for (const [portId, { active, since, lasted }] of remote.remembered()) yield [portId, active, { since, lasted }];
}

function* mapsOf(
  maps: KnownWorld["maps"],
  orphans: UnconfirmedParts["orphans"],
): Generator<readonly [string, Iterable<readonly [string, string]>]> {
  const kept = new Map<string, (readonly [string, string])[]>();
  for (const entry of orphans.kept()) {
    const [name, texts] = textsOf(entry);
    if (texts === undefined) continue;
    const all = kept.get(name);
    if (all === undefined) kept.set(name, [texts]);
    else all.push(texts);
  }
  for (const [name, entries] of maps) {
    const more = kept.get(name);
    yield [name, more === undefined ? entries : [...entries, ...more]];
  }
}

/** The map of an entry, and its key and value as a snapshot has them. */
function textsOf(entry: EntryChange): readonly [string, readonly [string, string] | undefined] {
  switch (entry.kind) {
    case "fdb": {
      const { bridgeId, vlan, mac, portId } = entry;
      return [`fdb/${bridgeId}`, portId === undefined ? undefined : [FDB_MAP.key.format({ vlan, mac }), portId]];
    }
    case "router-neighbor": {
      const { key, value } = NEIGHBOR_MAP;
      const name = `neighbor/${entry.routerId}`;
      return [name, entry.entry === undefined ? undefined : [key.format(entry.ip), value.format(entry.entry)]];
    }
    case "bridge-neighbor": {
      const { key, value } = BRIDGE_NEIGHBOR_MAP;
      const name = `bridge-neighbor/${entry.bridgeId}`;
      return [name, entry.mac === undefined ? undefined : [key.format(entry.ip), value.format(entry.mac)]];
    }
  }
}
