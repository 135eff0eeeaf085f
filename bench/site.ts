import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Result, unwrap } from "../src/base/result.ts";
import { systemScheduler } from "../src/base/scheduler.ts";
import { type ChildPlan, LabChild } from "../src/lab/child.ts";
import { dyingWithUs, runCommand } from "../src/lab/command.ts";
import { removePins } from "../src/lab/leftovers.ts";
import { configure, macBytes, openSpace, removeNamespaces, type Space } from "../src/lab/namespaces.ts";
import { runRoot } from "../src/lab/run-folder.ts";
import { namesOfDead } from "../src/linux/fixture/dead-runs.ts";
import { LockFile } from "../src/linux/flock.ts";
import { createVeth } from "../src/linux/netlink/route/create-link.ts";
import { changeLink } from "../src/linux/netlink/route/link.ts";
import { disableIpv6 } from "../src/linux/sysctl.ts";
import { raisePriority } from "./priority.ts";

const root = "/run/weftbench";
const PREFIX = "weftbench-";
const lockName = "lock";
const stopWithinMs = 3_000;

/** Two ends of a veth pair, each in a namespace. */
export interface Wire {
  readonly from: { readonly space: Space; readonly name: string };
  readonly to: { readonly space: Space; readonly name: string; readonly mac?: string; readonly address?: string };
  readonly mtu: number;
}

/** A command of other people that runs beside us. */
export interface Tool {
  readonly pid: number;
  /** Everything that it printed, when it has ended. */
  readonly ended: Promise<string>;
  /** Resolves when it has printed its first line. */
  readonly started: Promise<void>;
  /** Everything that it has printed so far. */
  output(): string;
  stop(): Promise<void>;
}

/**
 * The place where benches build: namespaces `weftbench-PID-*`, pinned maps and a folder under the same name, processes that
 * die with us. Whatever is made through it goes with `clear`, also when a bench fails halfway; what a killed bench left is
 * removed by the next `claim`.
 */
export class BenchSite {
  /** Name that begins everything of this site, unique while we live. */
  readonly name = `${PREFIX}${process.pid}`;
  readonly folder = join(root, String(process.pid));
  readonly scheduler = systemScheduler;
  readonly #lock: LockFile;
  readonly #spaces = new Map<string, Space>();
  readonly #children: LabChild[] = [];
  readonly #tools: Tool[] = [];
  readonly #closing: (() => void)[] = [];

  private constructor() {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    this.#lock = unwrap(LockFile.take(join(this.folder, lockName), "the bench"));
  }

  /** Removes what dead benches left, and claims a site of our own. */
  static claim(): BenchSite {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    for (const pid of readdirSync(root)) {
      const lock = LockFile.take(join(root, pid, lockName), "removal");
      if (lock.ok) removeTraces(pid);
    }
    // Of runs whose own folder went before their agents did.
    for (const name of namesOfDead(runRoot, PREFIX)) removePins(name);
    return new BenchSite();
  }

  /** Path of a file in the site's folder. */
  of(name: string): string {
    return join(this.folder, name);
  }

  /** The namespace of this short name, made at first use with its loopback up. */
  space(name: string): Space {
    const known = this.#spaces.get(name);
    if (known !== undefined) return known;
    const space = unwrap(openSpace(`${this.name}-${name}`));
    this.#spaces.set(name, space);
    unwrap(space.netlink.run(changeLink({ name: "lo" }, { isUp: true })));
    // What is measured is IPv4: neighbor discovery of a thousand interfaces would be in the way.
    for (const links of ["all", "default"]) unwrap(disableIpv6(links, space.netns));
    return space;
  }

  /** Joins two namespaces. Both ends are up; the far one has the MAC and the IPv4 address, a /16, that the wire says. */
  join({ from, to, mtu }: Wire): void {
    const mac = to.mac === undefined ? {} : { mac: macBytes(to.mac) };
    const peer = { name: to.name, mtu, netnsFd: to.space.netns.fd, ...mac };
    unwrap(from.space.netlink.run(createVeth({ link: { name: from.name, mtu, isUp: true }, peer })));
    const addresses = to.address === undefined ? [] : [{ text: to.address, prefixLength: 16 }];
    unwrap(configure(to.space.netlink, to.name, addresses));
  }

  /** Gives a link an IPv4 address, a /16, and sets it up. */
  address(space: Space, name: string, address: string): void {
    unwrap(configure(space.netlink, name, [{ text: address, prefixLength: 16 }]));
  }

  /** Starts a process of weft and waits until it serves. */
  async startWeft(plan: Omit<ChildPlan, "logPath">): Promise<LabChild> {
    const child = LabChild.start({ ...plan, logPath: this.of(`${plan.name}.log`) });
    this.#children.push(child);
    raisePriority(child.pid);
    unwrapText(await child.ready(this.scheduler));
    return child;
  }

  /** Starts a command in a namespace. It is killed when its site is cleared, and by the kernel when we die. */
  startTool(command: readonly string[], space?: Space): Tool {
    const [file = "", ...args] = dyingWithUs(command);
    const start = (): ChildProcess => spawn(file, args, { stdio: ["ignore", "pipe", "pipe"] });
    const child = space === undefined ? start() : unwrap(space.netns.run(start));
    const tool = toolOf(child, command[0] ?? "");
    this.#tools.push(tool);
    return tool;
  }

  /** Runs a command in a namespace to its end, which must be a good one, and gives what it printed. */
  async run(command: readonly string[], space?: Space, withinMs = 60_000): Promise<string> {
    const { code, output } = await runCommand(command, {
      scheduler: this.scheduler,
      withinMs,
      ...(space === undefined ? {} : { netns: space.netns }),
    });
    if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${output.trim()}`);
    return output;
  }

  /** Calls back when the site is cleared. */
  onClear(callback: () => void): void {
    this.#closing.push(callback);
  }

  /** Takes away all that was made, but not the site. With `isUrgent` processes are killed at once. */
  async clear(isUrgent = false): Promise<void> {
    for (const close of this.#closing.splice(0)) close();
    await Promise.all(this.#tools.splice(0).map((tool) => tool.stop()));
    const children = this.#children.splice(0);
    for (const isStore of [false, true]) {
      const now = children.filter(({ name }) => (name === "store") === isStore);
      await Promise.all(now.map((child) => child.stop(this.scheduler, isUrgent)));
    }
    for (const { netlink, netns } of this.#spaces.values()) {
      netlink.close();
      netns.close();
    }
    this.#spaces.clear();
    removeNamespaces(`${this.name}-`);
    removePins(this.name);
    for (const file of readdirSync(this.folder)) {
      if (file !== lockName) rmSync(this.of(file), { recursive: true, force: true });
    }
  }

  /** Takes everything away. */
  async close(isUrgent = false): Promise<void> {
    await this.clear(isUrgent);
    this.#lock.release();
    removeTraces(String(process.pid));
  }
}

/** The value, or an exception with the sentence: a bench that cannot go on says why. */
export function unwrapText<T>(result: Result<T, string>): T {
  if (!result.ok) throw new Error(result.error);
  return result.value;
}

function removeTraces(pid: string): void {
  removeNamespaces(`${PREFIX}${pid}-`);
  removePins(`${PREFIX}${pid}`);
  rmSync(join(root, pid), { recursive: true, force: true });
  if (existsSync(root) && readdirSync(root).length === 0) rmSync(root, { recursive: true });
}

function toolOf(child: ChildProcess, name: string): Tool {
  let output = "";
  const exited = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", () => resolve(output));
  });
  const started = new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        if (output.length < 100_000) output += chunk.toString();
        if (output.includes("\n")) resolve();
      });
    }
    void exited.then((text) => reject(new Error(`${name} ended: ${text}`)));
  });
  // Not everybody waits for the first line.
  started.catch(() => undefined);
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    const timer = systemScheduler.after(stopWithinMs, () => child.kill("SIGKILL"));
    await exited;
    timer.cancel();
  };
  return { pid: child.pid ?? 0, ended: exited, started, output: () => output, stop };
}
