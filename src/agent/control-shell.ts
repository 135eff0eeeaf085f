import { formatPortActive, PORT_ACTIVE_KEY } from "../api-schema/agent-api.ts";
import { unreachable } from "../base/assert.ts";
import type { Log } from "../base/log.ts";
import { type Scheduler, sleep } from "../base/scheduler.ts";
import type { DatapathControl, PortOutcome, WantedPort, WantedTunnelKey } from "../datapath/datapath.ts";
import { VPORT_WORDS } from "../flow/layout.ts";
import type { Id } from "../model/objects.ts";
import type { StateKey, StateKeys } from "../store/recipes/state-keys.ts";
import { formatStoreError } from "../store/recipes/store-error.ts";
import type { ControlCore } from "./core/control.ts";
import type { ControlEffect, ControlEvent, PortActive } from "./core/control-events.ts";
import { localGroup, writeGroup } from "./core/groups.ts";
import { CREDIT_BYTES_PER_PACKET, GATHER_MS } from "./core/limits.ts";
import type { FromWorker, MapName, ToWorker } from "./core/messages.ts";
import type { ObjectName } from "./core/slice.ts";
import type { HostMemory } from "./host-memory.ts";
import { DATAPATH_ATTEMPTS_MAX, DATAPATH_RETRY_MS, REMOVED_AGAIN_MS, TAKEN_AGAIN_MS } from "./limits.ts";
import { FLOOD_KEY_PREFIX, type FoundActive, type OpenMap, type Watch, type World } from "./world.ts";

/** What a control shell joins. */
export interface ControlShellParts {
  readonly hostId: Id;
  readonly core: ControlCore;
  /** What is followed. */
  readonly world: World;
  /** What this host says. */
  readonly stateKeys: Pick<StateKeys, "set" | "clear">;
  readonly datapath: DatapathControl;
  readonly scheduler: Scheduler;
  readonly log: Log;
  /** Keeps tunnel keys across restarts; without it they are forgotten. */
  readonly memory?: Pick<HostMemory, "keep">;
  /** Told of ports that do not forward and were not published here: what an earlier agent published of them does not hold. */
  withdrawEarlier?(portIds: readonly Id[]): void;
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
  readonly #objects = new Map<Id, Watch>();
  readonly #actives = new Map<Id, Watch>();
  readonly #floods = new Map<Id, Watch>();
  readonly #maps = new Map<string, OpenMap>();
  /** What this host says of its ports, and under which key it takes a bridge's floods. */
  readonly #published = new Map<Id, PortActive>();
  readonly #publishedFloods = new Map<Id, number>();
  /** Changes of the datapath by what they change: a refused one is tried again unless a newer one took its place. */
  readonly #changes = new Map<string, object>();
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

  /** The open maps by `map/device`. */
  openMaps(): ReadonlyMap<string, OpenMap> {
    return this.#maps;
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
        return this.#change("peers", () => datapath.setPeers(effect.wanted()));
      case "set-tunnel-keys":
        return this.#setTunnelKeys(effect.wanted);
      case "set-credits":
        return this.#setCredits(effect.vports, effect.packets);
      case "keep-key":
        return this.#parts.memory?.keep({ record: "key", ...effect.kept });
      case "rest-key":
        return this.#parts.memory?.keep({ record: "rest", ...effect.rest });
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
    const watch = this.#parts.world.watchObject(name, (found) => {
      if ("object" in found) return this.dispatch({ kind: "object", name, object: found.object });
      this.dispatch({ kind: "object", name, object: this.#parts.core.object(name.id), why: found.why });
    });
    this.#objects.set(name.id, watch);
  }

  #watchActive(portId: Id): void {
    const tell = (found: FoundActive): void => this.dispatch({ kind: "active", portId, ...found });
    this.#actives.set(portId, this.#parts.world.watchActive(portId, tell));
  }

  #watchFloods(bridgeId: Id): void {
    if (this.#floods.has(bridgeId)) return;
    const tell = (hostId: Id, key: number | undefined): void =>
      this.dispatch({ kind: "flood-key", bridgeId, hostId, key });
    const watch = this.#parts.world.watchFloods(bridgeId, {
      onLoaded: (all) => {
        for (const [hostId, key] of all) tell(hostId, key);
      },
      onChange: tell,
    });
    this.#floods.set(bridgeId, watch);
  }

  #openMap(map: MapName, deviceId: Id): void {
    const id = mapId(map, deviceId);
    if (this.#maps.has(id)) return;
    this.#maps.set(id, this.#parts.world.openMap(map, { id: deviceId, onEvent: (event) => this.dispatch(event) }));
  }

  #publishFlood(bridgeId: Id, key: number | undefined): void {
    if (key === undefined) this.#publishedFloods.delete(bridgeId);
    else this.#publishedFloods.set(bridgeId, key);
    const name = { kind: "bridge", id: bridgeId, name: `${FLOOD_KEY_PREFIX}${this.#parts.hostId}` };
    const again = (): void => {
      if (this.#publishedFloods.get(bridgeId) === key) this.#publishFlood(bridgeId, key);
    };
    // Not before the datapath knows the key: peers flood to it as soon as they see it.
    void this.#datapathWork.then(() =>
      this.#say(name, key === undefined ? undefined : String(key), { writer: "last", again }),
    );
  }

  /** A port that stays bound is withdrawn in words: a key that merely goes says that a session was lost. */
  #publish({ kind, portId, state }: ActiveEffect): Promise<void> {
    const key = { kind: "port", id: portId, name: PORT_ACTIVE_KEY };
    const isActive = kind === "publish-active";
    if (isActive) this.#published.set(portId, state);
    else this.#published.delete(portId);
    const again = (): void => {
      if (isActive && this.#published.get(portId) === state) void this.#publish({ kind, portId, state });
    };
    // Who withdraws must not take the key from the host where the port is now.
    const writer = isActive ? "last" : "first";
    return this.#say(key, state === undefined ? undefined : formatPortActive(state, isActive), { writer, again });
  }

  /**
   * Sets or clears a state key. Removed by somebody (a store that is emptied), it is said again as long as it holds; taken by a host
   * that has not heard yet that the port went from there, after a while: who has no claim to it hears of that meanwhile.
   */
  async #say(key: StateKey, text: string | undefined, { writer, again }: Saying): Promise<void> {
    const { stateKeys, log, scheduler } = this.#parts;
    const onLost = (why: "taken" | "removed"): void => {
      const sayAgain = (): void => {
        if (!this.#isClosed) again();
      };
      scheduler.after(why === "removed" ? REMOVED_AGAIN_MS : TAKEN_AGAIN_MS, sayAgain);
    };
    const result = await (text === undefined ? stateKeys.clear(key) : stateKeys.set(key, text, { writer, onLost }));
    // Somebody else has it, and what was wished here was superseded by a withdrawal.
    if (result.ok || result.error.kind === "held") return;
    log.warn("state-key.failed", {
      what: `${key.kind}.${key.name}`,
      id: key.id,
      error: formatStoreError(result.error),
    });
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
        this.#parts.withdrawEarlier?.(this.#idlePorts(outcomes));
        if (this.#mustSetPorts) await sleep(this.#parts.scheduler, GATHER_MS);
      }
      this.#isSettingPorts = false;
    });
  }

  #idlePorts(outcomes: readonly PortOutcome[]): readonly Id[] {
    const idle = outcomes.filter((outcome) => outcome.state !== "attached" || !outcome.isUp);
    const ids = idle.map(({ vport }) => this.#parts.core.portOfVport(vport));
    return ids.filter((id) => id !== undefined && !this.#published.has(id)) as readonly Id[];
  }

  /** What the datapath refuses is tried again after a while, some times, unless something newer is wanted meanwhile. */
  #change(what: string, change: () => Promise<Changed>, attempt = 1): void {
    this.#changes.set(what, change);
    this.#datapathWork = this.#datapathWork.then(async () => {
      if (this.#isClosed) return;
      const result = await change();
      if (result.ok) return;
      const { log, scheduler } = this.#parts;
      log.error("datapath.refused", { what, why: result.error.message, attempt });
      if (attempt >= DATAPATH_ATTEMPTS_MAX) return;
      scheduler.after(DATAPATH_RETRY_MS * attempt, () => {
        if (!this.#isClosed && this.#changes.get(what) === change) this.#change(what, change, attempt + 1);
      });
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

interface Saying {
  readonly writer: "first" | "last";
  /** Says it again, if it still holds. */
  again(): void;
}

function mapId(map: MapName, deviceId: Id): string {
  return `${map}/${deviceId}`;
}

type ActiveEffect = Extract<ControlEffect, { readonly kind: "publish-active" | "withdraw-active" }>;

type Changed = { readonly ok: true } | { readonly ok: false; readonly error: { readonly message: string } };
