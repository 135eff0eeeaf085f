import type { PortOutcome, WantedPort, WantedTunnelKey } from "../../datapath/datapath.ts";
import { VPORT_EPOCH, VPORT_MAX, VPORT_WORDS } from "../../flow/layout.ts";
import { leadsOut } from "../../model/leads-out.ts";
import type { Binding, Id, Port } from "../../model/objects.ts";
import type { Placement } from "../../sim/world-change.ts";
import type { PortActive } from "./control-events.ts";
import { epochOf } from "./epoch.ts";
import { UPCALL_CREDIT_MIN, UPCALL_CREDITS_PER_SHARD } from "./limits.ts";

interface Bound {
  readonly portId: Id;
  readonly vport: number;
  binding: Binding;
  isExternal: boolean;
  tunnelKey: number;
  state: "wanted" | "up" | "down" | "absent" | "refused";
  /** Why it was refused, one sentence. */
  why: string | undefined;
}

/** A port bound here as the agent's API and its doctor show it: `why` says in one sentence why it was refused. */
export interface PortState {
  readonly portId: Id;
  readonly interfaceName: string;
  readonly state: string;
  readonly why?: string;
}

/**
 * Ports bound to this host: their numbers in the datapath, and what became of them.
 * A vport number that was given back is used again last, so that a straggling reference meets an empty record.
 */
export class Bindings {
  readonly #hostId: Id;
  readonly #byPort = new Map<Id, Bound>();
  readonly #byVport = new Map<number, Bound>();
  readonly #freed: number[] = [];
  readonly #earlier: Map<number, number>;
  #nextVport = 1;

  /** `earlier`: numbers that an earlier agent of this host gave to bindings, by epoch. Flows that still forward mean those. */
  constructor(hostId: Id, earlier: ReadonlyMap<number, number> = new Map()) {
    this.#hostId = hostId;
    this.#earlier = new Map(earlier);
    const taken = new Set(earlier.values());
    const last = Math.max(0, ...taken);
    for (; this.#nextVport <= last; this.#nextVport++)
      if (!taken.has(this.#nextVport)) this.#freed.push(this.#nextVport);
  }

  /** Every binding of this host is known now: numbers that nobody came back for may be given to others, after all the rest. */
  forgetEarlier(): void {
    this.#freed.push(...this.#earlier.values());
    this.#earlier.clear();
  }

  /** Number of ports bound here. */
  get size(): number {
    return this.#byPort.size;
  }

  /** Takes a port's present binding to this host; undefined vport: the host has no number left. */
  bind(
    port: Port,
    binding: Binding,
    tunnelKey: number,
  ): { readonly isChanged: boolean; readonly vport: number | undefined } {
    const portId = port.id;
    const isExternal = leadsOut(port);
    const known = this.#byPort.get(portId);
    if (known !== undefined) {
      const isChanged =
        known.binding.generation !== binding.generation ||
        known.binding.interfaceName !== binding.interfaceName ||
        known.isExternal !== isExternal;
      known.binding = binding;
      known.isExternal = isExternal;
      if (isChanged) {
        known.state = "wanted";
        known.why = undefined;
      }
      return { isChanged, vport: known.vport };
    }
    const vport = this.#takeVport(epochOfBinding(portId, binding));
    if (vport === undefined) return { isChanged: false, vport };
    const bound: Bound = { portId, vport, binding, isExternal, tunnelKey, state: "wanted", why: undefined };
    this.#byPort.set(portId, bound);
    this.#byVport.set(vport, bound);
    return { isChanged: true, vport };
  }

  /** Forgets a port; false when it was not bound here. */
  unbind(portId: Id): boolean {
    const bound = this.#byPort.get(portId);
    if (bound === undefined) return false;
    this.#byPort.delete(portId);
    this.#byVport.delete(bound.vport);
    this.#freed.push(bound.vport);
    return true;
  }

  /** Takes an outcome; the port when its state changed by it. */
  outcome(outcome: PortOutcome): Id | undefined {
    const bound = this.#byVport.get(outcome.vport);
    if (bound === undefined) return undefined;
    const state = outcome.state === "attached" ? (outcome.isUp ? "up" : "down") : outcome.state;
    bound.why = outcome.state === "refused" ? outcome.why : undefined;
    if (bound.state === state) return undefined;
    bound.state = state;
    return bound.portId;
  }

  /** Where packets for the port go; undefined when it is not bound here. */
  placement(portId: Id): Placement | undefined {
    const bound = this.#byPort.get(portId);
    if (bound === undefined) return undefined;
    return { at: "local", vport: bound.vport, isActive: bound.state === "up" };
  }

  /** What is to be published of the port; undefined: nothing, it does not forward. */
  active(portId: Id): PortActive | undefined {
    const bound = this.#byPort.get(portId);
    if (bound?.state !== "up") return undefined;
    return { hostId: this.#hostId, tunnelKey: bound.tunnelKey, generation: bound.binding.generation };
  }

  /** Ids of all ports bound here. */
  portIds(): readonly Id[] {
    return [...this.#byPort.keys()];
  }

  /** Every port bound here, as the agent's API shows it. */
  states(): readonly PortState[] {
    return [...this.#byPort.values()].map(({ portId, binding, state, why }) => ({
      portId,
      interfaceName: binding.interfaceName,
      state,
      ...(why === undefined ? {} : { why }),
    }));
  }

  /** Vports that forward, and the upcall credit of each per shard: the ring is dealt out among them. */
  credits(): { readonly vports: readonly number[]; readonly packets: number } {
    const vports = [...this.#byPort.values()].filter((bound) => bound.state === "up").map((bound) => bound.vport);
    const share = Math.floor(UPCALL_CREDITS_PER_SHARD / Math.max(1, vports.length));
    return { vports, packets: Math.max(UPCALL_CREDIT_MIN, share) };
  }

  /** The port of a vport number. */
  portOf(vport: number): Id | undefined {
    return this.#byVport.get(vport)?.portId;
  }

  /** The wanted ports, for the datapath. */
  wantedPorts(): readonly WantedPort[] {
    return [...this.#byPort.values()].map(({ portId, vport, binding, isExternal }) => ({
      vport,
      interfaceName: binding.interfaceName,
      epoch: epochOfBinding(portId, binding),
      isExternal,
    }));
  }

  /** The wanted tunnel keys of the ports, for the datapath. */
  wantedKeys(): readonly WantedTunnelKey[] {
    return [...this.#byPort.values()].map(({ vport, tunnelKey }) => ({
      key: tunnelKey,
      target: { kind: "vport", vport },
    }));
  }

  #takeVport(epoch: number): number | undefined {
    const earlier = this.#earlier.get(epoch);
    if (this.#earlier.delete(epoch)) return earlier;
    if (this.#nextVport < VPORT_MAX) return this.#nextVport++;
    return this.#freed.shift();
  }
}

/** The vport numbers of an earlier agent by the epochs of their bindings, from the vport records that it left. */
export function earlierVports(vports: Uint32Array): ReadonlyMap<number, number> {
  const earlier = new Map<number, number>();
  for (let vport = 1; vport < VPORT_MAX; vport++) {
    const epoch = vports[vport * VPORT_WORDS + VPORT_EPOCH] as number;
    if (epoch !== 0) earlier.set(epoch, vport);
  }
  return earlier;
}

/** Names a binding in the datapath: another port, interface or generation has another epoch. */
function epochOfBinding(portId: Id, { interfaceName, generation }: Binding): number {
  return epochOf(`${portId} ${interfaceName} ${generation}`);
}
