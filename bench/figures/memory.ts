import { randomUUID } from "node:crypto";
import { sleep } from "../../src/base/scheduler.ts";
import type { Bench, BenchGroup } from "../bench-group.ts";
import { type Figure, figureOf } from "../figure.ts";
import { type ProcessMemory, processMemory } from "../process-memory.ts";
import { WeftCloud } from "../weft-cloud.ts";

const PORTS = 1_000;
const BRIDGES = 10;
/** What a process needs to come to rest after it serves, and after a thousand bindings: collections included. */
const REST_MS = 4_000;

/** Memory of an agent without traffic: as it starts, and with a thousand ports bound. */
export const memory: BenchGroup = {
  name: "memory",
  figures: ["agent_idle_mb", "agent_1000_ports_mb"],
  isNative: true,
  async run(bench) {
    const idle: ProcessMemory[] = [];
    const added: number[] = [];
    for (let round = 0; round < bench.pace.memoryRounds; round++) {
      bench.progress(`agent ${round + 1} of ${bench.pace.memoryRounds}, idle`);
      const cloud = await WeftCloud.start(bench.site, { hosts: 1, form: bench.form });
      const before = await atRest(bench, cloud);
      idle.push(before);
      if (round === 0) {
        bench.progress(`binding ${PORTS} ports`);
        await bindPorts(bench, cloud);
        const after = await atRest(bench, cloud);
        added.push(after.total - before.total);
      }
      await bench.site.clear();
    }
    return figures(idle, added);
  },
};

async function atRest({ site }: Bench, cloud: WeftCloud): Promise<ProcessMemory> {
  await sleep(site.scheduler, REST_MS);
  return processMemory(cloud.host(0).agent.pid);
}

async function bindPorts(bench: Bench, cloud: WeftCloud): Promise<void> {
  const host = cloud.host(0);
  const vms = bench.site.space("vms");
  for (let from = 0; from < BRIDGES; from++) {
    const bridgeId = await cloud.bridge(`bridge${from}`);
    const names = Array.from({ length: PORTS / BRIDGES }, (_, i) => `p${from}x${i}`);
    for (const name of names)
      bench.site.join({ from: { space: host.space, name }, to: { space: vms, name }, mtu: 1450 });
    await cloud.bind(names.map((name) => ({ name, host, bridgeId, portId: randomUUID() })));
    bench.progress(`binding ports, ${(from + 1) * names.length} of ${PORTS}`);
  }
}

function figures(idle: readonly ProcessMemory[], added: readonly number[]): readonly Figure[] {
  const part = (name: string, of: keyof ProcessMemory): Figure =>
    figureOf({ name, unit: "MB", values: idle.map((sample) => sample[of]) });
  return [
    part("agent_idle_mb", "total"),
    part("agent_idle_maps_mb", "maps"),
    part("agent_idle_heap_mb", "anonymous"),
    part("agent_idle_program_mb", "files"),
    figureOf({ name: "agent_1000_ports_mb", unit: "MB", values: added }),
  ];
}
