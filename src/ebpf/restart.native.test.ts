import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { unwrap } from "../base/result.ts";
import { systemScheduler } from "../base/scheduler.ts";
import { dropCode } from "../flow/drop-reason.ts";
import { FlowTable } from "../flow/flow-table.ts";
import { ACTION_VPORT, CONTROL_EPOCH, CREDIT_WORDS, LAYOUT_VERSION, SHARD_COUNT, VPORT_MAX } from "../flow/layout.ts";
import { openPinnedMap } from "../linux/bpf/map.ts";
import { threadRights } from "../linux/capabilities.ts";
import { EbpfDatapath } from "./ebpf-datapath.ts";
import { EbpfWorker } from "./ebpf-worker.ts";
import { actionOf, SwitchAgent } from "./fixture/switch-agent.ts";
import { compileDatapath, RESTART_PREFIX, TestNamespace, TestVm } from "./fixture/test-host.ts";
import { discardPins, pinPath } from "./pins.ts";
import { DATAPATH_CAPABILITIES } from "./rights.ts";

const LAB = `${RESTART_PREFIX}${process.pid}`;
const ALL_SHARDS = Array.from({ length: SHARD_COUNT }, (_, i) => i);

let space: TestNamespace;
let vms: readonly TestVm[];

before(() => {
  assert.ok(compileDatapath());
  space = new TestNamespace("host");
  vms = [1, 2].map((n) => new TestVm(space, n));
});

after(() => {
  for (const vm of vms ?? []) vm.close();
  space?.close();
});

interface Owner {
  readonly child: ChildProcess;
  readonly line: string;
}

/** Starts a process that owns the datapath and resolves with its first line; `few`: with an agent's capabilities only. */
async function startOwner(host: string, rights: "all" | "few" = "all"): Promise<Owner> {
  const path = fileURLToPath(new URL("./fixture/owner.ts", import.meta.url));
  const enter = rights === "all" ? [] : [`nsenter`, `--net=/run/netns/${space.name}`];
  const command = [...enter, process.execPath, path, LAB, host, ...(rights === "all" ? [space.name] : [])];
  const child = spawn(command[0] as string, command.slice(1), { stdio: ["ignore", "pipe", "inherit"] });
  const line = await new Promise<string>((resolve) => {
    child.stdout?.once("data", (data: Buffer) => resolve(data.toString().trim()));
    child.once("exit", (code, signal) => resolve(`ended with ${signal ?? code}`));
  });
  return { child, line };
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}

function open(host: string, bucketsPerShard = 64): ReturnType<typeof EbpfDatapath.open> {
  return EbpfDatapath.open({
    lab: LAB,
    host,
    netns: space.netns,
    scheduler: systemScheduler,
    bucketsPerShard,
    ringBytes: 256 << 10,
  });
}

function ping(count: number): Promise<{ readonly code: number; readonly output: string }> {
  // One identifier for all, so that the shard of its flow is the same before and after.
  return (vms[0] as TestVm).space.exec(["ping", "-e", "4711", "-c", `${count}`, "-i", "0.01", "-W", "1", "10.0.0.2"]);
}

function liveFlows(datapath: EbpfDatapath): number {
  const flows = new FlowTable(datapath.memory, VPORT_MAX);
  let count = 0;
  for (let slot = 0; slot < flows.slots; slot++) if (flows.isLive(slot)) count++;
  return count;
}

test("flows go on forwarding when their owner is killed, and the next one finds them and loses no packet", async () => {
  const { child, line } = await startOwner("h1");
  assert.equal(line, "ready");
  const refused = await open("h1");
  assert.ok(!refused.ok);
  assert.equal(refused.error.kind, "busy");
  assert.match(refused.error.message, new RegExp(`process ${child.pid}`));

  assert.match((await ping(3)).output, /3 received/);
  await kill(child);
  assert.match((await ping(20)).output, /20 received/, "while nobody is there");

  const running = ping(100);
  const datapath = unwrap(await open("h1"));
  assert.ok(datapath.isReopened);
  assert.equal(datapath.memory.control[CONTROL_EPOCH], 2);
  assert.ok(liveFlows(datapath) >= 2);
  const ports = [1, 2].map((n) => ({ vport: n, interfaceName: `port${n}`, epoch: 1 }));
  assert.deepEqual(
    (await datapath.setPorts(ports)).map((port) => port.state),
    ["attached", "attached"],
  );
  assert.match((await running).output, /100 received/, "across the take-over");
  await datapath.close({ keep: false });
  assert.ok(!existsSync(pinPath({ lab: LAB, host: "h1" })));
});

test("four capabilities are enough to make a datapath, to serve it, and to take it over", async () => {
  for (const _ of ["made", "taken over"]) {
    const { child, line } = await startOwner("few", "few");
    assert.equal(line, "ready");
    assert.deepEqual(threadRights(`/proc/${child.pid}`).effective, DATAPATH_CAPABILITIES);
    assert.match((await ping(3)).output, /3 received/);
    await kill(child);
  }
  await unwrap(await open("few")).close({ keep: false });
});

test("upcalls that waited while nobody was there are answered, and the credits come out even", async () => {
  const { child } = await startOwner("h2");
  assert.match((await ping(3)).output, /3 received/);
  await kill(child);
  const late = (vms[0] as TestVm).space.exec(["ping", "-e", "4999", "-c", "1", "-W", "3", "10.0.0.2"]);
  const datapath = unwrap(await open("h2"));
  await datapath.setPorts([1, 2].map((n) => ({ vport: n, interfaceName: `port${n}`, epoch: 1 })));
  const worker = unwrap(
    EbpfWorker.open(datapath.workerSettings(), { worker: 0, shards: ALL_SHARDS, netns: space.netns }),
  );
  const agent = new SwitchAgent(worker);
  for (const n of [1, 2]) agent.learn(n, actionOf([ACTION_VPORT, n]));
  agent.run();
  assert.match((await late).output, /1 received/);
  agent.stop();
  const { credits } = datapath.memory;
  for (let at = 0; at < credits.length; at += CREDIT_WORDS) {
    assert.deepEqual([credits[at], credits[at + 1]], [credits[at + 2], credits[at + 3]]);
  }
  await datapath.close({ keep: false });
});

test("what was taken and not sent is found again by the next worker, what was sent is not", async () => {
  const datapath = unwrap(await open("h6"));
  await datapath.setPorts([1, 2].map((n) => ({ vport: n, interfaceName: `port${n}`, epoch: 1 })));
  const place = { worker: 0, shards: ALL_SHARDS, netns: space.netns };
  const worker = (): EbpfWorker => unwrap(EbpfWorker.open(datapath.workerSettings(), place));
  await (vms[0] as TestVm).space.exec(["ping", "-c", "1", "-W", "0.1", "10.0.0.79"]);
  const counts: number[] = [];
  const killed = worker();
  counts.push(killed.poll(1024, () => undefined));
  // As if it had ended here: nothing of it is closed.
  const next = worker();
  counts.push(next.poll(1024, () => undefined));
  next.flush();
  counts.push(worker().poll(1024, () => undefined));
  assert.ok((counts[0] as number) > 0);
  assert.deepEqual(counts, [counts[0], counts[0], 0]);
  await datapath.close({ keep: false });
});

test("upcalls that are too old when a worker comes are dropped and counted, younger ones are handed out", async () => {
  const datapath = unwrap(await open("h4"));
  await datapath.setPorts([1, 2].map((n) => ({ vport: n, interfaceName: `port${n}`, epoch: 1 })));
  const place = { worker: 0, shards: ALL_SHARDS, netns: space.netns };
  await (vms[0] as TestVm).space.exec(["ping", "-c", "1", "-W", "0.1", "10.0.0.77"]);
  const late = unwrap(EbpfWorker.open(datapath.workerSettings(), { ...place, staleAfterNs: 0 }));
  let handed = 0;
  assert.ok(late.poll(1024, () => handed++) > 0);
  assert.equal(handed, 0);
  const stale = datapath.drops().find(({ reason }) => reason === dropCode("stale-upcall"));
  assert.ok((stale?.packets ?? 0) > 0);
  late.poll(1024, () => handed++);
  await (vms[0] as TestVm).space.exec(["ping", "-c", "1", "-W", "0.1", "10.0.0.78"]);
  late.poll(1024, () => handed++);
  assert.ok(handed > 0);
  late.close();
  await datapath.close({ keep: false });
});

test("what is kept on purpose is found again; maps of another size or layout are left alone and replaced", async () => {
  const first = unwrap(await open("h3"));
  assert.ok(!first.isReopened);
  const secrets = [...first.memory.control.subarray(5, 9)];
  await first.close({ keep: true });
  const second = unwrap(await open("h3"));
  assert.ok(second.isReopened);
  assert.deepEqual([...second.memory.control.subarray(5, 9)], secrets);
  await second.close({ keep: true });
  const larger = unwrap(await open("h3", 128));
  assert.ok(!larger.isReopened);
  assert.equal(larger.memory.buckets.length, 128 * 16 * 352);
  larger.memory.control[1] = LAYOUT_VERSION + 1;
  await larger.close({ keep: true });
  const other = unwrap(await open("h3", 128));
  assert.ok(!other.isReopened);
  assert.notDeepEqual([...other.memory.control.subarray(5, 9)], secrets);
  await other.close({ keep: false });
  assert.ok(!discardPins({ lab: LAB, host: "h3" }), "nothing is left to discard");
  await unwrap(await open("h3")).close({ keep: true });
  assert.ok(discardPins({ lab: LAB, host: "h3" }));
  assert.ok(!openPinnedMap(`${pinPath({ lab: LAB, host: "h3" })}/control`).ok);
});

test("programs of the same object file are taken over, and those of another one replaced", async () => {
  const name = { lab: LAB, host: "h5" };
  const programs = (): readonly string[] => readdirSync(pinPath(name)).filter((entry) => entry.startsWith("program_"));
  const first = unwrap(await open("h5"));
  const id = programId(first.programFd("vport_ingress"));
  const made = programs();
  assert.ok(made.length > 4);
  await first.close({ keep: true });
  const second = unwrap(await open("h5"));
  assert.equal(programId(second.programFd("vport_ingress")), id);
  await second.close({ keep: true });
  // As if an upgrade had brought another file: its pins have another name.
  for (const entry of made)
    renameSync(`${pinPath(name)}/${entry}`, `${pinPath(name)}/${entry.replace(/_[0-9a-f]+_/, "_0_")}`);
  const third = unwrap(await open("h5"));
  assert.ok(third.isReopened);
  assert.notEqual(programId(third.programFd("vport_ingress")), id);
  assert.deepEqual(programs(), made);
  await third.close({ keep: false });
});

/** The kernel's number of a program, as its descriptor tells. */
function programId(fd: number): string | undefined {
  return /^prog_id:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1];
}
