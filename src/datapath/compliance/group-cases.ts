import { GROUP_MAX, GROUP_OUTPUTS } from "../../flow/layout.ts";
import type { Case } from "./case.ts";
import * as f from "./frames.ts";
import { type Output, WORLD } from "./rig.ts";
import { type GroupMember, groupAt } from "./scene.ts";

const GROUP = 4;
const FLOOD = { to: { group: GROUP } } as const;
const TO_PEER = { peer: WORLD.peer, tunnelKey: 0x10_0077 } as const;
const SERVICE = 0x88a8;

const frame = f.arp();
const local: readonly GroupMember[] = [1, 2, 3].map((vport) => ({ to: { vport } }));

function at(vport: number, bytes = frame): Output {
  return { kind: "vport", vport, frame: bytes };
}

function tunnelled(bytes = frame): Output {
  return { kind: "tunnel", ...TO_PEER, frame: bytes };
}

/** One frame to many outputs. */
export const GROUP_CASES: readonly Case[] = [
  {
    name: "floods to every member but the one by which the frame came, local ports and tunnels",
    needs: ["groups"],
    run: async (scene) => {
      scene.setGroup(GROUP, [...local, { to: TO_PEER }]);
      for (const vport of [1, 2]) scene.install(vport, frame, { action: FLOOD });
      await scene.expect({ out: [at(2), at(3), tunnelled()] }, () => scene.rig.send(1, frame));
      await scene.expect({ out: [at(1), at(3), tunnelled()] }, () => scene.rig.send(2, frame));
    },
  },
  {
    name: "the agent's flood leaves out the ingress vport that it names, and none when it names none",
    needs: ["groups"],
    run: async (scene) => {
      scene.setGroup(GROUP, [...local, { to: TO_PEER }]);
      await scene.expect({ out: [at(1), at(2), tunnelled()] }, () => scene.execute(frame, FLOOD, { ingressVport: 3 }));
      await scene.expect({ out: [at(1), at(2), at(3), tunnelled()] }, () => scene.execute(frame, FLOOD));
    },
  },
  {
    name: "rewrites once, before it floods",
    needs: ["groups"],
    run: async (scene) => {
      scene.setGroup(GROUP, [...local, { to: TO_PEER }]);
      const before = f.udp4({ v4: { ttl: 9 } });
      const after = f.udp4({ v4: { ttl: 8, src: f.C.v4 } });
      scene.install(1, before, { action: { ...FLOOD, decrementTtl: 1, src: f.C.v4 } });
      await scene.expect({ out: [at(2, after), at(3, after), tunnelled(after)] }, () => scene.rig.send(1, before));
    },
  },
  {
    name: "each member has its own operation on the tags, and the next one sees the frame as it was",
    needs: ["groups"],
    run: async (scene) => {
      const members: readonly GroupMember[] = [
        { to: { vport: 1 }, pop: 1 },
        { to: { vport: 2 }, pop: 2, push: [300] },
        { to: { vport: 3 } },
        { to: TO_PEER, push: [200, 0xb064] },
      ];
      scene.setGroup(GROUP, members);
      const inner = { vid: 8, priority: 3 };
      for (const vlans of [[], [inner], [{ vid: 9, tpid: SERVICE }, inner]] as const) {
        const out = [
          at(1, f.udp6({ vlans: vlans.slice(1) })),
          at(2, f.udp6({ vlans: [{ vid: 300 }] })),
          at(3, f.udp6({ vlans })),
          tunnelled(
            f.udp6({ vlans: [{ vid: 200, tpid: SERVICE }, { vid: 100, priority: 5, dropEligible: true }, ...vlans] }),
          ),
        ];
        await scene.expect({ out }, () => scene.execute(f.udp6({ vlans }), FLOOD));
        scene.install(1, f.udp6({ vlans }), { action: FLOOD });
        await scene.expect({ out: out.slice(1) }, () => scene.rig.send(1, f.udp6({ vlans })));
      }
    },
  },
  {
    name: "a member that is down, a peer that is down and a path that is too narrow do not keep the frame from the others",
    needs: ["groups"],
    run: async (scene) => {
      scene.setGroup(GROUP, [
        { to: { vport: WORLD.absentVport } },
        { to: { vport: 2 } },
        { to: { peer: WORLD.downPeer, tunnelKey: 1 } },
        { to: { peer: WORLD.narrowPeer, tunnelKey: 2 } },
        { to: TO_PEER },
      ]);
      const long = f.udp4({ payload: new Uint8Array(WORLD.narrowMtu) });
      scene.install(1, long, { action: FLOOD });
      const out = [at(2, long), tunnelled(long)];
      const drops = [
        { vport: WORLD.absentVport, reason: "vport-down" },
        { vport: 1, reason: "peer-down" },
        { vport: 1, reason: "too-big" },
      ] as const;
      await scene.expect({ out, drops }, () => scene.rig.send(1, long));
    },
  },
  {
    name: "a member may be named twice and gets two copies; one of an unknown kind gets none",
    needs: ["groups"],
    run: async (scene) => {
      scene.setGroup(GROUP, [
        { to: { vport: 2 } },
        { to: { vport: 2 }, push: [5] },
        { to: { group: 1 } },
        { to: { drop: "filter" } },
      ]);
      scene.install(1, f.udp4(), { action: FLOOD });
      const out = [at(2, f.udp4()), at(2, f.udp4({ vlans: [{ vid: 5 }] }))];
      await scene.expect({ out }, () => scene.rig.send(1, f.udp4()));
    },
  },
  {
    name: "an empty group takes the frame and does nothing",
    run: async (scene) => {
      scene.setGroup(GROUP, []);
      scene.install(1, frame, { action: FLOOD });
      await scene.expect({}, () => scene.rig.send(1, frame));
    },
  },
  {
    name: "a group that is in the middle of a write, one with too many outputs and one that cannot be are dropped",
    run: async (scene) => {
      scene.setGroup(GROUP, local);
      const { groups } = scene.rig.control.memory;
      const words = groupAt(GROUP);
      const generation = groups[words] as number;
      scene.install(1, frame, { action: FLOOD });
      groups[words] = generation | 1;
      await scene.expect({ drops: [{ vport: 1, reason: "slot-retry" }] }, () => scene.rig.send(1, frame));
      groups[words] = generation;
      groups[words + 1] = GROUP_OUTPUTS + 1;
      await scene.expect({ drops: [{ vport: 1, reason: "group-limit" }] }, () => scene.rig.send(1, frame));
      scene.install(1, frame, { action: { to: { group: GROUP_MAX } } });
      await scene.expect({ drops: [{ vport: 1, reason: "group-limit" }] }, () => scene.rig.send(1, frame));
      scene.setGroup(GROUP, []);
    },
  },
  {
    name: "a group of the largest size reaches its last member",
    needs: ["groups"],
    run: async (scene) => {
      const many = Array.from({ length: GROUP_OUTPUTS - 2 }, (): GroupMember => ({ to: { vport: 1 } }));
      scene.setGroup(GROUP, [{ to: { vport: 3 } }, ...many, { to: { vport: 2 } }]);
      scene.install(1, frame, { action: FLOOD });
      await scene.expect({ out: [at(3), at(2)] }, () => scene.rig.send(1, frame));
    },
  },
];
