import { UPCALL_TOO_BIG, UPCALL_TTL_EXPIRED } from "../../flow/layout.ts";
import type { ActionSpec } from "./action.ts";
import type { Case } from "./case.ts";
import * as f from "./frames.ts";
import type { Scene } from "./scene.ts";

/** Lengths of the network packets in `f.udp4()` and `f.udp6()`. */
const LENGTH_4 = 20 + 8 + f.TEXT.length;
const LENGTH_6 = 40 + 8 + f.TEXT.length;

/** An action without its target, and what the frame looks like afterwards when it is changed. */
type Passing = Omit<ActionSpec, "to"> & { readonly after?: Uint8Array };

async function passes(scene: Scene, frame: Uint8Array, { after = frame, ...action }: Passing): Promise<void> {
  scene.install(1, frame, { action: { ...action, to: { vport: 2 } } });
  await scene.expect({ out: [{ kind: "vport", vport: 2, frame: after }] }, () => scene.rig.send(1, frame));
}

async function isTooBig(
  scene: Scene,
  frame: Uint8Array,
  action: Omit<ActionSpec, "to"> & { readonly maxLength: number },
): Promise<void> {
  scene.install(1, frame, { action: { ...action, to: { vport: 2 } } });
  const up = [{ kind: UPCALL_TOO_BIG, vport: 1, frame, limit: action.maxLength }];
  await scene.expect({ up }, () => scene.rig.send(1, frame));
}

async function hasExpired(scene: Scene, frame: Uint8Array, decrement: number): Promise<void> {
  scene.install(1, frame, { action: { to: { vport: 2 }, decrementTtl: decrement } });
  const up = [{ kind: UPCALL_TTL_EXPIRED, vport: 1, frame, decrement }];
  await scene.expect({ up }, () => scene.rig.send(1, frame));
}

/** Packets that have a flow and are not forwarded by it. */
export const LIMIT_CASES: readonly Case[] = [
  {
    name: "a packet as long as the flow's limit passes, one byte longer goes up with the limit",
    run: async (scene) => {
      await passes(scene, f.udp4(), { maxLength: LENGTH_4 });
      await isTooBig(scene, f.udp4(), { maxLength: LENGTH_4 - 1 });
      await passes(scene, f.udp6(), { maxLength: LENGTH_6 });
      await isTooBig(scene, f.udp6(), { maxLength: LENGTH_6 - 1 });
    },
  },
  {
    name: "tags do not count against the limit, whether they stay or go",
    run: async (scene) => {
      const one = f.udp4({ vlans: [{ vid: 1 }] });
      const two = f.udp4({ vlans: [{ vid: 1, tpid: 0x88a8 }, { vid: 2 }] });
      await passes(scene, one, { maxLength: LENGTH_4 });
      await passes(scene, two, { maxLength: LENGTH_4 });
      await passes(scene, one, { maxLength: LENGTH_4, pop: 1, after: f.udp4() });
      await isTooBig(scene, one, { maxLength: LENGTH_4 - 1, pop: 1 });
      await isTooBig(scene, two, { maxLength: LENGTH_4 - 1 });
    },
  },
  {
    name: "no limit means none, and what is no IP packet has none",
    run: async (scene) => {
      await passes(scene, f.udp4({ payload: new Uint8Array(1400) }), { maxLength: 0 });
      await passes(scene, f.arp(), { maxLength: 1 });
      await passes(scene, f.strange(), { maxLength: 1 });
    },
  },
  {
    name: "fragments are limited one by one",
    run: async (scene) => {
      const first = f.raw4(17, { v4: { moreFragments: true }, payload: new Uint8Array(80) });
      await isTooBig(scene, first, { maxLength: 99 });
      await passes(scene, f.raw4(17, { v4: { fragmentOffset: 80 }, payload: new Uint8Array(10) }), { maxLength: 99 });
    },
  },
  {
    name: "a packet goes up when its TTL is not above the decrement, with the decrement",
    run: async (scene) => {
      await passes(scene, f.udp4({ v4: { ttl: 2 } }), { decrementTtl: 1, after: f.udp4({ v4: { ttl: 1 } }) });
      await hasExpired(scene, f.udp4({ v4: { ttl: 1 } }), 1);
      await hasExpired(scene, f.udp4({ v4: { ttl: 0 } }), 1);
      await hasExpired(scene, f.udp4({ v4: { ttl: 3 } }), 3);
      await passes(scene, f.udp4({ v4: { ttl: 4 } }), { decrementTtl: 3, after: f.udp4({ v4: { ttl: 1 } }) });
      await hasExpired(scene, f.udp4({ v4: { ttl: 0 } }), 0);
    },
  },
  {
    name: "a packet goes up when its hop limit is not above the decrement, also under tags",
    run: async (scene) => {
      const vlans = [{ vid: 9 }];
      await hasExpired(scene, f.udp6({ v6: { hopLimit: 1 } }), 1);
      await hasExpired(scene, f.udp6({ vlans, v6: { hopLimit: 2 } }), 2);
      await passes(scene, f.udp6({ vlans, v6: { hopLimit: 3 } }), {
        decrementTtl: 2,
        after: f.udp6({ vlans, v6: { hopLimit: 1 } }),
      });
    },
  },
  {
    name: "a drop behind routers drops what would have come to it, and sends up what ends before",
    run: async (scene) => {
      const decrement = 2;
      for (const frame of [f.udp4({ v4: { ttl: 3 } }), f.udp6({ vlans: [{ vid: 9 }], v6: { hopLimit: 3 } })]) {
        scene.install(1, frame, { action: { to: { drop: "blackhole" }, decrementTtl: decrement } });
        const drops = [{ vport: 1, reason: "blackhole" }] as const;
        await scene.expect({ drops }, () => scene.rig.send(1, frame));
      }
      for (const frame of [f.udp4({ v4: { ttl: 2 } }), f.udp4({ v4: { ttl: 0 } }), f.udp6({ v6: { hopLimit: 2 } })]) {
        scene.install(1, frame, { action: { to: { drop: "blackhole" }, decrementTtl: decrement } });
        const up = [{ kind: UPCALL_TTL_EXPIRED, vport: 1, frame, decrement }];
        await scene.expect({ up }, () => scene.rig.send(1, frame));
      }
    },
  },
  {
    name: "a drop before any router has no TTL to look at, nor has what is no IP packet",
    run: async (scene) => {
      const frame = f.udp4({ v4: { ttl: 0 } });
      scene.install(1, frame, { action: { to: { drop: "filter" } } });
      await scene.expect({ drops: [{ vport: 1, reason: "filter" }] }, () => scene.rig.send(1, frame));
      scene.install(1, f.arp(), { action: { to: { drop: "filter" }, decrementTtl: 255 } });
      const drops = [{ vport: 1, reason: "filter" }] as const;
      await scene.expect({ drops }, () => scene.rig.send(1, f.arp()));
    },
  },
  {
    name: "what is not routed may have any TTL",
    run: (scene) => passes(scene, f.udp4({ v4: { ttl: 0 } }), {}),
  },
  {
    name: "a packet that is too long and at the end of its life is too long",
    run: (scene) => isTooBig(scene, f.udp4({ v4: { ttl: 1 } }), { maxLength: 20, decrementTtl: 1 }),
  },
  {
    name: "the agent's own frames are judged by the agent: neither length nor TTL stops them",
    run: async (scene) => {
      const out = [{ kind: "vport", vport: 2, frame: f.udp4({ v4: { ttl: 0 } }) } as const];
      const action = { to: { vport: 2 }, maxLength: 20, decrementTtl: 1 };
      await scene.expect({ out }, () => scene.execute(f.udp4({ v4: { ttl: 1 } }), action));
    },
  },
];
