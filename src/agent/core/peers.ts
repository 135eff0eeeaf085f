import { type Ip, isV4, parseIp } from "../../addr/ip.ts";
import type { Underlay, WantedPeer } from "../../datapath/datapath.ts";
import { PEER_EPOCH, PEER_MAX, PEER_WORDS } from "../../flow/layout.ts";
import type { Id, TunnelZone } from "../../model/objects.ts";
import { epochOf } from "./epoch.ts";
import type { HostLife } from "./ownership.ts";

/** The peer numbers of an earlier agent by the epochs of their hosts, from the peer records that it left. */
export function earlierPeers(peers: Uint32Array): ReadonlyMap<number, number> {
  const earlier = new Map<number, number>();
  for (let peer = 1; peer < PEER_MAX; peer++) {
    const epoch = peers[peer * PEER_WORDS + PEER_EPOCH] as number;
    if (epoch !== 0) earlier.set(epoch, peer);
  }
  return earlier;
}

/** Bytes that VXLAN adds to an inner L3 packet over IPv4: inner Ethernet 14, VXLAN 8, UDP 8, IPv4 20 (RFC 7348). */
export const OVERHEAD_V4 = 50;
/** The same over IPv6. */
export const OVERHEAD_V6 = 70;

/** What the tunnel zones of a host say. */
export interface PeerView {
  readonly underlay: { readonly address: Ip; readonly mtu: number } | undefined;
  readonly peers: readonly WantedPeer[];
}

/**
 * The other hosts, by the tunnel zones that name us. A peer's number is stable for the life of the agent, because flows hold it.
 * When two zones name the same host, the zone with the smaller id counts, on both sides.
 */
export class Peers {
  readonly #hostId: Id;
  readonly #zones = new Map<Id, TunnelZone>();
  readonly #indexes = new Map<Id, number>();
  readonly #hosts = new Map<number, Id>();
  /** Peers that do not answer. */
  readonly #dead = new Set<number>();
  readonly #told = new Map<number, number>();
  readonly #earlier: ReadonlyMap<number, number>;
  #next: number;
  /** What `#view` last gave; undefined when a zone or a life has changed since. */
  #seen: PeerView | undefined;

  /** `earlier`: numbers that an earlier agent of this host gave to hosts, by epoch. Flows that still forward mean those. */
  constructor(hostId: Id, earlier: ReadonlyMap<number, number> = new Map()) {
    this.#hostId = hostId;
    this.#earlier = earlier;
    this.#next = 1 + Math.max(0, ...earlier.values());
  }

  /** Takes the present state of a zone. */
  setZone(id: Id, zone: TunnelZone | undefined): PeerView {
    if (zone === undefined) this.#zones.delete(id);
    else this.#zones.set(id, zone);
    this.#seen = undefined;
    return this.#view();
  }

  /** All peers as the datapath is to know them. */
  wanted(): readonly WantedPeer[] {
    return this.#view().peers;
  }

  /** Takes how a peer lives; the host behind the number. */
  setLife(peer: number, life: HostLife): Id | undefined {
    if (life === "dead") this.#dead.add(peer);
    else this.#dead.delete(peer);
    this.#seen = undefined;
    return this.#hosts.get(peer);
  }

  /** The host behind a peer's number. */
  hostOf(peer: number): Id | undefined {
    return this.#hosts.get(peer);
  }

  /** What changed since the last call, by host; mtu 0: no longer a peer. */
  changes(peers: readonly WantedPeer[]): readonly (readonly [Id, { readonly peer: number; readonly mtu: number }])[] {
    const now = new Map(peers.map((peer) => [peer.peer, peer.mtu]));
    const changed: [Id, { peer: number; mtu: number }][] = [];
    for (const [hostId, peer] of this.#indexes) {
      const mtu = now.get(peer) ?? 0;
      if ((this.#told.get(peer) ?? 0) === mtu) continue;
      this.#told.set(peer, mtu);
      changed.push([hostId, { peer, mtu }]);
    }
    return changed;
  }

  /** The underlay's settings, once a zone names us. */
  underlay(udpPort: number): Underlay | undefined {
    const own = this.#view().underlay;
    return own === undefined ? undefined : { ...own, udpPort };
  }

  #view(): PeerView {
    this.#seen ??= this.#look();
    return this.#seen;
  }

  #look(): PeerView {
    let underlay: PeerView["underlay"];
    const peers = new Map<Id, WantedPeer>();
    for (const zone of [...this.#zones.values()].sort((a, b) => (a.id < b.id ? -1 : 1))) {
      const own = addressOf(zone.members.find(({ hostId }) => hostId === this.#hostId));
      if (own === undefined) continue;
      underlay ??= { address: own, mtu: zone.mtu };
      const seen = new Set<Id>();
      for (const member of zone.members) {
        // Of several addresses that a zone gives a host the first one counts.
        if (!seen.has(member.hostId)) this.#addPeer(peers, zone, member);
        seen.add(member.hostId);
      }
    }
    return { underlay, peers: [...peers.values()] };
  }

  #addPeer(peers: Map<Id, WantedPeer>, zone: TunnelZone, member: Member): void {
    const { hostId } = member;
    if (hostId === this.#hostId || peers.has(hostId)) return;
    const address = addressOf(member);
    const peer = this.#take(hostId);
    if (address === undefined || peer === undefined) return;
    const mtu = zone.mtu - (isV4(address) ? OVERHEAD_V4 : OVERHEAD_V6);
    peers.set(hostId, { peer, address, mtu, isUp: !this.#dead.has(peer), epoch: epochOf(hostId) });
  }

  #take(hostId: Id): number | undefined {
    const known = this.#indexes.get(hostId);
    if (known !== undefined) return known;
    const earlier = this.#earlier.get(epochOf(hostId));
    if (earlier === undefined && this.#next >= PEER_MAX) return undefined;
    const index = earlier ?? this.#next++;
    this.#indexes.set(hostId, index);
    this.#hosts.set(index, hostId);
    return index;
  }
}

type Member = TunnelZone["members"][number];

function addressOf(member: Member | undefined): Ip | undefined {
  const ip = member === undefined ? undefined : parseIp(member.address);
  return ip?.ok === true ? ip.value : undefined;
}
