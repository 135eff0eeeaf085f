import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiClient } from "../../src/api-client/client.ts";
import { parseHttpTarget } from "../../src/api-client/http-json.ts";
import type { AgentDrops, AgentFlows, AgentStatus } from "../../src/api-schema/agent-api.ts";
import { FLOWS_MAX } from "../../src/api-schema/limits.ts";
import { Prng } from "../../src/base/prng.ts";
import { unwrap } from "../../src/base/result.ts";
import { systemScheduler } from "../../src/base/scheduler.ts";
import { type ChildPlan, LabChild } from "../../src/lab/child.ts";
import { removeLab } from "../../src/lab/leftovers.ts";
import { Spaces } from "../../src/lab/namespaces.ts";
import { type HostPlan, type LabPlan, planLab, VM_INTERFACE, type VmPlan, vmOf } from "../../src/lab/plan.ts";
import { RunFolder } from "../../src/lab/run-folder.ts";
import { createDevices, createTenant, inactiveVms } from "../../src/lab/tenant.ts";
import { until } from "../../src/lab/until.ts";
import type { Netns } from "../../src/linux/netns.ts";

/** What a command printed, and how it ended. */
export interface Ran {
  readonly code: number;
  readonly output: string;
}

const waiting = { scheduler: systemScheduler, withinMs: 20_000 };

/** A store that is not the cloud's own: the servers' addresses, and a namespace from which the API reaches them. */
export interface ForeignStore {
  readonly addresses: readonly string[];
  readonly netns: Netns;
}

/** A flow of a ping every 100 ms was used so lately. */
const USED_WITHIN_MS = 300;

/**
 * The lab's network with processes that a test may kill, start again and start wrongly: two hosts, four VMs, a store, an API. It
 * has a run folder of its own, so it neither needs nor disturbs the lab of the clone.
 */
export class Cloud {
  readonly plan: LabPlan;
  readonly spaces = new Spaces();
  readonly #folder: RunFolder;
  readonly #logs = mkdtempSync(join(tmpdir(), "weft-cloud-"));
  readonly #children = new Map<string, LabChild>();
  readonly #agentArgs: Readonly<Record<string, readonly string[]>>;
  #client: ApiClient | undefined;
  #foreign: ForeignStore | undefined;

  private constructor(folder: RunFolder, agentArgs: Readonly<Record<string, readonly string[]>>) {
    this.#folder = folder;
    this.#agentArgs = agentArgs;
    this.plan = planLab(folder.id);
  }

  /** Namespaces and links; nothing runs yet. `agentArgs`: more words for the agents' command lines, by host. */
  static build(agentArgs: Readonly<Record<string, readonly string[]>> = {}): Cloud {
    const cloud = new Cloud(unwrap(RunFolder.create(new Prng(process.pid))), agentArgs);
    unwrap(cloud.spaces.build(cloud.plan));
    return cloud;
  }

  /**
   * Store, API, both agents and the tenant, until every VM is forwarded for. With a foreign store none of our own is started. The API
   * runs in `apiNetns`, else in the namespace of the test.
   */
  async serve(foreign?: ForeignStore, apiNetns = foreign?.netns): Promise<void> {
    this.#foreign = foreign;
    if (foreign === undefined && !this.#children.has("store")) await this.startStore();
    const socket = this.path("api.sock");
    const args = ["--store", this.store, "--socket", socket, "--token-file", this.path("token")];
    await this.start({ name: "api", main: "api", args, ...(apiNetns && { netns: apiNetns }) });
    const token = readFileSync(this.path("token"), "utf8").trim();
    this.#client = new ApiClient({ target: unwrap(parseHttpTarget(`unix:${socket}`)), token });
    unwrap(await createDevices(this.client, this.plan));
    await Promise.all(this.plan.hosts.map((host) => this.startAgent(host.name)));
    unwrap(await createTenant(this.client, this.plan));
    await this.allActive();
  }

  get client(): ApiClient {
    if (this.#client === undefined) throw new Error("the API is not there yet");
    return this.#client;
  }

  /** Addresses of the store's servers, comma separated. */
  get store(): string {
    return this.#foreign?.addresses.join(",") ?? `unix:${this.path("store.sock")}`;
  }

  /** A file of this cloud. */
  path(name: string): string {
    return this.#folder.of(name);
  }

  host(name: string): HostPlan {
    const found = this.plan.hosts.find((host) => host.name === name);
    if (found === undefined) throw new Error(`no host ${name}`);
    return found;
  }

  vm(name: string): VmPlan {
    return vmOf(this.plan, name);
  }

  /** Starts the store and waits until it serves. `more` goes at the end of its command line. */
  startStore(more: readonly string[] = []): Promise<void> {
    const args = ["--data-folder", this.path("store"), "--socket", this.path("store.sock"), ...more];
    return this.start({ name: "store", main: "store-server", args });
  }

  /** Starts a host's agent and waits until it serves. `more` goes at the end of its command line. */
  startAgent(hostName: string, more = this.#agentArgs[hostName] ?? []): Promise<void> {
    const { args, netns } = this.agentPlan(hostName);
    return this.start({ name: `agent-${hostName}`, main: "agent", args: [...args, ...more], netns });
  }

  /** How a host's agent is started. Sessions are short: what a killed one held is free again soon. */
  agentPlan(hostName: string): { readonly args: readonly string[]; readonly netns: ChildPlan["netns"] & object } {
    const { id, name } = this.host(hostName);
    return {
      netns: this.spaces.of(name).netns,
      args: [
        ...["--host-id", id, "--host-name", name, "--store", this.store, "--session-timeout", "3s"],
        ...["--api-socket", this.path(`${name}.sock`), "--pin-folder", this.plan.id],
        ...["--state-folder", this.path(`${name}.state`)],
      ],
    };
  }

  /** Starts a process, remembers it for `down`, and waits until it serves. */
  async start(plan: Omit<ChildPlan, "logPath">): Promise<void> {
    const child = this.launch(plan);
    unwrap(await child.ready(systemScheduler));
  }

  /** Starts a process without waiting. */
  launch(plan: Omit<ChildPlan, "logPath">): LabChild {
    const child = LabChild.start({ ...plan, logPath: this.#logOf(plan.name) });
    this.#children.set(plan.name, child);
    this.#folder.addProcess(child.pid);
    return child;
  }

  /** Process id of a process that `start` or `launch` started. */
  pid(name: string): number {
    return this.#children.get(name)?.pid ?? 0;
  }

  /** kill -9, and waits for the end. */
  async kill(name: string): Promise<void> {
    const child = this.#children.get(name);
    if (child === undefined) throw new Error(`${name} was never started`);
    process.kill(child.pid, "SIGKILL");
    await child.ended;
  }

  /** Asks a process to end, and waits until it has. */
  async stop(name: string): Promise<void> {
    await this.#children.get(name)?.stop(systemScheduler);
  }

  /** Everything that a process wrote to standard error since its name was first used. */
  log(name: string): string {
    return readFileSync(this.#logOf(name), "utf8");
  }

  /** Waits until the agents forward for every VM. */
  async allActive(): Promise<void> {
    await this.eventually("every VM's port is active", async () => {
      const inactive = await inactiveVms(this.client, this.plan);
      return inactive.ok && inactive.value.length === 0;
    });
  }

  /** Waits for a condition; fails with its name when it does not come. */
  async eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const held = await until(waiting, async () => ((await holds()) ? true : undefined));
    if (held !== true) throw new Error(`not within ${waiting.withinMs / 1000} s: ${what}`);
  }

  /** Runs a command in the namespace of a VM or host. */
  run(name: string, command: string): Promise<Ran> {
    return this.runIn(this.spaces.of(name).netns, command);
  }

  /** Runs a command in any namespace. */
  runIn(netns: Netns, command: string): Promise<Ran> {
    const child = unwrap(netns.run(() => spawn("sh", ["-c", command], { stdio: ["ignore", "pipe", "pipe"] })));
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += `${chunk}`));
    return new Promise((resolve) => child.once("close", (code) => resolve({ code: code ?? -1, output })));
  }

  /** True when one ping is answered. */
  async pings(from: string, to: string): Promise<boolean> {
    return (await this.run(from, `ping -c 1 -W 1 ${to}`)).code === 0;
  }

  /** GET of an agent's own API. */
  async status(hostName: string): Promise<AgentStatus> {
    return (await this.#ask(hostName, "/status")) as AgentStatus;
  }

  /** Packets that a host dropped for a reason, of all ports or of one. */
  async drops(hostName: string, portId?: string): Promise<ReadonlyMap<string, number>> {
    const { drops } = (await this.#ask(hostName, "/drops")) as AgentDrops;
    const sums = new Map<string, number>();
    for (const drop of drops) {
      if (portId !== undefined && drop.portId !== portId) continue;
      sums.set(drop.reason, (sums.get(drop.reason) ?? 0) + drop.packets);
    }
    return sums;
  }

  /** Every installed flow of a host. */
  async flows(hostName: string): Promise<AgentFlows["flows"]> {
    return ((await this.#ask(hostName, `/flows?limit=${FLOWS_MAX}`)) as AgentFlows).flows;
  }

  /** Two VMs need not ask for each other any more: without an agent nobody answers that. */
  async introduce(one: string, another: string): Promise<void> {
    for (const [at, other] of [
      [one, another],
      [another, one],
    ] as const) {
      const { v4, mac } = this.vm(other);
      await this.run(at, `ip neigh replace ${v4} lladdr ${mac} dev ${VM_INTERFACE} nud permanent`);
    }
  }

  /**
   * Waits until a host forwards what a VM sends now by a flow: that goes on without the agent. It takes one long ping: the packets of
   * another process are another flow, which the host may not have met.
   */
  async hasUsedFlow(hostName: string, vmName: string): Promise<void> {
    const { portId } = this.vm(vmName);
    await this.eventually(`what ${vmName} sends is forwarded by a flow`, async () => {
      const flows = await this.flows(hostName);
      return flows.some((flow) => flow.portId === portId && flow.packets > 3 && flow.idleMs < USED_WITHIN_MS);
    });
  }

  /** State of a port as its agent sees it. */
  async portState(hostName: string, portId: string): Promise<string | undefined> {
    return (await this.status(hostName)).ports.find((port) => port.portId === portId)?.state;
  }

  /** Takes everything away. */
  async down(): Promise<void> {
    this.#client?.close();
    const all = [...this.#children.values()];
    const stop = (children: readonly LabChild[]): Promise<unknown> =>
      Promise.all(children.map((child) => child.stop(systemScheduler)));
    await stop(all.filter(({ name }) => name !== "store"));
    await stop(all);
    this.spaces.close();
    await removeLab(this.#folder, systemScheduler);
    rmSync(this.#logs, { recursive: true, force: true });
  }

  #logOf(name: string): string {
    return join(this.#logs, `${name}.log`);
  }

  #ask(hostName: string, path: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const ask = request({ socketPath: this.path(`${hostName}.sock`), path }, (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += `${chunk}`));
        response.once("end", () => resolve(JSON.parse(text)));
      });
      ask.once("error", reject);
      ask.end();
    });
  }
}
