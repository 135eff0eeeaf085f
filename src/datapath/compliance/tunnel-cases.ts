import assert from "node:assert/strict";
import {
  PEER_WORDS,
  TUNNEL_KIND_GROUP,
  TUNNEL_KIND_SHIFT,
  TUNNEL_KIND_STATE,
  TUNNEL_KIND_VPORT,
  TUNNEL_TRACE,
  UPCALL_TRACE,
} from "../../flow/layout.ts";
import type { Case } from "./case.ts";
import * as f from "./frames.ts";
import { STRANGER, underlayWorld, WORLD } from "./rig.ts";
import type { Scene } from "./scene.ts";

const KEY = 0x1_2345;
const GROUP_KEY = 0x777;
const GROUP = 3;
const { peer, narrowPeer, downPeer, absentPeer, narrowMtu } = WORLD;
const groupTunnelKey = (TUNNEL_KIND_GROUP << TUNNEL_KIND_SHIFT) | GROUP_KEY;

const frame = f.udp4();

/** Keys that a frame may leave with: each kind, the largest, and with trace. */
const KEYS = [
  0,
  KEY,
  0xf_ffff,
  groupTunnelKey,
  TUNNEL_KIND_STATE << TUNNEL_KIND_SHIFT,
  0x30_0001,
  0x7f_ffff,
  TUNNEL_TRACE | KEY,
];

const EGRESS_CASES: readonly Case[] = [
  {
    name: "sends into the tunnel under the 24 bits of the key, whatever kind they say",
    run: async (scene) => {
      for (const tunnelKey of KEYS) {
        const out = [{ kind: "tunnel", peer, tunnelKey, frame } as const];
        const action = { to: { peer, tunnelKey } };
        scene.install(1, frame, { action });
        await scene.expect({ out }, () => scene.rig.send(1, frame));
        await scene.expect({ out }, () => scene.execute(frame, action, { ingressVport: 1 }));
      }
    },
  },
  {
    name: "sends frames of every family and ARP into the tunnel, rewritten first",
    run: async (scene) => {
      const macs = { dst: f.D.mac, src: f.C.mac };
      for (const build of [f.udp6, f.tcp4, f.ping4, f.arp, f.strange]) {
        const before = build({});
        scene.install(1, before, { action: { to: { peer, tunnelKey: KEY }, macs } });
        const out = [{ kind: "tunnel", peer, tunnelKey: KEY, frame: build({ macs }) } as const];
        await scene.expect({ out }, () => scene.rig.send(1, before));
      }
    },
  },
  {
    name: "a checksum left to the device is right behind the tunnel",
    needs: ["partial-checksums"],
    run: async (scene) => {
      for (const each of [f.udp4(), f.tcp6()]) {
        scene.install(1, each, { action: { to: { peer, tunnelKey: KEY } } });
        const out = [{ kind: "tunnel", peer, tunnelKey: KEY, frame: each } as const];
        await scene.expect({ out }, () => scene.rig.send(1, each, { isChecksumPartial: true }));
      }
    },
  },
  {
    name: "drops for a peer that is down, that has no record, and that is in the middle of a write",
    run: async (scene) => {
      const drops = [{ vport: 1, reason: "peer-down", bytes: frame.length } as const];
      for (const gone of [downPeer, absentPeer, 0, 4000]) {
        scene.install(1, frame, { action: { to: { peer: gone, tunnelKey: KEY } } });
        await scene.expect({ drops }, () => scene.rig.send(1, frame));
      }
      const { peers } = scene.rig.control.memory;
      const generation = peers[peer * PEER_WORDS] as number;
      scene.install(1, frame, { action: { to: { peer, tunnelKey: KEY } } });
      Atomics.store(peers, peer * PEER_WORDS, generation | 1);
      await scene.expect({ drops }, () => scene.rig.send(1, frame));
      Atomics.store(peers, peer * PEER_WORDS, generation);
      await scene.expect({ out: [{ kind: "tunnel", peer, tunnelKey: KEY, frame }] }, () => scene.rig.send(1, frame));
    },
  },
  {
    name: "drops for a peer of another address family than the underlay's",
    run: async (scene) => {
      const { family, peers } = scene.rig.around;
      const other = underlayWorld(family === 4 ? 6 : 4).addressOf(peer);
      await scene.rig.control.setPeers(peers.map((each) => (each.peer === peer ? { ...each, address: other } : each)));
      scene.install(1, frame, { action: { to: { peer, tunnelKey: KEY } } });
      await scene.expect({ drops: [{ vport: 1, reason: "peer-down" }] }, () => scene.rig.send(1, frame));
    },
  },
  {
    name: "drops what is longer than the path to the peer, tags not counted, under the vport by which it came",
    run: async (scene) => {
      const to = { peer: narrowPeer, tunnelKey: KEY };
      const fits = f.udp4({ payload: new Uint8Array(narrowMtu - 28) });
      const tagged = f.udp4({ payload: new Uint8Array(narrowMtu - 28), vlans: [{ vid: 1, tpid: 0x88a8 }, { vid: 2 }] });
      const tooLong = f.udp4({ payload: new Uint8Array(narrowMtu - 27) });
      for (const each of [fits, tagged, tooLong]) scene.install(1, each, { action: { to } });
      await scene.expect({ out: [{ kind: "tunnel", ...to, frame: fits }] }, () => scene.rig.send(1, fits));
      await scene.expect({ out: [{ kind: "tunnel", ...to, frame: tagged }] }, () => scene.rig.send(1, tagged));
      const drops = [{ vport: 1, reason: "too-big" } as const];
      await scene.expect({ drops }, () => scene.rig.send(1, tooLong));
      await scene.expect({ drops }, () => scene.execute(tooLong, { to }, { ingressVport: 1 }));
      await scene.expect({ drops: [{ vport: 0, reason: "too-big" }] }, () => scene.execute(tooLong, { to }));
      const pushed = [
        {
          kind: "tunnel",
          ...to,
          frame: f.udp4({ payload: new Uint8Array(narrowMtu - 28), vlans: [{ vid: 7 }] }),
        } as const,
      ];
      await scene.expect({ out: pushed }, () => scene.execute(fits, { to, push: [7] }));
    },
  },
  {
    name: "a peer that is taken away, and given back, is down and up",
    run: async (scene) => {
      scene.install(1, frame, { action: { to: { peer, tunnelKey: KEY } } });
      await scene.rig.control.setPeers([]);
      await scene.expect({ drops: [{ vport: 1, reason: "peer-down" }] }, () => scene.rig.send(1, frame));
      await scene.reset();
      scene.install(1, frame, { action: { to: { peer, tunnelKey: KEY } } });
      await scene.expect({ out: [{ kind: "tunnel", peer, tunnelKey: KEY, frame }] }, () => scene.rig.send(1, frame));
    },
  },
];

async function giveKeys(scene: Scene): Promise<void> {
  await scene.rig.control.setTunnelKeys([
    { key: KEY, target: { kind: "vport", vport: 2 } },
    { key: GROUP_KEY, target: { kind: "group", group: GROUP } },
    { key: 0xbad, target: { kind: "vport", vport: WORLD.absentVport } },
  ]);
  scene.setGroup(GROUP, [{ to: { vport: 1 } }, { to: { vport: 3 } }, { to: { peer: narrowPeer, tunnelKey: 5 } }]);
}

const INGRESS_CASES: readonly Case[] = [
  {
    name: "delivers by key what comes from a peer, of every family, tags and all",
    needs: ["tunnel-ingress"],
    run: async (scene) => {
      await giveKeys(scene);
      for (const each of [
        frame,
        f.udp6(),
        f.arp(),
        f.strange(),
        f.udp4({ vlans: [{ vid: 1, tpid: 0x88a8 }, { vid: 2 }] }),
      ]) {
        const out = [{ kind: "vport", vport: 2, frame: each } as const];
        await scene.expect({ out }, () => scene.rig.sendTunnelled(peer, KEY, each));
      }
    },
  },
  {
    name: "drops what comes from a stranger, and from a peer that was taken away",
    needs: ["tunnel-ingress"],
    run: async (scene) => {
      await giveKeys(scene);
      const drops = [{ vport: 0, reason: "unknown-peer", bytes: frame.length } as const];
      await scene.expect({ drops }, () => scene.rig.sendTunnelled(STRANGER, KEY, frame));
      await scene.rig.control.setPeers([]);
      await scene.expect({ drops }, () => scene.rig.sendTunnelled(peer, KEY, frame));
    },
  },
  {
    name: "takes frames from a peer that is marked down: it sends, so it lives",
    needs: ["tunnel-ingress"],
    run: async (scene) => {
      await giveKeys(scene);
      const out = [{ kind: "vport", vport: 2, frame } as const];
      await scene.expect({ out }, () => scene.rig.sendTunnelled(downPeer, KEY, frame));
    },
  },
  {
    name: "drops an unknown key, the key of a vport as group and the other way round, and flow state without a taker",
    needs: ["tunnel-ingress"],
    run: async (scene) => {
      await giveKeys(scene);
      const drops = [{ vport: 0, reason: "unknown-tunnel-key" } as const];
      const unknown = [
        (TUNNEL_KIND_VPORT << TUNNEL_KIND_SHIFT) | 0x5_5555,
        (TUNNEL_KIND_VPORT << TUNNEL_KIND_SHIFT) | GROUP_KEY,
        (TUNNEL_KIND_GROUP << TUNNEL_KIND_SHIFT) | KEY,
        (TUNNEL_KIND_STATE << TUNNEL_KIND_SHIFT) | KEY,
      ];
      for (const tunnelKey of unknown)
        await scene.expect({ drops }, () => scene.rig.sendTunnelled(peer, tunnelKey, frame));
    },
  },
  {
    name: "drops frames of the reserved kinds, with and without trace",
    needs: ["tunnel-ingress"],
    run: async (scene) => {
      await giveKeys(scene);
      for (const kind of [4, 5, 6, 7]) {
        for (const trace of [0, TUNNEL_TRACE]) {
          const tunnelKey = trace | (kind << TUNNEL_KIND_SHIFT) | KEY;
          const drops = [{ vport: 0, reason: "reserved-tunnel-kind" } as const];
          await scene.expect({ drops }, () => scene.rig.sendTunnelled(peer, tunnelKey, frame));
        }
      }
    },
  },
  {
    name: "a frame stamps the peer, whatever becomes of it",
    needs: ["tunnel-ingress"],
    run: async (scene) => {
      const { peerSeen } = scene.rig.control.memory;
      peerSeen[narrowPeer] = 0;
      await scene.expect({ drops: [{ vport: 0, reason: "unknown-tunnel-key" }] }, () =>
        scene.rig.sendTunnelled(narrowPeer, 1, frame),
      );
      const age = (scene.rig.now() - (peerSeen[narrowPeer] as number)) | 0;
      assert.ok(age >= -20 && age < 60_000, `seen ${age} ms ago`);
    },
  },
  {
    name: "drops for a vport that is down, under that vport",
    needs: ["tunnel-ingress"],
    run: async (scene) => {
      await giveKeys(scene);
      const drops = [{ vport: WORLD.absentVport, reason: "vport-down" } as const];
      await scene.expect({ drops }, () => scene.rig.sendTunnelled(peer, 0xbad, frame));
    },
  },
  {
    name: "a frame of kind group goes to the group's local members and into no tunnel",
    needs: ["tunnel-ingress", "groups"],
    run: async (scene) => {
      await giveKeys(scene);
      const out = [1, 3].map((vport) => ({ kind: "vport", vport, frame }) as const);
      await scene.expect({ out }, () => scene.rig.sendTunnelled(peer, groupTunnelKey, frame));
    },
  },
  {
    name: "a traced frame is delivered, and a copy goes up under the vport that it goes to",
    needs: ["tunnel-ingress"],
    run: async (scene) => {
      await giveKeys(scene);
      const tunnelKey = TUNNEL_TRACE | KEY;
      for (const each of [frame, f.udp6({ vlans: [{ vid: 3 }] })]) {
        const out = [{ kind: "vport", vport: 2, frame: each } as const];
        const up = [{ kind: UPCALL_TRACE, vport: 2, frame: each, tunnelKey }];
        await scene.expect({ out, up }, () => scene.rig.sendTunnelled(peer, tunnelKey, each));
      }
    },
  },
  {
    name: "a traced frame without credit is delivered all the same, and nothing is counted",
    needs: ["tunnel-ingress"],
    run: async (scene) => {
      await giveKeys(scene);
      scene.setCredits(2, [0, 0]);
      const out = [{ kind: "vport", vport: 2, frame } as const];
      await scene.expect({ out }, () => scene.rig.sendTunnelled(peer, TUNNEL_TRACE | KEY, frame));
    },
  },
  {
    name: "a traced frame of kind group goes up under vport 0",
    needs: ["tunnel-ingress", "groups"],
    run: async (scene) => {
      await giveKeys(scene);
      const tunnelKey = TUNNEL_TRACE | groupTunnelKey;
      const out = [1, 3].map((vport) => ({ kind: "vport", vport, frame }) as const);
      const up = [{ kind: UPCALL_TRACE, vport: 0, frame, tunnelKey }];
      await scene.expect({ out, up }, () => scene.rig.sendTunnelled(peer, tunnelKey, frame));
    },
  },
  {
    name: "keys that are no longer named are unknown",
    needs: ["tunnel-ingress"],
    run: async (scene) => {
      await giveKeys(scene);
      await scene.rig.control.setTunnelKeys([{ key: 5, target: { kind: "vport", vport: 3 } }]);
      await scene.expect({ drops: [{ vport: 0, reason: "unknown-tunnel-key" }] }, () =>
        scene.rig.sendTunnelled(peer, KEY, frame),
      );
      await scene.expect({ out: [{ kind: "vport", vport: 3, frame }] }, () => scene.rig.sendTunnelled(peer, 5, frame));
    },
  },
];

/** Frames into and out of tunnels. */
export const TUNNEL_CASES: readonly Case[] = [...EGRESS_CASES, ...INGRESS_CASES];
