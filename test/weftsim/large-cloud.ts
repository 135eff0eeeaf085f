import { parseIp } from "../../src/addr/ip.ts";
import { formatMac } from "../../src/addr/mac.ts";
import { parsePrefix } from "../../src/addr/prefix.ts";
import type { Duration } from "../../src/base/clock.ts";
import { Prng } from "../../src/base/prng.ts";
import { unwrap } from "../../src/base/result.ts";
import type { Id, TopologyObject } from "../../src/model/objects.ts";
import { NEIGHBOR_DEFAULTS } from "../../src/state/neighbor-settings.ts";
import { SimCloud } from "../../src/weftsim/cloud.ts";
import type { HostSpec } from "../../src/weftsim/host.ts";
import type { VmSpec } from "../../src/weftsim/vm.ts";
import { uuid } from "./topologies.ts";

/** Hosts that a tenant is on, each with one port on each of its bridges: equal load a host whatever the number of hosts. */
const HOSTS_PER_TENANT = 20;
const BRIDGES_PER_TENANT = 4;
const VM_MTU = 1400;
/** Buckets in each shard of a host's flow table: a host has few flows here, and a thousand tables have to fit. */
const SMALL_TABLE = 1;
/** Longer than flows, and what was learned by them, outlive the traffic. */
const QUIET_AFTER_MS: Duration = 180_000;
/** What was learned outlives an hour of restarts: that it ends is no operation of theirs. */
const NEIGHBOR = { ...NEIGHBOR_DEFAULTS, expiryMs: 10 * 3_600_000 };
/** Objects that are created in one transaction. */
const BATCH = 200;

/** How large a cloud is, and what happens to it. */
export interface LargeCloudOptions {
  readonly hosts: number;
  readonly seed: number;
}

/** What restarts cost the store. */
export interface RestartLoad {
  readonly restarts: number;
  /** Requests and watch events, of all hosts together, for each restart. */
  readonly operations: number;
  /** Of these: requests of the host that restarted, and everything that others asked or were told. */
  readonly own: number;
  readonly elsewhere: number;
  /** Requests and events a minute while nothing happens. */
  readonly idlePerMinute: number;
  readonly portsPerHost: number;
}

/** A cloud of many hosts: tenants of twenty hosts, four bridges and a router, in which every VM has talked to another. */
export class LargeCloud {
  readonly cloud: SimCloud;
  readonly #prng: Prng;
  readonly #hosts: readonly HostSpec[];

  constructor({ hosts, seed }: LargeCloudOptions) {
    this.#prng = new Prng(seed);
    this.cloud = new SimCloud({ seed: this.#prng.u32() });
    this.#hosts = Array.from({ length: hosts }, (_, i) => ({
      ...{
        id: uuid(this.#prng),
        name: `h${i + 1}`,
        workers: 1,
        bucketsPerShard: SMALL_TABLE,
        hasKeepAlives: false,
        neighbor: NEIGHBOR,
      },
      address: `10.${200 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`,
    }));
  }

  /** Ports of the whole cloud. */
  get ports(): number {
    return this.#hosts.length * BRIDGES_PER_TENANT;
  }

  /** Builds everything, and lets every VM talk to another of its bridge. */
  async start(progress: (text: string) => void = () => undefined): Promise<void> {
    const { cloud } = this;
    for (const host of this.#hosts) cloud.addHost(host);
    await this.#create(this.#hosts.map(({ id, name }) => ({ kind: "host", id, name, portIds: [], tunnelZoneIds: [] })));
    await this.#create([this.#zone()]);
    for (let first = 0, number = 1; first < this.#hosts.length; first += HOSTS_PER_TENANT, number++) {
      progress(`tenant ${number}`);
      await this.#tenant(number, this.#hosts.slice(first, first + HOSTS_PER_TENANT));
    }
    progress("agents join");
    await cloud.start();
    await cloud.run(5_000);
    progress("VMs talk");
    await this.#talk();
    await cloud.run(5_000);
  }

  /**
   * Restarts of random hosts, evenly over a time: each agent is killed and started again. What is counted is what the store did
   * meanwhile beyond what it does in the same time while nothing happens.
   */
  async restarts(perMinute: number, minutes: number, downMs: Duration): Promise<RestartLoad> {
    const { cloud } = this;
    await cloud.run(QUIET_AFTER_MS);
    const idlePerMinute = await this.#idle(2);
    const before = this.#served();
    const restarted: string[] = [];
    let own = 0;
    for (let i = 0; i < perMinute * minutes; i++) {
      const host = cloud.host(this.#prng.pick(this.#hosts).name);
      const ownBefore = this.#servedTo(host.spec.name);
      host.kill();
      await cloud.run(downMs);
      void host.start();
      await cloud.run(60_000 / perMinute - downMs);
      if (host.agent?.isRunning !== true)
        throw new Error(`${host.spec.name} did not come back: ${host.agent?.failure}`);
      own += this.#servedTo(host.spec.name) - ownBefore;
      restarted.push(host.spec.name);
    }
    const operations = (this.#served() - before - idlePerMinute * minutes) / restarted.length;
    own /= restarted.length;
    const portsPerHost = BRIDGES_PER_TENANT;
    return { restarts: restarted.length, operations, own, elsewhere: operations - own, idlePerMinute, portsPerHost };
  }

  /** Ports whose host does not serve them. */
  unserved(): number {
    let up = 0;
    for (const { agent } of this.cloud.hosts.values())
      up += agent?.core.portStates().filter(({ state }) => state === "up").length ?? 0;
    return this.ports - up;
  }

  async #idle(minutes: number): Promise<number> {
    const before = this.#served();
    await this.cloud.run(minutes * 60_000);
    return (this.#served() - before) / minutes;
  }

  #served(): number {
    return this.#hosts.reduce((sum, { name }) => sum + this.#servedTo(name), 0);
  }

  #servedTo(name: string): number {
    const { requests, events } = this.cloud.store.servedTo(name);
    return requests + events;
  }

  #zone(): TopologyObject {
    const members = this.#hosts.map(({ id, address }) => ({ hostId: id, address }));
    return { kind: "tunnel-zone", id: uuid(this.#prng), name: "underlay", mtu: 1500, members };
  }

  async #create(objects: readonly TopologyObject[]): Promise<void> {
    for (let at = 0; at < objects.length; at += BATCH)
      await this.cloud.change(objects.slice(at, at + BATCH).map((object) => ({ op: "create", object })));
  }

  async #tenant(number: number, hosts: readonly HostSpec[]): Promise<void> {
    const prng = this.#prng;
    const base = { tenant: `t${number}`, isUp: true } as const;
    const routerId = uuid(prng);
    const objects: TopologyObject[] = [{ ...base, kind: "router", id: routerId, name: "r", portIds: [], routeIds: [] }];
    for (let b = 0; b < BRIDGES_PER_TENANT; b++) {
      const bridgeId = uuid(prng);
      const linkId = uuid(prng);
      objects.push(
        { ...base, kind: "bridge", id: bridgeId, name: `b${b}`, portIds: [] },
        { ...base, kind: "port", deviceKind: "bridge", id: linkId, bridgeId },
        this.#routerPort({ routerId, peerId: linkId, number, b }),
      );
      for (const [h, host] of hosts.entries()) {
        const interfaceName = vmName(number, b, h);
        const binding = { hostId: host.id, interfaceName, generation: 1 };
        objects.push({ ...base, kind: "port", deviceKind: "bridge", id: uuid(prng), bridgeId, binding });
        this.cloud.addVm(host.name, vmSpec({ number, b, h }));
      }
    }
    await this.#create(objects);
  }

  #routerPort(of: { routerId: Id; peerId: Id; number: number; b: number }): TopologyObject {
    const { routerId, peerId, number, b } = of;
    const base = { tenant: `t${number}`, isUp: true } as const;
    const mac = formatMac(0x0200_0000_0000 + number * 0x1_0000 + b);
    const addresses = [`10.0.${b}.1/24`];
    return {
      ...base,
      ...{ kind: "port", deviceKind: "router", id: uuid(this.#prng), routerId, peerId, mac, addresses, mtu: VM_MTU },
    };
  }

  /** Every VM pings the next one of its bridge; one of each bridge also pings the next bridge. */
  async #talk(): Promise<void> {
    const { cloud } = this;
    const vms = new Map(cloud.vms.map((vm) => [vm.spec.name, vm]));
    for (let first = 0, number = 1; first < this.#hosts.length; first += HOSTS_PER_TENANT, number++) {
      for (let b = 0; b < BRIDGES_PER_TENANT; b++) {
        for (let h = 0; h < HOSTS_PER_TENANT; h++) {
          const to = unwrap(parseIp(addressOf(b, (h + 1) % HOSTS_PER_TENANT)));
          vms.get(vmName(number, b, h))?.ping({ to, payload: new Uint8Array(16) }, 1, 1);
          await cloud.run(0.5);
        }
        const across = unwrap(parseIp(addressOf((b + 1) % BRIDGES_PER_TENANT, 1)));
        vms.get(vmName(number, b, 0))?.ping({ to: across, payload: new Uint8Array(16) }, 2, 1);
      }
      await cloud.run(50);
    }
  }
}

function vmName(tenant: number, bridge: number, host: number): string {
  return `t${tenant}b${bridge}v${host}`;
}

function addressOf(bridge: number, host: number): string {
  return `10.0.${bridge}.${10 + host}`;
}

function vmSpec({ number, b, h }: { readonly number: number; readonly b: number; readonly h: number }): VmSpec {
  return {
    name: vmName(number, b, h),
    mac: 0x0200_0000_1000 + number * 0x1_0000 + b * 0x100 + h,
    addresses: [{ prefix: unwrap(parsePrefix(`${addressOf(b, h)}/24`)), gateway: unwrap(parseIp(`10.0.${b}.1`)) }],
    ...{ vlan: 0, mtu: VM_MTU },
  };
}
