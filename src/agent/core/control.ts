import { unreachable } from "../../base/assert.ts";
import type { Instant } from "../../base/clock.ts";
import type { Prng } from "../../base/prng.ts";
import type { PortOutcome, WantedPeer, WantedPort, WantedTunnelKey } from "../../datapath/datapath.ts";
import type { Id, Port, TopologyObject, TunnelZone } from "../../model/objects.ts";
import type { WorldChange } from "../../sim/world-change.ts";
import { Bindings } from "./bindings.ts";
import type { ControlEffect, ControlEvent, ControlSettings, PortActive } from "./control-events.ts";
import { bridgeOf } from "./control-objects.ts";
import { Floods } from "./floods.ts";
import { Following } from "./following.ts";
import type { LeftBehind } from "./left-behind.ts";
import { UNCONFIRMED_MS } from "./limits.ts";
import type { FromWorker, ToWorker } from "./messages.ts";
import { HeldOpinions } from "./opinions.ts";
import { Orphans } from "./orphans.ts";
import { Peers } from "./peers.ts";
import { Placements } from "./placements.ts";
import { RemotePorts } from "./remote-ports.ts";
import { type ObjectName, Slice } from "./slice.ts";
import { TunnelKeys } from "./tunnel-keys.ts";

/**
 * The brain of a host's control thread, without I/O, in the agent and in weftsim: events in, effects out. It keeps the slice of the
 * topology that the host needs, binds ports, publishes what it serves, knows where every other port is, and tells the workers.
 */
export class ControlCore {
  readonly #settings: ControlSettings;
  readonly #following: Following;
  readonly #bindings: Bindings;
  /** Other hosts. Both are for reading: events change them. */
  readonly peers: Peers;
  readonly #keys: TunnelKeys;
  /** Ports that are bound to other hosts. */
  readonly remote: RemotePorts;
  /** Entries of maps whose owner has lost its session. */
  readonly orphans: Orphans;
  readonly #published = new Map<Id, PortActive>();
  /** Ports that are bound here and whose key says that nothing is forwarded for them now. */
  readonly #silent = new Set<Id>();
  readonly #placements = new Placements();
  readonly #floods = new Floods();
  readonly #held = new HeldOpinions();
  #isComplete = false;
  /** Ports of an earlier agent are still served: they stay as they are until all that this agent wants is known. */
  readonly #takesOver: boolean;
  #isLoaded = false;
  readonly #wantedPorts = (): readonly WantedPort[] => this.#bindings.wantedPorts();
  readonly #wantedKeys = (): readonly WantedTunnelKey[] => [
    ...this.#bindings.wantedKeys(),
    ...this.#floods.wantedKeys(),
  ];
  readonly #wantedPeers = (): readonly WantedPeer[] => this.peers.wanted();
  #effects: ControlEffect[] = [];
  #version = 0;

  constructor(settings: ControlSettings, prng: Prng, left: LeftBehind = {}) {
    this.#settings = settings;
    const slice = new Slice(settings.hostId, settings.objectsMax);
    this.#following = new Following(slice, (effect) => this.#effects.push(effect));
    this.#bindings = new Bindings(settings.hostId, left.vports);
    this.#takesOver = (left.vports?.size ?? 0) > 0;
    this.remote = new RemotePorts(settings.unconfirmedMs ?? UNCONFIRMED_MS);
    this.orphans = new Orphans(this.remote);
    this.peers = new Peers(settings.hostId, left.peers);
    this.#keys = new TunnelKeys(prng, {
      ...left.tunnelKeys,
      onTaken: (kept) => this.#effects.push({ kind: "keep-key", kept }),
      onReleased: (rest) => this.#effects.push({ kind: "rest-key", rest }),
    });
  }

  /** Takes one event and returns what is to be done, in order. `now` is wall-clock time. */
  step(event: ControlEvent, now: Instant): readonly ControlEffect[] {
    this.#effects = [];
    this.#take(event, now);
    if (!this.#isComplete && this.#following.isSettled) this.#loaded(event, now);
    if (this.#effects.some((effect) => effect.kind === "tell-workers")) {
      this.#version++;
      this.#tell({ kind: "version", version: this.#version });
    }
    return this.#effects;
  }

  /** Version of the world that the workers were last told. */
  get version(): number {
    return this.#version;
  }

  /** True once everything that this host needs was told. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** The port behind a vport number of this host. */
  portOfVport(vport: number): Id | undefined {
    return this.#bindings.portOf(vport);
  }

  /** Every port bound here and what became of it. */
  portStates(): ReturnType<Bindings["states"]> {
    return this.#bindings.states();
  }

  /** Topology objects that this host follows. */
  get objects(): number {
    return this.#following.size;
  }

  /** An object of the slice. */
  object(id: Id): TopologyObject | undefined {
    return this.#following.get(id);
  }

  /** Everything a worker needs that starts late: the present world as messages. */
  snapshot(): readonly ToWorker[] {
    const changes = [...this.#following.walked(), ...this.#placements.changes()].map(
      (change): ToWorker => ({ kind: "world", change }),
    );
    const complete: readonly ToWorker[] = this.#isComplete ? [{ kind: "complete" }] : [];
    return [...changes, ...complete, { kind: "version", version: this.#version }];
  }

  #take(event: ControlEvent, now: Instant): void {
    switch (event.kind) {
      case "start":
        return this.#following.start();
      case "object":
        return this.#object(event, now);
      case "active":
        return this.#active(event, now);
      case "peer-life":
        return this.#peerLife(event, now);
      case "time":
        this.#tooLong(this.remote.time(event.elapsed, now));
        return this.#tellAll(this.orphans.time(event.elapsed, now));
      case "entry":
        return this.#tellAll(this.orphans.take(event, now));
      case "flood-key":
        if (event.hostId !== this.#settings.hostId) this.#tell(event);
        return;
      case "map-loaded":
        return this.#following.loaded(event.map, event.deviceId);
      case "ports":
        return this.#outcomes(event.outcomes, now);
      case "worker":
        return this.#fromWorker(event.worker, event.message);
      default:
        return unreachable(event);
    }
  }

  #object(event: ControlEvent & { kind: "object" }, now: Instant): void {
    const { name, object } = event;
    const change = this.#following.take(event);
    if (change === undefined) return;
    const { before, unreached } = change;
    if (object === undefined) this.orphans.forget(name.id);
    if (name.kind === "port") this.#port(name.id, object as Port | undefined, now);
    if (name.kind === "tunnel-zone") this.#zone(name.id, object as TunnelZone | undefined);
    this.#following.followMaps(name, { before, object });
    this.#flood(bridgeOf(object ?? before), now);
    for (const gone of unreached) this.#forget(gone, now);
  }

  #forget(name: ObjectName, now: Instant): void {
    this.#following.unwatch(name);
    this.orphans.forget(name.id);
    if (name.kind === "bridge") this.#flood(name.id, now);
    this.#tellWorld({ kind: "absent", id: name.id });
    if (name.kind === "port") this.#port(name.id, undefined, now);
    if (name.kind === "tunnel-zone") this.#zone(name.id, undefined);
    this.#following.closeMaps(name);
  }

  #port(id: Id, port: Port | undefined, now: Instant): void {
    const binding = port?.binding;
    if (port !== undefined && binding?.hostId === this.#settings.hostId) this.#bindHere(port, binding, now);
    else if (this.#bindings.unbind(id)) this.#unbound(id, now);
    this.#watchActive(id, binding !== undefined && binding.hostId !== this.#settings.hostId);
    this.#place(id);
  }

  #bindHere(port: Port, binding: NonNullable<Port["binding"]>, now: Instant): void {
    const key = this.#keys.take(port.id, now, binding.generation);
    if (!key.ok) return this.#log("warn", "tunnel-key.limit", { port: port.id, limit: key.error.limit });
    const bound = this.#bindings.bind(port, binding, key.value);
    if (bound.vport === undefined) return this.#log("warn", "vport.limit", { port: port.id });
    if (bound.isChanged) this.#setPorts();
  }

  #unbound(id: Id, now: Instant): void {
    this.#keys.release(id, now);
    this.#publish(id);
    this.#setPorts();
    this.#dealCredits();
  }

  #setPorts(): void {
    if (this.#takesOver && !this.#isLoaded) return;
    // Keys first: peers send as soon as a port is published, which its attachment brings about.
    this.#setTunnelKeys();
    this.#effects.push({ kind: "set-ports", wanted: this.#wantedPorts });
  }

  #setTunnelKeys(): void {
    this.#effects.push({ kind: "set-tunnel-keys", wanted: this.#wantedKeys });
  }

  /**
   * Nothing is outstanding. An earlier agent's ports are taken over in one step, and its flows are simulated again only when
   * these ports serve: before, everything would be dropped for want of a port.
   */
  #loaded(event: ControlEvent, now: Instant): void {
    const isFirst = !this.#isLoaded;
    this.#isLoaded = true;
    if (this.#takesOver && isFirst) return this.#setPorts();
    if (this.#takesOver && event.kind !== "ports") return;
    this.#isComplete = true;
    this.#bindings.forgetEarlier();
    this.#keys.forgetEarlier(now);
    this.#tell({ kind: "complete" });
  }

  /** The group under which peers flood to this host's ports of a bridge. */
  #flood(bridgeId: Id | undefined, now: Instant): void {
    if (bridgeId === undefined) return;
    const object = this.#following.get(bridgeId);
    const bridge = object?.kind === "bridge" ? object : undefined;
    const ports = (bridge?.portIds ?? []).map((id) => this.#following.get(id)).filter((port) => port?.kind === "port");
    const owner = `flood ${bridgeId}`;
    const change = this.#floods.update(bridgeId, {
      bridge,
      ports: ports.filter((port) => port.deviceKind === "bridge"),
      vportOf: (portId) => {
        const placement = this.#bindings.placement(portId);
        return placement?.at === "local" && placement.isActive ? placement.vport : undefined;
      },
      takeKey: () => {
        const key = this.#keys.take(owner, now);
        return key.ok ? key.value : undefined;
      },
    });
    if (change.kind === "same") return;
    if (change.kind === "gone") {
      this.#keys.release(owner, now);
      this.#effects.push({ kind: "withdraw-flood", bridgeId });
      return this.#setTunnelKeys();
    }
    const { group, vports, key } = change.flood;
    this.#effects.push({ kind: "set-group", group, vports });
    if (!change.isNew) return;
    this.#setTunnelKeys();
    this.#effects.push({ kind: "publish-flood", bridgeId, key });
  }

  #outcomes(outcomes: readonly PortOutcome[], now: Instant): void {
    const changed = outcomes.map((outcome) => [outcome, this.#bindings.outcome(outcome)] as const);
    for (const [outcome, portId] of changed) {
      if (portId === undefined) continue;
      if (outcome.state === "refused") this.#log("warn", "port.refused", { port: portId, why: outcome.why });
      else this.#log("info", "port.state", { port: portId, vport: outcome.vport, state: outcome.state });
      this.#place(portId);
      this.#publish(portId);
      this.#flood(bridgeOf(this.#following.get(portId)), now);
    }
    if (changed.some(([, portId]) => portId !== undefined)) this.#dealCredits();
  }

  #dealCredits(): void {
    this.#effects.push({ kind: "set-credits", ...this.#bindings.credits() });
  }

  #publish(portId: Id): void {
    const state = this.#bindings.active(portId);
    const before = this.#published.get(portId);
    const isBound = this.#bindings.placement(portId) !== undefined;
    const isLeft = !isBound && this.#silent.delete(portId);
    if (state === undefined && (before !== undefined || isLeft)) {
      this.#published.delete(portId);
      if (isBound) this.#silent.add(portId);
      this.#effects.push({ kind: "withdraw-active", portId, state: isBound ? before : undefined });
    }
    if (state === undefined || (before?.generation === state.generation && before.tunnelKey === state.tunnelKey))
      return;
    this.#published.set(portId, state);
    this.#silent.delete(portId);
    this.#effects.push({ kind: "publish-active", portId, state });
  }

  #watchActive(portId: Id, isWanted: boolean): void {
    if (!this.remote.watch(portId, isWanted)) return;
    this.#following.awaits(`active ${portId}`, isWanted);
    this.#effects.push({ kind: isWanted ? "watch-active" : "unwatch-active", portId });
  }

  #active({ portId, state, isWithdrawn = false, missed }: ControlEvent & { kind: "active" }, now: Instant): void {
    this.#following.awaits(`active ${portId}`, false);
    if (!this.remote.active(portId, { state, isWithdrawn, ...(missed && { missed }) }, now)) return;
    this.#place(portId);
    this.#tellAll(this.orphans.look(now));
  }

  /** The datapath of a peer answers, or not any more: its ports are sent to, or not. */
  #peerLife({ peer, life, why = "silent" }: ControlEvent & { kind: "peer-life" }, now: Instant): void {
    const hostId = this.peers.setLife(peer, life);
    if (hostId === undefined) return;
    if (life === "dead") this.#log("warn", "peer.dead", { peer: hostId, why });
    else if (life === "alive") this.#log("info", "peer.alive", { peer: hostId });
    for (const portId of this.remote.life(hostId, life, now)) this.#place(portId);
    this.#tellAll(this.orphans.time(0, now));
  }

  #tooLong(portIds: readonly Id[]): void {
    for (const port of portIds) this.#log("warn", "port.unconfirmed", { port });
    for (const port of portIds) this.#place(port);
  }

  /** Tells the workers where a port's packets go now, if that has changed. */
  #place(portId: Id): void {
    const object = this.#following.get(portId);
    const binding = object?.kind === "port" ? object.binding : undefined;
    const placement =
      binding === undefined ? undefined : (this.#bindings.placement(portId) ?? this.remote.placement(portId, binding));
    if (this.#placements.put(portId, placement)) this.#tellWorld({ kind: "placement", portId, placement });
  }

  #zone(id: Id, zone: TunnelZone | undefined): void {
    const view = this.peers.setZone(id, zone);
    const underlay = this.peers.underlay(this.#settings.udpPort);
    if (underlay !== undefined) this.#effects.push({ kind: "set-underlay", underlay });
    this.#effects.push({ kind: "set-peers", wanted: this.#wantedPeers });
    this.#tellPeers(view.peers);
    for (const portId of this.remote.ids()) this.#place(portId);
  }

  #tellPeers(peers: readonly WantedPeer[]): void {
    const changed = new Map(this.peers.changes(peers));
    for (const [hostId, peer] of changed) this.#tell({ kind: "peer", hostId, ...peer });
    // Flows do not carry a tag of their peer: whoever sends to a port there is found by the port's placement.
    for (const change of this.#placements.changes()) {
      const { placement } = change;
      if (placement?.at === "remote" && changed.has(placement.hostId)) this.#tellWorld(change);
    }
  }

  #fromWorker(worker: number, message: FromWorker): void {
    switch (message.kind) {
      case "map-put":
        this.#held.hold(worker, message.opinion);
        break;
      case "map-remove":
        if (!this.#held.release(worker, message.opinion)) return;
        break;
      case "want":
        return this.#following.wanted(message.id);
      case "reached":
      case "audit":
      case "flows":
      case "trace":
      case "counts":
        this.#effects.push({ kind: "answer", message });
        return;
      default:
        return unreachable(message);
    }
    this.#effects.push(message);
  }

  #tellAll(changes: readonly WorldChange[]): void {
    for (const change of changes) this.#tellWorld(change);
  }

  #tellWorld(change: WorldChange): void {
    this.#tell({ kind: "world", change });
  }

  #tell(message: ToWorker): void {
    this.#effects.push({ kind: "tell-workers", message });
  }

  #log(level: "info" | "warn", event: string, fields: Readonly<Record<string, string | number>>): void {
    this.#effects.push({ kind: "log", level, event, fields });
  }
}
