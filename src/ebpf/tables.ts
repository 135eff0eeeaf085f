import { err, ok, type Result } from "../base/result.ts";
import type { DatapathError, DropCount, WantedPeer, WantedTunnelKey } from "../datapath/datapath.ts";
import { addressWords } from "../datapath/records.ts";
import { dropCode } from "../flow/drop-reason.ts";
import {
  CONTROL_INJECT_FAILED,
  CONTROL_STALE,
  EXEC_WRITERS,
  TUNNEL_KIND_GROUP,
  TUNNEL_KIND_VPORT,
} from "../flow/layout.ts";
import type { BpfMap } from "../linux/bpf/map.ts";
import { datapathError } from "./errors.ts";
import { DROP_ENTRIES_MAX } from "./limits.ts";

/** An entry of a kernel table, in words (u32). `id` is its key in a form that can be compared: see `idOf`. */
interface Entry {
  readonly id: number | string;
  readonly key: readonly number[];
  readonly value: readonly number[];
}

/** A kernel hash table that is to hold exactly what is wanted. It knows what it wrote: a change costs what differs. */
export class WantedTable {
  readonly #map: BpfMap;
  readonly #written = new Map<Entry["id"], Entry>();
  #isFirst = true;

  constructor(map: BpfMap) {
    this.#map = map;
  }

  /** Entries are added and changed before old ones go; the first set also removes what an earlier process left. */
  set(wanted: readonly Entry[]): Result<void, DatapathError> {
    const left = this.#isFirst ? this.#map.keys() : [];
    for (const entry of wanted) {
      const before = this.#written.get(entry.id);
      if (before !== undefined && sameWords(before.value, entry.value)) continue;
      const done = this.#map.update(bytesOf(entry.key), bytesOf(entry.value));
      if (!done.ok) return err(datapathError("limit", done.error));
      this.#written.set(entry.id, entry);
    }
    this.#isFirst = false;
    const ids = new Set(wanted.map(({ id }) => id));
    for (const [id, { key }] of this.#written) {
      if (ids.has(id)) continue;
      this.#map.delete(bytesOf(key));
      this.#written.delete(id);
    }
    const kept = new Set(left.length === 0 ? [] : wanted.map(({ key }) => `${bytesOf(key)}`));
    for (const key of left) if (!kept.has(`${key}`)) this.#map.delete(key);
    return ok(undefined);
  }

  /** Puts right what is not as it was written, and what nobody wrote. The keys of such entries, as words. */
  audit(): readonly string[] {
    if (this.#isFirst) return [];
    const differing: string[] = [];
    const { keyBytes, valueBytes } = this.#map.shape;
    const [key, found] = [new Uint32Array(keyBytes / 4), new Uint32Array(valueBytes / 4)];
    const [keyView, foundView] = [new Uint8Array(key.buffer), new Uint8Array(found.buffer)];
    for (const entry of this.#written.values()) {
      key.set(entry.key);
      if (this.#map.lookup(keyView, foundView) && sameWords(entry.value, found)) continue;
      this.#map.update(keyView, bytesOf(entry.value));
      differing.push(key.join(" "));
    }
    for (const bytes of this.#map.keys()) {
      keyView.set(bytes);
      if (this.#written.has(idOf(key))) continue;
      this.#map.delete(bytes);
      differing.push(key.join(" "));
    }
    return differing;
  }
}

function idOf(key: ArrayLike<number> & { join(): string }): Entry["id"] {
  return key.length === 1 ? (key[0] as number) : key.join();
}

function bytesOf(words: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(words).buffer);
}

function sameWords(a: readonly number[], b: ArrayLike<number>): boolean {
  return a.length === b.length && a.every((word, i) => word === b[i]);
}

/** Makes the table of peers by source address what `peers` says. */
export function writePeerAddresses(table: WantedTable, peers: readonly WantedPeer[]): Result<void, DatapathError> {
  return table.set(
    peers.map(({ peer, address }) => {
      const key = [...addressWords(address)];
      return { id: idOf(key), key, value: [peer] };
    }),
  );
}

/** Makes the table of this host's tunnel keys what `keys` says. */
export function writeTunnelKeys(table: WantedTable, keys: readonly WantedTunnelKey[]): Result<void, DatapathError> {
  return table.set(
    keys.map(({ key, target }) => ({
      id: idOf([key]),
      key: [key],
      value: target.kind === "vport" ? [TUNNEL_KIND_VPORT, target.vport] : [TUNNEL_KIND_GROUP, target.group],
    })),
  );
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
  for (let worker = 0; worker < EXEC_WRITERS; worker++) failed += control[CONTROL_INJECT_FAILED + worker] as number;
  const stale = control[CONTROL_STALE] as number;
  const drops = [
    { vport: 0, reason: dropCode("inject-failed"), packets: failed, bytes: 0 },
    { vport: 0, reason: dropCode("stale-upcall"), packets: stale, bytes: 0 },
  ];
  return drops.filter((drop) => drop.packets > 0);
}
