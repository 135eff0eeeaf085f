import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { ipFromV4 } from "../../addr/ip.ts";
import { ManualClock } from "../../base/clock.ts";
import { Prng } from "../../base/prng.ts";
import { dropReasonOf } from "../../flow/drop-reason.ts";
import { FlowTable } from "../../flow/flow-table.ts";
import { shardOf } from "../../flow/hash.ts";
import { extractKey } from "../../flow/key.ts";
import {
  ACTION_DEC_TTL,
  ACTION_TUNNEL,
  ACTION_VPORT,
  ACTION_WORDS,
  CLASS_FULL,
  KEY_WORDS,
  UPCALL_MISS,
  UPCALL_TTL_EXPIRED,
  VPORT_MAX,
} from "../../flow/layout.ts";
import { MemoryDatapath, type UnderlayFrame } from "./memory-datapath.ts";

/** An UDP packet from 10.0.0.1 to 10.0.0.2 with TTL 64 and good checksums. */
const frame = Uint8Array.from(
  Buffer.from(
    "020000000002020000000001080045000020000000004011" + "66cb0a0000010a000002" + "0400003500" + "0c0000deadbeef",
    "hex",
  ),
);

const mac = 0x0200_0000_0001;

describe("memory datapath", () => {
  let sent: UnderlayFrame[];
  let delivered: Uint8Array[];
  let datapath: MemoryDatapath;

  beforeEach(async () => {
    sent = [];
    delivered = [];
    const clock = new ManualClock(1000);
    datapath = new MemoryDatapath({ clock, prng: new Prng(1), bucketsPerShard: 8, send: (f) => sent.push(f) });
    datapath.addInterface("a", { mac, mtu: 1500, deliver: () => undefined });
    datapath.addInterface("b", { mac, mtu: 1500, deliver: (f) => delivered.push(f) });
    await datapath.setUnderlay({ address: ipFromV4(0xc000_0201), udpPort: 6677, mtu: 1500 });
    await datapath.setPeers([{ peer: 3, address: ipFromV4(0xc000_0202), mtu: 1450, isUp: true, epoch: 0 }]);
    await datapath.setPorts([
      { vport: 1, interfaceName: "a", epoch: 1 },
      { vport: 2, interfaceName: "b", epoch: 1 },
    ]);
  });

  it("takes tunnelled frames only at our end of the tunnels, also from a peer", async () => {
    await datapath.setTunnelKeys([{ key: 5, target: { kind: "vport", vport: 2 } }]);
    const came = { from: "192.0.2.2", tunnelKey: 5, frame };
    datapath.receiveUnderlay({ ...came, to: "192.0.2.77" });
    assert.equal(delivered.length, 0);
    assert.deepEqual(
      datapath.drops().map(({ vport, reason }) => [vport, dropReasonOf(reason)]),
      [[0, "underlay-guard"]],
    );
    datapath.receiveUnderlay({ ...came, to: "192.0.2.1" });
    assert.equal(delivered.length, 1);
  });

  function install(action: Partial<Record<number, number>>): void {
    const key = new Uint32Array(KEY_WORDS);
    extractKey(frame, { vportIndex: 1 }, key);
    const table = new FlowTable(datapath.memory, VPORT_MAX);
    const shard = shardOf(key, 0, datapath.memory.control);
    const slot = table.place(key, 0, { flowClass: CLASS_FULL, shard, now: 0 });
    const words = new Uint32Array(ACTION_WORDS);
    for (const [word, value] of Object.entries(action)) words[Number(word)] = value as number;
    table.write(slot, { key, keyOffset: 0, flowClass: CLASS_FULL, action: words, actionOffset: 0, now: 0 });
  }

  function upcalls(): { kind: number; bytes: Uint8Array }[] {
    const seen: { kind: number; bytes: Uint8Array }[] = [];
    const shards = Array.from({ length: 16 }, (_, i) => i);
    datapath
      .openWorker(0, shards)
      .poll(100, (record) => seen.push({ kind: record.words[0] as number, bytes: record.bytes }));
    return seen;
  }

  it("sends up what it has no flow for, and nothing that it has one for", () => {
    datapath.receive("a", frame);
    assert.deepEqual(upcalls(), [{ kind: UPCALL_MISS, bytes: frame }]);
    install({ 0: ACTION_VPORT, 1: 2 });
    datapath.receive("a", frame);
    assert.deepEqual(upcalls(), []);
    assert.deepEqual(delivered, [frame]);
  });

  it("decrements TTL with a right checksum, and sends up what would reach zero", () => {
    install({ 0: ACTION_VPORT | ACTION_DEC_TTL, 1: 2, 3: 1 << 16 });
    datapath.receive("a", frame);
    const out = delivered[0] as Uint8Array;
    assert.equal(out[22], 63);
    assert.equal(headerSum(out), 0xffff);
    const dying = frame.slice();
    dying[22] = 1;
    datapath.receive("a", dying);
    assert.equal(upcalls()[0]?.kind, UPCALL_TTL_EXPIRED);
  });

  it("tunnels to a peer under the key, and delivers by key what comes from a peer", async () => {
    install({ 0: ACTION_TUNNEL, 1: 3, 2: 0x1234 });
    datapath.receive("a", frame);
    assert.deepEqual(sent, [{ from: "192.0.2.1", to: "192.0.2.2", tunnelKey: 0x1234, frame }]);
    await datapath.setTunnelKeys([{ key: 0x77, target: { kind: "vport", vport: 2 } }]);
    datapath.receiveUnderlay({ from: "192.0.2.2", to: "192.0.2.1", tunnelKey: 0x77, frame });
    assert.equal(delivered.length, 1);
    datapath.receiveUnderlay({ from: "192.0.2.66", to: "192.0.2.1", tunnelKey: 0x77, frame });
    assert.equal(delivered.length, 1, "not from a stranger");
  });

  it("holds a port that floods to its budget while another port's first packet goes up", () => {
    for (let i = 0; i < 1000; i++) datapath.receive("a", frame);
    datapath.receive("b", frame);
    assert.ok(datapath.drops().some((drop) => drop.vport === 1 && drop.reason === 27 && drop.packets > 900));
    assert.ok(!datapath.drops().some((drop) => drop.vport === 2));
  });

  it("drops to a port that is down, and says so", () => {
    install({ 0: ACTION_VPORT, 1: 2 });
    datapath.setInterfaceUp("b", false);
    datapath.receive("a", frame);
    assert.deepEqual(delivered, []);
    assert.deepEqual(datapath.drops(), [{ vport: 2, reason: 32, packets: 1, bytes: frame.length }]);
  });
});

function headerSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 14; i < 34; i += 2) sum += ((bytes[i] as number) << 8) | (bytes[i + 1] as number);
  return (sum & 0xffff) + (sum >>> 16);
}
