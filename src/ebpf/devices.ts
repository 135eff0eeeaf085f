import { err, ok, type Result } from "../base/result.ts";
import type { LinuxError } from "../linux/errno.ts";
import { linuxError } from "../linux/errno.ts";
import { createVeth, createVxlan } from "../linux/netlink/route/create-link.ts";
import { changeLink, deleteLink, getLink, type Link } from "../linux/netlink/route/link.ts";
import { disableIpv6 } from "../linux/sysctl.ts";
import type { HostNetwork } from "./host-network.ts";
import { INJECT_MTU } from "./limits.ts";

/** The device on which the agent sends frames to be executed. */
export const INJECT_DEVICE = "weft-inject";
/** Its other end: no frame ever gets there. */
export const INJECT_PEER = "weft-inject-end";
/** The VXLAN device. */
export const TUNNEL_DEVICE = "weft-tunnel";

const SILENT = { usesArp: false, isMulticast: false } as const;

/** UDP source ports of tunnels: by flow hash, from the range that RFC 7348 section 4 recommends. */
const SOURCE_PORTS = { from: 49_152, to: 65_535 } as const;

/**
 * Makes the inject device unless it is there, with its program at egress, and sets it up. It is silent before it is up: no address,
 * no ARP, no multicast. What the host's stack might send on it all the same has no mark, and the program drops it.
 */
export async function ensureInject(host: HostNetwork, programFd: number): Promise<Result<number, LinuxError>> {
  const mtu = INJECT_MTU;
  const pair = { link: { name: INJECT_DEVICE, mtu, ...SILENT }, peer: { name: INJECT_PEER, mtu, ...SILENT } };
  const made = await host.runAll([createVeth(pair)], ["EEXIST"]);
  if (!made.ok) return made;
  for (const name of [INJECT_DEVICE, INJECT_PEER]) {
    const silent = disableIpv6(name, host.netns);
    if (!silent.ok) return silent;
  }
  return start(host, INJECT_DEVICE, { programFd, hook: "egress", name: "inject_egress", alsoUp: [INJECT_PEER] });
}

/** Makes the VXLAN device on a UDP port; one on another port is replaced. */
export async function ensureTunnel(
  host: HostNetwork,
  programFd: number,
  udpPort: { readonly wanted: number; readonly present: number },
): Promise<Result<number, LinuxError>> {
  if (udpPort.present !== udpPort.wanted) {
    const gone = await host.runAll([deleteLink({ name: TUNNEL_DEVICE })], ["ENODEV"]);
    if (!gone.ok) return gone;
  }
  const device = createVxlan({ name: TUNNEL_DEVICE, port: udpPort.wanted, sourcePorts: SOURCE_PORTS, ...SILENT });
  const made = await host.runAll([device], ["EEXIST"]);
  if (!made.ok) return made;
  const silent = disableIpv6(TUNNEL_DEVICE, host.netns);
  if (!silent.ok) return silent;
  return start(host, TUNNEL_DEVICE, { programFd, hook: "ingress", name: "tunnel_ingress", alsoUp: [] });
}

/** Removes the devices that weft made. */
export async function removeDevices(host: HostNetwork): Promise<void> {
  await host.runAll([deleteLink({ name: INJECT_DEVICE }), deleteLink({ name: TUNNEL_DEVICE })], ["ENODEV"]);
}

interface Start {
  readonly programFd: number;
  readonly hook: "ingress" | "egress";
  readonly name: string;
  readonly alsoUp: readonly string[];
}

async function start(host: HostNetwork, device: string, plan: Start): Promise<Result<number, LinuxError>> {
  const found = await host.run(getLink({ name: device }));
  if (!found.ok) return found;
  const link: Link | undefined = found.value;
  if (link === undefined) return err(linuxError(`find the link ${device}`, 19));
  const { ifindex } = link;
  const attached = await host.attach({
    ifindex,
    hook: plan.hook,
    programFd: plan.programFd,
    name: plan.name,
    vport: 0,
  });
  if (!attached.ok) return attached;
  const up = await host.runAll([device, ...plan.alsoUp].map((name) => changeLink({ name }, { isUp: true })));
  return up.ok ? ok(ifindex) : up;
}
