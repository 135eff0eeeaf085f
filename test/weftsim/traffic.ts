import { formatIp, type Ip, isV4 } from "../../src/addr/ip.ts";
import type { Prng } from "../../src/base/prng.ts";
import type { SimCloud } from "../../src/weftsim/cloud.ts";
import type { Received, SimVm } from "../../src/weftsim/vm.ts";
import type { PlainPacket } from "./checkers/evaluate-filter.ts";
import { type PlannedVm, VALUES } from "./topologies.ts";

/** A packet that was sent, with everything that is known of it before it arrives anywhere. */
export interface Probe {
  readonly id: number;
  readonly from: PlannedVm;
  /** Whom it is meant for: the VM of the sender's tenant that has the address, if there is one. */
  readonly to: PlannedVm | undefined;
  readonly kind: "udp" | "tcp" | "echo-request";
  readonly packet: PlainPacket;
}

const MAGIC = 0x5765_6674;
const ETHER_TYPE = { 4: 0x0800, 6: 0x86dd } as const;
const PROTOCOL = { udp: 17, tcp: 6, "echo-request": { 4: 1, 6: 58 } } as const;

/** Sends random probes between random VMs, and knows them again. */
export class Traffic {
  readonly probes = new Map<number, Probe>();
  readonly #cloud: SimCloud;
  readonly #vms: readonly PlannedVm[];
  readonly #prng: Prng;
  #next = 1;

  constructor(parts: { readonly cloud: SimCloud; readonly vms: readonly PlannedVm[]; readonly prng: Prng }) {
    this.#cloud = parts.cloud;
    this.#vms = parts.vms;
    this.#prng = parts.prng;
  }

  /** Sends `count` probes, some milliseconds between one and the next; many belong to flows that were seen before. */
  async send(count: number): Promise<readonly Probe[]> {
    const sent: Probe[] = [];
    const prng = this.#prng;
    for (let i = 0; i < count; i++) {
      const earlier = sent.length > 0 && prng.below(3) === 0 ? prng.pick(sent) : undefined;
      const probe = earlier === undefined ? this.#draw() : { ...earlier, id: this.#next++ };
      if (probe === undefined) continue;
      this.probes.set(probe.id, probe);
      sent.push(probe);
      this.#emit(probe);
      if (prng.below(3) > 0) await this.#cloud.run(10 * prng.float());
    }
    return sent;
  }

  #draw(): Probe | undefined {
    const prng = this.#prng;
    const from = prng.pick(this.#vms);
    const target = prng.pick(this.#vms);
    const address = prng.pick(target.spec.addresses).prefix.ip;
    const own = from.spec.addresses.find(({ prefix }) => isV4(prefix.ip) === isV4(address));
    if (own === undefined || formatIp(own.prefix.ip) === formatIp(address)) return undefined;
    const kind = prng.pick(["udp", "tcp", "echo-request"] as const);
    const to = this.#vms.find((vm) => vm.tenant === from.tenant && hasAddress(vm, address));
    const id = this.#next++;
    return { id, from, to, kind, packet: this.#packet(kind, own.prefix.ip, address) };
  }

  #packet(kind: Probe["kind"], src: Ip, dst: Ip): PlainPacket {
    const prng = this.#prng;
    const family = isV4(dst) ? 4 : 6;
    const isEcho = kind === "echo-request";
    return {
      ...{ srcMac: "", dstMac: "", vlan: 0, etherType: ETHER_TYPE[family] },
      ...{ src: formatIp(src), dst: formatIp(dst) },
      protocol: isEcho ? PROTOCOL[kind][family] : PROTOCOL[kind],
      dscp: prng.pick(VALUES.dscps),
      ttl: prng.below(5) === 0 ? 1 + prng.below(5) : 64,
      srcPort: isEcho ? (family === 4 ? 8 : 128) : 40_000 + prng.below(4),
      dstPort: isEcho ? 0 : prng.pick(VALUES.ports),
    };
  }

  #emit(probe: Probe): void {
    const vm = this.#cloud.vm(probe.from.spec.name);
    const { packet, id, kind } = probe;
    const to = probe.to?.spec.addresses.find(({ prefix }) => formatIp(prefix.ip) === packet.dst)?.prefix.ip;
    const sending = {
      to: to ?? ipOf(this.#vms, packet.dst),
      ttl: packet.ttl,
      dscp: packet.dscp,
      payload: payloadOf(id),
    };
    if (kind === "udp") vm.sendUdp(sending, packet.srcPort, packet.dstPort);
    else if (kind === "tcp") vm.sendTcp(sending, { srcPort: packet.srcPort, dstPort: packet.dstPort });
    else vm.ping(sending, id & 0xff, id >>> 8);
  }
}

/** The number of the probe that a received packet carries, or undefined. */
export function probeIdOf(received: Received): number | undefined {
  const { payload } = received;
  if (payload.length < 8) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  return view.getUint32(0) === MAGIC ? view.getUint32(4) : undefined;
}

/** The packet of a reply to an echo request, as the destination sends it. */
export function replyOf(packet: PlainPacket): PlainPacket {
  const type = packet.protocol === 1 ? 0 : 129;
  return { ...packet, src: packet.dst, dst: packet.src, srcPort: type, dscp: 0, ttl: 64 };
}

function payloadOf(id: number): Uint8Array {
  const payload = new Uint8Array(8);
  const view = new DataView(payload.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, id);
  return payload;
}

function hasAddress(vm: PlannedVm, address: Ip): boolean {
  return vm.spec.addresses.some(({ prefix }) => formatIp(prefix.ip) === formatIp(address));
}

function ipOf(vms: readonly PlannedVm[], text: string): Ip {
  for (const vm of vms) for (const { prefix } of vm.spec.addresses) if (formatIp(prefix.ip) === text) return prefix.ip;
  throw new Error(`no VM has ${text}`);
}

/** How often a VM got each probe, by what it was. */
export function arrivalsOf(vm: SimVm, from: number): readonly { readonly id: number; readonly received: Received }[] {
  return vm.received.slice(from).flatMap((received) => {
    const id = probeIdOf(received);
    return id === undefined || received.what === "icmp-error" ? [] : [{ id, received }];
  });
}
