import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { unwrap } from "../base/result.ts";
import { connectZooKeeper } from "../zookeeper/connect.ts";
import { startStoreServer } from "./start.ts";

const isRoot = process.getuid?.() === 0;

test("a file system that fills up costs nothing that was acknowledged, and writes go on when it has grown", {
  skip: isRoot ? false : "needs root (mounts a small file system)",
  timeout: 60_000,
}, async (t) => {
  const place = mkdtempSync(join(tmpdir(), "weft-full-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=6m", "weft-full", place]);
  t.after(() => {
    execFileSync("umount", [place]);
    rmSync(place, { recursive: true });
  });
  const folder = join(place, "store");
  const listen = [{ kind: "unix", path: join(place, "store.sock") }] as const;
  const first = unwrap(await startStoreServer({ folder, listen }));
  const tree = unwrap(await connectZooKeeper({ servers: first.addresses }));
  const acknowledged: string[] = [];
  let refusal: string | undefined;
  while (refusal === undefined) {
    const names = Array.from({ length: 8 }, (_, i) => `/${acknowledged.length}-${i}`);
    const made = await Promise.all(names.map((name) => tree.create(name, new Uint8Array(10_000))));
    for (const [i, result] of made.entries()) {
      if (result.ok) acknowledged.push(names[i] as string);
      else if (result.error.kind === "storage-full") refusal = result.error.kind;
    }
  }
  assert.ok(acknowledged.length > 50);
  assert.notEqual(unwrap(await tree.exists(acknowledged[0] as string)), undefined, "reads go on");
  execFileSync("mount", ["-o", "remount,size=64m", place]);
  for (;;) {
    const again = await tree.create("/again", new Uint8Array(10_000));
    if (again.ok) break;
    assert.ok(["storage-full", "connection-loss"].includes(again.error.kind));
  }
  await tree.close();
  await first.stop();
  const second = unwrap(await startStoreServer({ folder, listen }));
  const stored = new Set([...unwrap(second.server.tree.children("/")).names].map((name) => `/${name}`));
  assert.deepEqual(
    acknowledged.filter((path) => !stored.has(path)),
    [],
  );
  await second.stop();
});
