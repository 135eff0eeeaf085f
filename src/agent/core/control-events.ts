import type { Duration } from "../../base/clock.ts";
import type { PortOutcome, Underlay, WantedPeer, WantedPort, WantedTunnelKey } from "../../datapath/datapath.ts";
import type { Id, TopologyObject } from "../../model/objects.ts";
import type { WorldChange } from "../../sim/world-change.ts";
import type { KeptKey, RestingKey } from "./kept.ts";
import type { DeathCause } from "./liveness.ts";
import type { FromWorker, MapName, Opinion, ToWorker } from "./messages.ts";
import type { HostLife, MissedActive } from "./ownership.ts";
import type { ObjectName } from "./slice.ts";

/** What happens to a host's control core. Everything that it knows of the world arrived as one of these. */
export type ControlEvent =
  | { readonly kind: "start" }
  /** A watched object as the store has it; undefined: gone or damaged (`why` says so). */
  | {
      readonly kind: "object";
      readonly name: ObjectName;
      readonly object: TopologyObject | undefined;
      readonly why?: string;
    }
  /**
   * The `active` state key of a port that is bound elsewhere. Undefined: there is none, as when its host's session was lost.
   * `isWithdrawn`: its host says on purpose that it does not forward (with the state undefined). `missed`: there is none, and
   * there was one when an earlier agent of this host looked.
   */
  | {
      readonly kind: "active";
      readonly portId: Id;
      readonly state: PortActive | undefined;
      readonly isWithdrawn?: boolean;
      readonly missed?: MissedActive;
    }
  /** The datapath of a peer answers keep-alives, or does not any more. */
  | {
      readonly kind: "peer-life";
      readonly peer: number;
      readonly life: HostLife;
      readonly why?: DeathCause | undefined;
    }
  /** Time has passed since the last such event, by a clock that does not jump; comes about once a second. */
  | { readonly kind: "time"; readonly elapsed: Duration }
  /** A host said under which key it takes floods of a bridge, or took that back. */
  | { readonly kind: "flood-key"; readonly bridgeId: Id; readonly hostId: Id; readonly key: number | undefined }
  /**
   * The winner of a key of an open map changed. `lost`: there is none any more, and this is what another host had said; with
   * `isMissed` it was there when an earlier agent of this host looked, and nobody here was told of it.
   */
  | {
      readonly kind: "entry";
      readonly change: WorldChange;
      readonly lost?: WorldChange | undefined;
      readonly isMissed?: boolean;
    }
  /** The first full content of an open map has been told. */
  | { readonly kind: "map-loaded"; readonly map: MapName; readonly deviceId: Id }
  /** What became of the last `set-ports`, or of single ports when their interfaces came, went or changed. */
  | { readonly kind: "ports"; readonly outcomes: readonly PortOutcome[] }
  | { readonly kind: "worker"; readonly worker: number; readonly message: FromWorker };

/** State key `active` of a bound port: who serves it, under which key, for which binding. Ephemeral, owned by that host. */
export interface PortActive {
  readonly hostId: Id;
  readonly tunnelKey: number;
  readonly generation: number;
}

/** What the control core wants done. The shell performs effects in order. */
export type ControlEffect =
  | { readonly kind: "watch-object"; readonly name: ObjectName }
  | { readonly kind: "unwatch-object"; readonly name: ObjectName }
  | { readonly kind: "watch-active"; readonly portId: Id }
  | { readonly kind: "unwatch-active"; readonly portId: Id }
  | { readonly kind: "open-map"; readonly map: MapName; readonly deviceId: Id }
  | { readonly kind: "close-map"; readonly map: MapName; readonly deviceId: Id }
  | { readonly kind: "map-put"; readonly opinion: Opinion }
  | { readonly kind: "map-remove"; readonly opinion: Opinion }
  | { readonly kind: "publish-active"; readonly portId: Id; readonly state: PortActive }
  /** The port does not forward any more. `state`: what was published of it; undefined when it is not bound here any more. */
  | { readonly kind: "withdraw-active"; readonly portId: Id; readonly state: PortActive | undefined }
  | { readonly kind: "watch-floods"; readonly bridgeId: Id }
  | { readonly kind: "unwatch-floods"; readonly bridgeId: Id }
  | { readonly kind: "publish-flood"; readonly bridgeId: Id; readonly key: number }
  | { readonly kind: "withdraw-flood"; readonly bridgeId: Id }
  /** A flood group of local ports, written before a tunnel key names it. */
  | { readonly kind: "set-group"; readonly group: number; readonly vports: readonly number[] }
  | { readonly kind: "set-underlay"; readonly underlay: Underlay }
  /** Lists are asked for when the datapath is ready for them: a thousand bindings in a row would else make a million rows. */
  | { readonly kind: "set-ports"; wanted(): readonly WantedPort[] }
  | { readonly kind: "set-peers"; wanted(): readonly WantedPeer[] }
  | { readonly kind: "set-tunnel-keys"; wanted(): readonly WantedTunnelKey[] }
  /** Upcall credits of every attached port, per shard: the ring is dealt out among those that are there. */
  | { readonly kind: "set-credits"; readonly vports: readonly number[]; readonly packets: number }
  /** A tunnel key was given to an owner, or given back: the agent's journal keeps it. */
  | { readonly kind: "keep-key"; readonly kept: KeptKey }
  | { readonly kind: "rest-key"; readonly rest: RestingKey }
  | { readonly kind: "tell-workers"; readonly message: ToWorker }
  | { readonly kind: "answer"; readonly message: FromWorker }
  | {
      readonly kind: "log";
      readonly level: "info" | "warn";
      readonly event: string;
      readonly fields: Readonly<Record<string, string | number>>;
    };

/** Settings of a host that do not change while it runs. */
export interface ControlSettings {
  readonly hostId: Id;
  readonly udpPort: number;
  /** How long ports of a host that lost its session are sent to while it answers; default UNCONFIRMED_MS. */
  readonly unconfirmedMs?: Duration;
  /** Topology objects that the host follows at most; default SLICE_OBJECTS_MAX. */
  readonly objectsMax?: number;
}
