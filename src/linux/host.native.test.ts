import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { unwrap } from "../base/result.ts";
import { capability, threadRights } from "./capabilities.ts";
import { testNamespace } from "./fixture/namespace.ts";
import { LockFile, livingLockOwner, lockOwner } from "./flock.ts";
import { createVeth } from "./netlink/route/create-link.ts";
import { changeLink, getLink } from "./netlink/route/link.ts";
import { isAlive, ownIdentity, processStart } from "./process.ts";
import { disableIpv6, readSysctl, writeSysctl } from "./sysctl.ts";
import { Tap } from "./tap.ts";
import { WakeLatency } from "./wake-latency.ts";

const directory = mkdtempSync(join(tmpdir(), "weft-linux-"));
after(() => rmSync(directory, { recursive: true }));
const { netns, connection, ifindex } = testNamespace();
const module = (name: string): string => new URL(`./${name}.ts`, import.meta.url).href;

function node(script: string) {
  return spawn(process.execPath, ["--input-type=module-typescript", "--no-warnings", "-e", script], { stdio: "pipe" });
}

test("a lock is held by one, names its owner, and is free after release", () => {
  const path = join(directory, "lock");
  const lock = unwrap(LockFile.take(path, "agent of host h1"));
  const second = LockFile.take(path, "agent of host h1");
  assert.ok(!second.ok);
  assert.equal(second.error.error.errno, "EAGAIN");
  assert.match(second.error.error.text, new RegExp(`held by agent of host h1, process ${process.pid}$`));
  assert.deepEqual(second.error.owner, { ...ownIdentity(), what: "agent of host h1" });
  lock.release();
  lock.release();
  assert.equal(lockOwner(path), undefined);
  unwrap(LockFile.take(path, "another")).release();
});

test("a lock of a killed process is free, and its owner is known to be dead", async () => {
  const path = join(directory, "killed");
  const child = node(
    `import { LockFile } from ${JSON.stringify(module("flock"))};
     console.log(LockFile.take(${JSON.stringify(path)}, "child").ok); setInterval(() => {}, 1000);`,
  );
  await once(child.stdout, "data");
  assert.equal(livingLockOwner(path)?.pid, child.pid);
  assert.ok(!LockFile.take(path, "we").ok);
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(livingLockOwner(path), undefined);
  assert.equal(lockOwner(path)?.pid, child.pid);
  unwrap(LockFile.take(path, "we")).release();
});

test("a lock file with nonsense in it has no owner", () => {
  const path = join(directory, "nonsense");
  writeFileSync(path, "x y z");
  assert.equal(lockOwner(path), undefined);
  assert.equal(lockOwner(join(directory, "absent")), undefined);
});

test("a process is known by its number and its start", () => {
  const own = ownIdentity();
  assert.equal(isAlive(own), true);
  assert.equal(isAlive({ ...own, startTicks: own.startTicks + 1 }), false);
  assert.equal(processStart(999_999_999), undefined);
});

test("a child that asked for it dies with its parent, killed without warning", async () => {
  const grandchild = `import { dieWithParent } from ${JSON.stringify(module("process"))};
    dieWithParent(9); console.log(process.pid); setInterval(() => {}, 1000);`;
  const parent = node(
    `import { spawn } from "node:child_process";
     spawn(process.execPath, ["--input-type=module-typescript", "--no-warnings", "-e", ${JSON.stringify(grandchild)}],
       { stdio: ["ignore", "inherit", "inherit"] }); setInterval(() => {}, 1000);`,
  );
  const [text] = await once(parent.stdout, "data");
  const pid = Number(text);
  const identity = { pid, startTicks: processStart(pid) ?? -1 };
  assert.equal(isAlive(identity), true);
  parent.kill("SIGKILL");
  // The grandchild's end of the pipe closes too, shortly before the kernel shows it as dead.
  await once(parent, "close");
  for (let turns = 0; isAlive(identity) && turns < 100_000; turns++) await nextTurn();
  assert.equal(isAlive(identity), false);
});

test("capabilities that are not kept are gone for good", () => {
  const script = `
    import { capability, keepCapabilities, threadRights } from ${JSON.stringify(module("capabilities"))};
    const kept = keepCapabilities([capability.netAdmin, capability.bpf]);
    console.log(JSON.stringify([kept.ok, threadRights()]));`;
  const run = spawnSync(process.execPath, ["--input-type=module-typescript", "--no-warnings", "-e", script]);
  const kept = [capability.netAdmin, capability.bpf];
  const rights = { effective: kept, permitted: kept, bounding: kept, isSealed: true };
  assert.deepEqual(JSON.parse(run.stdout.toString()), [true, rights]);
  assert.equal(threadRights(`/proc/${process.pid}/task/${process.pid}`).isSealed, threadRights().isSealed);
  assert.ok(threadRights().effective.includes(capability.sysAdmin));
});

test("a network setting is written in the namespace that is meant, also from a worker", async () => {
  unwrap(connection.run(createVeth({ link: { name: "a.b" }, peer: { name: "p" } })));
  const path = ["net", "ipv6", "conf", "a.b", "disable_ipv6"];
  assert.equal(unwrap(readSysctl({ path, netns })), "0");
  unwrap(disableIpv6("a.b", netns));
  assert.equal(unwrap(readSysctl({ path, netns })), "1");
  assert.ok(!readSysctl({ path }).ok);
  const forward = ["net", "ipv4", "ip_forward"];
  const home = unwrap(readSysctl({ path: forward }));
  unwrap(writeSysctl({ path: forward, netns }, home === "1" ? 0 : 1));
  assert.equal(unwrap(readSysctl({ path: forward })), home);
  const worker = new Worker(
    new URL(
      `data:text/javascript,${encodeURIComponent(`
        import { parentPort } from "node:worker_threads";
        const { Netns } = await import(${JSON.stringify(module("netns"))});
        const { readSysctl } = await import(${JSON.stringify(module("sysctl"))});
        const netns = Netns.named(${JSON.stringify(testName())}).value;
        const path = ["net", "ipv4", "ip_forward"];
        parentPort.postMessage([readSysctl({ path, netns }).value, readSysctl({ path }).value]);`)}`,
    ),
  );
  const [seen] = await once(worker, "message");
  assert.deepEqual(seen, [home === "1" ? "0" : "1", home]);
});

test("a sysctl that does not exist, a refused value and a path that leads out are errors", () => {
  const absent = writeSysctl({ path: ["net", "ipv4", "no_such_thing"], netns }, 1);
  assert.ok(!absent.ok);
  assert.equal(absent.error.errno, "ENOENT");
  const refused = writeSysctl({ path: ["net", "ipv4", "conf", "all", "forwarding"], netns }, "many");
  assert.ok(!refused.ok);
  assert.equal(refused.error.errno, "EINVAL");
  const out = writeSysctl({ path: ["net", "..", "..", "x"] }, 1);
  assert.ok(!out.ok);
});

test("frames pass a TAP both ways, with and without a vnet header", () => {
  for (const hasVnetHeader of [false, true]) {
    const name = hasVnetHeader ? "tapv" : "tap0";
    const tap = unwrap(netns.runResult(() => Tap.open({ name, hasVnetHeader })));
    assert.equal(tap.name, name);
    unwrap(disableIpv6(name, netns));
    unwrap(connection.run(changeLink({ name }, { isUp: true })));
    const header = hasVnetHeader ? 10 : 0;
    const frame = new Uint8Array(header + 60).fill(255, header, header + 6);
    assert.equal(unwrap(connection.run(getLink({ name })))?.kind, "tun");
    unwrap(tap.write(frame));
    assert.equal(unwrap(connection.run(getLink({ name })))?.stats?.rxPackets, 1);
    assert.equal(tap.read(new Uint8Array(2000)), -1);
    tap.close();
    assert.ok(!connection.run(getLink({ name })).ok);
  }
});

test("a persistent TAP outlives its descriptor, and several queues open one", () => {
  const settings = { name: "tapm", isMultiQueue: true, hasVnetHeader: true, takesOffload: true };
  const open = () => netns.runResult(() => Tap.open(settings));
  const [first, second] = [unwrap(open()), unwrap(open())];
  unwrap(first.setPersistent(true));
  first.close();
  second.close();
  assert.ok(ifindex("tapm") > 0);
  const again = unwrap(open());
  unwrap(again.setPersistent(false));
  again.close();
  assert.ok(!connection.run(getLink({ name: "tapm" })).ok);
  const long = netns.runResult(() => Tap.open({ name: "a-name-that-is-too-long" }));
  assert.ok(!long.ok);
  assert.equal(long.error.errno, "ENAMETOOLONG");
});

function testName(): string {
  return `weftlinux-${process.pid}-0`;
}

test("a request for short wake-ups holds until it is taken back or closed", (t) => {
  const opened = WakeLatency.open();
  if (!opened.ok) return t.skip(opened.error.text);
  const request = opened.value;
  // Others may ask for less at the same time.
  const inForce = (): number => readFileSync("/dev/cpu_dma_latency").readInt32LE();
  unwrap(request.ask(12_345));
  assert.ok(inForce() <= 12_345);
  unwrap(request.clear());
  assert.notEqual(inForce(), 12_345);
  unwrap(request.ask(12_345));
  request.close();
  assert.notEqual(inForce(), 12_345);
});

test("a thread without any capability goes over to batches and back, for itself alone, and keeps its nice value", async () => {
  const seen = `() => {
    const stat = readFileSync("/proc/thread-self/stat", "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { policy: Number(fields[38]), nice: Number(fields[16]) };
  }`;
  const worker = `
    const { parentPort } = require("node:worker_threads");
    const { readFileSync } = require("node:fs");
    const seen = ${seen};
    import(${JSON.stringify(module("thread-policy"))}).then(({ ThreadPolicy }) => {
      const { value } = ThreadPolicy.own();
      const done = [value.shorten(100_000), value.batch()];
      const batch = seen();
      const own = ThreadPolicy.own();
      done.push(value.other());
      parentPort.postMessage({ areDone: done.every(({ ok }) => ok), batch, errno: own.error?.errno, other: seen() });
    });`;
  const child = node(
    `import { readFileSync } from "node:fs";
     import { setPriority } from "node:os";
     import { Worker } from "node:worker_threads";
     import { keepCapabilities } from ${JSON.stringify(module("capabilities"))};
     const seen = ${seen};
     setPriority(3);
     if (!keepCapabilities([]).ok) process.exit(1);
     new Worker(${JSON.stringify(worker)}, { eval: true, execArgv: ["--no-warnings"] })
       .on("message", (told) => console.log(JSON.stringify({ ...told, main: seen() })));`,
  );
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const [other, batch] = [0, 3].map((policy) => ({ policy, nice: 3 }));
  assert.deepEqual(JSON.parse(line.toString()), { areDone: true, batch, errno: "EBUSY", other, main: other });
});
