import { type Mac, macFrom } from "../addr/mac.ts";
import type { Duration, Instant } from "../base/clock.ts";
import { Counters } from "../base/metrics.ts";
import { BINDINGS_MAX, PORT_BINDINGS_MAX } from "./limits.ts";
import { MacTable } from "./mac-table.ts";

/** One learned binding; `bridge` and `port` are handles, `vlan` 0: untagged, or bridge not VLAN-aware. */
export interface FdbBinding {
  readonly bridge: number;
  readonly vlan: number;
  readonly mac: Mac;
  readonly port: number;
}

/** Where a packet came from, in words (MAC bits 32..47; bits 0..31), as the packet path has it. */
export interface FdbSource {
  readonly bridge: number;
  readonly vlan: number;
  readonly macHigh: number;
  readonly macLow: number;
  readonly port: number;
}

/** Times of FDB learning. */
export interface FdbSettings {
  /** How long an entry stays after the last flow that used it. */
  readonly lingerMs: Duration;
  /** Time between two sweeps. */
  readonly sweepMs: Duration;
}

/** An entry goes 15 s after its last flow; sweeps every 2 s. */
export const FDB_DEFAULTS: FdbSettings = { lingerMs: 15_000, sweepMs: 2_000 };

/** What the learner wants done with a bridge's FDB (a replicated map; our own opinion, ephemeral). */
export type FdbEffect =
  | { readonly kind: "write"; readonly binding: FdbBinding }
  | { readonly kind: "remove"; readonly binding: FdbBinding };

/** Counters of a learner. */
export const FDB_COUNTERS = {
  fdb_writes: "MAC addresses written to bridges' tables",
  fdb_removals: "own MAC addresses removed from bridges' tables because no flow used them any more",
  fdb_refused: "MAC addresses not learned because the port or the learner has too many",
} as const;

interface Binding extends FdbBinding {
  readonly reference: number;
  flows: number;
  /** When it goes, while no flow holds it. */
  dueAt: Instant;
  isWritten: boolean;
  /** Another port at which the same address was seen. */
  next: Binding | undefined;
}

/**
 * Learns where MAC addresses are, and keeps each binding as long as a flow uses it. A binding that a walk met has a number,
 * its *reference*, which stands in the flow's tag set; `held` and `released` are the `ReferenceListener` of the tag index.
 * The first packet writes the binding; when its last flow goes it lingers, and a sweep takes it back.
 *
 * One per worker, confined to it. Writes and removals of several workers of one host meet in the control thread, which owns
 * the opinions: it takes one back when no worker wants it any more.
 */
export class FdbLearner {
  readonly counters = new Counters(FDB_COUNTERS);
  readonly #settings: FdbSettings;
  readonly #byBridge = new Map<number, MacTable>();
  /** The bridge that was looked for last and its table: packets come in series. 0: none. */
  #lastBridge = 0;
  #lastTable: MacTable | undefined;
  readonly #bindings: (Binding | undefined)[] = [undefined];
  readonly #free: number[] = [];
  readonly #countOfPort = new Map<number, number>();
  #effects: FdbEffect[] = [];
  #idle = 0;
  #sweepAt: Instant = 0;
  #now: Instant = 0;

  constructor(settings: FdbSettings) {
    this.#settings = settings;
  }

  /** Number of bindings, lingering ones included. */
  get size(): number {
    return this.#bindings.length - 1 - this.#free.length;
  }

  /**
   * The number of a binding, made when new; the same while a flow holds it and `lingerMs` after. Writes nothing yet. 0: not
   * learned, because the port or the learner has too many addresses.
   */
  reference(source: FdbSource, now: Instant): number {
    const first = this.#find(source);
    for (let binding = first; binding !== undefined; binding = binding.next) {
      if (binding.port === source.port) return binding.reference;
    }
    return this.#add(source, first, now);
  }

  /** True when it is our standing opinion that the source is there, whether or not the table says so yet. */
  claims(source: FdbSource): boolean {
    for (let binding = this.#find(source); binding !== undefined; binding = binding.next) {
      if (binding.port === source.port) return binding.isWritten;
    }
    return false;
  }

  /** A packet with this source came in: writes the binding unless our opinion stands already. 0 is ignored. */
  use(reference: number, now: Instant): void {
    this.#now = now;
    const binding = this.#bindings[reference];
    if (binding === undefined) return;
    binding.dueAt = now + this.#settings.lingerMs;
    if (binding.isWritten) return;
    binding.isWritten = true;
    const { bridge, vlan, mac, port } = binding;
    this.#effects.push({ kind: "write", binding: { bridge, vlan, mac, port } });
    this.counters.add("fdb_writes");
  }

  /** The table's winner for an address is `port` now (0: none): opinions of ours about other ports have been superseded. */
  notify(key: { readonly bridge: number; readonly vlan: number; readonly mac: Mac }, port: number): void {
    const table = this.#byBridge.get(key.bridge);
    if (table === undefined) return;
    let binding = this.#bindings[table.get(key.vlan, key.mac)];
    for (; binding !== undefined; binding = binding.next) if (binding.port !== port) binding.isWritten = false;
  }

  /** The first flow of a tag set holds the binding. */
  held(reference: number): void {
    const binding = this.#bindings[reference];
    if (binding !== undefined && binding.flows++ === 0) this.#idle--;
  }

  /** The last flow of a tag set let go of the binding. */
  released(reference: number): void {
    const binding = this.#bindings[reference];
    if (binding === undefined || --binding.flows > 0) return;
    this.#idle++;
    binding.dueAt = this.#now + this.#settings.lingerMs;
  }

  /** True when `process` has something to do. */
  shouldProcess(now: Instant): boolean {
    return this.#effects.length > 0 || (this.#idle > 0 && now >= this.#sweepAt);
  }

  /** When to look again if nothing happens; Infinity: never. */
  nextAt(): Instant {
    return this.#idle > 0 ? this.#sweepAt : Number.POSITIVE_INFINITY;
  }

  /** Sweeps when due; returns what is to be written and removed, in order. The list is the caller's. */
  process(now: Instant): readonly FdbEffect[] {
    this.#now = now;
    if (this.#idle > 0 && now >= this.#sweepAt) {
      this.#sweepAt = now + this.#settings.sweepMs;
      for (const binding of this.#bindings) {
        if (binding !== undefined && binding.flows === 0 && binding.dueAt <= now) this.#forget(binding);
      }
    }
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #find(source: FdbSource): Binding | undefined {
    if (source.bridge !== this.#lastBridge) {
      this.#lastBridge = source.bridge;
      this.#lastTable = this.#byBridge.get(source.bridge);
    }
    const table = this.#lastTable;
    if (table === undefined) return undefined;
    return this.#bindings[table.find((source.vlan << 16) | source.macHigh, source.macLow)];
  }

  #add(source: FdbSource, next: Binding | undefined, now: Instant): number {
    const { bridge, vlan, port } = source;
    const atPort = this.#countOfPort.get(port) ?? 0;
    if (atPort >= PORT_BINDINGS_MAX || this.size >= BINDINGS_MAX) {
      this.counters.add("fdb_refused");
      return 0;
    }
    this.#countOfPort.set(port, atPort + 1);
    const mac = macFrom(source.macHigh, source.macLow);
    const reference = this.#free.pop() ?? this.#bindings.length;
    const dueAt = now + this.#settings.lingerMs;
    this.#bindings[reference] = { bridge, vlan, mac, port, reference, flows: 0, dueAt, isWritten: false, next };
    this.#idle++;
    let table = this.#byBridge.get(bridge);
    if (table === undefined) {
      table = new MacTable();
      this.#lastBridge = 0;
      this.#byBridge.set(bridge, table);
    }
    table.set(vlan, mac, reference);
    return reference;
  }

  #forget(binding: Binding): void {
    const { bridge, vlan, mac, port, reference } = binding;
    if (binding.isWritten) {
      this.#effects.push({ kind: "remove", binding: { bridge, vlan, mac, port } });
      this.counters.add("fdb_removals");
    }
    this.#bindings[reference] = undefined;
    this.#free.push(reference);
    this.#idle--;
    const left = (this.#countOfPort.get(port) ?? 1) - 1;
    if (left === 0) this.#countOfPort.delete(port);
    else this.#countOfPort.set(port, left);
    this.#unlink(binding);
  }

  #forgetTable(bridge: number): void {
    this.#lastBridge = 0;
    this.#byBridge.delete(bridge);
  }

  #unlink(binding: Binding): void {
    const table = this.#byBridge.get(binding.bridge);
    if (table === undefined) return;
    const head = this.#bindings[table.get(binding.vlan, binding.mac)];
    if (head === undefined) {
      table.set(binding.vlan, binding.mac, binding.next?.reference ?? 0);
      if (table.size === 0) this.#forgetTable(binding.bridge);
      return;
    }
    let at = head;
    while (at.next !== undefined && at.next !== binding) at = at.next;
    at.next = binding.next;
  }
}
