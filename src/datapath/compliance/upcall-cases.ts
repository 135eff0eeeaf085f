import assert from "node:assert/strict";
import { shardOf } from "../../flow/hash.ts";
import { CREDIT_WORDS, SHARD_COUNT, UPCALL_MISS } from "../../flow/layout.ts";
import type { Case } from "./case.ts";
import * as f from "./frames.ts";
import type { Rig } from "./rig.ts";
import { keyOf } from "./scene.ts";

const CAPTURE_LIMIT = 12;
const PAUSED = 14;

const frame = f.udp4();

function miss(
  bytes: Uint8Array,
  vport = 1,
): { readonly kind: number; readonly vport: number; readonly frame: Uint8Array } {
  return { kind: UPCALL_MISS, vport, frame: bytes };
}

/** Frames of one shard that can be told apart: addresses and ports are those of `udp4`. */
function numbered(count: number): readonly Uint8Array[] {
  return Array.from({ length: count }, (_, i) => f.udp4({ payload: Uint8Array.of(i >>> 8, i & 0xff, 1, 2, 3, 4) }));
}

function sendAll(rig: Rig, frames: readonly Uint8Array[], vport = 1): void {
  for (const each of frames) rig.send(vport, each);
}

/** What goes up, in which order, and how much of it. */
export const UPCALL_CASES: readonly Case[] = [
  {
    name: "frames of one shard go up in order",
    run: (scene) =>
      scene.expect({ up: numbered(20).map((each) => miss(each)) }, () => sendAll(scene.rig, numbered(20))),
  },
  {
    name: "large frames go up whole",
    run: async (scene) => {
      for (const length of [0, 91, 92, 93, 1400, 1472]) {
        const large = f.udp4({ payload: Uint8Array.from({ length }, (_, i) => i) });
        await scene.expect({ up: [miss(large)] }, () => scene.rig.send(1, large));
      }
    },
  },
  {
    name: "a port that floods is held to its credit in packets, while another port's first packet goes up",
    run: async (scene) => {
      scene.setCredits(1, [8, 1 << 20]);
      const flood = numbered(500);
      const up = [...flood.slice(0, 8).map((each) => miss(each)), miss(frame, 2)];
      const drops = [{ vport: 1, reason: "upcall-budget", packets: 492 } as const];
      const sent = (): void => {
        sendAll(scene.rig, flood);
        scene.rig.send(2, frame);
      };
      await scene.expect({ up, drops }, sent);
      // Returned credits are good again.
      await scene.expect({ up: [miss(frame)] }, () => scene.rig.send(1, frame));
    },
  },
  {
    name: "a port is held to its credit in bytes",
    run: async (scene) => {
      const [first] = numbered(1) as [Uint8Array];
      scene.setCredits(1, [64, 2 * first.length + 1]);
      const flood = numbered(10);
      const drops = [{ vport: 1, reason: "upcall-budget", packets: 7, bytes: 7 * first.length } as const];
      await scene.expect({ up: flood.slice(0, 3).map((each) => miss(each)), drops }, () => sendAll(scene.rig, flood));
    },
  },
  {
    name: "credits are per shard: a full one does not stop the others",
    run: async (scene) => {
      const { control } = scene.rig.control.memory;
      const inShard = new Map<number, Uint8Array>();
      for (let src = 1; inShard.size < 2; src++) {
        const each = f.udp4({ ports: { src, dst: 9 } });
        inShard.set(shardOf(keyOf(1, each), 0, control), each);
      }
      scene.setCredits(1, [1, 1 << 20]);
      const [a, b] = [...inShard.values()] as [Uint8Array, Uint8Array];
      const drops = [{ vport: 1, reason: "upcall-budget", packets: 2 } as const];
      await scene.expect({ up: [miss(a), miss(b)], drops }, () => sendAll(scene.rig, [a, a, b, b]));
    },
  },
  {
    name: "credits are issued with the record and done when it was handled",
    run: async (scene) => {
      const { credits, control } = scene.rig.control.memory;
      const at = (SHARD_COUNT + shardOf(keyOf(1, frame), 0, control)) * CREDIT_WORDS;
      const before = credits.slice(at, at + CREDIT_WORDS);
      await scene.expect({ up: [miss(frame), miss(frame)] }, () => sendAll(scene.rig, [frame, frame]));
      const change = [...credits.slice(at, at + CREDIT_WORDS)].map((word, i) => (word - (before[i] as number)) >>> 0);
      assert.deepEqual(change, [2, 2 * frame.length, 2, 2 * frame.length]);
    },
  },
  {
    name: "more done than issued, as after a restart, is no reason to refuse",
    run: async (scene) => {
      const { credits, control } = scene.rig.control.memory;
      const at = (SHARD_COUNT + shardOf(keyOf(1, frame), 0, control)) * CREDIT_WORDS;
      credits[at + 2] = (credits[at + 2] as number) + 5;
      await scene.expect({ up: [miss(frame)] }, () => scene.rig.send(1, frame));
      credits[at + 2] = (credits[at + 2] as number) - 5;
    },
  },
  {
    name: "a paused datapath sends nothing up and goes on forwarding",
    run: async (scene) => {
      const { control } = scene.rig.control.memory;
      scene.install(2, frame, { action: { to: { vport: 3 } } });
      control[PAUSED] = 1;
      await scene.expect({ drops: [{ vport: 1, reason: "upcall-budget" }] }, () => scene.rig.send(1, frame));
      await scene.expect({ out: [{ kind: "vport", vport: 3, frame }] }, () => scene.rig.send(2, frame));
      control[PAUSED] = 0;
      await scene.expect({ up: [miss(frame)] }, () => scene.rig.send(1, frame));
    },
  },
  {
    name: "of a frame above the capture limit the beginning goes up, with its whole length",
    run: async (scene) => {
      const { control } = scene.rig.control.memory;
      const large = f.udp4({ payload: new Uint8Array(500) });
      control[CAPTURE_LIMIT] = 100;
      await scene.expect({ up: [{ ...miss(large), captured: 100 }] }, () => scene.rig.send(1, large));
      control[CAPTURE_LIMIT] = 0;
      await scene.expect({ up: [miss(large)] }, () => scene.rig.send(1, large));
    },
  },
  {
    name: "poll hands over no more than was asked for, and the rest later",
    run: async (scene) => {
      const taken: number[] = [];
      const { worker } = scene.rig;
      await scene.expect(
        {
          up: numbered(10)
            .slice(5)
            .map((each) => miss(each)),
        },
        () => {
          sendAll(scene.rig, numbered(10));
          for (let tries = 0; taken.length < 5 && tries < 1e6; tries++) {
            worker.poll(5 - taken.length, ({ bytes, frameOffset }) => taken.push(bytes[frameOffset + 43] as number));
          }
        },
      );
      assert.deepEqual(taken, [0, 1, 2, 3, 4]);
    },
  },
  {
    name: "a worker does not sleep while upcalls wait, and is woken once by the next one",
    run: async (scene) => {
      const { worker } = scene.rig;
      await scene.expect({ up: [miss(frame)] }, () => {
        scene.rig.send(1, frame);
        for (let tries = 0; worker.sleep(() => undefined) && tries < 1e6; tries++);
        assert.equal(
          worker.sleep(() => undefined),
          false,
        );
      });
      let woken = 0;
      assert.equal(
        worker.sleep(() => woken++),
        true,
      );
      scene.rig.send(1, frame);
      scene.rig.send(1, frame);
      while (woken === 0 && (await scene.rig.wait()));
      assert.equal(woken, 1);
      await scene.expect({ up: [miss(frame), miss(frame)] }, () => undefined);
      assert.equal(woken, 1);
    },
  },
];
