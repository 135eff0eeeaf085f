import { makeWorker } from "../src/agent/make-worker.ts";
import { shardsOf } from "../src/agent/worker-settings.ts";
import { systemClock } from "../src/base/clock.ts";
import { Prng } from "../src/base/prng.ts";
import type { DatapathMemory, DatapathWorker, UpcallHandler, UpcallRecord } from "../src/datapath/datapath.ts";
import { MemoryDatapath } from "../src/datapath/memory/memory-datapath.ts";
import { shardOf } from "../src/flow/hash.ts";
import { extractKey } from "../src/flow/key.ts";
import { SHARD_COUNT, UPCALL_HEADER_WORDS, UPCALL_KEY, UPCALL_MISS } from "../src/flow/layout.ts";
import type { TopologyObject } from "../src/model/objects.ts";
import { NEIGHBOR_DEFAULTS } from "../src/state/neighbor-settings.ts";
import { buildFrame } from "../src/wire/build-frame.ts";

/** Buckets of each shard: 128k flows at 3/4 load, as an agent has them by default. */
const BUCKETS_PER_SHARD = 1376;
/** Bytes that other work touches between two lone upcalls: more than a processor keeps for itself, most of what several share. */
const OTHER_WORK_BYTES = 24 << 20;
/** Bytes of a cache line. */
const LINE_BYTES = 64;

/** A worker's face that hands out the same record again and again, each time with another flow key, and sends nothing. */
class EndlessUpcalls implements DatapathWorker {
  readonly shards = shardsOf(0, 1, SHARD_COUNT);
  readonly memory: DatapathMemory;
  executed = 0;
  /** Upcalls of one poll at most. */
  batch = Number.POSITIVE_INFINITY;
  readonly #record: UpcallRecord;
  readonly #next: (record: UpcallRecord) => void;

  constructor(memory: DatapathMemory, frame: Uint8Array, next: (record: UpcallRecord) => void) {
    this.memory = memory;
    this.#next = next;
    this.#record = {
      words: new Uint32Array(UPCALL_HEADER_WORDS),
      offset: 0,
      bytes: frame,
      frameOffset: 0,
      frameLength: frame.length,
    };
  }

  poll(limit: number, handle: UpcallHandler): number {
    const count = Math.min(limit, this.batch);
    for (let i = 0; i < count; i++) {
      this.#next(this.#record);
      handle(this.#record);
    }
    return count;
  }

  execute(): boolean {
    this.executed++;
    return true;
  }

  flush(): void {
    // Nothing is queued.
  }

  sleep(): boolean {
    return false;
  }

  close(): void {
    // Nothing is open.
  }
}

const base = { tenant: "t", isUp: true } as const;

function topology(): readonly TopologyObject[] {
  const rules = Array.from({ length: 10 }, (_, i) => `rule${i}`);
  return [
    { ...base, kind: "bridge", id: "b", name: "b", portIds: ["p1", "p2"], inboundFilterId: "c" },
    { kind: "chain", id: "c", tenant: "t", name: "c", ruleIds: rules },
    ...rules.map(
      (id, i): TopologyObject => ({
        kind: "rule",
        id,
        chainId: "c",
        condition: { protocol: 17, fragments: "header", destinationPorts: { from: 60_000 + i, to: 60_000 + i } },
        action: { type: "drop" },
      }),
    ),
    {
      ...base,
      kind: "port",
      deviceKind: "bridge",
      id: "p1",
      bridgeId: "b",
      binding: { hostId: "h", interfaceName: "p1", generation: 1 },
    },
    {
      ...base,
      kind: "port",
      deviceKind: "bridge",
      id: "p2",
      bridgeId: "b",
      binding: { hostId: "h", interfaceName: "p2", generation: 1 },
    },
  ];
}

/** What an upcall costs in the worker: simulation that reads L4, book-keeping, slot. */
export interface UpcallCost {
  /** Nanoseconds of each when they follow each other; every install evicts in the end. */
  readonly ns: number;
  readonly evicted: number;
  /** Median nanoseconds of one that comes alone, after other work has had the caches. */
  readonly coldNs: number;
}

/** Touches a line of each 64 bytes, as whoever had the processor meanwhile did. */
function otherWork(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += LINE_BYTES) bytes[at] = (bytes[at] as number) + 1;
}

/** Measures both, each for so many seconds. */
export async function upcallCost(seconds: number): Promise<UpcallCost> {
  const frame = buildFrame({
    eth: { dst: 2, src: 1 },
    ipv4: { src: 0x0a00_0001, dst: 0x0a00_0002, ttl: 64 },
    udp: { srcPort: 1, dstPort: 53 },
    payload: new Uint8Array(18),
  });
  const datapath = new MemoryDatapath({
    clock: systemClock,
    prng: new Prng(1),
    bucketsPerShard: BUCKETS_PER_SHARD,
    send: () => undefined,
  });
  const key = new Uint32Array(16);
  extractKey(frame, { vportIndex: 1 }, key);
  let flow = 0;
  const face = new EndlessUpcalls(datapath.memory, frame, (record) => {
    flow++;
    const { words } = record;
    words[0] = UPCALL_MISS;
    words[1] = frame.length;
    words[2] = frame.length;
    words[3] = 1;
    const now = systemClock.now() * 1e6;
    words[8] = now % 0x1_0000_0000;
    words[9] = Math.floor(now / 0x1_0000_0000);
    words.set(key, UPCALL_KEY);
    words[UPCALL_KEY + 10] = 0x0a + (flow >>> 16) * 0x0100_0000;
    words[UPCALL_KEY + 15] = (flow & 0xffff) | 0x3500_0000;
    words[7] = shardOf(words, UPCALL_KEY, datapath.memory.control);
  });
  const start = {
    worker: 0,
    workers: 1,
    shards: face.shards,
    seed: 1,
    datapath: {},
    neighbor: NEIGHBOR_DEFAULTS,
    maySpin: false,
  };
  const core = makeWorker(start, { datapath: face, clock: systemClock, send: () => undefined });
  const world = (change: Extract<Parameters<typeof core.receive>[0], { kind: "world" }>["change"]): void =>
    core.receive({ kind: "world", change }, systemClock.now());
  for (const object of topology()) world({ kind: "object", object });
  for (const [i, portId] of ["p1", "p2"].entries())
    world({ kind: "placement", portId, placement: { at: "local", vport: i + 1, isActive: true } });
  world({ kind: "fdb", bridgeId: "b", vlan: 0, mac: 1, portId: "p1" });
  world({ kind: "fdb", bridgeId: "b", vlan: 0, mac: 2, portId: "p2" });
  const run = (span: number): number => {
    const from = performance.now();
    const before = face.executed;
    while (performance.now() - from < span) core.turn(systemClock.now());
    return ((performance.now() - from) * 1e6) / (face.executed - before);
  };
  run(2_000);
  const ns = run(seconds * 1000);
  const evicted = core.counts.metrics.get("weft_worker_flows_evicted");
  face.batch = 1;
  return { ns, evicted, coldNs: medianAlone(seconds * 1000, () => core.turn(systemClock.now())) };
}

/** Median nanoseconds of a turn with one upcall, when other work comes before each. */
function medianAlone(span: number, turn: () => void): number {
  const memory = new Uint8Array(OTHER_WORK_BYTES);
  const spans: number[] = [];
  for (const end = performance.now() + span; performance.now() < end; ) {
    otherWork(memory);
    const from = performance.now();
    turn();
    spans.push(performance.now() - from);
  }
  return (spans.sort((a, b) => a - b)[spans.length >> 1] as number) * 1e6;
}

if (process.argv[1]?.endsWith("upcall.ts") === true) console.log(await upcallCost(5));
