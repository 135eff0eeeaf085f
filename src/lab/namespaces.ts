import { readdirSync, readlinkSync, statSync } from "node:fs";
import { isV4, parseIp } from "../addr/ip.ts";
import { macHigh, macLow, parseMac } from "../addr/mac.ts";
import { ok, type Result, unwrap } from "../base/result.ts";
import type { LinuxError } from "../linux/errno.ts";
import { NetlinkConnection } from "../linux/netlink/connection.ts";
import type { NetlinkRequest } from "../linux/netlink/request.ts";
import { addAddress } from "../linux/netlink/route/address.ts";
import { createVeth } from "../linux/netlink/route/create-link.ts";
import { changeLink, getLink } from "../linux/netlink/route/link.ts";
import { addRoute } from "../linux/netlink/route/route.ts";
import { createNetns, deleteNetns, listNetns, Netns, netnsDirectory } from "../linux/netns.ts";
import {
  bridgeOf,
  type LabPlan,
  namespacePrefix,
  SUBNET_LENGTH,
  UNDERLAY_INTERFACE,
  UNDERLAY_PREFIX_LENGTH,
  VM_INTERFACE,
  type VmPlan,
} from "./plan.ts";

/** A namespace of the lab, with a netlink connection into it. */
export interface Space {
  readonly netns: Netns;
  readonly netlink: NetlinkConnection;
}

/** The namespaces of a lab, by the name of host or VM. */
export class Spaces {
  readonly #spaces = new Map<string, Space>();

  /** The namespace of a host or VM of the plan. */
  of(name: string): Space {
    const space = this.#spaces.get(name);
    if (space === undefined) throw new Error(`no namespace for ${name}`);
    return space;
  }

  /** Makes namespaces and links of a plan. On failure what was made stays, for `removeSpaces`. */
  build(plan: LabPlan): Result<undefined, LinuxError> {
    for (const { name, namespace } of [...plan.hosts, ...plan.vms]) {
      const opened = openSpace(namespace);
      if (!opened.ok) return opened;
      this.#spaces.set(name, opened.value);
      const isUp = opened.value.netlink.run(changeLink({ name: "lo" }, { isUp: true }));
      if (!isUp.ok) return isUp;
    }
    const joined = this.#joinHosts(plan);
    if (!joined.ok) return joined;
    for (const vm of plan.vms) {
      const plugged = this.#plug(plan, vm);
      if (!plugged.ok) return plugged;
    }
    return ok(undefined);
  }

  /** Lets go of the namespaces; they stay. */
  close(): void {
    for (const { netns, netlink } of this.#spaces.values()) {
      netlink.close();
      netns.close();
    }
    this.#spaces.clear();
  }

  #joinHosts(plan: LabPlan): Result<undefined, LinuxError> {
    const [first, second] = plan.hosts.map(({ name }) => this.of(name)) as [Space, Space];
    const mtu = plan.zone.mtu;
    const made = first.netlink.run(
      createVeth({
        link: { name: UNDERLAY_INTERFACE, mtu, isUp: true },
        peer: { name: UNDERLAY_INTERFACE, mtu, netnsFd: second.netns.fd },
      }),
    );
    if (!made.ok) return made;
    for (const host of plan.hosts) {
      const { netlink } = this.of(host.name);
      const address = { text: host.underlay, prefixLength: UNDERLAY_PREFIX_LENGTH };
      const done = configure(netlink, UNDERLAY_INTERFACE, [address]);
      if (!done.ok) return done;
    }
    return ok(undefined);
  }

  #plug(plan: LabPlan, vm: VmPlan): Result<undefined, LinuxError> {
    const { netns, netlink } = this.of(vm.name);
    const mtu = plan.vmMtu;
    const peer = { name: VM_INTERFACE, mtu, mac: macBytes(vm.mac), netnsFd: netns.fd };
    const made = this.of(vm.hostName).netlink.run(createVeth({ link: { name: vm.name, mtu, isUp: true }, peer }));
    if (!made.ok) return made;
    const addresses = [
      { text: vm.v4, prefixLength: SUBNET_LENGTH.v4 },
      { text: vm.v6, prefixLength: SUBNET_LENGTH.v6 },
    ];
    const done = configure(netlink, VM_INTERFACE, addresses);
    if (!done.ok) return done;
    const bridge = bridgeOf(plan, vm);
    return runAll(
      netlink,
      [bridge.v4Gateway, bridge.v6Gateway].map((gateway) => {
        const bytes = ipBytes(gateway);
        return addRoute({ destination: new Uint8Array(bytes.length), prefixLength: 0, gateway: bytes });
      }),
    );
  }
}

/** Removes the namespaces of a lab with all links in them, and ends the processes that still run in them. */
export function removeSpaces(labId: string): void {
  removeNamespaces(namespacePrefix(labId));
}

/** The same for every namespace whose name begins so. */
export function removeNamespaces(prefix: string): void {
  const names = listNetns().filter((name) => name.startsWith(prefix));
  for (const pid of names.flatMap(processesIn)) kill(pid);
  for (const name of names) deleteNetns(name);
}

/** The processes in a named namespace, found as `ip netns pids` does it. */
function processesIn(name: string): readonly number[] {
  const stat = statSync(`${netnsDirectory}/${name}`, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  const wanted = `net:[${stat.ino}]`;
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && namespaceOf(entry) === wanted)
    .map(Number)
    .filter((pid) => pid !== process.pid);
}

function namespaceOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
}

/** Kills a process that may have ended already. */
export function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended meanwhile.
  }
}

/** Makes a namespace under a name and opens netlink into it. */
export function openSpace(namespace: string): Result<Space, LinuxError> {
  const made = createNetns(namespace);
  if (!made.ok) return made;
  const netns = Netns.named(namespace);
  if (!netns.ok) return netns;
  const netlink = NetlinkConnection.open({ netns: netns.value });
  return netlink.ok ? ok({ netns: netns.value, netlink: netlink.value }) : netlink;
}

/** An address and the length of its network's prefix. */
export interface AddressText {
  readonly text: string;
  readonly prefixLength: number;
}

/** Sets a link up and gives it addresses. */
export function configure(
  netlink: NetlinkConnection,
  link: string,
  addresses: readonly AddressText[],
): Result<undefined, LinuxError> {
  const found = netlink.run(getLink({ name: link }));
  if (!found.ok) return found;
  const ifindex = found.value?.ifindex ?? 0;
  const requests = addresses.map(({ text, prefixLength }) =>
    addAddress({ ifindex, address: ipBytes(text), prefixLength }),
  );
  return runAll(netlink, [changeLink({ name: link }, { isUp: true }), ...requests]);
}

function runAll(
  netlink: NetlinkConnection,
  requests: readonly NetlinkRequest<undefined>[],
): Result<undefined, LinuxError> {
  for (const request of requests) {
    const done = netlink.run(request);
    if (!done.ok) return done;
  }
  return ok(undefined);
}

/** An address of the plan as 4 or 16 bytes. */
export function ipBytes(text: string): Uint8Array {
  const ip = unwrap(parseIp(text));
  const words = isV4(ip) ? [ip.w3] : [ip.w0, ip.w1, ip.w2, ip.w3];
  return Uint8Array.from(words.flatMap((word) => [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255]));
}

/** A MAC of the plan as 6 bytes. */
export function macBytes(text: string): Uint8Array {
  const mac = unwrap(parseMac(text));
  const high = macHigh(mac);
  const low = macLow(mac);
  return Uint8Array.of(high >>> 8, high & 255, low >>> 24, (low >>> 16) & 255, (low >>> 8) & 255, low & 255);
}
