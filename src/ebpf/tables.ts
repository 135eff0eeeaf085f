import { err, ok, type Result } from "../base/result.ts";
import type { DatapathError, DropCount, WantedPeer, WantedTunnelKey } from "../datapath/datapath.ts";
import { addressWords } from "../datapath/records.ts";
import { dropCode } from "../flow/drop-reason.ts";
import {
  CONTROL_INJECT_FAILED,
  CONTROL_STALE,
  TUNNEL_KIND_GROUP,
  TUNNEL_KIND_VPORT,
  WORKER_MAX,
} from "../flow/layout.ts";
import type { BpfMap } from "../linux/bpf/map.ts";
import { datapathError } from "./errors.ts";
import { DROP_ENTRIES_MAX } from "./limits.ts";

interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** A kernel hash table that is to hold exactly what is wanted. It knows what it wrote: a change costs what differs. */
export class WantedTable {
  readonly #map: BpfMap;
  /** Undefined until the first set, which meets what an earlier process left. */
  #written: Map<string, Entry> | undefined;

  constructor(map: BpfMap) {
    this.#map = map;
  }

  /** Entries are added and changed before old ones go. */
  set(wanted: ReadonlyMap<string, Entry>): Result<void, DatapathError> {
    this.#written ??= this.#left();
    const written = this.#written;
    for (const [id, { key, value }] of wanted) {
      if (`${written.get(id)?.value}` === `${value}`) continue;
      const done = this.#map.update(key, value);
      if (!done.ok) return err(datapathError("limit", done.error));
      written.set(id, { key, value });
    }
    for (const [id, { key }] of written) {
      if (wanted.has(id)) continue;
      this.#map.delete(key);
      written.delete(id);
    }
    return ok(undefined);
  }

  #left(): Map<string, Entry> {
    return new Map(this.#map.keys().map((key) => [`${key}`, { key, value: new Uint8Array(0) }]));
  }
}

/** Makes the table of peers by source address what `peers` says. */
export function writePeerAddresses(table: WantedTable, peers: readonly WantedPeer[]): Result<void, DatapathError> {
  const entries = peers.map(({ peer, address }) => entry(addressWords(address), [peer]));
  return table.set(new Map(entries));
}

/** Makes the table of this host's tunnel keys what `keys` says. */
export function writeTunnelKeys(table: WantedTable, keys: readonly WantedTunnelKey[]): Result<void, DatapathError> {
  const entries = keys.map(({ key, target }) =>
    target.kind === "vport"
      ? entry([key], [TUNNEL_KIND_VPORT, target.vport])
      : entry([key], [TUNNEL_KIND_GROUP, target.group]),
  );
  return table.set(new Map(entries));
}

function entry(key: readonly number[], value: readonly number[]): readonly [string, Entry] {
  const bytes = (words: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(words).buffer);
  return [`${bytes(key)}`, { key: bytes(key), value: bytes(value) }];
}

/** Reads the drop counters, each summed over `cpus` CPUs. About 1 µs an entry: for once a second, not for each packet. */
export function readDrops(map: BpfMap, cpus: number): DropCount[] {
  const value = new Uint8Array(16 * cpus);
  const counters = new BigUint64Array(value.buffer);
  const drops: DropCount[] = [];
  for (const key of map.keys().slice(0, DROP_ENTRIES_MAX)) {
    if (!map.lookup(key, value)) continue;
    let packets = 0;
    let bytes = 0;
    for (let cpu = 0; cpu < cpus; cpu++) {
      packets += Number(counters[2 * cpu]);
      bytes += Number(counters[2 * cpu + 1]);
    }
    const words = new Uint32Array(key.buffer, key.byteOffset, 2);
    drops.push({ vport: words[0] as number, reason: words[1] as number, packets, bytes });
  }
  return drops;
}

/** What the workers' faces dropped, from their words of the control map. Bytes are not counted there. */
export function workerDrops(control: Uint32Array): DropCount[] {
  let failed = 0;
  for (let worker = 0; worker < WORKER_MAX; worker++) failed += control[CONTROL_INJECT_FAILED + worker] as number;
  const stale = control[CONTROL_STALE] as number;
  const drops = [
    { vport: 0, reason: dropCode("inject-failed"), packets: failed, bytes: 0 },
    { vport: 0, reason: dropCode("stale-upcall"), packets: stale, bytes: 0 },
  ];
  return drops.filter((drop) => drop.packets > 0);
}
