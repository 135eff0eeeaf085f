import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ApiClient, formatClientError, type Outcome } from "../src/api-client/client.ts";
import { JsonHttp, parseHttpTarget } from "../src/api-client/http-json.ts";
import type { AgentStatus } from "../src/api-schema/agent-api.ts";
import type { CreateOf } from "../src/api-schema/resources.ts";
import { unwrap } from "../src/base/result.ts";
import type { ChildPlan, LabChild } from "../src/lab/child.ts";
import type { Space } from "../src/lab/namespaces.ts";
import { until } from "../src/lab/until.ts";
import { type BenchSite, unwrapText } from "./site.ts";

/** What the built form is in: sources run as they are when it is undefined. */
export type BuiltForm = string | undefined;

/** A host of a cloud under test. */
export interface BenchHost {
  readonly name: string;
  readonly id: string;
  readonly space: Space;
  /** Its present agent. */
  readonly agent: LabChild;
  /** How it was started. */
  readonly plan: Omit<ChildPlan, "logPath">;
  /** The agent's own API. */
  readonly http: JsonHttp;
}

/** How filters of a bench look: they accept everything that is sent, after ten rules that do not match it. */
export type FilterKind = "addresses" | "ports";

/** A VM: a namespace (or one of several interfaces in one) on a host, plugged into a bridge. */
export interface BenchVm {
  readonly name: string;
  readonly host: BenchHost;
  readonly bridgeId: string;
  readonly mac: string;
  /** Absent for one that only receives. */
  readonly address?: string;
  /** Namespace, when not one of its own. */
  readonly space?: string;
  readonly inboundFilterId?: string;
  readonly outboundFilterId?: string;
}

/** A VM that is plugged in. */
export interface PluggedVm {
  readonly portId: string;
  readonly space: Space;
  /** Interface inside the VM. */
  readonly iface: string;
}

/** Rules of a filter, as the figures want them. */
export const RULES = 10;
const UNDERLAY_MTU = 1500;
const VM_MTU = 1450;
const READY_WITHIN_MS = 30_000;

/** A cloud of weft under test: store, API, and agents on eBPF, one worker each, in namespaces of a site. */
export class WeftCloud {
  readonly site: BenchSite;
  readonly api: ApiClient;
  readonly #hosts: BenchHost[];

  private constructor(site: BenchSite, api: ApiClient, hosts: readonly BenchHost[]) {
    this.site = site;
    this.api = api;
    this.#hosts = [...hosts];
  }

  get hosts(): readonly BenchHost[] {
    return this.#hosts;
  }

  /** Starts store, API and one or two hosts, which tunnel to each other. */
  static async start(
    site: BenchSite,
    options: { readonly hosts: 1 | 2; readonly form: BuiltForm; readonly agentArgs?: readonly string[] },
  ): Promise<WeftCloud> {
    const mainPath = (name: string): { readonly path?: string } =>
      options.form === undefined ? {} : { path: join(options.form, name, "main.js") };
    const store = `unix:${site.of("store.sock")}`;
    await site.startWeft({
      ...{ name: "store", main: "store-server", ...mainPath("store-server") },
      args: ["--data-folder", site.of("store"), "--socket", site.of("store.sock"), "--log.level", "warn"],
    });
    const apiArgs = ["--store", store, "--socket", site.of("api.sock"), "--token-file", site.of("token")];
    await site.startWeft({ name: "api", main: "api", ...mainPath("api"), args: [...apiArgs, "--log.level", "warn"] });
    const token = readFileSync(site.of("token"), "utf8").trim();
    const api = new ApiClient({ target: unwrap(parseHttpTarget(`unix:${site.of("api.sock")}`)), token });
    site.onClear(() => api.close());
    const names = ["h1", "h2"].slice(0, options.hosts);
    if (names.length === 2) joinUnderlay(site);
    const { agentArgs = [] } = options;
    const hosts = await Promise.all(
      names.map((name) => startHost(site, { name, store, agentArgs, ...mainPath("agent") })),
    );
    const cloud = new WeftCloud(site, api, hosts);
    if (hosts.length === 2) await cloud.#tunnel();
    return cloud;
  }

  /** The host of this number, from 0. */
  host(index: 0 | 1): BenchHost {
    return this.hosts[index] as BenchHost;
  }

  /** Asks the agent of a host to end, and waits until it has: nothing of it is left. */
  stopAgent(index: 0 | 1): Promise<void> {
    return this.host(index).agent.stop(this.site.scheduler);
  }

  /** kill -9 of a host's agent. */
  async killAgent(index: 0 | 1): Promise<void> {
    await this.host(index).agent.stop(this.site.scheduler, true);
  }

  /** Starts the agent of a host again, as it was started, and waits until it serves. */
  async startAgent(index: 0 | 1, more: readonly string[] = []): Promise<void> {
    const host = this.host(index);
    const agent = await this.site.startWeft({ ...host.plan, args: [...host.plan.args, ...more] });
    this.#hosts[index] = { ...host, agent };
  }

  /** Creates a bridge. Its id. */
  async bridge(name: string): Promise<string> {
    return (await answered(this.api.create("bridge", { name, tenant: "bench" }))).id;
  }

  /** Creates a filter that accepts everything: ten rules of which the last matches. Its id, and that of the last rule. */
  async filter(name: string, kind: FilterKind): Promise<{ readonly id: string; readonly lastRuleId: string }> {
    const { id } = await answered(this.api.create("chain", { name, tenant: "bench" }));
    let lastRuleId = "";
    for (let i = 0; i < RULES; i++) {
      const isLast = i === RULES - 1;
      const rule = await answered(
        this.api.create("rule", {
          chainId: id,
          condition: isLast ? {} : conditionOf(kind, i),
          action: { type: isLast ? "accept" : "drop" },
        }),
      );
      lastRuleId = rule.id;
    }
    return { id, lastRuleId };
  }

  /** Plugs VMs in and waits until their hosts forward for them. */
  async plug(vms: readonly BenchVm[]): Promise<readonly PluggedVm[]> {
    const plugged: PluggedVm[] = [];
    for (const vm of vms) {
      const space = this.site.space(vm.space ?? vm.name);
      const iface = vm.space === undefined ? "eth0" : vm.name;
      const to = { space, name: iface, mac: vm.mac, ...(vm.address === undefined ? {} : { address: vm.address }) };
      this.site.join({ from: { space: vm.host.space, name: vm.name }, to, mtu: VM_MTU });
      plugged.push({ portId: randomUUID(), space, iface });
    }
    await this.bind(vms.map((vm, i) => ({ ...vm, portId: plugged[i]?.portId ?? "" })));
    return plugged;
  }

  /** Creates bridge ports, binds them to interfaces of their names, and waits until their hosts forward for them. */
  async bind(ports: readonly (Omit<BenchVm, "mac"> & { readonly portId: string })[]): Promise<void> {
    await inBatches(ports, async ({ portId, name, bridgeId, host, inboundFilterId, outboundFilterId }) => {
      const filters = {
        ...(inboundFilterId === undefined ? {} : { inboundFilterId }),
        ...(outboundFilterId === undefined ? {} : { outboundFilterId }),
      };
      await answered(this.api.create("port", { id: portId, name, deviceKind: "bridge", bridgeId, ...filters }));
      await answered(this.api.bind(portId, { hostId: host.id, interfaceName: name }));
    });
    const wanted = new Set(ports.map(({ portId }) => portId));
    await this.wait("its ports are forwarded for", async () => {
      const all = await answered(this.api.listAll("port", {}));
      return all.filter((port) => wanted.has(port.id) && port.isActive === true).length === wanted.size;
    });
  }

  /** Creates a port of a bridge and one of a router, linked. */
  async link(
    bridgeId: string,
    port: Omit<Extract<CreateOf<"port">, { deviceKind: "router" }>, "deviceKind">,
  ): Promise<void> {
    const near = await answered(this.api.create("port", { deviceKind: "bridge", bridgeId }));
    const far = await answered(this.api.create("port", { deviceKind: "router", ...port }));
    await answered(this.api.link(near.id, far.id));
  }

  /** Waits until a condition holds; the error names it. */
  async wait(what: string, holds: () => Promise<boolean>, withinMs = READY_WITHIN_MS): Promise<void> {
    const ask = async (): Promise<true | undefined> => ((await holds()) ? true : undefined);
    const done = await until({ scheduler: this.site.scheduler, withinMs }, ask);
    if (done === undefined) throw new Error(`not so within ${withinMs / 1_000} s: ${what}; logs: ${this.site.folder}`);
  }

  /** State of a host's agent. */
  async status(host: BenchHost): Promise<AgentStatus> {
    return unwrap(await host.http.send({ method: "GET", path: "/status" })).body as AgentStatus;
  }

  /** A metric of a host's agent. */
  async metric(host: BenchHost, name: string): Promise<number> {
    return (await this.status(host)).metrics?.find((metric) => metric.name === name)?.value ?? Number.NaN;
  }

  async #tunnel(): Promise<void> {
    const members = this.hosts.map(({ id }, i) => ({ hostId: id, address: `192.0.2.${i + 1}` }));
    await answered(this.api.create("tunnel-zone", { name: "underlay", mtu: UNDERLAY_MTU, members }));
  }
}

/** The answer of the API, or an exception with its error. */
export async function answered<T>(outcome: Outcome<T>): Promise<T> {
  const result = await outcome;
  if (result.ok) return result.value;
  throw new Error(formatClientError(result.error));
}

function joinUnderlay(site: BenchSite): void {
  const [near, far] = [site.space("h1"), site.space("h2")];
  const to = { space: far, name: "underlay", address: "192.0.2.2" };
  site.join({ from: { space: near, name: "underlay" }, to, mtu: UNDERLAY_MTU });
  site.address(near, "underlay", "192.0.2.1");
}

interface HostStart {
  readonly name: string;
  readonly store: string;
  readonly agentArgs: readonly string[];
  readonly path?: string;
}

async function startHost(site: BenchSite, { name, store, agentArgs, ...path }: HostStart): Promise<BenchHost> {
  const id = randomUUID();
  const space = site.space(name);
  const socket = site.of(`${name}.sock`);
  const plan: Omit<ChildPlan, "logPath"> = {
    ...{ name: `agent-${name}`, main: "agent", netns: space.netns, ...path },
    args: [
      ...["--host-id", id, "--host-name", name, "--store", store, "--datapath", "ebpf"],
      ...["--api-socket", socket, "--pin-folder", site.name, "--workers", "1", "--log.level", "warn"],
      ...["--state-folder", site.of(`${name}.state`), ...agentArgs],
    ],
  };
  const agent = await site.startWeft(plan);
  const http = new JsonHttp(unwrapText(parseHttpTarget(`unix:${socket}`)));
  site.onClear(() => http.close());
  return { name, id, space, agent, plan, http };
}

/** Conditions that nothing that a bench sends meets. */
function conditionOf(kind: FilterKind, i: number): NonNullable<CreateOf<"rule">["condition"]> {
  if (kind === "addresses") return { etherType: 0x0800, source: `192.168.${i}.0/24` };
  const ports = { from: 65_000 + i, to: 65_000 + i };
  return i % 2 === 0 ? { protocol: 6, destinationPorts: ports } : { protocol: 17, destinationPorts: ports };
}

const BATCH = 32;

async function inBatches<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length; from += BATCH) await Promise.all(items.slice(from, from + BATCH).map(work));
}
