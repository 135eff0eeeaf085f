import assert from "node:assert/strict";
import {
  ACTION_MISS,
  ACTION_WORDS,
  BUCKET_GENERATION,
  BUCKET_WAYS,
  BUCKET_WORDS,
  CLASS_COUNT,
  CLASS_FULL,
  CLASS_L2,
  CLASS_L3_DST,
  CLASS_L3_PAIR,
  CLASS_NAMES,
  CLASS_PORT,
  CLASS_PROTO,
  CONTROL_ORDER,
  ORDER_NONE,
  SHARD_COUNT,
  UPCALL_MISS,
} from "../../flow/layout.ts";
import { actionOf } from "./action.ts";
import type { Case } from "./case.ts";
import * as f from "./frames.ts";
import { A, B, C, D } from "./frames.ts";
import type { Expected, Scene } from "./scene.ts";

const TO_2 = { to: { vport: 2 } } as const;
const OPTIONS = [{ type: 148, content: new Uint8Array(2) }] as const;

/** A frame that differs in one field from `base`, and the coarsest class that sees the difference. */
interface Variant {
  readonly what: string;
  readonly frame: Uint8Array;
  readonly seenFrom: number;
}

interface Family {
  readonly name: string;
  readonly base: Uint8Array;
  readonly variants: readonly Variant[];
}

const FAMILIES: readonly Family[] = [
  {
    name: "IPv4",
    base: f.udp4(),
    variants: [
      { what: "TTL", frame: f.udp4({ v4: { ttl: 3 } }), seenFrom: CLASS_COUNT },
      { what: "ECN", frame: f.udp4({ v4: { ecn: 1 } }), seenFrom: CLASS_COUNT },
      { what: "length and payload", frame: f.udp4({ payload: new Uint8Array(3) }), seenFrom: CLASS_COUNT },
      { what: "destination port", frame: f.udp4({ ports: { src: 40_000, dst: 1 } }), seenFrom: CLASS_FULL },
      { what: "source port", frame: f.udp4({ ports: { src: 1, dst: 5001 } }), seenFrom: CLASS_FULL },
      { what: "DSCP", frame: f.udp4({ v4: { dscp: 1 } }), seenFrom: CLASS_PROTO },
      { what: "protocol", frame: f.tcp4(), seenFrom: CLASS_PROTO },
      { what: "source address", frame: f.udp4({ v4: { src: C.v4 } }), seenFrom: CLASS_L3_PAIR },
      { what: "destination address", frame: f.udp4({ v4: { dst: D.v4 } }), seenFrom: CLASS_L3_DST },
      { what: "source MAC", frame: f.udp4({ macs: { dst: B.mac, src: C.mac } }), seenFrom: CLASS_L2 },
      { what: "destination MAC", frame: f.udp4({ macs: { dst: D.mac, src: A.mac } }), seenFrom: CLASS_L2 },
      { what: "VLAN", frame: f.udp4({ vlans: [{ vid: 1 }] }), seenFrom: CLASS_PORT },
      { what: "options", frame: f.udp4({ v4: { options: OPTIONS } }), seenFrom: CLASS_PORT },
      { what: "fragment", frame: f.raw4(17, { v4: { moreFragments: true } }), seenFrom: CLASS_PORT },
      { what: "later fragment", frame: f.raw4(17, { v4: { fragmentOffset: 8 } }), seenFrom: CLASS_PORT },
      { what: "frame class IPv6", frame: f.udp6(), seenFrom: CLASS_PORT },
      { what: "frame class ARP", frame: f.arp(), seenFrom: CLASS_PORT },
      { what: "frame class other", frame: f.strange(), seenFrom: CLASS_PORT },
    ],
  },
  {
    name: "IPv6 with a tag",
    base: f.ping6({ vlans: [{ vid: 5 }] }),
    variants: [
      { what: "priority", frame: f.ping6({ vlans: [{ vid: 5, priority: 7 }] }), seenFrom: CLASS_COUNT },
      { what: "TPID", frame: f.ping6({ vlans: [{ vid: 5, tpid: 0x88a8 }] }), seenFrom: CLASS_COUNT },
      { what: "flow label", frame: f.ping6({ vlans: [{ vid: 5 }], v6: { flowLabel: 1 } }), seenFrom: CLASS_COUNT },
      { what: "identifier", frame: f.ping6({ vlans: [{ vid: 5 }] }, 1), seenFrom: CLASS_FULL },
      { what: "DSCP", frame: f.ping6({ vlans: [{ vid: 5 }], v6: { dscp: 1 } }), seenFrom: CLASS_PROTO },
      {
        what: "last word of the source",
        frame: f.ping6({ vlans: [{ vid: 5 }], v6: { src: { ...A.v6, w3: 9 } } }),
        seenFrom: CLASS_L3_PAIR,
      },
      {
        what: "first word of the destination",
        frame: f.ping6({ vlans: [{ vid: 5 }], v6: { dst: { ...B.v6, w0: 9 } } }),
        seenFrom: CLASS_L3_DST,
      },
      { what: "VLAN id", frame: f.ping6({ vlans: [{ vid: 6 }] }), seenFrom: CLASS_L2 },
      { what: "a second tag", frame: f.ping6({ vlans: [{ vid: 5 }, { vid: 5 }] }), seenFrom: CLASS_PORT },
    ],
  },
];

/** Flows of one class match what the class does not see, and nothing else. */
function classCase(family: Family, flowClass: number): Case {
  return {
    name: `a flow of class ${CLASS_NAMES[flowClass]} of ${family.name} is found by what its class names and not by more`,
    run: async (scene) => {
      scene.installInAllShards(1, family.base, { class: flowClass, action: TO_2 });
      const variants = [{ what: "nothing", frame: family.base, seenFrom: CLASS_COUNT }, ...family.variants];
      for (const { frame, seenFrom } of variants) {
        const expected = flowClass < seenFrom ? hit(frame) : miss(frame);
        await scene.expect(expected, () => scene.rig.send(1, frame));
      }
      await scene.expect(miss(family.base, 3), () => scene.rig.send(3, family.base));
    },
  };
}

function hit(frame: Uint8Array): Expected {
  return { out: [{ kind: "vport", vport: 2, frame }] };
}

function miss(frame: Uint8Array, vport = 1): Expected {
  return { up: [{ kind: UPCALL_MISS, vport, frame }] };
}

const frame = f.udp4();

/** Where the generation of a slot is in the table. */
function generationAt(slot: number): number {
  return Math.floor(slot / BUCKET_WAYS) * BUCKET_WORDS + BUCKET_GENERATION + (slot % BUCKET_WAYS);
}

const SLOT_CASES: readonly Case[] = [
  {
    name: "a frame without a flow goes up",
    run: (scene) => scene.expect(miss(frame), () => scene.rig.send(1, frame)),
  },
  {
    name: "a removed flow is a miss, a flow written again is found",
    run: async (scene) => {
      const slot = scene.install(1, frame, { action: TO_2 });
      scene.flows.remove(slot);
      await scene.expect(miss(frame), () => scene.rig.send(1, frame));
      scene.install(1, frame, { action: TO_2 });
      await scene.expect(hit(frame), () => scene.rig.send(1, frame));
    },
  },
  {
    name: "a revoked flow is a miss until it is overwritten",
    run: async (scene) => {
      const slot = scene.install(1, frame, { action: TO_2 });
      scene.flows.revoke(slot);
      await scene.expect(miss(frame), () => scene.rig.send(1, frame));
      scene.flows.overwrite(slot, actionOf({ to: { vport: 3 } }), 0);
      await scene.expect({ out: [{ kind: "vport", vport: 3, frame }] }, () => scene.rig.send(1, frame));
    },
  },
  {
    name: "a slot in the middle of a write, or never finished, is a miss",
    run: async (scene) => {
      const slot = scene.install(1, frame, { action: TO_2 });
      const { buckets } = scene.rig.control.memory;
      const valid = buckets[generationAt(slot)] as number;
      for (const generation of [valid + 1, 0xffff_ffff, 0]) {
        Atomics.store(buckets, generationAt(slot), generation);
        await scene.expect(miss(frame), () => scene.rig.send(1, frame));
      }
      Atomics.store(buckets, generationAt(slot), valid);
      await scene.expect(hit(frame), () => scene.rig.send(1, frame));
    },
  },
  {
    name: "a coarser flow is found while the finer one is being written",
    run: async (scene) => {
      const fine = scene.install(1, frame, { action: { to: { vport: 3 } } });
      scene.install(1, frame, { class: CLASS_L2, action: TO_2 });
      scene.flows.revoke(fine);
      await scene.expect(hit(frame), () => scene.rig.send(1, frame));
    },
  },
  {
    name: "of flows of several classes the first in the shard's order is taken, by default the finest",
    run: async (scene) => {
      const { control } = scene.rig.control.memory;
      const order = control.subarray(CONTROL_ORDER, CONTROL_ORDER + SHARD_COUNT);
      scene.install(1, frame, { class: CLASS_PORT, action: TO_2 });
      scene.install(1, frame, { class: CLASS_FULL, action: { to: { vport: 3 } } });
      const kept = order.slice();
      const to3: Expected = { out: [{ kind: "vport", vport: 3, frame }] };
      const orders: readonly (readonly [number, Expected])[] = [
        [0, to3],
        [((CLASS_PORT + 1) << 4) | (CLASS_FULL + 1), to3],
        [((CLASS_FULL + 1) << 4) | (CLASS_PORT + 1), hit(frame)],
        [CLASS_L2 + 1, miss(frame)],
        [ORDER_NONE, miss(frame)],
      ];
      for (const [word, expected] of orders) {
        order.fill(word);
        scene.forgetHint(1);
        await scene.expect(expected, () => scene.rig.send(1, frame));
      }
      order.set(kept);
      scene.forgetHint(1);
      await scene.expect(to3, () => scene.rig.send(1, frame));
    },
  },
  {
    name: "the class in which the port's last frame was found goes first, as long as the shard has it",
    run: async (scene) => {
      const { control } = scene.rig.control.memory;
      const order = control.subarray(CONTROL_ORDER, CONTROL_ORDER + SHARD_COUNT);
      const to3: Expected = { out: [{ kind: "vport", vport: 3, frame }] };
      scene.installInAllShards(1, frame, { class: CLASS_L2, action: TO_2 });
      await scene.expect(hit(frame), () => scene.rig.send(1, frame));
      const fine = scene.install(1, frame, { class: CLASS_FULL, action: { to: { vport: 3 } } });
      await scene.expect(hit(frame), () => scene.rig.send(1, frame));
      const kept = order.slice();
      order.fill(CLASS_FULL + 1);
      await scene.expect(to3, () => scene.rig.send(1, frame));
      order.set(kept);
      await scene.expect(to3, () => scene.rig.send(1, frame));
      scene.flows.revoke(fine);
      await scene.expect(hit(frame), () => scene.rig.send(1, frame));
    },
  },
  {
    name: "a drop flow drops and counts under the port and the reason",
    run: async (scene) => {
      scene.install(1, frame, { action: { to: { drop: "filter" } } });
      const drops = [{ vport: 1, reason: "filter", packets: 3, bytes: 3 * frame.length } as const];
      await scene.expect({ drops }, () => {
        for (let i = 0; i < 3; i++) scene.rig.send(1, frame);
      });
    },
  },
  {
    name: "a flow whose action is unknown drops, one that says miss goes up",
    run: async (scene) => {
      const words = new Uint32Array(ACTION_WORDS);
      words.set([9, 2]);
      const slot = scene.install(1, frame, { action: words });
      const drops = [{ vport: 1, reason: "unsupported" } as const];
      await scene.expect({ drops }, () => scene.rig.send(1, frame));
      words[0] = ACTION_MISS;
      scene.flows.overwrite(slot, words, 0);
      await scene.expect(miss(frame), () => scene.rig.send(1, frame));
    },
  },
  {
    name: "every flow of a table that is three quarters full is found",
    run: async (scene) => {
      const count = Math.min(200, Math.floor(0.75 * scene.flows.slots));
      const frames = Array.from({ length: count }, (_, i) => f.udp4({ ports: { src: 1000 + i, dst: 53 } }));
      for (const each of frames) scene.install(1, each, { action: TO_2 });
      for (let from = 0; from < count; from += 50) {
        const some = frames.slice(from, from + 50);
        const out = some.map((each) => ({ kind: "vport", vport: 2, frame: each }) as const);
        await scene.expect({ out }, () => {
          for (const each of some) scene.rig.send(1, each);
        });
      }
    },
  },
  {
    name: "counts packets and bytes of each flow, and when it was last used",
    run: (scene) => counts(scene),
  },
  {
    name: "counts the bytes of a tagged frame without the tag that a device keeps beside it",
    run: async (scene) => {
      const tagged = f.udp4({ vlans: [{ vid: 5 }] });
      const slot = scene.install(1, tagged, { action: { to: { drop: "filter" } } });
      const before = scene.flows.bytesAt(slot);
      await scene.expect({ drops: [{ vport: 1, reason: "filter" }] }, () => scene.rig.send(1, tagged));
      const counted = scene.flows.bytesAt(slot) - before;
      assert.ok(counted === tagged.length || counted === tagged.length - 4, `${counted} of ${tagged.length}`);
    },
  },
];

async function counts(scene: Scene): Promise<void> {
  const slot = scene.install(1, frame, { action: TO_2 });
  const other = scene.install(3, frame, { action: TO_2 });
  const before = [scene.flows.packetsAt(slot), scene.flows.bytesAt(slot), scene.flows.packetsAt(other)];
  const longer = f.udp4({ payload: new Uint8Array(100) });
  const out = [frame, longer].map((each) => ({ kind: "vport", vport: 2, frame: each }) as const);
  const started = scene.rig.now();
  await scene.expect({ out }, () => {
    scene.rig.send(1, frame);
    scene.rig.send(1, longer);
  });
  const after = [scene.flows.packetsAt(slot), scene.flows.bytesAt(slot), scene.flows.packetsAt(other)];
  assert.deepEqual(
    after.map((value, i) => value - (before[i] as number)),
    [2, frame.length + longer.length, 0],
  );
  const used = (scene.flows.usedAt(slot) - started) | 0;
  // The kernel's coarse clock may lag by a tick.
  assert.ok(used >= -20 && used < 60_000, `used ${used} ms after the start`);
}

/** Which flow a frame meets. */
export const LOOKUP_CASES: readonly Case[] = [
  ...FAMILIES.flatMap((family) => CLASS_NAMES.map((_, flowClass) => classCase(family, flowClass))),
  ...SLOT_CASES,
];
