import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readlinkSync } from "node:fs";
import { test } from "node:test";
import { unwrap } from "../base/result.ts";
import { testNamespace } from "./fixture/namespace.ts";
import { createNetns, deleteNetns, listNetns, Netns } from "./netns.ts";

const inside = testNamespace();
const own = (): string => readlinkSync("/proc/thread-self/ns/net");

test("code runs inside a namespace and comes back, also when it throws", () => {
  const home = own();
  const there = unwrap(inside.netns.run(own));
  assert.notEqual(there, home);
  assert.equal(own(), home);
  assert.throws(
    () =>
      inside.netns.run(() => {
        throw new Error("bug inside");
      }),
    /bug inside/,
  );
  assert.equal(own(), home);
});

test("an asynchronous body is refused, and the thread is home again", () => {
  const home = own();
  assert.throws(() => inside.netns.run(async () => 1), /synchronous/);
  assert.equal(own(), home);
});

test("a namespace entered inside a namespace returns to the outer one", () => {
  const other = testNamespace();
  const outer = unwrap(inside.netns.run(own));
  const seen = unwrap(inside.netns.run(() => [unwrap(other.netns.run(own)), own()]));
  assert.notEqual(seen[0], outer);
  assert.equal(seen[1], outer);
});

test("a process that is started inside stays inside, also when it ends later", async () => {
  const there = unwrap(inside.netns.run(own));
  const child = unwrap(inside.netns.run(() => spawn("readlink", ["/proc/self/ns/net"])));
  const [text] = await once(child.stdout, "data");
  assert.equal(`${text}`.trim(), there);
  assert.equal(spawnSync("readlink", ["/proc/self/ns/net"]).stdout.toString().trim(), own());
});

test("a new namespace holds its own devices only", () => {
  const devices = unwrap(inside.netns.run(() => readFileSync("/proc/thread-self/net/dev", "utf8")));
  assert.match(devices, /lo:/);
  assert.doesNotMatch(devices, /eth0:/);
});

test("iproute2 sees the same names", () => {
  assert.ok(listNetns().includes(inside.name));
  const shown = spawnSync("ip", ["netns", "list"]).stdout.toString();
  assert.match(shown, new RegExp(`^${inside.name}`, "m"));
});

test("a name taken, a name absent and a process gone are errors with a sentence", () => {
  const again = createNetns(inside.name);
  assert.ok(!again.ok);
  assert.equal(again.error.errno, "EEXIST");
  const absent = deleteNetns("weftlinux-absent");
  assert.ok(!absent.ok);
  assert.equal(absent.error.errno, "ENOENT");
  const gone = Netns.ofProcess(999_999_999);
  assert.ok(!gone.ok);
  assert.match(gone.error.text, /^open \/proc\/999999999\/ns\/net failed: ENOENT/);
});

test("the namespace of a process is found by its number", () => {
  const ours = unwrap(Netns.ofProcess(process.pid));
  assert.equal(unwrap(ours.run(own)), own());
  ours.close();
});
