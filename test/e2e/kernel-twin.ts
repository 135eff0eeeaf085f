import { spawnSync } from "node:child_process";
import type { BridgePlan, LabPlan, VmPlan } from "../../src/lab/plan.ts";
import { bridgeOf } from "../../src/lab/plan.ts";

/**
 * The tenant of a lab plan once more, made of what Linux has: a kernel bridge for each virtual bridge, a namespace that
 * forwards for the router, a namespace for each VM. Same addresses, same MTUs: an independent opinion about what a VM should see.
 */
export class KernelTwin {
  readonly #prefix: string;
  readonly #plan: LabPlan;
  readonly #names: string[] = [];

  constructor(plan: LabPlan) {
    this.#plan = plan;
    this.#prefix = `twin${process.pid}-`;
  }

  /** Namespace of a VM or of `router`. */
  namespace(name: string): string {
    return `${this.#prefix}${name}`;
  }

  /**
   * Builds it. `narrow`: the bridge towards which the router sends no packet larger than `mtu`. It is the route that is narrow:
   * a narrow interface would not take in what the VMs there send, either.
   */
  build(narrow: { readonly bridge: string; readonly mtu: number }): void {
    for (const name of ["fabric", ...this.#plan.vms.map((vm) => vm.name)]) this.#addNamespace(name);
    this.addRouter("router");
    for (const bridge of this.#plan.bridges) {
      this.ip("fabric", `link add ${bridge.name} type bridge forward_delay 0 mcast_snooping 0`);
      this.ip("fabric", `link set ${bridge.name} up`);
      this.#veth(bridge.name, `r-${bridge.name}`, { into: "router", as: bridge.name, mtu: this.#plan.vmMtu });
      for (const address of [`${bridge.v4Gateway}/24`, `${bridge.v6Gateway}/64`]) {
        this.ip("router", `addr add ${address} dev ${bridge.name} ${address.includes(":") ? "nodad" : ""}`);
      }
      this.ip("router", `link set ${bridge.name} up`);
      if (bridge.name === narrow.bridge) this.#narrow(bridge, narrow.mtu);
    }
    for (const vm of this.#plan.vms) this.#addVm(vm);
  }

  /** A namespace that forwards, and sends as many errors as there are reasons. */
  addRouter(name: string): void {
    this.#addNamespace(name);
    for (const key of [
      "ipv4.ip_forward=1",
      "ipv6.conf.all.forwarding=1",
      "ipv4.icmp_ratelimit=0",
      "ipv6.icmp.ratelimit=0",
    ]) {
      run("ip", ["netns", "exec", this.namespace(name), "sysctl", "-qw", `net.${key}`]);
    }
  }

  /** Takes everything away. */
  remove(): void {
    for (const name of this.#names) spawnSync("ip", ["netns", "del", name]);
  }

  #narrow({ name, v4Prefix, v6Prefix }: BridgePlan, mtu: number): void {
    this.ip("router", `route change ${v4Prefix}.0/24 dev ${name} mtu lock ${mtu}`);
    this.ip("router", `-6 route replace ${v6Prefix}:/64 dev ${name} proto kernel metric 256 mtu lock ${mtu}`);
  }

  #addVm(vm: VmPlan): void {
    const bridge = bridgeOf(this.#plan, vm);
    this.#veth(bridge.name, vm.name, { into: vm.name, as: "eth0", mtu: this.#plan.vmMtu });
    this.ip(vm.name, `link set eth0 address ${vm.mac} up`);
    this.ip(vm.name, `addr add ${vm.v4}/24 dev eth0`);
    this.ip(vm.name, `addr add ${vm.v6}/64 dev eth0 nodad`);
    this.ip(vm.name, `route add default via ${bridge.v4Gateway}`);
    this.ip(vm.name, `-6 route add default via ${bridge.v6Gateway}`);
  }

  #addNamespace(name: string): void {
    run("ip", ["netns", "add", this.namespace(name)]);
    this.#names.push(this.namespace(name));
    this.ip(name, "link set lo up");
  }

  #veth(bridge: string, port: string, end: { readonly into: string; readonly as: string; readonly mtu: number }): void {
    this.ip(
      "fabric",
      `link add ${port} mtu ${end.mtu} type veth peer name ${end.as} mtu ${end.mtu} netns ${this.namespace(end.into)}`,
    );
    this.ip("fabric", `link set ${port} master ${bridge} up`);
  }

  /** `ip` in the namespace of that name. */
  ip(name: string, words: string): void {
    run("ip", ["-n", this.namespace(name), ...words.split(" ").filter((word) => word !== "")]);
  }
}

function run(command: string, args: readonly string[]): void {
  const done = spawnSync(command, args, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")}: ${done.stderr}`);
}
