import { ipFromV4 } from "../../../src/addr/ip.ts";
import { ManualClock } from "../../../src/base/clock.ts";
import { Prng } from "../../../src/base/prng.ts";
import type { DatapathMemory, DatapathWorker, DropCount } from "../../../src/datapath/datapath.ts";
import { MemoryDatapath } from "../../../src/datapath/memory/memory-datapath.ts";
import type { RunOutcome } from "../../../src/ebpf/fixture/program-runner.ts";
import { FlowTable } from "../../../src/flow/flow-table.ts";
import { shardOf } from "../../../src/flow/hash.ts";
import { extractKey } from "../../../src/flow/key.ts";
import {
  CONTROL_BUCKETS,
  CONTROL_SECRETS,
  KEY_WORDS,
  SHARD_COUNT,
  UPCALL_HEADER_WORDS,
  VPORT_MAX,
} from "../../../src/flow/layout.ts";

const MAC = 0x0200_0000_0001;
const OWN_ADDRESS = ipFromV4(0x0a00_0001);
const ALL_SHARDS = Array.from({ length: SHARD_COUNT }, (_, i) => i);

/** Ports and peer of a twin; the same for both datapaths. */
export interface TwinWorld {
  /** Vports with an interface. */
  readonly vports: readonly number[];
  readonly peer: number;
  readonly peerMtu: number;
}

/**
 * A memory datapath beside an eBPF one, with the same hash secrets and table size, that tells what it did with a frame in the words
 * of a `ProgramRunner`: two independent answers to one question.
 */
export class MemoryTwin {
  readonly memory: DatapathMemory;
  readonly flows: FlowTable;
  readonly #datapath: MemoryDatapath;
  readonly #worker: DatapathWorker;
  #outcome: Partial<RunOutcome> = {};

  private constructor(datapath: MemoryDatapath) {
    this.#datapath = datapath;
    this.memory = datapath.memory;
    this.flows = new FlowTable(datapath.memory, VPORT_MAX);
    this.#worker = datapath.openWorker(0, ALL_SHARDS);
  }

  /** Makes the twin of the datapath with this memory. */
  static async of(memory: DatapathMemory, world: TwinWorld): Promise<MemoryTwin> {
    const { control } = memory;
    const datapath: MemoryDatapath = new MemoryDatapath({
      clock: new ManualClock(1000),
      prng: new Prng(1),
      bucketsPerShard: control[CONTROL_BUCKETS] as number,
      send: ({ tunnelKey, frame }) => twin.#left({ verdict: "tunnel", index: world.peer, tunnelKey, frame }),
    });
    datapath.memory.control.set(control.subarray(CONTROL_SECRETS, CONTROL_SECRETS + 4), CONTROL_SECRETS);
    const twin: MemoryTwin = new MemoryTwin(datapath);
    for (const vport of world.vports) {
      const deliver = (frame: Uint8Array): void => twin.#left({ verdict: "vport", index: vport, tunnelKey: 0, frame });
      datapath.addInterface(`port${vport}`, { mac: MAC, mtu: 1500, deliver });
    }
    await datapath.setPorts(world.vports.map((vport) => ({ vport, interfaceName: `port${vport}`, epoch: 1 })));
    await datapath.setUnderlay({ address: OWN_ADDRESS, udpPort: 6677, mtu: 1500 });
    const peer = { peer: world.peer, address: ipFromV4(0x0a00_0002), mtu: world.peerMtu, isUp: true, epoch: 1 };
    await datapath.setPeers([peer]);
    return twin;
  }

  /** Installs a flow for frames like this one; returns its slot. */
  install(
    input: { readonly frame: Uint8Array; readonly vport: number },
    flowClass: number,
    action: Uint32Array,
  ): number {
    const key = new Uint32Array(KEY_WORDS);
    extractKey(input.frame, { vportIndex: input.vport }, key);
    const shard = shardOf(key, 0, this.memory.control);
    const slot = this.flows.place(key, 0, { flowClass, shard, now: 1000 });
    this.flows.write(slot, { key, keyOffset: 0, flowClass, action, actionOffset: 0, now: 1000 });
    return slot;
  }

  /** What happens to a frame that comes in by a vport. */
  runFrame({ frame, vport }: { readonly frame: Uint8Array; readonly vport: number }): RunOutcome {
    return this.#watch(() => this.#datapath.receive(`port${vport}`, frame));
  }

  /** What happens to a frame that the agent sends. */
  execute(frame: Uint8Array, ingressVport: number, action: Uint32Array): RunOutcome {
    const whole = { bytes: frame, offset: 0, length: frame.length, ingressVport, gsoSize: 0, isChecksumPartial: false };
    return this.#watch(() => {
      this.#worker.execute(whole, action, 0);
      this.#worker.flush();
    });
  }

  #left(outcome: Partial<RunOutcome>): void {
    this.#outcome = outcome;
  }

  #watch(act: () => void): RunOutcome {
    this.#outcome = {};
    const before = this.#datapath.drops();
    act();
    const upcalls: { words: Uint32Array; frame: Uint8Array }[] = [];
    this.#worker.poll(64, ({ words, offset, bytes, frameOffset, frameLength }) => {
      const header = words.slice(offset, offset + UPCALL_HEADER_WORDS);
      upcalls.push({ words: header, frame: bytes.slice(frameOffset, frameOffset + frameLength) });
    });
    const dropped = newDrop(before, this.#datapath.drops());
    if (dropped !== undefined) this.#left({ verdict: "drop", index: dropped.reason });
    const [upcall] = upcalls;
    if (upcall !== undefined) this.#left({ verdict: "upcall", index: upcall.words[0] as number });
    const nothing: RunOutcome = { verdict: "consumed", index: 0, tunnelKey: 0, frame: new Uint8Array(0), upcalls };
    return { ...nothing, ...this.#outcome };
  }
}

function newDrop(before: readonly DropCount[], after: readonly DropCount[]): DropCount | undefined {
  return after.find(({ vport, reason, packets }) => {
    const earlier = before.find((drop) => drop.vport === vport && drop.reason === reason);
    return packets > (earlier?.packets ?? 0);
  });
}
