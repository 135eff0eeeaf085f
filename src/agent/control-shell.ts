import { formatPortActive, PORT_ACTIVE_KEY, parsePortActive } from "../api-schema/agent-api.ts";
import { unreachable } from "../base/assert.ts";
import type { Log } from "../base/log.ts";
import { type Scheduler, sleep } from "../base/scheduler.ts";
import type { DatapathControl, WantedPort, WantedTunnelKey } from "../datapath/datapath.ts";
import { VPORT_WORDS } from "../flow/layout.ts";
import type { Id, Kind } from "../model/objects.ts";
import type { StateKeys, StateWatch } from "../store/recipes/state-keys.ts";
import type { StoreWatch, TopologyStore } from "../store/recipes/topology-store.ts";
import type { ControlCore } from "./core/control.ts";
import type { ControlEffect, ControlEvent, PortActive } from "./core/control-events.ts";
import { localGroup, writeGroup } from "./core/groups.ts";
import { CREDIT_BYTES_PER_PACKET, GATHER_MS } from "./core/limits.ts";
import type { FromWorker, MapName, Opinion, ToWorker } from "./core/messages.ts";
import type { ObjectName } from "./core/slice.ts";

/** A replicated map as the shell needs it: opinions in, winners out as events of the core. */
export interface OpenMap {
  put(opinion: Opinion): void;
  remove(opinion: Opinion): void;
  /** Ends the copy; what was learned here is taken back, unless it is to be kept for the next process of this session. */
  close(options?: { readonly keep?: boolean }): void;
}

/** State keys of a bridge by which hosts say under which tunnel key they take its floods: this and the host's id. */
const FLOOD_KEY_PREFIX = "flood.";

/** What a control shell joins. */
export interface ControlShellParts {
  readonly hostId: Id;
  readonly core: ControlCore;
  readonly topology: TopologyStore;
  readonly stateKeys: StateKeys;
  readonly datapath: DatapathControl;
  readonly scheduler: Scheduler;
  readonly log: Log;
  /** Opens a device's map; winners are told to `onEvent` from then on. */
  openMap(map: MapName, deviceId: Id, onEvent: (event: ControlEvent) => void): OpenMap;
  /** Takes messages to every worker, in order. */
  toWorkers(messages: readonly ToWorker[]): void;
  /** Answers of workers to questions that were asked through `toWorkers`. */
  onAnswer(worker: number, message: FromWorker): void;
}

/**
 * The hands of the control core: watches the store, keeps the datapath as the core wants it, passes messages. All that it
 * decides itself is order: one event at a time, effects in order, one change of the datapath's ports at a time.
 */
export class ControlShell {
  readonly #parts: ControlShellParts;
  readonly #objects = new Map<Id, StoreWatch>();
  readonly #actives = new Map<Id, StateWatch>();
  readonly #floods = new Map<Id, StateWatch>();
  readonly #maps = new Map<string, OpenMap>();
  /** What this host says of its ports. */
  readonly #published = new Map<Id, PortActive>();
  readonly #queue: ControlEvent[] = [];
  #answering = 0;
  #isRunning = false;
  #outbox: ToWorker[] = [];
  #wantedPorts: () => readonly WantedPort[] = () => [];
  #ports: readonly WantedPort[] = [];
  #mustSetKeys = false;
  #isSettingPorts = false;
  #mustSetPorts = false;
  #isClosed = false;
  #datapathWork: Promise<void> = Promise.resolve();

  constructor(parts: ControlShellParts) {
    this.#parts = parts;
  }

  /** Starts to follow the store and the interfaces of this host. */
  start(): void {
    this.dispatch({ kind: "start" });
    this.#parts.datapath.onLink((event) => {
      if (this.#ports.some((port) => port.interfaceName === event.name)) this.#setPorts();
    });
  }

  /** Takes an event; its effects have begun when the present event and those before it are done. */
  dispatch(event: ControlEvent): void {
    if (this.#isClosed) return;
    this.#queue.push(event);
    if (this.#isRunning) return;
    this.#isRunning = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (next.kind === "worker") this.#answering = next.worker;
      for (const effect of this.#parts.core.step(next, this.#parts.scheduler.clock.wall())) this.#perform(effect);
    }
    this.#isRunning = false;
    if (this.#outbox.length > 0) this.#parts.toWorkers(this.#outbox);
    this.#outbox = [];
  }

  /** Resolves when everything that the datapath was asked for is done. */
  async settled(): Promise<void> {
    for (let work: Promise<void> | undefined; work !== this.#datapathWork; ) {
      work = this.#datapathWork;
      await work;
    }
  }

  /** Says of every port that it is not forwarded for any more, before a session is closed on purpose. */
  async withdrawAll(): Promise<void> {
    const all = [...this.#published];
    await Promise.all(all.map(([portId, state]) => this.#publish({ kind: "withdraw-active", portId, state })));
  }

  /** Stops following. What was published stays until the session ends; with `keep` also what was learned. */
  close(options: { readonly keep?: boolean } = {}): void {
    this.#isClosed = true;
    for (const watch of [...this.#objects.values(), ...this.#actives.values(), ...this.#floods.values()]) watch.close();
    for (const map of this.#maps.values()) map.close(options);
  }

  #perform(effect: ControlEffect): void {
    const { datapath } = this.#parts;
    switch (effect.kind) {
      case "watch-object":
        return this.#watchObject(effect.name);
      case "unwatch-object":
        this.#objects.get(effect.name.id)?.close();
        this.#objects.delete(effect.name.id);
        return;
      case "watch-active":
        return this.#watchActive(effect.portId);
      case "unwatch-active":
        this.#actives.get(effect.portId)?.close();
        this.#actives.delete(effect.portId);
        return;
      case "open-map":
        return this.#openMap(effect.map, effect.deviceId);
      case "close-map":
        this.#maps.get(mapId(effect.map, effect.deviceId))?.close();
        this.#maps.delete(mapId(effect.map, effect.deviceId));
        return;
      case "map-put":
        this.#maps.get(mapId(effect.opinion.map, effect.opinion.deviceId))?.put(effect.opinion);
        return;
      case "map-remove":
        this.#maps.get(mapId(effect.opinion.map, effect.opinion.deviceId))?.remove(effect.opinion);
        return;
      case "publish-active":
      case "withdraw-active":
        return void this.#publish(effect);
      case "watch-floods":
        return this.#watchFloods(effect.bridgeId);
      case "unwatch-floods":
        this.#floods.get(effect.bridgeId)?.close();
        this.#floods.delete(effect.bridgeId);
        return;
      case "publish-flood":
      case "withdraw-flood":
        return this.#publishFlood(effect.bridgeId, effect.kind === "publish-flood" ? effect.key : undefined);
      case "set-group":
        return writeGroup(datapath.memory.groups, effect.group, localGroup(effect.vports));
      case "set-ports":
        this.#wantedPorts = effect.wanted;
        return this.#setPorts();
      case "set-underlay":
        return this.#change("underlay", () => datapath.setUnderlay(effect.underlay));
      case "set-peers":
        return this.#change("peers", () => datapath.setPeers(effect.peers));
      case "set-tunnel-keys":
        return this.#setTunnelKeys(effect.wanted);
      case "set-credits":
        return this.#setCredits(effect.vports, effect.packets);
      case "tell-workers":
        this.#outbox.push(effect.message);
        return;
      case "answer":
        return this.#parts.onAnswer(this.#answering, effect.message);
      case "log":
        return this.#parts.log[effect.level](effect.event, effect.fields);
      default:
        return unreachable(effect);
    }
  }

  #watchObject(name: ObjectName): void {
    const watch = this.#parts.topology.watchObject<Kind>(name.kind, name.id, {
      onObject: (stored) => this.dispatch({ kind: "object", name, object: stored?.object }),
      onDamaged: (error) => {
        const known = this.#parts.core.object(name.id);
        this.dispatch({ kind: "object", name, object: known, why: JSON.stringify(error) });
      },
    });
    this.#objects.set(name.id, watch);
  }

  #watchActive(portId: Id): void {
    const key = { kind: "port", id: portId, name: PORT_ACTIVE_KEY };
    const tell = (text: string | undefined): void => {
      const read = text === undefined ? undefined : parsePortActive(text);
      if (read?.ok === false) this.#parts.log.warn("port.active.damaged", { port: portId, why: read.error });
      const isWithdrawn = read?.ok === true && read.value.isActive === false;
      const state = read?.ok === true && !isWithdrawn ? read.value : undefined;
      this.dispatch({ kind: "active", portId, state, isWithdrawn });
    };
    const watch = this.#parts.stateKeys.watch(key, {
      onLoaded: (values) => {
        for (const [, value] of values) tell(value.text);
        if (values.length === 0) tell(undefined);
      },
      onChange: (_key, value) => tell(value?.text),
    });
    this.#actives.set(portId, watch);
  }

  #watchFloods(bridgeId: Id): void {
    if (this.#floods.has(bridgeId)) return;
    const tell = (name: string, text: string | undefined): void => {
      if (!name.startsWith(FLOOD_KEY_PREFIX)) return;
      const key = text === undefined ? undefined : Number(text);
      if (key !== undefined && !Number.isInteger(key))
        return this.#parts.log.warn("flood-key.damaged", { bridge: bridgeId, text: text ?? "" });
      this.dispatch({ kind: "flood-key", bridgeId, hostId: name.slice(FLOOD_KEY_PREFIX.length), key });
    };
    const watch = this.#parts.stateKeys.watch(
      { kind: "bridge", id: bridgeId },
      {
        onLoaded: (values) => {
          for (const [key, value] of values) tell(key.name, value.text);
        },
        onChange: (key, value) => tell(key.name, value?.text),
      },
    );
    this.#floods.set(bridgeId, watch);
  }

  #publishFlood(bridgeId: Id, key: number | undefined): void {
    const { stateKeys, log, hostId } = this.#parts;
    const name = { kind: "bridge", id: bridgeId, name: `${FLOOD_KEY_PREFIX}${hostId}` };
    // Not before the datapath knows the key: peers flood to it as soon as they see it.
    const done = this.#datapathWork.then(() =>
      key === undefined ? stateKeys.clear(name) : stateKeys.set(name, String(key), { writer: "last" }),
    );
    void done.then((result) => {
      if (!result.ok) log.warn("flood-key.failed", { bridge: bridgeId, error: JSON.stringify(result.error) });
    });
  }

  #openMap(map: MapName, deviceId: Id): void {
    const id = mapId(map, deviceId);
    if (this.#maps.has(id)) return;
    this.#maps.set(
      id,
      this.#parts.openMap(map, deviceId, (event) => this.dispatch(event)),
    );
  }

  /** A port that stays bound is withdrawn in words: a key that merely goes says that a session was lost. */
  async #publish({ kind, portId, state }: ActiveEffect): Promise<void> {
    const key = { kind: "port", id: portId, name: PORT_ACTIVE_KEY };
    const { stateKeys, log } = this.#parts;
    const isActive = kind === "publish-active";
    if (isActive) this.#published.set(portId, state);
    else this.#published.delete(portId);
    const result = await (state === undefined
      ? stateKeys.clear(key)
      : stateKeys.set(key, formatPortActive(state, isActive), { writer: "last" }));
    if (!result.ok) log.warn("port.active.failed", { port: portId, error: JSON.stringify(result.error) });
  }

  /** Keys that are asked for again before they were written are written once. */
  #setTunnelKeys(wanted: () => readonly WantedTunnelKey[]): void {
    if (this.#mustSetKeys) return;
    this.#mustSetKeys = true;
    this.#change("tunnel-keys", () => {
      this.#mustSetKeys = false;
      return this.#parts.datapath.setTunnelKeys(wanted());
    });
  }

  /** One attempt at a time; what is wished meanwhile is gathered and done after it, with the newest wanted set. */
  #setPorts(): void {
    this.#mustSetPorts = true;
    if (this.#isSettingPorts) return;
    this.#isSettingPorts = true;
    this.#datapathWork = this.#datapathWork.then(async () => {
      while (this.#mustSetPorts && !this.#isClosed) {
        this.#mustSetPorts = false;
        this.#ports = this.#wantedPorts();
        const outcomes = await this.#parts.datapath.setPorts(this.#ports);
        this.dispatch({ kind: "ports", outcomes });
        if (this.#mustSetPorts) await sleep(this.#parts.scheduler, GATHER_MS);
      }
      this.#isSettingPorts = false;
    });
  }

  #change(
    what: string,
    change: () => Promise<{ readonly ok: true } | { readonly ok: false; readonly error: { readonly message: string } }>,
  ): void {
    this.#datapathWork = this.#datapathWork.then(async () => {
      if (this.#isClosed) return;
      const result = await change();
      if (!result.ok) this.#parts.log.error("datapath.refused", { what, why: result.error.message });
    });
  }

  #setCredits(vports: readonly number[], packets: number): void {
    const words = this.#parts.datapath.memory.vports;
    for (const vport of vports) {
      words[vport * VPORT_WORDS + 5] = packets;
      words[vport * VPORT_WORDS + 6] = packets * CREDIT_BYTES_PER_PACKET;
    }
  }
}

function mapId(map: MapName, deviceId: Id): string {
  return `${map}/${deviceId}`;
}

type ActiveEffect = Extract<ControlEffect, { readonly kind: "publish-active" | "withdraw-active" }>;
