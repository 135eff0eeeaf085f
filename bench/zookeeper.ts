import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Worker } from "node:worker_threads";
import { mainOf, nodeOptions } from "../src/base/entry.ts";
import { childLink } from "../src/base/parent.ts";
import { unwrap } from "../src/base/result.ts";
import type { ZooKeeperClient } from "../src/zookeeper/client.ts";
import { connectZooKeeper } from "../src/zookeeper/connect.ts";
import { startApache } from "../test/e2e/apache-zookeeper.ts";
import { needs } from "../test/needs.ts";
import type { WriterPlan } from "./ensemble/writer.worker.ts";
import { type Figure, figureOf } from "./figure.ts";
import { formatFigure } from "./report.ts";

const rounds = 5;
const nodes = 10_000;
const sequentialWrites = 500;
const data = new Uint8Array(64);

/**
 * Measures our client against the embedded server (a process of its own, Unix socket, durable) and, where Java is, the same
 * client against one Apache ZooKeeper on loopback. CPU is that of this process: the client alone.
 */
export async function benchZooKeeper(): Promise<readonly Figure[]> {
  const own = await embedded(measure);
  const apache = needs("java", "mvn") === false ? await measureApache() : undefined;
  const beside = (key: keyof Measured) => ({ own: own[key], apache: apache?.[key] });
  return [
    figure("zk_creates_per_s", "creates/s", beside("creates")),
    figure("zk_create_cpu_us", "us", beside("createCpu")),
    figure("zk_gets_per_s", "gets/s", beside("gets")),
    figure("zk_watch_event_cpu_us", "us", beside("eventCpu")),
    figure("zk_write_latency_us", "us", beside("latency")),
  ];
}

interface Measured {
  readonly creates: number[];
  readonly createCpu: number[];
  readonly gets: number[];
  readonly eventCpu: number[];
  readonly latency: number[];
}

async function embedded(run: (servers: readonly string[]) => Promise<Measured>): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), "weft-bench-"));
  const { stdio, env } = childLink(process.env);
  const args = [...nodeOptions, mainOf("store-server"), "--data-folder", folder, "--log.level", "error"];
  const child = spawn(process.execPath, args, { stdio: [stdio[0], "pipe", stdio[2], stdio[3]], env });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  try {
    for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
      return await run([line.replace("listening ", "")]);
    }
    throw new Error("the store server did not start");
  } finally {
    child.kill();
    await ended;
    rmSync(folder, { recursive: true });
  }
}

async function measureApache(): Promise<Measured> {
  const apache = await startApache();
  try {
    return await measure(apache.addresses);
  } finally {
    await apache.stop();
  }
}

async function measure(servers: readonly string[]): Promise<Measured> {
  const tree = unwrap(await connectZooKeeper({ servers }));
  const writer = new Worker(new URL("./ensemble/writer.worker.ts", import.meta.url), {
    workerData: { servers } satisfies WriterPlan,
  });
  const measured: Measured = { creates: [], createCpu: [], gets: [], eventCpu: [], latency: [] };
  try {
    for (let round = -1; round < rounds; round++) {
      const one = await measureRound(tree, writer);
      if (round < 0) continue;
      for (const key of Object.keys(measured) as (keyof Measured)[]) measured[key].push(one[key]);
    }
  } finally {
    const left = once(writer, "exit");
    writer.postMessage([]);
    await Promise.all([tree.close(), left]);
  }
  return measured;
}

type Round = { readonly [key in keyof Measured]: number };

async function measureRound(tree: ZooKeeperClient, writer: Worker): Promise<Round> {
  const root = unwrap(await tree.create("/bench-", data, { mode: "persistent-sequential" }));
  const names = Array.from({ length: nodes }, (_, i) => `${root}/${i}`);
  const create = await cost(async () => {
    for (const made of await Promise.all(names.map((name) => tree.create(name, data)))) unwrap(made);
  });
  const get = await cost(async () => {
    for (const read of await Promise.all(names.map((name) => tree.get(name)))) unwrap(read);
  });
  const events = await eventCost(tree, writer, names);
  const latency = await cost(async () => {
    for (let i = 0; i < sequentialWrites; i++) unwrap(await tree.set(root, data));
  });
  await Promise.all(names.map((name) => tree.remove(name)));
  unwrap(await tree.remove(root));
  return {
    creates: (nodes / create.ms) * 1000,
    createCpu: create.cpuUs / nodes,
    gets: (nodes / get.ms) * 1000,
    eventCpu: events,
    latency: (latency.ms / sequentialWrites) * 1000,
  };
}

/** Client CPU of one watch event: what this thread uses while another one writes. */
async function eventCost(tree: ZooKeeperClient, writer: Worker, names: readonly string[]): Promise<number> {
  let heard = 0;
  const root = (names[0] ?? "").split("/").slice(0, 2).join("/");
  const options = { recursive: true, onEvent: () => void heard++, onResync: () => undefined };
  const watch = unwrap(await tree.watch(root, options));
  const written = once(writer, "message");
  const before = process.threadCpuUsage();
  writer.postMessage(names);
  await written;
  unwrap(await tree.sync(root));
  const { user, system } = process.threadCpuUsage(before);
  watch.close();
  if (heard !== names.length) throw new Error(`${heard} events of ${names.length}`);
  return (user + system) / names.length;
}

async function cost(run: () => Promise<void>): Promise<{ readonly ms: number; readonly cpuUs: number }> {
  const start = performance.now();
  const cpu = process.cpuUsage();
  await run();
  const used = process.cpuUsage(cpu);
  return { ms: performance.now() - start, cpuUs: used.user + used.system };
}

interface Beside {
  readonly own: readonly number[];
  readonly apache: readonly number[] | undefined;
}

function figure(name: string, unit: string, { own, apache }: Beside): Figure {
  const measured = { name, unit, values: own };
  const rival = "Apache ZooKeeper 3.9.5, same client";
  return figureOf(apache === undefined ? measured : { ...measured, rival: { name: rival, values: apache } });
}

if (import.meta.main) for (const one of await benchZooKeeper()) process.stdout.write(`${formatFigure(one)}\n`);
