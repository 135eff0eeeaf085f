import { createHash } from "node:crypto";

/** A host of the lab: a namespace with an agent in it. */
export interface HostPlan {
  readonly name: string;
  readonly id: string;
  readonly namespace: string;
  /** Address on the underlay. */
  readonly underlay: string;
}

/** A VM of the lab: a namespace with one interface, `eth0`, whose other end has the VM's name and lies in its host. */
export interface VmPlan {
  readonly name: string;
  readonly namespace: string;
  readonly hostName: string;
  readonly bridgeName: string;
  /** The bridge's port that is bound to the VM's interface. */
  readonly portId: string;
  readonly mac: string;
  readonly v4: string;
  readonly v6: string;
}

/** A bridge, its subnet, and the link by which the router serves it. */
export interface BridgePlan {
  readonly name: string;
  readonly id: string;
  /** First three octets of the IPv4 subnet, a /24. */
  readonly v4Prefix: string;
  /** First four groups of the IPv6 subnet, a /64. */
  readonly v6Prefix: string;
  /** The router's addresses on it. */
  readonly v4Gateway: string;
  readonly v6Gateway: string;
  readonly bridgePortId: string;
  readonly routerPortId: string;
}

/** Everything that a lab consists of. The same id gives the same plan. */
export interface LabPlan {
  /** Four hexadecimal digits. */
  readonly id: string;
  readonly zone: { readonly id: string; readonly name: string; readonly mtu: number };
  readonly router: { readonly id: string; readonly name: string };
  readonly hosts: readonly HostPlan[];
  readonly bridges: readonly BridgePlan[];
  readonly vms: readonly VmPlan[];
  /** Largest IP packet of a VM: the underlay's less outer IPv4, UDP, VXLAN and inner Ethernet headers (50 bytes). */
  readonly vmMtu: number;
}

/** Name of the underlay's interface in each host. */
export const UNDERLAY_INTERFACE = "underlay";
/** Prefix length of the underlay's subnet 192.0.2.0 (RFC 5737, for documentation). */
export const UNDERLAY_PREFIX_LENGTH = 24;
/** Name of a VM's only interface. */
export const VM_INTERFACE = "eth0";
/** Prefix lengths of the tenant's subnets. */
export const SUBNET_LENGTH = { v4: 24, v6: 64 } as const;

const UNDERLAY_MTU = 1500;
const ENCAPSULATION_BYTES = 50;

/** The plan of the lab with this id. */
export function planLab(id: string): LabPlan {
  const idOf = (what: string): string => uuidOf(`${id}/${what}`);
  const hosts = ["h1", "h2"].map((name, i) => ({
    name,
    id: idOf(name),
    namespace: `${namespacePrefix(id)}${name}`,
    underlay: `192.0.2.${i + 1}`,
  }));
  const bridges = ["web", "db"].map((name, i) => planBridge(name, i + 1, idOf));
  const vms = [1, 2, 3, 4].map((number) => planVm(number, bridges, { id, idOf }));
  return {
    id,
    zone: { id: idOf("zone"), name: "underlay", mtu: UNDERLAY_MTU },
    router: { id: idOf("r1"), name: "r1" },
    hosts,
    bridges,
    vms,
    vmMtu: UNDERLAY_MTU - ENCAPSULATION_BYTES,
  };
}

/** What the names of all namespaces of a lab begin with. */
export function namespacePrefix(labId: string): string {
  return `weft-${labId}-`;
}

/** The VM of that name, which must be one of the plan. */
export function vmOf(plan: LabPlan, name: string): VmPlan {
  const found = plan.vms.find((vm) => vm.name === name);
  if (found === undefined) throw new Error(`no VM ${name} in the plan`);
  return found;
}

/** The bridge of a VM. */
export function bridgeOf(plan: LabPlan, vm: VmPlan): BridgePlan {
  const found = plan.bridges.find((bridge) => bridge.name === vm.bridgeName);
  if (found === undefined) throw new Error(`no bridge ${vm.bridgeName} in the plan`);
  return found;
}

function planBridge(name: string, number: number, idOf: (what: string) => string): BridgePlan {
  const v4Prefix = `10.1.${number}`;
  const v6Prefix = `fd00:1:${number}:`;
  return {
    name,
    id: idOf(name),
    v4Prefix,
    v6Prefix,
    v4Gateway: `${v4Prefix}.1`,
    v6Gateway: `${v6Prefix}:1`,
    bridgePortId: idOf(`${name}-r1`),
    routerPortId: idOf(`r1-${name}`),
  };
}

interface Ids {
  readonly id: string;
  readonly idOf: (what: string) => string;
}

/** VMs 1 and 2 are on `web`, 3 and 4 on `db`; the odd ones on h1, the even ones on h2. */
function planVm(number: number, bridges: readonly BridgePlan[], { id, idOf }: Ids): VmPlan {
  const bridge = bridges[number <= 2 ? 0 : 1] as BridgePlan;
  const name = `vm${number}`;
  return {
    name,
    namespace: `${namespacePrefix(id)}${name}`,
    hostName: number % 2 === 1 ? "h1" : "h2",
    bridgeName: bridge.name,
    portId: idOf(name),
    mac: `02:00:00:00:00:1${number}`,
    v4: `${bridge.v4Prefix}.1${number}`,
    v6: `${bridge.v6Prefix}:1${number}`,
  };
}

/** A UUID made from a text (RFC 9562, version 8). */
function uuidOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
