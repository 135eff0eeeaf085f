import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Prng } from "../../src/base/prng.ts";
import { worldPorts } from "../../src/datapath/compliance/port-cases.ts";
import { WORLD } from "../../src/datapath/compliance/rig.ts";
import { countOf, type GroupMember, keyOf, printed, Scene } from "../../src/datapath/compliance/scene.ts";
import { memoryRig } from "../../src/datapath/memory/memory-rig.ts";
import { CLASS_COUNT, PARSE_SHORT, UPCALL_KEY, W0_PARSE_SHIFT } from "../../src/flow/layout.ts";
import { parseFrame } from "../../src/wire/frame.ts";
import { FrameMutator } from "../fixtures/mutate-frame.ts";
import { VethRig } from "../native/datapath/veth-rig.ts";
import { randomAction } from "./datapath-random-actions.ts";

/** A fifth of the frames of the test runs: each goes over interfaces, three times. `WEFT_FUZZ=1000000` for a night. */
const FRAMES = Math.ceil(Number(process.env["WEFT_FUZZ"] ?? 10_000) / 10);
const SEED = Number(process.env["WEFT_FUZZ_SEED"] ?? 20_264);
const GROUPS = [1, 2, 3];
const { peer, narrowPeer, downPeer, absentVport } = WORLD;
const TARGETS = {
  vports: [2, 3, 1],
  peers: [peer, peer, narrowPeer],
  groups: GROUPS,
  lost: [0, downPeer + 6, absentVport, 5000],
};
/** The kernel itself loses frames whose tag is cut off, and sends none that are longer than the interface's MTU. */
const TAGGED_MIN = 20;
const FRAME_MAX = 1900;

let real: Scene;
let reference: Scene;

before(async () => {
  real = new Scene(await VethRig.open());
  reference = new Scene(memoryRig());
  for (const scene of [real, reference]) {
    await scene.setPorts(worldPorts(scene.rig));
    await scene.reset();
  }
});

after(async () => {
  await real?.rig.close();
  await reference?.rig.close();
});

function canBeSent(frame: Uint8Array): boolean {
  const type = ((frame[12] as number) << 8) | (frame[13] as number);
  const isTagged = type === 0x8100 || type === 0x88a8;
  return frame.length >= (isTagged ? TAGGED_MIN : 14) && frame.length <= FRAME_MAX;
}

/** The kernel's tunnel loses frames whose IP header is cut off, behind any number of tags, and says nothing of it. */
function isLostInTunnels(frame: Uint8Array): boolean {
  const isCut = (((keyOf(1, frame)[0] as number) >>> W0_PARSE_SHIFT) & 7) === PARSE_SHORT;
  const parsed = parseFrame(frame);
  return (
    isCut || (parsed.malformed !== undefined && parsed.layers.filter(({ header }) => header === "vlan").length > 2)
  );
}

/** Members with all kinds of operations on tags, local ones first. */
function randomGroup(prng: Prng): readonly GroupMember[] {
  const tcis = Array.from({ length: prng.below(3) }, () => prng.below(0x1_0000));
  const member = (to: GroupMember["to"]): GroupMember => {
    const operation = prng.below(3) === 0 ? { pop: prng.below(3), push: tcis } : {};
    return { to, ...operation };
  };
  const local = [1, 2, 3, absentVport].filter(() => prng.below(3) > 0).map((vport) => member({ vport }));
  const tunnelKey = prng.below(0x100_0000);
  const far = [peer, narrowPeer, downPeer]
    .filter(() => prng.below(2) > 0)
    .map((index) => member({ peer: index, tunnelKey }));
  return [...local, ...far];
}

/** Does the same on both and compares all of it: frames that left, upcalls with their lengths and keys, drops with their bytes. */
async function compare(story: string, act: (scene: Scene) => void): Promise<void> {
  const expected = await reference.observe(0, () => act(reference));
  const found = await real.observe(countOf(expected), () => act(real));
  assert.deepEqual(printed(found), printed(expected), story);
  for (const [i, { words }] of found.up.entries()) {
    const other = expected.up[i]?.words as Uint32Array;
    assert.deepEqual(words.subarray(0, 5), other.subarray(0, 5), story);
    assert.deepEqual(words.subarray(UPCALL_KEY), other.subarray(UPCALL_KEY), story);
  }
}

test("any frame and action over real interfaces gives what the memory datapath gives", async (t) => {
  const prng = new Prng(SEED);
  const mutator = new FrameMutator(prng.fork());
  let sent = 0;
  for (let i = 0; i < FRAMES; i++) {
    const { bytes: frame, story: made } = mutator.next();
    if (!canBeSent(frame) || isLostInTunnels(frame)) continue;
    if (i % 16 === 0) {
      for (const group of GROUPS) {
        const members = randomGroup(prng);
        for (const scene of [real, reference]) scene.setGroup(group, members);
      }
    }
    const action = randomAction(prng, TARGETS);
    const flowClass = prng.below(CLASS_COUNT);
    const words = [...action].map((word) => word.toString(16));
    const story = `seed ${SEED}, frame ${i} (${made}) ${Buffer.from(frame).toString("hex")}, class ${flowClass}, action ${words}`;
    const slots = [real, reference].map((scene) => ({
      scene,
      slot: scene.install(1, frame, { class: flowClass, action }),
    }));
    await compare(story, (scene) => scene.rig.send(1, frame));
    if (!isLostInTunnels(frame))
      await compare(`executed: ${story}`, (scene) => scene.execute(frame, action, { ingressVport: 1 }));
    for (const { scene, slot } of slots) scene.flows.remove(slot);
    sent++;
  }
  t.diagnostic(`${sent} frames of ${FRAMES}`);
  assert.ok(sent > FRAMES / 2);
});

test("any frame out of a tunnel gives what the memory datapath gives", async () => {
  const prng = new Prng(SEED + 1);
  const mutator = new FrameMutator(prng.fork());
  const keys = [
    { key: 1, target: { kind: "vport", vport: 2 } },
    { key: 2, target: { kind: "group", group: 1 } },
    { key: 3, target: { kind: "vport", vport: absentVport } },
  ] as const;
  for (const scene of [real, reference]) {
    await scene.rig.control.setTunnelKeys(keys);
    scene.setGroup(1, [{ to: { vport: 1 }, push: [7] }, { to: { vport: 3 }, pop: 1 }, { to: { peer, tunnelKey: 1 } }]);
  }
  for (let i = 0; i < FRAMES / 4; i++) {
    const { bytes: frame, story: made } = mutator.next();
    if (!canBeSent(frame) || isLostInTunnels(frame)) continue;
    const tunnelKey =
      (prng.below(2) << 23) | (prng.below(4) === 0 ? prng.below(8) << 20 : prng.below(2) << 20) | prng.below(5);
    const from = prng.below(5) === 0 ? 0 : peer;
    const story = `seed ${SEED}, frame ${i} (${made}) ${Buffer.from(frame).toString("hex")}, key ${tunnelKey.toString(16)} from ${from}`;
    await compare(story, (scene) => scene.rig.sendTunnelled(from, tunnelKey, frame));
  }
});
