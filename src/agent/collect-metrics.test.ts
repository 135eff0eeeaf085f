import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseIp } from "../addr/ip.ts";
import { ManualClock } from "../base/clock.ts";
import { formatExposition } from "../base/exposition.ts";
import { counterFamilies } from "../base/metric-family.ts";
import { CounterSum, Counters } from "../base/metrics.ts";
import { Prng } from "../base/prng.ts";
import { ProcessMetrics } from "../base/process-metrics.ts";
import { unwrap } from "../base/result.ts";
import { VirtualScheduler } from "../base/scheduler.ts";
import { type ParsedFamily, parseExposition } from "../base/testing/exposition-parser.ts";
import { MemoryDatapath } from "../datapath/memory/memory-datapath.ts";
import { writePeer, writeVport } from "../datapath/records.ts";
import { dropCode } from "../flow/drop-reason.ts";
import {
  BUCKET_GENERATION,
  BUCKET_WORDS,
  COUNTER_WORDS,
  CREDIT_WORDS,
  KEEPALIVE_REQUESTS,
  KEEPALIVE_WORDS,
  SHARD_COUNT,
} from "../flow/layout.ts";
import { MemoryTreeServer } from "../store/memory/memory-tree-server.ts";
import { MapMetrics } from "../store/recipes/map-metrics.ts";
import { StoreClientMetrics } from "../store/store-client-metrics.ts";
import { AGENT_METRICS } from "./agent-metrics.ts";
import { AgentState } from "./agent-state.ts";
import { collectMetrics } from "./collect-metrics.ts";
import { ControlCore } from "./core/control.ts";
import { SLICE_OBJECTS_MAX } from "./core/limits.ts";
import { WorkerCounts } from "./core/worker-counts.ts";
import { datapathAuditMetrics } from "./datapath-audit.ts";
import { hostMemoryMetrics } from "./host-memory.ts";
import { parseInterfaceCounters } from "./interface-counters.ts";
import { Questions } from "./questions.ts";

const HOST = "00000000-0000-8000-8000-000000000001";
const PEER = "00000000-0000-8000-8000-000000000002";
const catalogue = { zookeeper_requests: "requests" } as const;

function agent() {
  const scheduler = new VirtualScheduler();
  const datapath = new MemoryDatapath({
    ...{ clock: new ManualClock(0), prng: new Prng(2), bucketsPerShard: 1 },
    send: () => undefined,
  });
  const state = new AgentState({
    ...{ hostId: HOST, release: "1", startedAt: 5, workers: 2, datapathName: "memory", datapath },
    core: new ControlCore({ hostId: HOST, udpPort: 6677 }, new Prng(1)),
    questions: new Questions({ scheduler, workers: 2, send: () => undefined }),
    isStoreConnected: () => true,
  });
  const storeClient = new StoreClientMetrics(scheduler.clock);
  const parts = {
    ...{ state, datapath, storeClient, clock: scheduler.clock, ringBytes: 524_288 },
    process: new ProcessMetrics(scheduler, { process: "agent", release: "1", logLines: () => ({ warn: 3 }) }),
    storeCounters: new CounterSum(catalogue),
    memory: { counters: new Counters(hostMemoryMetrics) },
    audit: { counters: new Counters(datapathAuditMetrics) },
    maps: new MapMetrics(),
    keepAlives: { states: () => new Map([[3, "alive" as const]]) },
  };
  const families = (): ReadonlyMap<string, ParsedFamily> => parseExposition(formatExposition(collectMetrics(parts)));
  const value = (name: string, labels: Readonly<Record<string, string>> = {}): number | undefined => {
    const wanted = Object.entries(labels);
    const found = families()
      .get(name)
      ?.samples.find((sample) => wanted.every(([key, text]) => sample.labels[key] === text));
    return found?.value;
  };
  return { ...parts, scheduler, families, value };
}

describe("the metrics of an agent", () => {
  it("are what the catalogue says, and everything in the catalogue is told", async () => {
    const { families, state, datapath, storeClient, maps, scheduler } = agent();
    const tree = storeClient.measure(new MemoryTreeServer({ scheduler, redialMs: 1 }).connect());
    const read = tree.get("/nothing");
    while (scheduler.step() && scheduler.clock.now() < 100) await Promise.resolve();
    await read;
    state.told([{ kind: "peer", hostId: PEER, peer: 3, mtu: 1400 }]);
    writePeer(datapath.memory.peers, {
      peer: 3,
      address: unwrap(parseIp("192.0.2.2")),
      mtu: 1400,
      isUp: true,
      epoch: 9,
    });
    datapath.memory.peerSeen[3] = 1;
    state.take(0, { kind: "counts", drops: [{ vport: 0, reason: dropCode("no-route"), packets: 3 }], metrics: {} });
    maps.add("fdb", { size: 3, ownOpinions: 2 });
    const told = families();
    const known = { ...AGENT_METRICS, ...counterFamilies(catalogue) };
    // No port is bound to an interface of this process.
    const unbound = ["weft_port_received_packets_total", "weft_port_received_bytes_total"];
    assert.deepEqual([...told.keys(), ...unbound].toSorted(), Object.keys(known).toSorted());
    for (const [name, { type, help }] of told) assert.deepEqual([type, help], [known[name]?.type, known[name]?.help]);
  });

  it("add the workers up and tell removed flows by cause", () => {
    const { state, value } = agent();
    for (const worker of [0, 1]) {
      const counts = new WorkerCounts();
      counts.metrics.add("weft_worker_upcalls", 5);
      counts.metrics.add("weft_worker_flows_evicted", 2);
      counts.metrics.set("weft_worker_parked_now", 7);
      state.take(worker, counts.message());
    }
    assert.equal(value("weft_worker_upcalls_total"), 10);
    assert.equal(value("weft_worker_parked_now"), 14);
    assert.equal(value("weft_flows_removed_total", { cause: "evicted" }), 4);
    assert.equal(value("weft_flows_removed_total", { cause: "expired" }), 0);
  });

  it("read table, queues and peers from the memory that is shared with the datapath", () => {
    const { datapath, state, value, scheduler } = agent();
    const { buckets, counters, credits, vports, peers, peerSeen, keepAlives } = datapath.memory;
    // Two flows, one being written; the counters of a slot that is free again still count.
    buckets[BUCKET_GENERATION] = 2;
    buckets[BUCKET_WORDS + BUCKET_GENERATION + 1] = 3;
    counters.set([10, 1], 0);
    counters.set([7, 0], COUNTER_WORDS + 2);
    assert.equal(value("weft_flows"), 1);
    assert.equal(value("weft_flow_slots"), SHARD_COUNT * 8);
    assert.equal(value("weft_datapath_packets_total"), 2 ** 32 + 17);
    const record = { ifindex: 4, kind: 1, isUp: true, mayRedirectPeer: false, epoch: 77 };
    writeVport(vports, 5, { record, credits: [64, 1000] });
    credits.set([12, 900, 9, 300], (5 * SHARD_COUNT + 2) * CREDIT_WORDS);
    assert.equal(value("weft_upcall_queue_packets", { shard: "2" }), 3);
    assert.equal(value("weft_upcall_queue_bytes", { shard: "2" }), 600);
    assert.equal(value("weft_upcall_queue_packets", { shard: "3" }), 0);
    assert.equal(value("weft_limit_used", { limit: "vports" }), 1);
    assert.equal(value("weft_limit", { limit: "topology objects" }), SLICE_OBJECTS_MAX);
    state.told([{ kind: "peer", hostId: PEER, peer: 3, mtu: 1400 }]);
    writePeer(peers, { peer: 3, address: unwrap(parseIp("192.0.2.2")), mtu: 1400, isUp: false, epoch: 9 });
    scheduler.advanceTo(5_000);
    assert.equal(value("weft_peer_last_seen_seconds"), undefined);
    peerSeen[3] = 3_000;
    assert.deepEqual([value("weft_peer_up"), value("weft_peer_mtu_bytes", { peer: PEER })], [0, 1400]);
    assert.equal(value("weft_peer_last_seen_seconds"), 2);
    keepAlives.set([4, 5, 6, 0, 2_500], 3 * KEEPALIVE_WORDS + KEEPALIVE_REQUESTS);
    const said = ["answered", "taken", "refused"].map((outcome) => value("weft_keep_alives_total", { outcome }));
    assert.deepEqual(said, [4, 5, 6]);
    assert.equal(value("weft_peer_round_trip_seconds"), 0.0025);
    assert.equal(value("weft_peer_state", { peer: PEER, state: "alive" }), 1);
    state.told([{ kind: "peer", hostId: PEER, peer: 3, mtu: 0 }]);
    assert.equal(value("weft_peer_up"), undefined);
  });

  it("count the driver's clients of one session after another as one", () => {
    const { storeCounters, value } = agent();
    const [first, second] = [new Counters(catalogue), new Counters(catalogue)];
    storeCounters.follow(first);
    first.add("zookeeper_requests", 3);
    storeCounters.follow(second);
    second.add("zookeeper_requests", 4);
    assert.equal(value("weft_zookeeper_requests_total"), 7);
  });
});

describe("what a client of the store measures", () => {
  it("counts requests by operation and outcome, their time, and the session's states", async () => {
    const { storeClient, value, scheduler } = agent();
    const server = new MemoryTreeServer({ scheduler, redialMs: 1 });
    const tree = storeClient.measure(server.connect());
    const settle = async <T>(outcome: Promise<T>): Promise<T> => {
      for (let i = 0; i < 50; i++) {
        await Promise.resolve();
        scheduler.step();
      }
      return outcome;
    };
    const none = new Uint8Array(0);
    assert.equal((await settle(tree.create("/a", none))).ok, true);
    assert.equal((await settle(tree.create("/a", none))).ok, false);
    await settle(tree.multi([{ op: "remove", path: "/missing" }]));
    const count = (operation: string, outcome: string) =>
      value("weft_store_client_requests_total", { operation, outcome });
    assert.deepEqual([count("create", "ok"), count("create", "node-exists"), count("multi", "no-node")], [1, 1, 1]);
    assert.equal(value("weft_store_client_session_state", { state: "connected" }), 1);
    assert.equal(value("weft_store_client_sessions_total"), 1);
    server.stop();
  });
});

it("reads /proc/net/dev, also of interfaces with long names", () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop
    lo: 100 2 0 0 0 0 0 0 100 2 0 0 0 0 0 0
weft-a-very-long:7 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0
`;
  assert.deepEqual(
    [...parseInterfaceCounters(text)],
    [
      ["lo", { bytes: 100, packets: 2 }],
      ["weft-a-very-long", { bytes: 7, packets: 1 }],
    ],
  );
});
