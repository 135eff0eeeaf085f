import type { ActionSpec } from "./action.ts";
import type { Case } from "./case.ts";
import * as f from "./frames.ts";
import { C } from "./frames.ts";

const SERVICE = 0x88a8;
/** TCI with priority 5, drop eligible, VLAN 100. */
const TCI = 0xb064;
const TAG = { vid: 100, priority: 5, dropEligible: true } as const;

/** What is done to the tags of a frame. */
interface Retagging {
  readonly name: string;
  readonly from: Uint8Array;
  readonly action: Omit<ActionSpec, "to">;
  readonly to: Uint8Array;
}

const RETAGGINGS: readonly Retagging[] = [
  {
    name: "forwards a tagged frame as it is",
    from: f.udp4({ vlans: [TAG] }),
    action: {},
    to: f.udp4({ vlans: [TAG] }),
  },
  {
    name: "forwards a stacked frame as it is, service tag outside",
    from: f.udp6({ vlans: [{ vid: 200, tpid: SERVICE }, TAG] }),
    action: {},
    to: f.udp6({ vlans: [{ vid: 200, tpid: SERVICE }, TAG] }),
  },
  {
    name: "forwards a frame with three tags as it is",
    from: f.udp4({ vlans: [TAG, { vid: 2 }, { vid: 3 }] }),
    action: {},
    to: f.udp4({ vlans: [TAG, { vid: 2 }, { vid: 3 }] }),
  },
  { name: "pops the only tag", from: f.udp4({ vlans: [TAG] }), action: { pop: 1 }, to: f.udp4() },
  {
    name: "pops the only tag when it is a service tag",
    from: f.udp6({ vlans: [{ vid: 7, tpid: SERVICE }] }),
    action: { pop: 1 },
    to: f.udp6(),
  },
  {
    name: "pops the outer of two tags",
    from: f.udp4({ vlans: [{ vid: 200, tpid: SERVICE }, TAG] }),
    action: { pop: 1 },
    to: f.udp4({ vlans: [TAG] }),
  },
  {
    name: "pops both tags",
    from: f.udp6({ vlans: [{ vid: 200, tpid: SERVICE }, TAG] }),
    action: { pop: 2 },
    to: f.udp6(),
  },
  { name: "pops no more tags than there are", from: f.udp4({ vlans: [TAG] }), action: { pop: 2 }, to: f.udp4() },
  { name: "pops nothing from a frame without tags", from: f.udp4(), action: { pop: 2 }, to: f.udp4() },
  {
    name: "pushes one tag with TPID 0x8100, priority and drop bit kept",
    from: f.udp4(),
    action: { push: [TCI] },
    to: f.udp4({ vlans: [TAG] }),
  },
  {
    name: "pushes two tags, the outer with TPID 0x88a8",
    from: f.udp6(),
    action: { push: [200, TCI] },
    to: f.udp6({ vlans: [{ vid: 200, tpid: SERVICE }, TAG] }),
  },
  {
    name: "pushes a tag onto a tagged frame",
    from: f.udp4({ vlans: [TAG] }),
    action: { push: [300] },
    to: f.udp4({ vlans: [{ vid: 300 }, TAG] }),
  },
  {
    name: "pushes two tags onto a stacked frame",
    from: f.udp4({ vlans: [{ vid: 200, tpid: SERVICE }, TAG] }),
    action: { push: [300, 301] },
    to: f.udp4({ vlans: [{ vid: 300, tpid: SERVICE }, { vid: 301 }, { vid: 200, tpid: SERVICE }, TAG] }),
  },
  {
    name: "replaces a tag",
    from: f.udp4({ vlans: [{ vid: 9, tpid: SERVICE }] }),
    action: { pop: 1, push: [TCI] },
    to: f.udp4({ vlans: [TAG] }),
  },
  {
    name: "replaces two tags",
    from: f.udp4({ vlans: [{ vid: 9 }, { vid: 8 }] }),
    action: { pop: 2, push: [200, TCI] },
    to: f.udp4({ vlans: [{ vid: 200, tpid: SERVICE }, TAG] }),
  },
  {
    name: "replaces the outer of two tags by two",
    from: f.udp6({ vlans: [{ vid: 9 }, TAG] }),
    action: { pop: 1, push: [200, 201] },
    to: f.udp6({ vlans: [{ vid: 200, tpid: SERVICE }, { vid: 201 }, TAG] }),
  },
  { name: "pushes a tag onto ARP", from: f.arp(), action: { push: [TCI] }, to: f.arp({ vlans: [TAG] }) },
  {
    name: "rewrites addresses, ports and TTL under a tag",
    from: f.udp4({ vlans: [TAG] }),
    action: { src: C.v4, ports: { src: 1, dst: 2 }, decrementTtl: 1 },
    to: f.udp4({ vlans: [TAG], v4: { src: C.v4, ttl: 63 }, ports: { src: 1, dst: 2 } }),
  },
  {
    name: "rewrites everything under two tags",
    from: f.tcp6({ vlans: [{ vid: 200, tpid: SERVICE }, TAG] }),
    action: { macs: { dst: C.mac, src: f.D.mac }, dst: C.v6, ports: { src: 1, dst: 2 }, decrementTtl: 1, dscp: 8 },
    to: f.tcp6({
      macs: { dst: C.mac, src: f.D.mac },
      vlans: [{ vid: 200, tpid: SERVICE }, TAG],
      v6: { dst: C.v6, hopLimit: 63, dscp: 8 },
      ports: { src: 1, dst: 2 },
    }),
  },
  {
    name: "rewrites while it takes one tag off and puts two on",
    from: f.tcp4({ vlans: [TAG] }),
    action: { macs: { dst: C.mac, src: f.D.mac }, dst: C.v4, ports: { src: 1, dst: 2 }, pop: 1, push: [200, TCI] },
    to: f.tcp4({
      macs: { dst: C.mac, src: f.D.mac },
      vlans: [{ vid: 200, tpid: SERVICE }, TAG],
      v4: { dst: C.v4 },
      ports: { src: 1, dst: 2 },
    }),
  },
];

/** Pops and pushes, by a flow and by the agent's own frame, to a port and into a tunnel. */
export const VLAN_CASES: readonly Case[] = RETAGGINGS.map(({ name, from, action, to }) => ({
  name,
  run: async (scene) => {
    const toPort = { ...action, to: { vport: 2 } };
    const toPeer = { ...action, to: { peer: 1, tunnelKey: 0x1234 } };
    scene.install(1, from, { action: toPort });
    scene.install(3, from, { action: toPeer });
    const outOfPort = [{ kind: "vport", vport: 2, frame: to } as const];
    const outOfTunnel = [{ kind: "tunnel", peer: 1, tunnelKey: 0x1234, frame: to } as const];
    await scene.expect({ out: outOfPort }, () => scene.rig.send(1, from));
    await scene.expect({ out: outOfPort }, () => scene.execute(from, toPort));
    await scene.expect({ out: outOfTunnel }, () => scene.rig.send(3, from));
    await scene.expect({ out: outOfTunnel }, () => scene.execute(from, toPeer));
  },
}));
