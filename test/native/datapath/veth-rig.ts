import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { type Ip, ipFromV4, isV4, sameIp } from "../../../src/addr/ip.ts";
import { unwrap } from "../../../src/base/result.ts";
import { sleep, systemScheduler } from "../../../src/base/scheduler.ts";
import * as frames from "../../../src/datapath/compliance/frames.ts";
import {
  type Output,
  type Rig,
  STRANGER,
  type UnderlayWorld,
  underlayWorld,
  WORLD,
} from "../../../src/datapath/compliance/rig.ts";
import type { DatapathControl, DatapathWorker } from "../../../src/datapath/datapath.ts";
import { EbpfWorker } from "../../../src/ebpf/ebpf-worker.ts";
import { monotonicMs } from "../../../src/ebpf/fixture/switch-agent.ts";
import { compileDatapath, TestHost, TestNamespace } from "../../../src/ebpf/fixture/test-host.ts";
import { SHARD_COUNT, VPORT_UP, VPORT_WORDS } from "../../../src/flow/layout.ts";
import { createVeth } from "../../../src/linux/netlink/route/create-link.ts";
import { changeLink, deleteLink, getLink } from "../../../src/linux/netlink/route/link.ts";
import { addNeighbor } from "../../../src/linux/netlink/route/neighbor.ts";
import { PacketReceiver, type ReceivedFrame } from "../../../src/linux/packet-receiver.ts";
import { PacketSender } from "../../../src/linux/packet-sender.ts";
import { disableIpv6 } from "../../../src/linux/sysctl.ts";
import { buildFrame } from "../../../src/wire/build-frame.ts";
import { type Frame, layerOf, parseFrame } from "../../../src/wire/frame.ts";
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
/** Bytes of UDP and VXLAN headers. */
const UDP_BYTES = 8;
const VXLAN_BYTES = 8;
/** First byte of a VXLAN header: the key is valid (RFC 7348 5). */
const VXLAN_FLAGS = 0x08;
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
  readonly around: UnderlayWorld;
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

  private constructor(host: TestHost, family: 4 | 6) {
    this.#host = host;
    this.around = underlayWorld(family);
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
  static async open(family: 4 | 6 = 4): Promise<VethRig> {
    assert.ok(compileDatapath());
    spawnSync("taskset", ["-cp", "0", `${process.pid}`]);
    return new VethRig(await TestHost.open(`rig${family}`), family);
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
    const payload = new Uint8Array(VXLAN_BYTES + frame.length);
    payload.set([VXLAN_FLAGS, 0, 0, 0, tunnelKey >>> 16, (tunnelKey >>> 8) & 0xff, tunnelKey & 0xff, 0]);
    payload.set(frame, VXLAN_BYTES);
    const { family, underlay, addressOf } = this.around;
    const link = { eth: { src: WIRE_MAC, dst: HOST_MAC } };
    const transport = { udp: { srcPort: 50_000, dstPort: underlay.udpPort }, payload };
    const [src, dst] = [addressOf(peer), underlay.address];
    const outer =
      family === 4
        ? buildFrame({ ...link, ipv4: { src: src.w3, dst: dst.w3 }, ...transport })
        : buildFrame({ ...link, ipv6: { src, dst }, ...transport });
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
      const output = decapsulated(frame, this.around);
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
    if (this.around.family === 4) unwrap(disableIpv6(UNDERLAY_DEVICE, space.netns));
    unwrap(disableIpv6(WIRE_DEVICE, this.#wire.netns));
    unwrap(this.#wire.connection.run(changeLink({ name: WIRE_DEVICE }, { isUp: true })));
    unwrap(space.connection.run(changeLink({ name: UNDERLAY_DEVICE }, { isUp: true })));
    const { family, underlay, peers, addressOf } = this.around;
    space.address(UNDERLAY_DEVICE, addressBytes(underlay.address), family === 4 ? 24 : 64);
    const ifindex = space.ifindex(UNDERLAY_DEVICE);
    for (const peer of [STRANGER, ...peers.map((known) => known.peer)]) {
      const address = addressBytes(addressOf(peer));
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
function decapsulated(received: ReceivedFrame, around: UnderlayWorld): Output | undefined {
  const { bytes } = received;
  const outer = parseFrame(bytes);
  const udp = layerOf(outer, "udp");
  if (udp === undefined || udp.fields.dstPort !== around.underlay.udpPort) return undefined;
  assert.ok(udp.fields.srcPort >= 49_152, `source port ${udp.fields.srcPort}`);
  const remote = around.family === 4 ? outerV4(bytes, around) : outerV6(outer, around);
  const vxlan = udp.offset + UDP_BYTES;
  assert.deepEqual([...bytes.subarray(vxlan, vxlan + 4)], [VXLAN_FLAGS, 0, 0, 0], "VXLAN flags");
  const [high = 0, middle = 0, low = 0, reserved] = bytes.subarray(vxlan + 4, vxlan + VXLAN_BYTES);
  assert.equal(reserved, 0);
  const peer = around.peers.find(({ address }) => sameIp(address, remote))?.peer ?? -1;
  const frame = completed(bytes.slice(vxlan + VXLAN_BYTES), received);
  return { kind: "tunnel", peer, tunnelKey: (high << 16) | (middle << 8) | low, frame };
}

/** Checks an outer IPv4 header; gives the destination. */
function outerV4(bytes: Uint8Array, { underlay }: UnderlayWorld): Ip {
  const ip = layerOf(parseFrame(bytes), "ipv4");
  assert.ok(ip);
  const { src, dst, dontFragment, ttl, fragmentOffset } = ip.fields;
  assert.equal(src, underlay.address.w3);
  assert.deepEqual([dontFragment, ttl, fragmentOffset], [true, 64, 0]);
  assert.equal(new Ipv4View(bytes, ip.offset).totalLength, bytes.length - ip.offset);
  assert.equal(new UdpView(bytes, ip.end).checksum, 0, "no outer checksum over IPv4");
  return ipFromV4(dst);
}

/** Checks an outer IPv6 header; gives the destination. */
function outerV6(outer: Frame, { underlay }: UnderlayWorld): Ip {
  const ip = layerOf(outer, "ipv6");
  assert.ok(ip);
  assert.ok(sameIp(ip.fields.src, underlay.address));
  assert.equal(ip.fields.hopLimit, 64);
  assert.notEqual(new UdpView(outer.bytes, ip.end).checksum, 0, "UDP over IPv6 has a checksum (RFC 8200 8.1)");
  return ip.fields.dst;
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

function addressBytes(address: Ip): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  for (const [i, word] of [address.w0, address.w1, address.w2, address.w3].entries()) view.setUint32(4 * i, word);
  return isV4(address) ? bytes.slice(12) : bytes;
}

function macBytes(mac: number): Uint8Array {
  const bytes = new Uint8Array(6);
  for (let i = 5, rest = mac; i >= 0; i--, rest = Math.floor(rest / 256)) bytes[i] = rest % 256;
  return bytes;
}
