import { type Ip, ipFromV4, ipFromWords } from "../../addr/ip.ts";
import type { DatapathControl, DatapathWorker, Underlay, WantedPeer } from "../datapath.ts";

/** A frame that left the datapath. Checksums that were left to the device are completed. */
export type Output =
  | { readonly kind: "vport"; readonly vport: number; readonly frame: Uint8Array }
  | { readonly kind: "tunnel"; readonly peer: number; readonly tunnelKey: number; readonly frame: Uint8Array };

/**
 * What a rig may lack: frames from tunnels, interfaces that come and go, outputs of groups, checksums left to a device, frames that
 * end in the middle of an IP header.
 */
export type Ability = "tunnel-ingress" | "interfaces" | "groups" | "partial-checksums" | "short-frames";

/**
 * A datapath with the world of `WORLD` around it, for the compliance suite: three vports with an interface each, and an underlay on
 * which the suite sees every frame. Everything that a case does goes through here or through the driver's own faces.
 */
export interface Rig {
  readonly control: DatapathControl;
  /** A face that owns all shards. */
  readonly worker: DatapathWorker;
  /** The underlay that the rig has made. */
  readonly around: UnderlayWorld;
  /** What this rig cannot do, and why: cases that need it are skipped with that reason. */
  readonly lacks: Readonly<Partial<Record<Ability, string>>>;
  /** The datapath's clock: monotonic ms (u32). */
  now(): number;
  /**
   * A frame comes in by the interface of a vport. Its checksums are complete; with `isChecksumPartial` the rig leaves that of TCP or
   * UDP to the device, if its world has such a thing.
   */
  send(vport: number, frame: Uint8Array, options?: { readonly isChecksumPartial?: boolean }): void;
  /** A frame comes in by a tunnel from the address of a peer of `WORLD`; `STRANGER` for an address that is none. */
  sendTunnelled(peer: number, tunnelKey: number, frame: Uint8Array): void;
  /** The host's own stack sends a frame out of the interface of a vport. */
  sendFromHost(vport: number, frame: Uint8Array): void;
  /** Takes the frames that left since the last call, those of one interface in order. */
  outputs(): readonly Output[];
  /** Waits a while for something to happen. False: nothing will, or the time for this case is up. */
  wait(): Promise<boolean>;
  /** Returns when everything that was sent so far has been dealt with. */
  settle(): Promise<void>;
  /** The far end of a vport's interface goes up or down; returns when the datapath knows. */
  setInterfaceUp(vport: number, isUp: boolean): Promise<void>;
  /** The interface of a vport vanishes or comes back (under its name); returns when the datapath knows. */
  setInterfacePresent(vport: number, isPresent: boolean): Promise<void>;
  /** Returns when frames that are sent on the interfaces arrive: binding one may take its carrier away for a while. */
  carried(): Promise<void>;
  /** The name of a vport's interface. */
  interfaceOf(vport: number): string;
  /** Takes everything down. */
  close(): Promise<void>;
}

/** Peer number of an address that is no peer. */
export const STRANGER = 0;

/** Who is in the suite's world. */
export const WORLD = {
  vports: [1, 2, 3],
  /** A vport that is never bound. */
  absentVport: 77,
  /** A tunnel peer with a large path, one with a small path, one that is down; and an index without a record. */
  peer: 1,
  narrowPeer: 2,
  downPeer: 3,
  absentPeer: 9,
  narrowMtu: 128,
} as const;

/** Who is on the underlay, of one address family. */
export interface UnderlayWorld {
  readonly family: 4 | 6;
  /** Our end. */
  readonly underlay: Underlay;
  readonly peers: readonly WantedPeer[];
  /** The address of a peer; of `STRANGER` one that is no peer's. */
  addressOf(peer: number): Ip;
}

/** The underlay of the suite: 192.0.2.1 and peers from 192.0.2.10 on, or the same under 2001:db8::/64. */
export function underlayWorld(family: 4 | 6): UnderlayWorld {
  const address = (last: number): Ip =>
    family === 4 ? ipFromV4(0xc000_0200 + last) : ipFromWords(0x2001_0db8, 0, [0, last]);
  const addressOf = (peer: number): Ip => address(10 + peer);
  const record = (peer: number, mtu: number, isUp: boolean): WantedPeer => {
    return { peer, address: addressOf(peer), mtu, isUp, epoch: 1 };
  };
  return {
    family,
    underlay: { address: address(1), udpPort: 6677, mtu: 1500 },
    peers: [
      record(WORLD.peer, 1450, true),
      record(WORLD.narrowPeer, WORLD.narrowMtu, true),
      record(WORLD.downPeer, 1450, false),
    ],
    addressOf,
  };
}
