import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { unwrap } from "../../../src/base/result.ts";
import { sleep, systemScheduler } from "../../../src/base/scheduler.ts";
import * as frames from "../../../src/datapath/compliance/frames.ts";
import {
  type Output,
  PEERS,
  peerAddress,
  type Rig,
  STRANGER,
  UNDERLAY,
  WORLD,
} from "../../../src/datapath/compliance/rig.ts";
import type { DatapathControl, DatapathWorker } from "../../../src/datapath/datapath.ts";
import { EbpfWorker } from "../../../src/ebpf/ebpf-worker.ts";
import { monotonicMs } from "../../../src/ebpf/fixture/switch-agent.ts";
import { compileDatapath, TestHost, TestNamespace, v4 } from "../../../src/ebpf/fixture/test-host.ts";
import { SHARD_COUNT, VPORT_UP, VPORT_WORDS } from "../../../src/flow/layout.ts";
import { createVeth } from "../../../src/linux/netlink/route/create-link.ts";
import { changeLink, deleteLink, getLink } from "../../../src/linux/netlink/route/link.ts";
import { addNeighbor } from "../../../src/linux/netlink/route/neighbor.ts";
import { PacketReceiver, type ReceivedFrame } from "../../../src/linux/packet-receiver.ts";
import { PacketSender } from "../../../src/linux/packet-sender.ts";
import { disableIpv6 } from "../../../src/linux/sysctl.ts";
import { buildFrame } from "../../../src/wire/build-frame.ts";
import { layerOf, parseFrame } from "../../../src/wire/frame.ts";
import { fillChecksums } from "../../../src/wire/frame-checksum.ts";
import { Ipv4View } from "../../../src/wire/ipv4.ts";
import { UdpView } from "../../../src/wire/udp.ts";

const ALL_SHARDS = Array.from({ length: SHARD_COUNT }, (_, i) => i);
/** Room for four tags beyond the longest frame of the suite. */
const MTU = 2000;
const HOST_MAC = 0x0200_0000_0a01;
const WIRE_MAC = 0x0200_0000_0a02;
const UNDERLAY_DEVICE = "under0";
const WIRE_DEVICE = "wire0";
/** Bytes of outer Ethernet, IPv4, UDP and VXLAN headers. */
const OUTER_BYTES = 14 + 20 + 8 + 8;
/** How often `wait` says yes before a case is given up, and after how many it waits by the clock. */
const WAITS_MAX = 3000;
const EAGER_WAITS = 50;
/** Queues that a frame passes at most on its way: two interfaces, the tunnel device, and one to spare. */
const HOPS = 4;

/** One end of a veth pair, on which the test sends and receives. */
class FarEnd {
  readonly sender: PacketSender;
  readonly receiver: PacketReceiver;

  constructor(space: TestNamespace, device: string) {
    const ifindex = space.ifindex(device);
    this.sender = unwrap(space.netns.runResult(() => PacketSender.open({ ifindex, slots: 1 })));
    this.receiver = unwrap(space.netns.runResult(() => PacketReceiver.open(ifindex)));
  }

  send(frame: Uint8Array, isChecksumPartial = false): void {
    this.sender.bytes.set(isChecksumPartial ? frames.withPseudoSum(frame) : frame, this.sender.frameOffset(0));
    this.sender.describe(0, frame.length, 0);
    if (isChecksumPartial) {
      const parsed = parseFrame(frame);
      const transport = layerOf(parsed, "udp") ?? layerOf(parsed, "tcp");
      assert.ok(transport);
      this.sender.completeChecksum(0, transport.offset, transport.header === "udp" ? 6 : 16);
    }
    assert.equal(this.sender.flush(0, 1), 1, `${this.sender.errno}`);
  }

  /** Frames that came in, tags in their bytes. */
  received(): readonly ReceivedFrame[] {
    const came = this.receiver.receiveAll().filter(({ isOutgoing }) => !isOutgoing);
    return came.map((frame) => ({ ...frame, bytes: tagged(frame) }));
  }

  close(): void {
    this.sender.close();
    this.receiver.close();
  }
}

/**
 * The compliance suite's world around the eBPF datapath: a veth for each vport, the first two with their far end in a namespace of
 * its own and the third in the host's (which is sent to in another way), and an underlay whose other end is the test.
 */
export class VethRig implements Rig {
  readonly lacks = {};
  readonly control: DatapathControl;
  readonly worker: DatapathWorker;
  readonly #host: TestHost;
  readonly #spaces = new Map<number, TestNamespace>();
  readonly #ends = new Map<number, FarEnd>();
  readonly #wire: TestNamespace;
  readonly #wireEnd: FarEnd;
  /** A veth pair of no datapath: frames on it come after all that were sent before. */
  readonly #probes: readonly [FarEnd, FarEnd];
  #waits = 0;
  #probe = 0;

  private constructor(host: TestHost) {
    this.#host = host;
    this.control = host.datapath;
    const { space } = host;
    for (const vport of WORLD.vports) this.#spaces.set(vport, vport === 3 ? space : new TestNamespace(`end${vport}`));
    for (const vport of WORLD.vports) this.#makeInterface(vport);
    this.#wire = new TestNamespace("wire");
    this.#wireEnd = this.#makeUnderlay();
    this.#probes = this.#makeProbes();
    const place = { worker: 0, shards: ALL_SHARDS, netns: space.netns };
    this.worker = unwrap(EbpfWorker.open(host.datapath.workerSettings(), place));
  }

  /** Makes the world. The thread stays on one CPU, so that frames keep their order on the way. */
  static async open(): Promise<VethRig> {
    assert.ok(compileDatapath());
    spawnSync("taskset", ["-cp", "0", `${process.pid}`]);
    return new VethRig(await TestHost.open("rig"));
  }

  now(): number {
    return monotonicMs();
  }

  send(
    vport: number,
    frame: Uint8Array,
    { isChecksumPartial = false }: { readonly isChecksumPartial?: boolean } = {},
  ): void {
    this.#end(vport).send(frame, isChecksumPartial);
  }

  sendTunnelled(peer: number, tunnelKey: number, frame: Uint8Array): void {
    const payload = new Uint8Array(8 + frame.length);
    payload.set([0x08, 0, 0, 0, tunnelKey >>> 16, (tunnelKey >>> 8) & 0xff, tunnelKey & 0xff, 0]);
    payload.set(frame, 8);
    const outer = buildFrame({
      eth: { src: WIRE_MAC, dst: HOST_MAC },
      ipv4: { src: peerAddress(peer), dst: UNDERLAY.address.w3 },
      udp: { srcPort: 50_000, dstPort: UNDERLAY.udpPort },
      payload,
    });
    this.#wireEnd.send(outer);
  }

  sendFromHost(vport: number, frame: Uint8Array): void {
    const { space } = this.#host;
    const ifindex = space.ifindex(this.interfaceOf(vport));
    const sender = unwrap(space.netns.runResult(() => PacketSender.open({ ifindex, slots: 1 })));
    sender.bytes.set(frame, sender.frameOffset(0));
    sender.describe(0, frame.length, 0);
    sender.flush(0, 1);
    sender.close();
  }

  outputs(): readonly Output[] {
    const left: Output[] = [];
    for (const [vport, end] of this.#ends) {
      for (const frame of end.received()) left.push({ kind: "vport", vport, frame: completed(frame.bytes, frame) });
    }
    for (const frame of this.#wireEnd.received()) {
      const output = decapsulated(frame);
      if (output !== undefined) left.push(output);
    }
    return left;
  }

  async wait(): Promise<boolean> {
    if (this.#waits++ >= WAITS_MAX) return false;
    if (this.#waits > EAGER_WAITS) await sleep(systemScheduler, 1);
    else await new Promise<void>((resolve) => systemScheduler.soon(resolve));
    return true;
  }

  async settle(): Promise<void> {
    this.#waits = 0;
    const [from, to] = this.#probes;
    for (let hop = 0; hop < HOPS; hop++) {
      const probe = frames.udp4({ payload: Uint8Array.of(++this.#probe & 0xff, hop) });
      from.send(probe);
      while (!to.received().some(({ bytes }) => Buffer.compare(bytes, probe) === 0)) {
        assert.ok(await this.wait(), "a frame over a plain veth was lost");
      }
    }
    this.#waits = 0;
  }

  async setInterfaceUp(vport: number, isUp: boolean): Promise<void> {
    const space = this.#spaces.get(vport) as TestNamespace;
    unwrap(space.connection.run(changeLink({ name: farName(vport) }, { isUp })));
    await this.#until(() => this.#isUp(vport) === isUp);
    if (isUp) await this.#untilCarried(vport);
  }

  async setInterfacePresent(vport: number, isPresent: boolean): Promise<void> {
    if (isPresent) {
      this.#makeInterface(vport);
      await this.#until(() => this.#isUp(vport));
      return this.#untilCarried(vport);
    }
    this.#end(vport).close();
    this.#ends.delete(vport);
    unwrap(this.#host.space.connection.run(deleteLink({ name: this.interfaceOf(vport) })));
    return this.#until(() => this.control.memory.vports[vport * VPORT_WORDS + 1] === 0);
  }

  async carried(): Promise<void> {
    for (const vport of this.#ends.keys()) await this.#untilCarried(vport);
  }

  interfaceOf(vport: number): string {
    return `port${vport}`;
  }

  async close(): Promise<void> {
    this.worker.close();
    for (const end of [...this.#ends.values(), ...this.#probes, this.#wireEnd]) end.close();
    const spaces = [...this.#spaces.values()].filter((space) => space !== this.#host.space);
    await this.#host.close();
    for (const space of [...spaces, this.#wire]) space.close();
  }

  #end(vport: number): FarEnd {
    const end = this.#ends.get(vport);
    assert.ok(end, `vport ${vport} has no interface`);
    return end;
  }

  #isUp(vport: number): boolean {
    return ((this.control.memory.vports[vport * VPORT_WORDS + 3] as number) & VPORT_UP) !== 0;
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) assert.ok(await this.wait(), "the datapath was not told of the interface");
    this.#waits = 0;
  }

  /** A kernel may take a second to notice that a link has its carrier back, and loses what is sent on it meanwhile. */
  #untilCarried(vport: number): Promise<void> {
    const near = { space: this.#host.space, name: this.interfaceOf(vport) };
    const far = { space: this.#spaces.get(vport) as TestNamespace, name: farName(vport) };
    const isCarried = ({ space, name }: typeof near): boolean =>
      unwrap(space.connection.run(getLink({ name })))?.operState === "up";
    return this.#until(() => isCarried(near) && isCarried(far));
  }

  #makeInterface(vport: number): void {
    const space = this.#spaces.get(vport) as TestNamespace;
    const name = farName(vport);
    const silent = { mtu: MTU, usesArp: false, isMulticast: false };
    const peer = { name, netnsFd: space.netns.fd, ...silent };
    unwrap(this.#host.space.connection.run(createVeth({ link: { name: this.interfaceOf(vport), ...silent }, peer })));
    unwrap(disableIpv6(name, space.netns));
    unwrap(space.connection.run(changeLink({ name }, { isUp: true })));
    this.#ends.set(vport, new FarEnd(space, name));
  }

  #makeUnderlay(): FarEnd {
    const { space } = this.#host;
    const peer = { name: WIRE_DEVICE, netnsFd: this.#wire.netns.fd, mac: macBytes(WIRE_MAC), mtu: MTU, usesArp: false };
    const link = { name: UNDERLAY_DEVICE, mac: macBytes(HOST_MAC), mtu: MTU };
    unwrap(space.connection.run(createVeth({ link, peer })));
    unwrap(disableIpv6(UNDERLAY_DEVICE, space.netns));
    unwrap(disableIpv6(WIRE_DEVICE, this.#wire.netns));
    unwrap(this.#wire.connection.run(changeLink({ name: WIRE_DEVICE }, { isUp: true })));
    unwrap(space.connection.run(changeLink({ name: UNDERLAY_DEVICE }, { isUp: true })));
    space.address(UNDERLAY_DEVICE, addressBytes(UNDERLAY.address.w3), 24);
    const ifindex = space.ifindex(UNDERLAY_DEVICE);
    for (const peerIndex of [STRANGER, ...PEERS.map((known) => known.peer)]) {
      const address = addressBytes(peerAddress(peerIndex));
      unwrap(space.connection.run(addNeighbor({ ifindex, address, mac: macBytes(WIRE_MAC) })));
    }
    return new FarEnd(this.#wire, WIRE_DEVICE);
  }

  #makeProbes(): readonly [FarEnd, FarEnd] {
    const space = this.#wire;
    const silent = { mtu: MTU, usesArp: false, isMulticast: false };
    unwrap(
      space.connection.run(createVeth({ link: { name: "probe0", ...silent }, peer: { name: "probe1", ...silent } })),
    );
    for (const name of ["probe0", "probe1"]) {
      unwrap(disableIpv6(name, space.netns));
      unwrap(space.connection.run(changeLink({ name }, { isUp: true })));
      assert.ok(unwrap(space.connection.run(getLink({ name }))));
    }
    return [new FarEnd(space, "probe0"), new FarEnd(space, "probe1")];
  }
}

function farName(vport: number): string {
  return `far${vport}`;
}

/** What left by the tunnel, with the outer headers as RFC 7348 and our own rules want them; undefined for other frames. */
function decapsulated(received: ReceivedFrame): Output | undefined {
  const { bytes } = received;
  const outer = parseFrame(bytes);
  const ip = layerOf(outer, "ipv4");
  const udp = layerOf(outer, "udp");
  if (ip === undefined || udp === undefined || udp.fields.dstPort !== UNDERLAY.udpPort) return undefined;
  assert.equal(ip.fields.src, UNDERLAY.address.w3);
  assert.deepEqual([ip.fields.dontFragment, ip.fields.ttl, ip.fields.fragmentOffset], [true, 64, 0]);
  assert.ok(udp.fields.srcPort >= 49_152, `source port ${udp.fields.srcPort}`);
  const header = new UdpView(bytes, udp.offset);
  assert.equal(header.checksum, 0, "no outer checksum over IPv4");
  assert.equal(new Ipv4View(bytes, ip.offset).totalLength, bytes.length - 14);
  assert.deepEqual([...bytes.subarray(OUTER_BYTES - 8, OUTER_BYTES - 4)], [0x08, 0, 0, 0], "VXLAN flags");
  const vni = bytes.subarray(OUTER_BYTES - 4, OUTER_BYTES);
  assert.equal(vni[3], 0);
  const tunnelKey = ((vni[0] as number) << 16) | ((vni[1] as number) << 8) | (vni[2] as number);
  const peer = PEERS.find(({ address }) => address.w3 === ip.fields.dst)?.peer ?? -1;
  return { kind: "tunnel", peer, tunnelKey, frame: completed(bytes.slice(OUTER_BYTES), received) };
}

/** The frame with the checksum that was left to the device. */
function completed(bytes: Uint8Array, { isChecksumPartial, gsoSize }: ReceivedFrame): Uint8Array {
  assert.equal(gsoSize, 0);
  if (isChecksumPartial) fillChecksums(parseFrame(bytes));
  return bytes;
}

function tagged({ bytes, vlan }: ReceivedFrame): Uint8Array {
  if (vlan === undefined) return bytes;
  const { tpid, tci } = vlan;
  const tag = [tpid >>> 8, tpid & 0xff, tci >>> 8, tci & 0xff];
  return Uint8Array.of(...bytes.subarray(0, 12), ...tag, ...bytes.subarray(12));
}

function addressBytes(address: number): Uint8Array {
  return v4(address >>> 24, (address >>> 16) & 0xff, (address >>> 8) & 0xff, address & 0xff);
}

function macBytes(mac: number): Uint8Array {
  const bytes = new Uint8Array(6);
  for (let i = 5, rest = mac; i >= 0; i--, rest = Math.floor(rest / 256)) bytes[i] = rest % 256;
  return bytes;
}
