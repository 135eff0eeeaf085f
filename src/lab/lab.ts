import { chownSync, readFileSync } from "node:fs";
import { ApiClient } from "../api-client/client.ts";
import { parseHttpTarget } from "../api-client/http-json.ts";
import type { Prng } from "../base/prng.ts";
import { err, ok, type Result, unwrap } from "../base/result.ts";
import type { Scheduler } from "../base/scheduler.ts";
import { LockFile } from "../linux/flock.ts";
import { ownIdentity } from "../linux/process.ts";
import { LabChild } from "./child.ts";
import {
  labFileOf,
  labLockPath,
  logPathOf,
  makeLabFolder,
  readLabFile,
  removeLabFile,
  renewLogFolder,
  writeLabFile,
} from "./lab-file.ts";
import { removeLab } from "./leftovers.ts";
import { ACTIVE_WITHIN_MS } from "./limits.ts";
import { Spaces } from "./namespaces.ts";
import { type LabPlan, planLab } from "./plan.ts";
import { RunFolder } from "./run-folder.ts";
import { servingUser, type User } from "./serving-user.ts";
import { createDevices, createTenant, inactiveVms } from "./tenant.ts";
import { until } from "./until.ts";

/** What a lab takes from outside. */
export interface LabOptions {
  readonly scheduler: Scheduler;
  readonly prng: Prng;
  /** Told when a process ends that should not, with a sentence. */
  onLost(sentence: string): void;
  /** More words for the agents' command lines. */
  readonly agentArgs?: readonly string[];
}

/** Folder of store and API in the lab's: theirs, as they need not be root. */
const SERVERS = "servers";

/** Why nothing is begun any more. */
const STOPPING = "the lab is being stopped";

/** A lab on this machine's kernel: namespaces, processes, and the tenant in the store. */
export class Lab {
  readonly plan: LabPlan;
  readonly folder: RunFolder;
  readonly spaces = new Spaces();
  readonly #options: LabOptions;
  readonly #lock: LockFile;
  readonly #children: LabChild[] = [];
  #client: ApiClient | undefined;
  #isServing = false;
  #isDown = false;

  private constructor(options: LabOptions, lock: LockFile, folder: RunFolder) {
    this.#options = options;
    this.#lock = lock;
    this.folder = folder;
    this.plan = planLab(folder.id);
  }

  /** Takes the lock of this clone's lab and an id. Nothing else is made yet. The error says who has it. */
  static claim(options: LabOptions): Result<Lab, string> {
    makeLabFolder();
    const lock = LockFile.take(labLockPath, "the lab");
    if (!lock.ok) {
      const { owner, error } = lock.error;
      if (owner === undefined) return err(error.text);
      const id = readLabFile()?.id ?? "";
      return err(`a lab is up: ${id === "" ? "" : `${id}, `}process ${owner.pid}`);
    }
    removeLabFile();
    renewLogFolder();
    const folder = RunFolder.create(options.prng);
    if (folder.ok) return ok(new Lab(options, lock.value, folder.value));
    lock.value.release();
    return folder;
  }

  /** A client of the API; only after `serve`. */
  get client(): ApiClient {
    if (this.#client === undefined) throw new Error("the API is not there yet");
    return this.#client;
  }

  /** Makes namespaces and links. */
  build(): Result<undefined, string> {
    if (this.#isDown) return err(STOPPING);
    const built = this.spaces.build(this.plan);
    return built.ok ? built : err(built.error.text);
  }

  /** Starts store, API and agents at once, and waits until all of them serve. */
  async serve(): Promise<Result<undefined, string>> {
    if (this.#isDown) return err(STOPPING);
    const user = servingUser();
    this.folder.makeFolder(SERVERS, user);
    const of = (name: string): string => this.folder.of(`${SERVERS}/${name}`);
    const store = `unix:${of("store.sock")}`;
    const storeServer = this.#start({
      ...{ name: "store", main: "store-server", ...(user && { user }) },
      args: ["--data-folder", of("store"), "--socket", of("store.sock")],
    });
    const agents = this.plan.hosts.map((host) =>
      this.#start({
        name: `agent-${host.name}`,
        main: "agent",
        netns: this.spaces.of(host.name).netns,
        args: [
          ...["--host-id", host.id, "--host-name", host.name, "--store", store, "--datapath", "ebpf"],
          ...["--api-socket", this.folder.of(`${host.name}.sock`), "--pin-folder", this.plan.id],
          ...["--state-folder", this.folder.of(`${host.name}.state`)],
          ...(this.#options.agentArgs ?? []),
        ],
      }),
    );
    const socket = of("api.sock");
    const tokenFile = of("token");
    const api = this.#start({
      ...{ name: "api", main: "api", ...(user && { user }) },
      args: ["--store", store, "--socket", socket, "--token-file", tokenFile],
    });
    for (const child of [storeServer, api]) {
      const isServing = await child.ready(this.#options.scheduler);
      if (!isServing.ok) return isServing;
    }
    this.#publish(`unix:${socket}`, readFileSync(tokenFile, "utf8").trim());
    const devices = await createDevices(this.client, this.plan);
    if (!devices.ok) return devices;
    for (const agent of agents) {
      const isReady = await agent.ready(this.#options.scheduler);
      if (!isReady.ok) return isReady;
    }
    if (user !== undefined) this.#openAgentsTo(user);
    this.#isServing = true;
    return ok(undefined);
  }

  /** Joins hosts and VMs to the tenant's network and waits until every port is forwarded for. */
  async createTenant(): Promise<Result<undefined, string>> {
    const created = await createTenant(this.client, this.plan);
    if (!created.ok) return created;
    let missing: readonly string[] = [];
    const options = { scheduler: this.#options.scheduler, withinMs: ACTIVE_WITHIN_MS };
    const outcome = await until(options, async (): Promise<Result<undefined, string> | undefined> => {
      const inactive = await inactiveVms(this.client, this.plan);
      if (!inactive.ok) return inactive;
      missing = inactive.value;
      return missing.length === 0 ? ok(undefined) : undefined;
    });
    return outcome ?? err(`no host forwards for ${missing.join(", ")} after ${ACTIVE_WITHIN_MS / 1_000} s`);
  }

  /** Takes everything away again: agents first, while the store still hears that they leave. */
  async down(isUrgent = false): Promise<void> {
    this.#isDown = true;
    removeLabFile();
    this.#client?.close();
    const { scheduler } = this.#options;
    const stop = (children: readonly LabChild[]): Promise<unknown> =>
      Promise.all(children.map((child) => child.stop(scheduler, isUrgent)));
    await stop(this.#children.filter(({ name }) => name !== "store"));
    await stop(this.#children);
    this.spaces.close();
    await removeLab(this.folder, scheduler);
    this.#lock.release();
  }

  /** The API asks the agents on their sockets, which only root could open. */
  #openAgentsTo({ uid, gid }: User): void {
    for (const { name } of this.plan.hosts) chownSync(this.folder.of(`${name}.sock`), uid, gid);
  }

  #publish(api: string, token: string): void {
    const { pid, startTicks } = ownIdentity();
    this.#client = new ApiClient({ target: unwrap(parseHttpTarget(api)), token });
    writeLabFile(labFileOf(this.plan, { pid, startTicks, api, token, folder: this.folder.path }));
  }

  #start(plan: Omit<Parameters<typeof LabChild.start>[0], "logPath">): LabChild {
    const child = LabChild.start({ ...plan, logPath: logPathOf(plan.name) });
    this.#children.push(child);
    this.folder.addProcess(child.pid);
    void child.ended.then((how) => {
      if (this.#isServing && !child.isStopping) this.#options.onLost(`${child.name} ${how}; log: ${child.logPath}`);
    });
    return child;
  }
}
