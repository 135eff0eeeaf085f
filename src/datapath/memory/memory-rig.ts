import { formatIp } from "../../addr/ip.ts";
import { ManualClock } from "../../base/clock.ts";
import { Prng } from "../../base/prng.ts";
import { SHARD_COUNT } from "../../flow/layout.ts";
import { type Output, type Rig, underlayWorld, WORLD } from "../compliance/rig.ts";
import { MemoryDatapath } from "./memory-datapath.ts";

const MAC = 0x0200_0000_00ff;
const MTU = 1500;

/** The compliance suite's world around a memory datapath: everything happens at once. */
export function memoryRig(family: 4 | 6 = 4): Rig {
  const around = underlayWorld(family);
  const left: Output[] = [];
  const clock = new ManualClock(1_000_000);
  const datapath = new MemoryDatapath({
    clock,
    prng: new Prng(1),
    bucketsPerShard: 64,
    send: ({ to, tunnelKey, frame }) => {
      const peer = around.peers.find(({ address }) => formatIp(address) === to)?.peer ?? -1;
      left.push({ kind: "tunnel", peer, tunnelKey, frame });
    },
  });
  const interfaceOf = (vport: number): string => `port${vport}`;
  const add = (vport: number): void => {
    const deliver = (frame: Uint8Array): void => void left.push({ kind: "vport", vport, frame });
    datapath.addInterface(interfaceOf(vport), { mac: MAC, mtu: MTU, deliver });
  };
  for (const vport of WORLD.vports) add(vport);
  const own = formatIp(around.underlay.address);
  return {
    control: datapath,
    worker: datapath.openWorker(
      0,
      Array.from({ length: SHARD_COUNT }, (_, i) => i),
    ),
    around,
    lacks: {},
    now: () => clock.now() >>> 0,
    send: (vport, frame) => datapath.receive(interfaceOf(vport), frame),
    sendTunnelled: (peer, tunnelKey, frame) =>
      datapath.receiveUnderlay({ from: formatIp(around.addressOf(peer)), to: own, tunnelKey, frame }),
    sendFromHost: (vport, frame) => datapath.sendFromHost(interfaceOf(vport), frame),
    outputs: () => left.splice(0),
    wait: () => Promise.resolve(false),
    settle: () => Promise.resolve(),
    setInterfaceUp: (vport, isUp) => Promise.resolve(datapath.setInterfaceUp(interfaceOf(vport), isUp)),
    setInterfacePresent: (vport, isPresent) =>
      Promise.resolve(isPresent ? add(vport) : datapath.removeInterface(interfaceOf(vport))),
    carried: () => Promise.resolve(),
    interfaceOf,
    close: () => datapath.close(),
  };
}
