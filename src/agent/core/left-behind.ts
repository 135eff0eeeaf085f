import type { TunnelKeysLeft } from "./tunnel-keys.ts";

/** What an earlier agent of this host left behind. */
export interface LeftBehind {
  /** Its vport numbers, by binding epoch; see `earlierVports`. */
  readonly vports?: ReadonlyMap<number, number>;
  /** Its peer numbers, by epoch of the host; see `earlierPeers`. */
  readonly peers?: ReadonlyMap<number, number>;
  /** Tunnel keys that it used, and those that must not be used yet. */
  readonly tunnelKeys?: TunnelKeysLeft;
}
