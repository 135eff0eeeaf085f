import type { PortOutcome, WantedPort, WantedTunnelKey } from "../../datapath/datapath.ts";
import { VPORT_MAX } from "../../flow/layout.ts";
import type { Binding, Id } from "../../model/objects.ts";
import type { Placement } from "../../sim/world-change.ts";
import type { PortActive } from "./control-events.ts";

interface Bound {
  readonly portId: Id;
  readonly vport: number;
  binding: Binding;
  tunnelKey: number;
  state: "wanted" | "up" | "down" | "absent" | "refused";
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
  #nextVport = 1;

  constructor(hostId: Id) {
    this.#hostId = hostId;
  }

  /** Number of ports bound here. */
  get size(): number {
    return this.#byPort.size;
  }

  /** Takes a port's present binding to this host; undefined vport: the host has no number left. */
  bind(
    portId: Id,
    binding: Binding,
    tunnelKey: number,
  ): { readonly isChanged: boolean; readonly vport: number | undefined } {
    const known = this.#byPort.get(portId);
    if (known !== undefined) {
      const isChanged =
        known.binding.generation !== binding.generation || known.binding.interfaceName !== binding.interfaceName;
      known.binding = binding;
      if (isChanged) known.state = "wanted";
      return { isChanged, vport: known.vport };
    }
    const vport = this.#takeVport();
    if (vport === undefined) return { isChanged: false, vport };
    const bound: Bound = { portId, vport, binding, tunnelKey, state: "wanted" };
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
  states(): readonly { readonly portId: Id; readonly interfaceName: string; readonly state: string }[] {
    return [...this.#byPort.values()].map(({ portId, binding, state }) => ({
      portId,
      interfaceName: binding.interfaceName,
      state,
    }));
  }

  /** Vports that forward. */
  vportsUp(): readonly number[] {
    return [...this.#byPort.values()].filter((bound) => bound.state === "up").map((bound) => bound.vport);
  }

  /** The port of a vport number. */
  portOf(vport: number): Id | undefined {
    return this.#byVport.get(vport)?.portId;
  }

  /** The wanted ports, for the datapath. */
  wantedPorts(): readonly WantedPort[] {
    return [...this.#byPort.values()].map(({ vport, binding }) => ({
      vport,
      interfaceName: binding.interfaceName,
      epoch: binding.generation,
    }));
  }

  /** The wanted tunnel keys of the ports, for the datapath. */
  wantedKeys(): readonly WantedTunnelKey[] {
    return [...this.#byPort.values()].map(({ vport, tunnelKey }) => ({
      key: tunnelKey,
      target: { kind: "vport", vport },
    }));
  }

  #takeVport(): number | undefined {
    if (this.#nextVport < VPORT_MAX) return this.#nextVport++;
    return this.#freed.shift();
  }
}
