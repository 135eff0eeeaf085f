import assert from "node:assert/strict";
import { ACTION_WORDS, UPCALL_MISS } from "../../flow/layout.ts";
import type { Case } from "./case.ts";
import * as f from "./frames.ts";
import type { Output } from "./rig.ts";

const frame = f.udp4();

/** Frames that the agent sends with an action of their own. */
export const EXECUTE_CASES: readonly Case[] = [
  {
    name: "sends frames in the order in which they were queued, also beyond a batch, each with its own action",
    run: async (scene) => {
      const frames = Array.from({ length: 150 }, (_, i) => f.udp4({ v4: { identification: i } }));
      const out = frames.map((_, i): Output => {
        const dst = 1 + i;
        return {
          kind: "vport",
          vport: 2 + (i % 2),
          frame: f.udp4({ v4: { identification: i }, ports: { src: 9, dst } }),
        };
      });
      await scene.expect({ out }, () => {
        for (const [i, each] of frames.entries())
          scene.queue(each, { to: { vport: 2 + (i % 2) }, ports: { src: 9, dst: 1 + i } });
        scene.rig.worker.flush();
      });
    },
  },
  {
    name: "nothing leaves before flush, and nothing twice",
    run: async (scene) => {
      await scene.expect({}, () => scene.queue(frame, { to: { vport: 2 } }));
      await scene.expect({ out: [{ kind: "vport", vport: 2, frame }] }, () => scene.rig.worker.flush());
      await scene.expect({}, () => scene.rig.worker.flush());
    },
  },
  {
    name: "copies the frame and the action when they are queued",
    run: async (scene) => {
      const bytes = frame.slice();
      const action = new Uint32Array(2 + ACTION_WORDS);
      action.set([2, 2], 2);
      await scene.expect({ out: [{ kind: "vport", vport: 2, frame }] }, () => {
        const whole = { bytes, offset: 0, length: bytes.length, ingressVport: 0, gsoSize: 0, isChecksumPartial: false };
        scene.rig.worker.execute(whole, action, 2);
        bytes.fill(0);
        action.fill(0);
        scene.rig.worker.flush();
      });
    },
  },
  {
    name: "takes the frame from the middle of a buffer",
    run: async (scene) => {
      const bytes = new Uint8Array(300).fill(0xff);
      bytes.set(frame, 101);
      await scene.expect({ out: [{ kind: "vport", vport: 3, frame }] }, () => {
        const part = {
          bytes,
          offset: 101,
          length: frame.length,
          ingressVport: 0,
          gsoSize: 0,
          isChecksumPartial: false,
        };
        scene.rig.worker.execute(part, Uint32Array.of(2, 3, ...new Array<number>(ACTION_WORDS - 2).fill(0)), 0);
        scene.rig.worker.flush();
      });
    },
  },
  {
    name: "refuses what is no frame",
    run: async (scene) => {
      await scene.expect({}, () => {
        assert.equal(scene.execute(frame.slice(0, 13), { to: { vport: 2 } }), false);
        assert.equal(scene.execute(new Uint8Array(70_000), { to: { vport: 2 } }), false);
      });
    },
  },
  {
    name: "sends back to the vport by which the frame came, if the action says so",
    run: (scene) =>
      scene.expect({ out: [{ kind: "vport", vport: 1, frame }] }, () =>
        scene.execute(frame, { to: { vport: 1 } }, { ingressVport: 1 }),
      ),
  },
  {
    name: "drops with the action's reason, counted under the ingress vport",
    run: (scene) =>
      scene.expect({ drops: [{ vport: 3, reason: "no-route", bytes: frame.length }] }, () =>
        scene.execute(frame, { to: { drop: "no-route" } }, { ingressVport: 3 }),
      ),
  },
  {
    name: "drops for a vport that is down, for one that cannot be, and for an action that is none",
    run: async (scene) => {
      for (const vport of [0, 77, 4096]) {
        await scene.expect({ drops: [{ vport, reason: "vport-down" }] }, () => scene.execute(frame, { to: { vport } }));
      }
      const drops = [{ vport: 1, reason: "unsupported" } as const];
      await scene.expect({ drops }, () => scene.execute(frame, new Uint32Array(ACTION_WORDS), { ingressVport: 1 }));
    },
  },
  {
    name: "sends malformed frames as they are: they are the agent's own",
    needs: ["short-frames"],
    run: async (scene) => {
      for (const each of [
        f.udp4().slice(0, 20),
        f.patched(f.udp4(), 14, [0x55]),
        f.udp6().slice(0, 50),
        f.arp().slice(0, 30),
      ]) {
        const to = { vport: 2 };
        await scene.expect({ out: [{ kind: "vport", vport: 2, frame: each }] }, () => scene.execute(each, { to }));
      }
      const refused = [{ vport: 0, reason: "rewrite-failed" } as const];
      await scene.expect({ drops: refused }, () => scene.execute(f.udp4().slice(0, 33), { to: { vport: 2 }, src: 1 }));
      await scene.expect({ drops: refused }, () =>
        scene.execute(f.udp6().slice(0, 30), { to: { vport: 2 }, src: f.C.v6 }),
      );
    },
  },
  {
    name: "a flow that is installed before its first packet is executed forwards the next ones behind it",
    run: async (scene) => {
      const frames = Array.from({ length: 5 }, (_, i) => f.udp4({ v4: { identification: i } }));
      const [first, ...rest] = frames as [Uint8Array, ...Uint8Array[]];
      const [upcall] = await scene.expect({ up: [{ kind: UPCALL_MISS, vport: 1, frame: first }] }, () =>
        scene.rig.send(1, first),
      );
      assert.ok(upcall);
      const out = frames.map((each): Output => ({ kind: "vport", vport: 2, frame: each }));
      await scene.expect({ out }, () => {
        scene.install(1, first, { action: { to: { vport: 2 } } });
        scene.execute(upcall.frame, { to: { vport: 2 } }, { ingressVport: 1 });
        for (const each of rest) scene.rig.send(1, each);
      });
    },
  },
];
