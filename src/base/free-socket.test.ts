import assert from "node:assert/strict";
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { freeSocket } from "./free-socket.ts";

describe("the path of a socket", () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-socket-"));
  after(() => rmSync(folder, { recursive: true }));

  function serve(path: string): Promise<Server> {
    const server = createServer((socket) => socket.destroy());
    return new Promise((resolve) => server.listen(path, () => resolve(server)));
  }

  it("is free when nothing is there", async () => {
    assert.ok((await freeSocket(join(folder, "none"))).ok);
  });

  it("is left to a process that serves it, and to a file that is no socket", async () => {
    const path = join(folder, "served");
    const server = await serve(path);
    assert.deepEqual(await freeSocket(path), { ok: false, error: `${path} is in use by another process` });
    assert.ok(existsSync(path));
    await new Promise((resolve) => server.close(resolve));
    const file = join(folder, "file");
    writeFileSync(file, "");
    assert.deepEqual(await freeSocket(file), { ok: false, error: `${file} is there and is no socket` });
    assert.ok(existsSync(file));
  });

  it("is taken from a dead process", async () => {
    const path = join(folder, "left");
    const server = await serve(path);
    // Closing removes the socket at its path; a process that was killed leaves it.
    renameSync(path, `${path}.away`);
    await new Promise((resolve) => server.close(resolve));
    renameSync(`${path}.away`, path);
    assert.ok((await freeSocket(path)).ok);
    assert.ok(!existsSync(path));
  });
});
