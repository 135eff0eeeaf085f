import { unwrap } from "../../src/base/result.ts";
import { ipBytes, type Space } from "../../src/lab/namespaces.ts";
import { createBridge, createFixedVxlan } from "../../src/linux/netlink/route/create-link.ts";
import { changeLink, getLink } from "../../src/linux/netlink/route/link.ts";
import type { BenchSite } from "../site.ts";

const VNI = 77;
const PORT = 4789;
const UNDERLAY_MTU = 1500;
const VM_MTU = 1450;

/** Name of this rival in figures. */
export const KERNEL_VXLAN = "Linux bridge + kernel VXLAN";

/** Two VMs on two hosts, joined by a Linux bridge on each and a kernel VXLAN tunnel between them. */
export interface KernelVxlan {
  readonly near: Space;
  readonly far: Space;
  /** Address of the far VM. */
  readonly address: string;
}

/** Builds the rival. Offloads are on, as in weft's cloud. */
export function buildKernelVxlan(site: BenchSite): KernelVxlan {
  const hosts = [site.space("kh1"), site.space("kh2")] as const;
  const vms = [site.space("kvm1"), site.space("kvm2")] as const;
  site.join({
    from: { space: hosts[0], name: "underlay" },
    to: { space: hosts[1], name: "underlay", address: "172.16.0.2" },
    mtu: UNDERLAY_MTU,
  });
  site.address(hosts[0], "underlay", "172.16.0.1");
  for (const i of [0, 1] as const) {
    const { netlink } = hosts[i];
    unwrap(netlink.run(createBridge({ name: "br0", isUp: true })));
    site.join({
      from: { space: hosts[i], name: "vm" },
      to: { space: vms[i], name: "eth0", address: `10.9.0.${i + 1}` },
      mtu: VM_MTU,
    });
    const local = ipBytes(`172.16.0.${i + 1}`);
    const remote = ipBytes(`172.16.0.${2 - i}`);
    unwrap(netlink.run(createFixedVxlan({ name: "vx0", port: PORT, vni: VNI, local, remote, isUp: true })));
    const masterIfindex = unwrap(netlink.run(getLink({ name: "br0" })))?.ifindex ?? 0;
    for (const name of ["vm", "vx0"]) unwrap(netlink.run(changeLink({ name }, { masterIfindex })));
  }
  return { near: vms[0], far: vms[1], address: "10.9.0.2" };
}
