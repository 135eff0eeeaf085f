import { HOST_ALIVE_KEY, PORT_ACTIVE_KEY, parseHostAlive, parsePortActive } from "../api-schema/agent-api.ts";
import type { ResourceFacts } from "../api-schema/convert.ts";
import type { Id, TopologyObject } from "../model/objects.ts";
import type { StateKeys, StateWatch } from "../store/recipes/state-keys.ts";
import { HOSTS_REMEMBERED_MAX } from "./limits.ts";

/**
 * What hosts publish about themselves and their ports, followed from the store: which host lives and where its agent serves,
 * and which bound port is forwarded for. Reads are local.
 */
export class Facts {
  /** Text of the state key of every host that lives. */
  readonly #alive = new Map<Id, string>();
  /** Where the agent of every host that was alive once served last: what is left to go by when the store was emptied. */
  readonly #lastAddresses = new Map<Id, string>();
  /** Text of the state key of every port that is served. */
  readonly #active = new Map<Id, string>();
  readonly #watches: readonly StateWatch[];
  readonly #listeners = new Set<(kind: "host" | "port", id: Id) => void>();

  constructor(states: StateKeys) {
    this.#watches = [
      this.#follow(states, { kind: "host", name: HOST_ALIVE_KEY }, this.#alive),
      this.#follow(states, { kind: "port", name: PORT_ACTIVE_KEY }, this.#active),
    ];
  }

  /** Resolves when everything that was published before is known. */
  async ready(): Promise<void> {
    await Promise.all(this.#watches.map((watch) => watch.ready));
  }

  /** Hosts whose agents hold a session. */
  aliveHosts(): readonly Id[] {
    return [...this.#alive.keys()];
  }

  /** True for a host whose agent holds a session. */
  isAlive(hostId: Id): boolean {
    return this.#alive.has(hostId);
  }

  /** Where a host's agent serves its API; undefined when it does not live or says nothing readable. */
  agentAddress(hostId: Id): string | undefined {
    const text = this.#alive.get(hostId);
    const alive = text === undefined ? undefined : parseHostAlive(text);
    return alive?.ok === true ? alive.value.address : undefined;
  }

  /** Where a host's agent serves, or served when it was heard of last. */
  lastAgentAddress(hostId: Id): string | undefined {
    return this.agentAddress(hostId) ?? this.#lastAddresses.get(hostId);
  }

  /** Hosts whose agents hold a session or held one while this process ran. */
  lastKnownHosts(): readonly Id[] {
    return [...new Set([...this.#alive.keys(), ...this.#lastAddresses.keys()])];
  }

  /** What a resource shows of an object beyond what is stored. */
  of(object: TopologyObject, version: number): ResourceFacts {
    if (object.kind === "host") {
      const agentAddress = this.agentAddress(object.id);
      return { version, isAlive: this.isAlive(object.id), ...(agentAddress === undefined ? {} : { agentAddress }) };
    }
    if (object.kind !== "port" || object.binding === undefined) return { version };
    const text = this.#active.get(object.id);
    const active = text === undefined ? undefined : parsePortActive(text);
    const { hostId, generation } = object.binding;
    // A host that lost the port may still say so for a while: only the present binding counts.
    const isCurrent = active?.ok === true && active.value.hostId === hostId && active.value.generation === generation;
    return { version, isActive: isCurrent && active.value.isActive !== false };
  }

  /** Calls back when what is shown of a host or a port may have changed. The value takes it back. */
  subscribe(listener: (kind: "host" | "port", id: Id) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Stops following. */
  close(): void {
    for (const watch of this.#watches) watch.close();
    this.#listeners.clear();
  }

  #follow(
    states: StateKeys,
    of: { readonly kind: "host" | "port"; readonly name: string },
    texts: Map<Id, string>,
  ): StateWatch {
    const tell = (id: Id): void => {
      for (const listener of this.#listeners) listener(of.kind, id);
    };
    return states.watch(of, {
      onLoaded: (values) => {
        for (const [key, { text }] of values) texts.set(key.id, text);
        if (of.kind === "host") for (const [key] of values) this.#remember(key.id);
        for (const [key] of values) tell(key.id);
      },
      onChange: (key, value) => {
        if (value === undefined) texts.delete(key.id);
        else texts.set(key.id, value.text);
        if (of.kind === "host") this.#remember(key.id);
        tell(key.id);
      },
    });
  }

  #remember(hostId: Id): void {
    const address = this.agentAddress(hostId);
    if (address === undefined) return;
    this.#lastAddresses.delete(hostId);
    this.#lastAddresses.set(hostId, address);
    const [oldest] = this.#lastAddresses.keys();
    if (this.#lastAddresses.size > HOSTS_REMEMBERED_MAX && oldest !== undefined) this.#lastAddresses.delete(oldest);
  }
}
