import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { unwrap } from "../base/result.ts";
import { EpollSet } from "./epoll.ts";
import { errnoName, errnoNumber, linuxError } from "./errno.ts";
import { EventFd } from "./eventfd.ts";
import { closeFd, openFile } from "./fd.ts";
import { addressOf, allocate, libc } from "./libc.ts";
import { anonymousFile, mmapFile } from "./memory.ts";
import { pollFd } from "./poll.ts";

test("an error names the call, the errno and its meaning in one sentence", () => {
  const opened = openFile("/nonexistent/file", 0);
  assert.ok(!opened.ok);
  assert.equal(opened.error.text, "open /nonexistent/file failed: ENOENT (no such file or directory)");
  assert.equal(errnoName(9999), "EUNKNOWN");
  assert.equal(errnoNumber("EINVAL"), 22);
  assert.match(linuxError("x", 9999).text, /errno 9999/);
});

test("where there is no Linux the reason is one sentence, and a call all the same is a bug with that sentence", () => {
  const script = `
    Object.defineProperty(process, "platform", { value: "darwin" });
    const { loadLibc, libc } = await import(${JSON.stringify(new URL("./libc.ts", import.meta.url).href)});
    const loaded = loadLibc();
    try { libc(); } catch (error) { console.log(loaded.error.text === error.message, error.message); }`;
  const run = spawnSync(process.execPath, ["--input-type=module", "--no-warnings", "-e", script]);
  assert.equal(
    run.stdout.toString().trim(),
    "true loading native calls failed: ENOSYS (function not implemented): " + "native calls need Linux, this is darwin",
  );
});

test("typed arrays reach the kernel without a copy", () => {
  const bytes = allocate(64);
  const native = new Uint8Array(libc().koffi.view(addressOf(bytes), 64));
  native[3] = 7;
  assert.equal(bytes[3], 7);
  const part = bytes.subarray(8, 16);
  assert.equal(addressOf(part) - addressOf(bytes), 8n);
});

test("a mapping is the same memory for two threads", async () => {
  const fd = unwrap(anonymousFile("weft-test", 8192));
  const mapping = unwrap(mmapFile({ fd, length: 8192, protection: "read-write" }));
  unwrap(closeFd(fd));
  const words = new Int32Array(mapping.buffer);
  Atomics.store(words, 5, 41);
  const source = `
    import { workerData } from "node:worker_threads";
    const { viewMapping } = await import(workerData.module);
    const words = new Int32Array(viewMapping(workerData.handle));
    Atomics.add(words, 5, 1);
  `;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    workerData: { module: new URL("./memory.ts", import.meta.url).href, handle: mapping.handle },
  });
  await new Promise((resolve, reject) => worker.once("exit", resolve).once("error", reject));
  assert.equal(Atomics.load(words, 5), 42);
  mapping.unmap();
  assert.throws(() => mapping.buffer);
});

test("a mapping at a bad descriptor is refused with a sentence", () => {
  const mapped = mmapFile({ fd: 9999, length: 4096, protection: "read" });
  assert.ok(!mapped.ok);
  assert.equal(mapped.error.errno, "EBADF");
});

test("an eventfd kicked from elsewhere wakes a poll handle on an epoll set of several", async () => {
  const first = unwrap(EventFd.open());
  const second = unwrap(EventFd.open());
  const set = unwrap(EpollSet.open());
  unwrap(set.add(first.fd));
  unwrap(set.add(second.fd));
  assert.equal(set.wait(0), 0);
  const woken = new Promise<number>((resolve) => {
    const poll = pollFd(set.fd, { readable: true }, (readable, writable) => {
      assert.deepEqual([readable, writable], [true, false]);
      const count = set.wait(0);
      poll.close();
      resolve(count);
    });
  });
  EventFd.attach(second.fd).kick();
  second.kick();
  assert.equal(await woken, 1);
  assert.equal(set.ready[0], second.fd);
  assert.equal(second.drain(), true);
  assert.equal(second.drain(), false);
  assert.equal(set.wait(0), 0);
  unwrap(set.remove(first.fd));
  unwrap(set.close());
  first.close();
  second.close();
});

test("a poll handle survives garbage collection and goes on telling", async () => {
  const event = unwrap(EventFd.open());
  let times = 0;
  const done = Promise.withResolvers<void>();
  const poll = pollFd(event.fd, { readable: true }, () => {
    event.drain();
    times++;
    if (times === 200) done.resolve();
    else setImmediate(() => event.kick());
  });
  for (let i = 0; i < 200; i++) new Array(10_000).fill(i);
  event.kick();
  await done.promise;
  poll.set({});
  poll.close();
  event.close();
  assert.equal(times, 200);
});

test("what a listener throws ends the process, as any exception that nobody catches", () => {
  const from = (name: string): string => JSON.stringify(new URL(`./${name}.ts`, import.meta.url).href);
  const script = `
    const { EventFd } = await import(${from("eventfd")});
    const { pollFd } = await import(${from("poll")});
    const event = EventFd.open().value;
    pollFd(event.fd, { readable: true }, () => { event.drain(); throw new Error("a bug"); });
    event.kick();`;
  const run = spawnSync(process.execPath, ["--input-type=module", "--no-warnings", "-e", script]);
  assert.equal(run.status, 1);
  assert.match(run.stderr.toString(), /Error: a bug/);
});

test("workers that are ended while they watch a descriptor take nobody with them", () => {
  const from = (name: string): string => JSON.stringify(new URL(`./${name}.ts`, import.meta.url).href);
  const worker = `
    import { parentPort } from "node:worker_threads";
    const { EventFd } = await import(${from("eventfd")});
    const { pollFd } = await import(${from("poll")});
    const event = EventFd.open().value;
    pollFd(event.fd, { readable: true }, () => { event.drain(); setImmediate(() => parentPort.postMessage(1)); });
    event.kick();`;
  const script = `
    import { Worker } from "node:worker_threads";
    const source = new URL("data:text/javascript," + encodeURIComponent(${JSON.stringify(worker)}));
    for (let i = 0; i < 5; i++) {
      const worker = new Worker(source);
      await new Promise((resolve) => worker.once("message", resolve));
      await worker.terminate();
    }
    process.exit(7);`;
  const run = spawnSync(process.execPath, ["--input-type=module", "--no-warnings", "-e", script]);
  assert.deepEqual([run.status, run.signal, run.stderr.toString()], [7, null, ""]);
});
