import assert from "node:assert/strict";
import { UPCALL_MISS } from "../../flow/layout.ts";
import type { WantedPort } from "../datapath.ts";
import type { Case } from "./case.ts";
import * as f from "./frames.ts";
import { type Rig, WORLD } from "./rig.ts";

const frame = f.udp4();
const ALL_ATTACHED = WORLD.vports.map(() => "attached");

/** The ports of the suite's world. */
export function worldPorts(rig: Rig): readonly WantedPort[] {
  return WORLD.vports.map((vport) => ({ vport, interfaceName: rig.interfaceOf(vport), epoch: 1 }));
}

/** Vports and their interfaces. */
export const PORT_CASES: readonly Case[] = [
  {
    name: "drops for a vport without interface, counted under it",
    run: async (scene) => {
      scene.install(1, frame, { action: { to: { vport: WORLD.absentVport } } });
      const drops = [{ vport: WORLD.absentVport, reason: "vport-down", bytes: frame.length } as const];
      await scene.expect({ drops }, () => scene.rig.send(1, frame));
    },
  },
  {
    name: "a flow may lead back to the vport by which its frames come",
    run: async (scene) => {
      scene.install(1, frame, { action: { to: { vport: 1 } } });
      await scene.expect({ out: [{ kind: "vport", vport: 1, frame }] }, () => scene.rig.send(1, frame));
    },
  },
  {
    name: "frames of the host's own stack do not leave by a bound interface",
    needs: ["interfaces"],
    run: async (scene) => {
      const drops = [
        { vport: 2, reason: "host-originated", packets: 2, bytes: frame.length + f.arp().length } as const,
      ];
      await scene.expect({ drops }, () => {
        scene.rig.sendFromHost(2, frame);
        scene.rig.sendFromHost(2, f.arp());
      });
    },
  },
  {
    name: "an interface that goes down drops, and forwards when it is up again",
    needs: ["interfaces"],
    run: async (scene) => {
      scene.install(1, frame, { action: { to: { vport: 2 } } });
      await scene.rig.setInterfaceUp(2, false);
      await scene.expect({ drops: [{ vport: 2, reason: "vport-down" }] }, () => scene.rig.send(1, frame));
      await scene.expect({ drops: [{ vport: 2, reason: "vport-down" }] }, () =>
        scene.execute(frame, { to: { vport: 2 } }),
      );
      await scene.rig.setInterfaceUp(2, true);
      await scene.expect({ out: [{ kind: "vport", vport: 2, frame }] }, () => scene.rig.send(1, frame));
    },
  },
  {
    name: "an interface that vanishes drops; when one of its name appears it is attached by itself",
    needs: ["interfaces"],
    run: async (scene) => {
      scene.install(1, frame, { action: { to: { vport: 3 } } });
      await scene.rig.setInterfacePresent(3, false);
      await scene.expect({ drops: [{ vport: 3, reason: "vport-down" }] }, () => scene.rig.send(1, frame));
      await scene.rig.setInterfacePresent(3, true);
      await scene.expect({ out: [{ kind: "vport", vport: 3, frame }] }, () => scene.rig.send(1, frame));
      await scene.expect({ up: [{ kind: UPCALL_MISS, vport: 3, frame }] }, () => scene.rig.send(3, frame));
    },
  },
  {
    name: "ports that are no longer wanted neither take nor give frames, the others go on",
    needs: ["interfaces"],
    run: async (scene) => {
      const ports = worldPorts(scene.rig);
      for (const vport of [1, 2]) scene.install(vport, frame, { action: { to: { vport: 3 } } });
      await scene.setPorts(ports.slice(1));
      await scene.expect({}, () => scene.rig.send(1, frame));
      await scene.expect({ out: [{ kind: "vport", vport: 3, frame }] }, () => scene.rig.send(2, frame));
      await scene.expect({ drops: [{ vport: 1, reason: "vport-down" }] }, () =>
        scene.execute(frame, { to: { vport: 1 } }),
      );
      assert.deepEqual(await scene.setPorts(ports), ALL_ATTACHED);
      await scene.expect({ out: [{ kind: "vport", vport: 3, frame }] }, () => scene.rig.send(1, frame));
    },
  },
  {
    name: "setting the same ports again changes nothing",
    run: async (scene) => {
      assert.deepEqual(await scene.setPorts(worldPorts(scene.rig)), ALL_ATTACHED);
      scene.install(1, frame, { action: { to: { vport: 2 } } });
      await scene.expect({ out: [{ kind: "vport", vport: 2, frame }] }, () => scene.rig.send(1, frame));
    },
  },
  {
    name: "a port may move to another interface: frames follow it, both ways",
    needs: ["interfaces"],
    run: async (scene) => {
      const [one, two, three] = worldPorts(scene.rig) as [WantedPort, WantedPort, WantedPort];
      await scene.setPorts([
        one,
        { ...two, interfaceName: three.interfaceName },
        { ...three, interfaceName: two.interfaceName },
      ]);
      scene.install(1, frame, { action: { to: { vport: 2 } } });
      // The rig names outputs and inputs by interface: vport 2 is at the interface of 3 now.
      await scene.expect({ out: [{ kind: "vport", vport: 3, frame }] }, () => scene.rig.send(1, frame));
      await scene.expect({ up: [{ kind: UPCALL_MISS, vport: 3, frame }] }, () => scene.rig.send(2, frame));
      await scene.setPorts([one, two, three]);
      await scene.expect({ out: [{ kind: "vport", vport: 2, frame }] }, () => scene.rig.send(1, frame));
    },
  },
];
