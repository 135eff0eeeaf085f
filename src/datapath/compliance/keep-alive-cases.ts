import assert from "node:assert/strict";
import { buildKeepAlive, type KeepAlive, writeOwnKeepAlive } from "../../flow/keep-alive.ts";
import {
  KEEPALIVE_BYTES,
  KEEPALIVE_LENGTH,
  KEEPALIVE_REFUSED,
  KEEPALIVE_REPLIES,
  KEEPALIVE_REPLY,
  KEEPALIVE_REQUEST,
  KEEPALIVE_REQUESTS,
  KEEPALIVE_UNHEARD,
  KEEPALIVE_WORDS,
  PEER_SENT,
  PEER_WORDS,
  TUNNEL_KIND_KEEPALIVE,
  TUNNEL_KIND_SHIFT,
} from "../../flow/layout.ts";
import { setPeerUp } from "../records.ts";
import type { Case } from "./case.ts";
import * as f from "./frames.ts";
import { STRANGER, WORLD } from "./rig.ts";
import type { Scene } from "./scene.ts";

const { peer, narrowPeer, downPeer, absentPeer } = WORLD;
const tunnelKey = TUNNEL_KIND_KEEPALIVE << TUNNEL_KIND_SHIFT;
const SECRET = [0x1234_5678, 0x9abc_def0, 1, 0xffff_ffff];
/** Our epoch; that of every peer of the world is 1. */
const OWN = 0xcafe_f00d;
const request: KeepAlive = {
  kind: KEEPALIVE_REQUEST,
  sender: 1,
  receiver: OWN,
  sequence: 0x1_0000_0005,
  timeUs: 77,
  requestBytes: 0,
  unheard: 0,
};
const reply: KeepAlive = { ...request, kind: KEEPALIVE_REPLY, requestBytes: 999 };

function answerTo(asked: KeepAlive, requestBytes = KEEPALIVE_BYTES): Uint8Array {
  return buildKeepAlive({ ...asked, kind: KEEPALIVE_REPLY, sender: OWN, receiver: 1, requestBytes }, SECRET);
}

function begin(scene: Scene): void {
  const { keepAlives, peerSeen } = scene.rig.control.memory;
  writeOwnKeepAlive(keepAlives, { epoch: OWN, secret: SECRET });
  peerSeen.fill(0);
}

function recordOf(scene: Scene, of: number): Uint32Array {
  return scene.rig.control.memory.keepAlives.subarray(of * KEEPALIVE_WORDS, (of + 1) * KEEPALIVE_WORDS);
}

function isSeen(scene: Scene, of: number): boolean {
  return scene.rig.control.memory.peerSeen[of] !== 0;
}

/** What must be refused: why, and the frame. */
function refusedFrames(): readonly (readonly [why: string, frame: Uint8Array])[] {
  const good = buildKeepAlive(request, SECRET);
  const changed = (at: number): Uint8Array => good.map((byte, i) => (i === at ? byte ^ 1 : byte));
  const bits = Array.from({ length: 32 }, (_, i) => [`a bit of byte ${i}`, changed(14 + i)] as const);
  return [
    ...bits,
    ["another secret", buildKeepAlive(request, [1, 2, 3, 4])],
    ["for another host", buildKeepAlive({ ...request, receiver: OWN + 1 }, SECRET)],
    ["of another host", buildKeepAlive({ ...request, sender: 2 }, SECRET)],
    ["our own, sent back", buildKeepAlive({ ...request, sender: OWN, receiver: 1 }, SECRET)],
    ["an unknown kind", buildKeepAlive({ ...request, kind: 2 as typeof KEEPALIVE_REPLY }, SECRET)],
    ["cut off", good.subarray(0, KEEPALIVE_BYTES - 1)],
    ["no keep-alive at all", f.udp4()],
    ["tagged", Uint8Array.of(...good.subarray(0, 12), 0x81, 0, 0, 5, ...good.subarray(12))],
  ];
}

/** Keep-alives: what is answered, what counts as a sign of life, what is refused. */
export const KEEP_ALIVE_CASES: readonly Case[] = [
  {
    name: "a keep-alive is answered without anybody's help, and is a sign of life",
    needs: ["tunnel-ingress"],
    run: async (scene) => {
      begin(scene);
      const out = [{ kind: "tunnel", peer, tunnelKey, frame: answerTo(request) } as const];
      await scene.expect({ out }, () => scene.rig.sendTunnelled(peer, tunnelKey, buildKeepAlive(request, SECRET)));
      assert.ok(isSeen(scene, peer));
      assert.deepEqual([...recordOf(scene, peer).subarray(0, 7)], [5, 1, 0, 0, 1, 0, 0]);
    },
  },
  {
    name: "a padded keep-alive is answered without the padding, with the length that got through",
    needs: ["tunnel-ingress"],
    run: async (scene) => {
      begin(scene);
      for (const bytes of [KEEPALIVE_BYTES + 1, 400, 1400]) {
        const asked = { ...request, sequence: request.sequence + bytes };
        const out = [{ kind: "tunnel", peer: narrowPeer, tunnelKey, frame: answerTo(asked, bytes) } as const];
        const frame = buildKeepAlive(asked, SECRET, bytes);
        await scene.expect({ out }, () => scene.rig.sendTunnelled(narrowPeer, tunnelKey, frame));
      }
    },
  },
  {
    name: "what a peer has not heard of us is noted from its newest request, not from an old one, and not sent back",
    needs: ["tunnel-ingress"],
    run: async (scene) => {
      begin(scene);
      const { sequence } = request;
      const said = [
        [sequence, 4, 4],
        [sequence + 1, 5, 5],
        [sequence, 9, 5],
        [sequence + 2, 0x1_0000, 0xffff],
        [sequence + 3, 0, 0],
      ] as const;
      for (const [at, unheard, noted] of said) {
        const asked = { ...request, sequence: at, unheard };
        const out = [{ kind: "tunnel", peer, tunnelKey, frame: answerTo(asked) } as const];
        await scene.expect({ out }, () => scene.rig.sendTunnelled(peer, tunnelKey, buildKeepAlive(asked, SECRET)));
        assert.equal(recordOf(scene, peer)[KEEPALIVE_UNHEARD], noted);
      }
    },
  },
  {
    name: "an old request is answered, but is no sign of life",
    needs: ["tunnel-ingress"],
    run: async (scene) => {
      begin(scene);
      recordOf(scene, peer).set([5, 1]);
      for (const sequence of [request.sequence, request.sequence - 1, 0xffff_ffff, 0]) {
        const asked = { ...request, sequence };
        const out = [{ kind: "tunnel", peer, tunnelKey, frame: answerTo(asked) } as const];
        await scene.expect({ out }, () => scene.rig.sendTunnelled(peer, tunnelKey, buildKeepAlive(asked, SECRET)));
        assert.ok(!isSeen(scene, peer), `${sequence}`);
      }
    },
  },
  {
    name: "a reply is a sign of life once, and tells what got through",
    needs: ["tunnel-ingress"],
    run: async (scene) => {
      begin(scene);
      const { peerSeen } = scene.rig.control.memory;
      const frame = buildKeepAlive(reply, SECRET);
      await scene.expect({}, () => scene.rig.sendTunnelled(peer, tunnelKey, frame));
      assert.ok(isSeen(scene, peer));
      const record = recordOf(scene, peer);
      assert.deepEqual([...record.subarray(0, 7)], [0, 0, 5, 1, 0, 1, 0]);
      assert.equal(record[KEEPALIVE_LENGTH], 999);
      peerSeen.fill(0);
      await scene.expect({}, () => scene.rig.sendTunnelled(peer, tunnelKey, frame));
      assert.ok(!isSeen(scene, peer));
      assert.equal(record[KEEPALIVE_REPLIES], 1);
    },
  },
  {
    name: "what is malformed, not for us or not authentic is refused, counted, and no sign of life",
    needs: ["tunnel-ingress"],
    run: async (scene) => {
      begin(scene);
      const all = refusedFrames();
      for (const [why, frame] of all) {
        const drops = [{ vport: 0, reason: "keep-alive-refused" } as const];
        await scene.expect({ drops }, () => scene.rig.sendTunnelled(peer, tunnelKey, frame));
        assert.ok(!isSeen(scene, peer), why);
      }
      const record = recordOf(scene, peer);
      assert.deepEqual([record[KEEPALIVE_REQUESTS], record[KEEPALIVE_REFUSED]], [0, all.length]);
    },
  },
  {
    name: "without a secret every keep-alive is refused; from a stranger it is a stranger's frame",
    needs: ["tunnel-ingress"],
    run: async (scene) => {
      const frame = buildKeepAlive(request, SECRET);
      await scene.expect({ drops: [{ vport: 0, reason: "keep-alive-refused" }] }, () =>
        scene.rig.sendTunnelled(peer, tunnelKey, frame),
      );
      begin(scene);
      await scene.expect({ drops: [{ vport: 0, reason: "unknown-peer" }] }, () =>
        scene.rig.sendTunnelled(STRANGER, tunnelKey, frame),
      );
    },
  },
  {
    name: "a peer that is down is asked and answered, and still gets nothing else",
    run: async (scene) => {
      begin(scene);
      const { control } = scene.rig;
      const frame = buildKeepAlive(request, SECRET, 300);
      const asked = [{ kind: "tunnel", peer: downPeer, tunnelKey, frame } as const];
      await scene.expect({ out: asked }, () => {
        scene.execute(frame, { to: { peer: downPeer, tunnelKey } });
      });
      if (scene.rig.lacks["tunnel-ingress"] === undefined) {
        await scene.expect({ out: asked }, () => assert.ok(control.sendToPeer(downPeer, tunnelKey, frame)));
        const out = [{ kind: "tunnel", peer: downPeer, tunnelKey, frame: answerTo(request, 300) } as const];
        await scene.expect({ out }, () => scene.rig.sendTunnelled(downPeer, tunnelKey, frame));
      }
      const drops = [{ vport: 0, reason: "peer-down" } as const];
      await scene.expect({ drops }, () => scene.execute(f.udp4(), { to: { peer: downPeer, tunnelKey: 5 } }));
      await scene.expect({ drops }, () => scene.execute(frame, { to: { peer: absentPeer, tunnelKey } }));
      await scene.expect({ drops }, () => scene.execute(frame, { to: { peer: 0, tunnelKey } }));
    },
  },
  {
    name: "one store takes a peer down and up again",
    run: async (scene) => {
      const { peers } = scene.rig.control.memory;
      const frame = f.udp4();
      const to = { peer, tunnelKey: 5 };
      setPeerUp(peers, peer, false);
      await scene.expect({ drops: [{ vport: 0, reason: "peer-down" }] }, () => scene.execute(frame, { to }));
      setPeerUp(peers, peer, true);
      await scene.expect({ out: [{ kind: "tunnel", ...to, frame }] }, () => scene.execute(frame, { to }));
    },
  },
  {
    name: "what is sent to a peer is noted in its record, keep-alives are not",
    run: async (scene) => {
      const { peers } = scene.rig.control.memory;
      const at = peer * PEER_WORDS + PEER_SENT;
      peers[at] = 0;
      const ask = buildKeepAlive(request, SECRET);
      await scene.expect({ out: [{ kind: "tunnel", peer, tunnelKey, frame: ask }] }, () =>
        scene.execute(ask, { to: { peer, tunnelKey } }),
      );
      assert.equal(peers[at], 0);
      const frame = f.udp4();
      const to = { peer, tunnelKey: 5 };
      await scene.expect({ out: [{ kind: "tunnel", ...to, frame }] }, () => scene.execute(frame, { to }));
      const age = (scene.rig.now() - (peers[at] as number)) | 0;
      assert.ok(age >= -20 && age < 60_000, `sent ${age} ms ago`);
    },
  },
];
